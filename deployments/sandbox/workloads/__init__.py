"""Controllers of the sandbox that every cluster has: workloads, autoscaler, scheduler, volumes, routes."""
