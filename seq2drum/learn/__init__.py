"""Training: one loop, its tasks, and the displays of a run.

The loop knows devices, processes, seeds, saving and resuming, and nothing of music. Tasks define what is learnt: to
accompany a guitar, for one, or to strike as human drummers do.
"""
