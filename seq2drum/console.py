"""A chart in characters, for a terminal."""
