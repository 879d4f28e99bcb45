"""A song as arrays and back, and what is heard in them.

Notes are laid on the lattice, six steps a quarter, and `grid` says what is lost by that. What is heard of a guitar,
what drums do, and what may be asked of them are counted there. This room knows no file and no model.
"""
