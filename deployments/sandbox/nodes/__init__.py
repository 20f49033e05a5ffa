"""The nodes of the sandbox: kubelet, containers, probes, images and the registries that they come from."""
