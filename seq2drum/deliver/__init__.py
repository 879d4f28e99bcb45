"""A take in other formats, and values shown in a notebook."""
