"""`python -m server` starts the service."""
