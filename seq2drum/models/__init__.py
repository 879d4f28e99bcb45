"""The nets, one file each, what they share, and their checkpoints.

This room defines, saves and loads nets in torch; it does not train them. What plays a checkpoint is in `play`.
"""
