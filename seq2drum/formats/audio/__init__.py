"""Sound files, recordings of guitars, and the notes in them."""
