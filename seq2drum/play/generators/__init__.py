"""Beats without a guitar: each file plays one generator."""
