"""Tabs of Power Tab Editor."""
