"""Grooves: what a section is played on, their names, styles and tablature."""
