"""What metering tells of: latency against its target, rate limits that are reached, budgets that are used up."""
