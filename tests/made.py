"""A song for tests of learning: small, in three metres, and with something to be learnt."""

from __future__ import annotations

import numpy as np

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.grid import Lattice, encode
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo


def made_song(seed: int, bars: int = 14) -> Prepared:
    """A song in which the kick doubles the guitar's low notes, with 4/4, 7/8 and 3/4 bars."""
    rng = np.random.default_rng(seed)
    metres = (Metre(0, 4, 4), Metre(6 * 1920, 7, 8), Metre(6 * 1920 + 4 * 1680, 3, 4))
    frame = Song(480, (), (Tempo(0, 500_000),), metres, 6 * 1920 + 4 * 1680 + max(bars - 10, 0) * 1440)
    guitar, drums = [], []
    for bar in frame.bars():
        for at in range(bar.start, bar.end, 240):
            if rng.random() < 0.6:
                pitch = int(rng.choice([40, 52, 64]))
                guitar.append(Note(at, 200, pitch, int(rng.integers(60, 120))))
                if pitch == 40:
                    drums.append(Note(at + int(rng.integers(0, 9)), 60, 36, 110))
            drums.append(Note(at, 60, 42, int(rng.integers(40, 90))))
        drums.append(Note(bar.start + 480, 60, 38, 100))
    parts = (Part.of(guitar, program=27), Part.of(drums, is_drums=True))
    song = Song(480, parts, frame.tempos, frame.metres, frame.length)
    lattice = Lattice(song.bars(), 480)
    return Prepared(
        f"{seed}",
        f"{seed}",
        "t",
        f"{seed}",
        "train",
        SongGrid.of(song, [0], lattice).guitar_grid,
        encode(parts[1], lattice, FULL),
    )
