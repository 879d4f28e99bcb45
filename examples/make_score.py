"""Engraves the score in the documentation: `python examples/make_score.py [SONG.mid [SCORE.svg]]`.

Bars 9 to 16 of the drums that the model in the package plays to a song, seed 0.
"""

from __future__ import annotations

import sys
from pathlib import Path

from seq2drum import Drummer, files
from seq2drum.formats.musicxml import write_score
from seq2drum.show import engraving

HERE = Path(__file__).parent
BARS = (8, 16)  # from 0: those with a fill and a crash


def main(song: str = str(HERE / "blues_shuffle.mid"), picture: str = str(HERE.parent / "docs" / "score.svg")) -> None:
    """Play to a song and engrave some bars of the drums."""
    take = Drummer.load().accompany(song)
    title = Path(song).stem.replace("_", " ").capitalize()
    score = write_score(take.song, take.standard_part, title, first_bar=BARS[0], last_bar=BARS[1])
    files.write_file(picture, engraving.svg(score), overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
