"""The sandbox cluster: a separate process that speaks the Kubernetes HTTP API on loopback.

It exists so that somebody without a cluster can deploy a model and see it come up, and so that our tests meet real
HTTP instead of mocks. Nothing in the console imports it: the console reaches it with the official client and a
kubeconfig, like any cluster.
"""
