"""The OpenAI-compatible proxy in front of the engines, as processes of its own."""
