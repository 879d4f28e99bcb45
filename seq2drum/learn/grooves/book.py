"""The groove book of a corpus: the grooves that drummers of several songs play.

    songs -> the typical groove of each section -> clusters of grooves that are nearly alike -> those of several groups

    python -m seq2drum.learn.grooves.book --cache FILE -o seq2drum/grooves/book.json

Only songs of the training side are used. A cluster has the grooves within ALIKE of its leader, the commonest one; its
velocities and offsets are medians over the cluster. Grooves of a single group of songs are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import Seq2DrumError
from seq2drum.lattice.conditions import drums_of, style_of
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove, hits_of, to_json, typical
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.section_features import letters_of, section_features
from seq2drum.lattice.grooves.titles import unique
from seq2drum.lattice.sections import sections
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray
from seq2drum.system import files

FEWEST = 2  # bars of a section with guitar and drums


class Example(NamedTuple):
    """A section of a song.

    song, group: of its song. letter: of the section. heard (SECTION.size,): features of guitar and bass. groove:
    typical of its drums, in the metre of most of its bars. bars: its bars in that metre that have drums.
    bpm: the median of their tempos. style: of the song's whole drum part.
    """

    song: str
    group: str
    letter: str
    heard: FloatArray
    groove: Groove
    bars: IntArray
    bpm: float
    style: str


def examples(songs: Sequence[Prepared], show: Callable[[int, int], None] = lambda done, total: None) -> list[Example]:
    """The sections of all songs without bars longer than MAX_STEPS. show: called with the songs done and in all."""
    found = list[Example]()
    for done, song in enumerate(songs, 1):
        if song.guitar_grid.form.steps.max() <= MAX_STEPS:
            found += examples_of(song)
        show(done, len(songs))
    return found


def examples_of(song: Prepared) -> Iterator[Example]:
    """The sections of a song in which guitar and drums play in FEWEST bars or more."""
    form, drums = song.guitar_grid.form, song.drums
    passages = sections(song.guitar_grid)
    letters = letters_of(passages, len(form.steps))
    struck = np.bincount(form.bar_of(drums.step), minlength=len(form.steps)) > 0
    style = style_of(drums_of(drums, form, FULL))
    for letter, (metre, _, heard) in section_features(song.guitar_grid, passages).items():
        held = (form.numerator == metre[0]) & (form.denominator == metre[1])
        bars = np.flatnonzero((letters == letter) & struck & held)
        if len(bars) < FEWEST:
            continue
        groove = typical(drums, form, bars)
        bpm = float(np.median(form.bpm[bars]))
        yield Example(song.sha256, song.group, letter, heard.astype(np.float16), groove, bars, bpm, style)


ALIKE = 0.85  # F1 of the hits of two grooves in one cluster
FEWEST_GROUPS = 2  # least number of groups of songs with a groove
FEWEST_HITS = 4  # mean of a bar
# A groove without a piece of each of these is a section's oddity, unless many play it.
USUAL = (("kick",), ("snare", "side stick"), ("closed hat", "open hat", "pedal hat", "ride", "bell", "crash"))
MANY_GROUPS = 5
_TEMPOS = (0.1, 0.9)  # quantiles of the tempos at which a groove is played
_BLOCK = 512  # grooves compared with all leaders in one pass


class Found(NamedTuple):
    """A groove of several songs, and the number of groups of songs that have it."""

    groove: Groove
    groups: int


class Left(NamedTuple):
    """Effect of the cut at FEWEST_GROUPS: clusters, sections and groups of songs, each as (kept, all)."""

    clusters: tuple[int, int]
    sections: tuple[int, int]
    groups: tuple[int, int]

    def __str__(self) -> str:
        parts = [f"{kept} of {every} {name}" for name, (kept, every) in self._asdict().items()]
        return f"kept: {', '.join(parts)}"


def book_of(found: Sequence[Example]) -> tuple[list[Found], Left]:
    """The grooves that several groups of songs share, the most popular first, and the effect of the cut."""
    by_metre = defaultdict[tuple[int, int], list[Example]](list)
    for example in found:
        by_metre[example.groove.numerator, example.groove.denominator].append(example)
    every = [members for own in by_metre.values() for members in clusters(own)]
    kept = [members for members in every if _is_kept(members)]
    left = Left(
        (len(kept), len(every)),
        (sum(map(len, kept)), len(found)),
        (len({one.group for members in kept for one in members}), len({one.group for one in found})),
    )
    grooves = [Found(_representative(members), _groups(members)) for members in kept]
    grooves.sort(key=lambda one: (-one.groups, one.groove.name, one.groove.numerator, one.groove.denominator))
    names = unique(one.groove.name for one in grooves)
    named = [Found(replace(one.groove, name=name), one.groups) for one, name in zip(grooves, names, strict=True)]
    return named, left


# --- clusters ---------------------------------------------------------------------------------------------------------


def clusters(own: Sequence[Example]) -> list[list[Example]]:
    """Clusters of sections of one metre by their grooves; each begins with its leader, the commonest groove.

    From the commonest groove on, each joins the most similar leader within ALIKE, or leads a new cluster.
    """
    same = defaultdict[bytes, list[Example]](list)
    for example in own:
        same[_hits([example.groove]).astype(bool).tobytes()].append(example)
    order = sorted(same, key=lambda key: (-_groups(same[key]), -len(same[key]), key))
    leader = _leaders(_hits([same[key][0].groove for key in order]))
    joined = defaultdict[int, list[Example]](list)
    for key, at in zip(order, leader, strict=True):
        joined[at] += same[key]
    return list(joined.values())


def _hits(grooves: Sequence[Groove]) -> FloatArray:
    """(n, ·): hits of grooves of one metre, all pieces of the kit."""
    return hits_of(grooves, grooves[0].steps, FULL).reshape(len(grooves), -1)


def _leaders(hits: FloatArray) -> list[int]:
    """The leader of each row of hits, in order: an earlier row, or itself."""
    leads = list[int]()
    leader = np.arange(len(hits))

    def nearest(rows: Sequence[int], others: Sequence[int]) -> None:
        both = likeness(hits[rows], hits[others])
        best = both.argmax(axis=1)
        near = both[np.arange(len(best)), best] >= ALIKE
        leader[rows] = np.where(near, np.asarray(others)[best], rows)

    for begin in range(0, len(hits), _BLOCK):
        block = list(range(begin, min(begin + _BLOCK, len(hits))))
        if leads:
            nearest(block, leads)
        fresh = list[int]()
        for row in (row for row in block if leader[row] == row):
            if fresh:
                nearest([row], fresh)
            if leader[row] == row:
                fresh.append(row)
        leads += fresh
    return [int(row) for row in leader]


def _groups(members: Iterable[Example]) -> int:
    return len({one.group for one in members})


def _is_kept(members: Sequence[Example]) -> bool:
    groups, bars = _groups(members), members[0].groove.bars
    struck = {FULL.names[key] for bar in bars for key in bar.key.tolist()}
    usual = all(struck.intersection(pieces) for pieces in USUAL)
    hits = sum(len(bar.step) for bar in bars) / len(bars)
    return groups >= (FEWEST_GROUPS if usual else MANY_GROUPS) and hits >= FEWEST_HITS


# --- a cluster as one groove ------------------------------------------------------------------------------------------


def _representative(members: Sequence[Example]) -> Groove:
    """The leader's hits with the velocities, offsets, tempos and style of its cluster."""
    leader = members[0].groove
    bars = [_median(bar, [one.groove.bar(index) for one in members]) for index, bar in enumerate(leader.bars)]
    low, high = np.quantile([one.bpm for one in members], _TEMPOS)
    styles = Counter(style for _, style in {(one.group, one.style) for one in members})
    style = min(styles, key=lambda name: (-styles[name], name))
    tempo = float(np.floor(low)), float(np.ceil(high))
    return Groove.of_bars(bars, leader.numerator, leader.denominator, tempo, style)


def _median(bar: Grid, others: Sequence[Grid]) -> Grid:
    """A bar whose every hit has the median velocity and offset of the bars that have this hit."""
    struck = defaultdict[tuple[int, int], list[tuple[int, int]]](list)
    for other in others:
        columns = (other.step, other.key, other.velocity, other.offset)
        for step, key, velocity, offset in zip(*(column.tolist() for column in columns), strict=True):
            struck[step, key].append((velocity, offset))
    places = zip(bar.step.tolist(), bar.key.tolist(), strict=True)
    middle = np.array([np.median(struck[place], axis=0) for place in places]).reshape(-1, 2)
    velocity, offset = np.rint(middle).astype(np.int64).T
    return bar._replace(velocity=velocity, offset=offset)


# --- the file ---------------------------------------------------------------------------------------------------------


def as_json(book: Sequence[Found]) -> str:
    """The book as JSON, one groove a line."""
    rows = [json.dumps({**to_json(one.groove), "popularity": one.groups}, separators=(",", ":")) for one in book]
    return '{"grooves":[\n' + ",\n".join(rows) + "\n]}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the book of a prepared corpus."""
    parser = argparse.ArgumentParser(
        prog="python -m seq2drum.learn.grooves.book", description="Make the groove book of songs."
    )
    parser.add_argument("--cache", type=Path, required=True, metavar="FILE", help="songs that --mode prepare has kept")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the book, JSON")
    options = parser.parse_args(arguments)
    try:
        songs = [song for song in load(options.cache) if song.split == "train"]
        book, left = book_of(examples(songs))
        text = as_json(book)
        files.write_file(options.out, text.encode(), overwrite=True)
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    metres = Counter(one.groove.metre for one in book)
    print(f"{len(songs)} songs; {len(book)} grooves in {options.out}, {len(text) / 1000:.0f} kB")
    print(left)
    print("by metre: " + ", ".join(f"{count} in {metre}" for metre, count in metres.most_common()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
