"""Decoding: bar after bar, step after step, on a loaded engine."""
