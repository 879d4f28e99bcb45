"""What one sees of a training run, while it goes on and when it is over."""
