"""The service: drums over gRPC. `python -m server` starts it; docs/service.md says what it promises."""
