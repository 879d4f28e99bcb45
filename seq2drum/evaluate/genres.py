"""Beats by genre: how often they keep the marks of their genre, beside drummers of the Groove MIDI Dataset.

For each genre some beats of eight bars are made, of consecutive seeds, at the genre's usual tempo. Likeness says
whether a genre is heard more than a seed: the F1 of bars of one genre and two seeds should exceed that of two genres
and one seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from seq2drum.data.drums.beats import SIDES, read
from seq2drum.judge import genres
from seq2drum.judge.genres import Heard
from seq2drum.lattice.patterns import Pattern, part_of
from seq2drum.music.choices import BOOK, GENRES, LEARNT
from seq2drum.play.generators.composer import Brief, Composer
from seq2drum.show.page import Table

BARS, SEEDS = 8, 12
FIRST = 200  # first bars that are asked whether they are broken
ALL = "all"

Figures = Mapping[str, float]


def known(composer: Composer) -> tuple[str, ...]:
    """The genres that a generator knows."""
    return GENRES if composer.model == BOOK else LEARNT


def beats_of(composer: Composer, genre: str, seeds: Sequence[int], bars: int = BARS) -> list[list[Heard]]:
    """The bars of beats of a genre, by seed."""
    brief = Brief(genre, bars=bars)
    return [genres.bars_of(composer.compose(brief, seed).part, bars) for seed in seeds]


def figures(
    composer: Composer, seed: int = 0, seeds: int = SEEDS, say: Callable[[str], None] = lambda line: None
) -> dict[str, Figures]:
    """The figures of each genre that a generator knows, and under ALL those of all."""
    numbers, found, made = range(seed, seed + seeds), dict[str, Figures](), dict[str, list[list[Heard]]]()
    # 1. Genre by genre.
    for genre in known(composer):
        say(f"{composer.model}: {genre}")
        made[genre] = beats_of(composer, genre, numbers)
        every = [bar for beat in made[genre] for bar in beat]
        found[genre] = {
            **genres.shares(every, genre),
            "commonest kick and snare": float(np.mean([genres.commonest(beat) for beat in made[genre]])),
            "distinct bars": float(np.mean([genres.distinct(beat) for beat in made[genre]])),
            "likeness": float(np.mean([genres.likeness(*pair) for pair in itertools.combinations(made[genre], 2)])),
        }
    # 2. All of them.
    across = [
        genres.likeness(made[one][number], made[other][number])
        for one, other in itertools.combinations(made, 2)
        for number in range(seeds)
    ]
    names = [name for name in LEARNT if name in made]
    broken = [
        genres.is_broken(beats_of(composer, genre, [seed + number], 1)[0][0], genre)
        for number, genre in zip(range(FIRST), itertools.cycle(names), strict=False)
    ]
    found[ALL] = {
        "likeness, same genre and other seed": float(np.mean([found[genre]["likeness"] for genre in made])),
        "likeness, same seed and other genre": float(np.mean(across)),
        "broken first bars": float(np.mean(broken)),
        "commonest kick and snare": float(np.mean([found[genre]["commonest kick and snare"] for genre in made])),
        "distinct bars": float(np.mean([found[genre]["distinct bars"] for genre in made])),
    }
    return found


def real(folders: Sequence[Path], say: Callable[[str], None] = lambda line: None) -> dict[str, Figures]:
    """The same of drummers: windows of eight bars of the validation and the test side, by genre.

    Raises:
        CorpusError: there are no drums in the folders.
    """
    say("drummers")
    beats = read(folders)
    beats = beats.select(np.isin(beats.side, [SIDES.index(side) for side in SIDES[1:]]))
    first = beats.windows(BARS, BARS)
    found = dict[str, Figures]()
    for number, genre in enumerate(LEARNT):
        rows = [at for at in first.tolist() if beats.genre[at] == number]
        windows = [genres.bars_of(part_of(Pattern(beats.velocity[at : at + BARS])), BARS) for at in rows]
        if not windows:
            continue
        found[genre] = {
            **genres.shares([bar for window in windows for bar in window], genre),
            "commonest kick and snare": float(np.mean([genres.commonest(window) for window in windows])),
            "distinct bars": float(np.mean([genres.distinct(window) for window in windows])),
        }
    return found


def table(made: Mapping[str, Mapping[str, Figures]], drummers: Mapping[str, Figures]) -> Table:
    """The figures of generators, by name, side by side with those of drummers."""
    rows = []
    for genre in (*GENRES, ALL):
        own = {name: of[genre] for name, of in made.items() if genre in of}
        for figure in dict.fromkeys(figure for of in own.values() for figure in of):
            cells = [f"{made[name][genre][figure]:.2f}" if name in own and figure in own[name] else "" for name in made]
            beside = drummers.get(genre, {}).get(figure)
            rows.append([f"{genre}: {figure.replace('_', ' ')}", *cells, "" if beside is None else f"{beside:.2f}"])
    return Table(["", *made, "drummers"], rows)
