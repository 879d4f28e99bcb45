"""Beats of a performance without a click: found, tracked, and turned into a song's tempo map."""
