"""What authors of services import, by way of `from sidecar import …`."""
