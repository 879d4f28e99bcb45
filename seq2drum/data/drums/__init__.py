"""Drums without a guitar, to learn from: beats and audio loops."""
