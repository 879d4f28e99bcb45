"""Many songs become batches to learn from: files are read, copies dropped, songs kept in one cache and cut into pairs.

This room knows no model. Training and judging read from it.
"""
