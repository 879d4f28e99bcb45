"""Pictures, the terminal, engraved scores, sound and pages of finished values, such as a duet or figures.

Nothing here plays or measures.
"""
