"""MIDI files: their events, and the way to a song and back."""
