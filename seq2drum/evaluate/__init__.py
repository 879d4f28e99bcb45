"""Evaluations: players on songs, critics, tables and reports."""
