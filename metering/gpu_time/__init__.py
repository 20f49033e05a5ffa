"""The GPUs that deployments hold: counting them, how much of that time they work, and what it costs."""
