"""Values, and a musician's knowledge: notes, parts, songs and bars, the kit, metres, chords, and guitar detection.

This room knows no file format, no arrays of steps and no model. All other rooms may import it, so it imports none of
them.
"""
