"""Which earlier bars the bar memory of a model looks at."""
