"""Folders of music become batches: songs are read, cut into aligned pairs, kept in one cache, and gathered.

This room knows no model; what trains and what judges both read from it.
"""
