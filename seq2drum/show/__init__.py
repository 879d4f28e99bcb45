"""What one sees and hears of music: pictures, the terminal, engraved scores, sound, pages.

Everything here is made of values that are finished, such as a duet or figures. Nothing here plays or measures.
"""
