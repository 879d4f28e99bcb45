"""Files to values and values to files, one file for each format.

This is the only room with foreign format libraries. What goes out has a way back, and a test for it.
"""
