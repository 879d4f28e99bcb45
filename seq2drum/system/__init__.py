"""Files that are read up to a limit and written whole or not at all, and worker processes."""
