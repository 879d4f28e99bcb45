"""A song as arrays and back, and what is heard in them.

The lattice has six places a quarter; `grid` states what is lost on it. Features, grooves, sections and conditions are
read off it. This room knows no file and no model.
"""
