"""Drums as a written score, and as MusicXML."""
