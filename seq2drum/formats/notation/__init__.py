"""MusicXML, ABC and Humdrum: checked, then read by music21."""
