"""A checkpoint that plays: its folder, checks, signature and graphs."""
