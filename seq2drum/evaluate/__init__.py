"""An evaluation: players on songs, critics, tables and reports."""
