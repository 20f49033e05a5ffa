"""Endpoints: host names, certificates, whether one can serve, and their form."""
