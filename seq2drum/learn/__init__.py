"""How a model comes to be: the loop of training, the tasks that it runs, and what one sees of a run."""
