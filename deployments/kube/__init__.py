"""Kubernetes as this console sees it: one client, lean decoding, its own errors, its own rules of access."""
