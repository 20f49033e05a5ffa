"""The simulated engines: how each starts or fails, and what it answers."""
