"""A command line: its words, its paths, and what it prints."""
