"""Scores of MuseScore."""
