"""How a model comes to be: one training loop, the tasks that it works on, and what one sees of a run.

The loop knows devices, processes, seeds, saving and resuming, and nothing of music. What is learnt is a task's: to
accompany a guitar, or how human drummers strike.
"""
