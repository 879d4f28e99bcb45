"""The nets, one file each, their common parts, and their checkpoints.

This room defines, saves and loads nets in torch; it does not train them. `play` plays a checkpoint.
"""
