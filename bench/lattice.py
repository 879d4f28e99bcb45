"""Loss of the lattice on real music: hits off the steps, notes and bars left out.

Over every pair of every song the law `decode(encode(x)) == quantise(x)` is checked, for the guitar and for the drums of
both kits; violations must be 0. Then: how many drum onsets lie within 1/48 of a quarter of the six places, and of plain
sixteenths; which notes are no piece of the kit; and which bars are in no pair, and why. Without DIR the sample songs of
the corpus beside the repository are read.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.harness import Row, figure
from bench.midi import SAMPLE
from seq2drum.data.corpus.reading import find_files
from seq2drum.errors import InputError
from seq2drum.formats.midi import midi
from seq2drum.lattice.form import written_lattice
from seq2drum.lattice.grid import Lattice, decode, encode, quantise
from seq2drum.lattice.phrases import Phrase, pairs
from seq2drum.music import theory
from seq2drum.music.kit import FULL, KITS, Kit
from seq2drum.music.notes import IntArray, Part, Song, merge_parts

TOLERANCE = 1 / 48  # of a quarter


@dataclass
class Tally:
    """Counts over all files."""

    songs: int = 0
    pairs: int = 0
    phrases: int = 0
    bars: int = 0
    hits: int = 0
    near_places: int = 0
    near_sixteenths: int = 0
    violations: list[str] = field(default_factory=list)
    files_left_out: Counter[str] = field(default_factory=Counter)
    bars_left_out: Counter[str] = field(default_factory=Counter)
    outside: Counter[int] = field(default_factory=Counter)


def keeps_the_law(phrase: Phrase, kit: Kit | None) -> bool:
    """Return True if decoding an encoding equals `quantise`, and quantising again changes nothing."""
    lattice = phrase.lattice
    wanted = quantise(phrase.part, lattice, kit)
    decoded = decode(encode(phrase.part, lattice, kit), lattice, kit)
    return decoded == wanted and quantise(wanted, lattice, kit) == wanted


def near_sixteenth(drums: Part, lattice: Lattice, bar: IntArray) -> int:
    """Onsets within TOLERANCE of a sixteenth, counted from the barline of their bar."""
    starts = np.array([bar.start for bar in lattice.bars])
    sixteenths = (drums.onset - starts[bar]) * 4 / lattice.ticks_per_quarter
    return int(np.sum(np.abs(sixteenths - np.rint(sixteenths)) <= 4 * TOLERANCE))


def look_at(song: Song, name: str, tally: Tally) -> None:
    """Add one song to the tally."""
    guitar = merge_parts([song.parts[index] for index in theory.guitar_parts(song).parts])
    drums = merge_parts([song.parts[index] for index in theory.drum_parts(song)])
    if not len(drums):
        tally.files_left_out["no drums"] += 1
        return
    lattice = written_lattice(song)
    step, _ = lattice.nearest(drums.onset)
    tally.songs += 1
    tally.hits += len(drums)
    tally.near_places += int(np.sum(np.abs(drums.onset - lattice.ticks[step]) <= TOLERANCE * song.ticks_per_quarter))
    tally.near_sixteenths += near_sixteenth(drums, lattice, lattice.bar_of[step])
    tally.outside.update(drums.pitch[FULL.voice_of[drums.pitch] < 0].tolist())
    phrase_pairs, cut = pairs(song, guitar, drums)
    tally.pairs += len(phrase_pairs)
    tally.bars += len(lattice.bars)
    tally.bars_left_out += cut.left_out
    for number, pair in enumerate(phrase_pairs):
        sides = [("guitar", pair.guitar, None), *((f"drums, {kit}", pair.drums, KITS[kit]) for kit in KITS)]
        for side, phrase, kit in sides:
            tally.phrases += 1
            if not keeps_the_law(phrase, kit):
                tally.violations.append(f"{name}, pair {number}, {side}")


def report(tally: Tally) -> Iterator[str | Row]:
    """Yield the tally."""
    yield figure("songs", tally.songs)
    yield figure("pairs", tally.pairs)
    yield figure("phrases", tally.phrases)
    yield figure("violations of the law", len(tally.violations), most=0)
    share = 100 / max(tally.hits, 1)
    yield figure("drum onsets", tally.hits)
    yield figure("of them within 1/48 of a quarter of the six places", tally.near_places * share, "%")
    yield figure("of them within 1/48 of a quarter of plain sixteenths", tally.near_sixteenths * share, "%")
    yield figure("drum notes outside the kit", tally.outside.total() * share, "%")
    yield figure("bars in no pair", 100 * tally.bars_left_out.total() / max(tally.bars, 1), "%")
    yield from (f"{count:6d} files left out: {reason}" for reason, count in tally.files_left_out.most_common())
    yield from (f"{count:6d} bars left out: {reason}" for reason, count in tally.bars_left_out.most_common())
    yield from (f"{count:6d} notes outside the kit: {note}" for note, count in tally.outside.most_common(30))
    yield from (f"violation: {violation}" for violation in tally.violations[:20])


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, default=[SAMPLE], metavar="DIR")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    tally = Tally()
    for path in find_files(options.folders):
        try:
            look_at(midi.parse(path.read_bytes()), path.name, tally)
        except InputError as error:
            tally.files_left_out[type(error).__name__] += 1
    yield from report(tally)
