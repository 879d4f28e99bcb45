"""Arrays made from a song and back, and the features heard in them.

Notes are placed on the lattice, six steps a quarter; `grid` states the loss. Features of a guitar, patterns of drums
and the conditions a user may set are computed here. This room knows no file and no model.
"""
