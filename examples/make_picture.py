"""Draws the picture on top of the README: `python examples/make_picture.py [SONG.mid [PICTURE.png]]`."""

from __future__ import annotations

import sys
from pathlib import Path

from seq2drum import Drummer
from seq2drum.show.draw import picture

HERE = Path(__file__).parent


def main(song: str = str(HERE / "blues_shuffle.mid"), path: str = str(HERE.parent / "docs" / "example.png")) -> None:
    """Play to a song and draw its first sixteen bars."""
    take = Drummer.load().accompany(song)
    Path(path).write_bytes(picture(take.duet, "png", title=Path(song).name, last_bar=16))


if __name__ == "__main__":
    main(*sys.argv[1:])
