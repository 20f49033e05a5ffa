"""The Kubernetes API of the sandbox: from a request to a write of the store, and back."""
