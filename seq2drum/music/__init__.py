"""Values, and what a musician knows: notes, parts, songs and bars, the kit, metres, chords, which part is the guitar.

This room knows no file format, no arrays of steps and no model. All other rooms may use it, so it uses none of them.
"""
