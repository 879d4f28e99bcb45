"""MIDI files and songs: events, and reading and writing."""
