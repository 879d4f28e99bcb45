"""Grooves of sections, with their names, styles and tablature."""
