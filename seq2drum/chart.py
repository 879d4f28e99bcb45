"""What a picture of a song shows, whatever draws it: lines of bars, rows of pieces, fills and sections."""
