"""A drummer who plays along: what it hears, foresees, and sends in time."""
