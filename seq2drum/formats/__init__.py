"""Bytes of files to values and back, and the only room that knows libraries of file formats. `opening` opens any file.

MIDI: `midi`, on bytes that `events` checks. MusicXML: `notation` reads what `unpacking` checks, and `musicxml` writes
what `heads` and `score` decide. REAPER projects: `rpp`. What goes out has a way back, and a test of it.
"""
