"""Beats of a performance without a click: found, followed, and made the tempo map of a song."""
