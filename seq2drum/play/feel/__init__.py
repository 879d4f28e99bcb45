"""The feel of hits: velocities, moments and loudness."""
