"""Beats from the groove book: a drummer who plays without a guitarist."""
