"""Training: one loop, its tasks, and the displays of a run.

The loop knows devices, processes, seeds, saving and resuming, and nothing of music. A task is a learning problem, such
as to accompany a guitar or to strike as human drummers do.
"""
