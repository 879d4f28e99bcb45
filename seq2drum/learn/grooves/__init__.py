"""The ranker of grooves and the groove book, learnt from a corpus."""
