"""Folders of songs become one cache: read, split, freed of copies."""
