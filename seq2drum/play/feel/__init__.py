"""How hits are struck: velocities, moments and loudness."""
