"""Add-ons of the sandbox: NVIDIA's operators, KEDA and Prometheus."""
