"""Tabs of TuxGuitar."""
