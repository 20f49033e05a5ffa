"""The catalogue, clusters, and deployments: what should run where, and what is seen to run."""
