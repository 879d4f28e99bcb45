"""Figures of drums: a take beside the real drums, intervals over songs, and the baselines to compare with.

Nothing here imports torch.
"""
