"""Values, and what a musician knows: notes, parts, songs and bars, the kit, metres, chords, which part is the guitar.

This room knows no file format, no array lattice and no model. All others may use it.
"""
