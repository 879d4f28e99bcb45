"""The parts of any command line: words, paths, and output."""
