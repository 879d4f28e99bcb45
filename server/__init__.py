"""The service: drums over gRPC. `python -m server` starts it; docs/service.md has its guarantees."""
