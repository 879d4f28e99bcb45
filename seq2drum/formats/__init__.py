"""Files to values and values to files; the only room with foreign format libraries.

MIDI: `midi`, on bytes that `events` checks. MusicXML: `notation` reads what `unpacking` checks, and `musicxml` writes
what `heads` and `score` decide. REAPER projects: `rpp`. What goes out has a way back, and a test for it.
"""
