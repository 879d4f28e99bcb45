"""A duet as sound, rendered by FluidSynth with a General MIDI soundfont."""
