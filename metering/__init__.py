"""What passes through the gateway: API keys, limits as they are enforced, usage and money."""
