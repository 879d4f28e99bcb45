"""A training run: its loop, folder, devices, and what one sees of it."""
