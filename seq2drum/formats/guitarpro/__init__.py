"""Tabs of Guitar Pro 3 to 8: read, performed, and written."""
