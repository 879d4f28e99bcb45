"""A cache becomes padded batches of pairs to learn from."""
