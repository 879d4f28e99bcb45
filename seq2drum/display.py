"""How the library's values show themselves in a notebook."""
