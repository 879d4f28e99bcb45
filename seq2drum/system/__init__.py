"""Files that are read up to a limit and written whole or not at all, and processes that work side by side."""
