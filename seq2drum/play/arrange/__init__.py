"""Arrange: who plays where, on which pieces, with which fills, crashes and cues; and how the song ends."""
