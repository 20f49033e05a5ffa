"""A real vLLM behind the gateway: `make real-engine`. No part of `make test`: it needs 3 GB and ten minutes."""
