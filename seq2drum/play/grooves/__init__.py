"""The groove book, the ranker, and the choice of grooves."""
