"""All deployments side by side: how fast, how much, at what cost. Computed in the background, sorted by the tables."""
