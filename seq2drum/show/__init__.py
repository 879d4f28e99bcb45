"""What one sees and hears of music: pictures, terminal, engraved scores, sound, pages.

Everything here takes a finished duet or finished figures; nothing here plays or measures.
"""
