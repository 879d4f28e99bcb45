"""Bytes of files become values, and back; the only room that knows libraries of file formats.

`opening` opens any file. Every writer has a reader, and a test of the round trip.
"""
