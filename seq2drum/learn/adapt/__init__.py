"""A band's own drummer, from its songs: the grooves, how songs are built, and how a model plays."""
