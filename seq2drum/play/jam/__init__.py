"""A drummer who plays along: it listens, predicts, and sends bars in time."""
