"""The feel: its network and task, and the recordings it learns from."""
