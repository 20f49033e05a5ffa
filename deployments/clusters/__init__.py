"""Clusters: the way to reach one, what a check learns, and what its pages and forms say."""
