"""`python -m client song.mid -o drums.mid` asks a server for drums."""
