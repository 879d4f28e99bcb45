"""Songs of eighths and a backbeat, to be played and judged."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.grid import Lattice, encode
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.made import made_song

KICK, SNARE, HAT = 36, 38, 42


def song_of(
    seed: int, *, bars: int = 12, metre: tuple[int, int] = (4, 4), bpm: int = 120, split: str = "test", tag: str = "t"
) -> Prepared:
    """Eighths on the hat, a backbeat, kicks where the guitar plays low; every fourth bar ends in a fill of snares."""
    rng = np.random.default_rng(seed)
    length = 4 * 480 * metre[0] // metre[1]
    guitar, drums = [], []
    for bar in range(bars):
        for at in range(bar * length, (bar + 1) * length, 240):
            low = rng.random() < 0.5
            guitar.append(Note(at, 200, 40 if low else 64, int(rng.integers(60, 120))))
            if low:
                drums.append(Note(at + int(rng.integers(0, 9)), 60, KICK, int(rng.integers(90, 120))))
            filling = bar % 4 == 3 and at >= (bar + 1) * length - 960
            drums.append(Note(at, 60, SNARE if filling else HAT, int(rng.integers(40, 90))))
        drums.append(Note(bar * length + 480, 60, SNARE, 100))
    parts = (Part.of(guitar, program=27), Part.of(drums, is_drums=True))
    song = Song(480, parts, (Tempo(0, 60_000_000 // bpm),), (Metre(0, *metre),), bars * length)
    lattice = Lattice(song.bars(), 480)
    name = f"{split}{metre}{bpm}-{seed}"
    hits = encode(parts[1], lattice, FULL)
    return Prepared(f"{tag}/{name}.mid", name, tag, name, split, SongGrid.of(song, [0], lattice).guitar_grid, hits)


@cache
def played_songs() -> tuple[Prepared, ...]:
    return (*(song_of(seed) for seed in range(4)), song_of(9, metre=(3, 4)), song_of(8, metre=(7, 8)), changing())


def changing() -> Prepared:
    return replace(made_song(5), split="test", group="made", sha256="made")


@cache
def training() -> tuple[Prepared, ...]:
    return tuple(song_of(seed, bars=6, split="train") for seed in range(100, 122))
