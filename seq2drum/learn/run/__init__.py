"""A training run: its loop, folder, devices, and displays."""
