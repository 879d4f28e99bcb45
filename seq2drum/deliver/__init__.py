"""A take in other forms: files beside its MIDI, and its look in a notebook."""
