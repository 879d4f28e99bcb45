"""The ten examples jammed, beside the takes of who knows the song: `python bench/jammed.py [--seeds N] [--styled]`.

Each example is the guitarist of a jam (`--mode jam --fast`) and of a take (`--mode infer`), for each seed. Printed
are, by example, the jam's figure and that of the take, means over the seeds: F1 with the drums that the piece was
written with; the share of bars that are the commonest bar, note by note; the share of those that repeat the bar
before; fills; how many of the sections, as the whole guitar tells them, begin behind a fill; and the share of the
rules of the style that are kept, see `bench/idiom.py`. Then the means over all examples, with the written drums
themselves, and how many jams end on the guitar's last chord or the barline after it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]

import numpy as np
from pieces import PIECES

from bench.idiom import judge
from bench.machine import machine
from bench.style_rules import Seen, style_of
from seq2drum.formats.midi import midi
from seq2drum.judge.measures import bar_keys, f1
from seq2drum.lattice.conditions import Drums, drums_of, fills
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import encode
from seq2drum.lattice.sections import sections
from seq2drum.music import theory
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song, merge_drums
from seq2drum.play.decode import engine
from seq2drum.play.drummer import Drummer
from seq2drum.play.jam.guitarist import jammed
from seq2drum.play.options import Options

STYLED = {"bossa_nova": "latin", "waltz": "jazz", "jazz_swing": "jazz", "funk": "funk", "metal_gallop": "metal"}
NAMES = "F1", "commonest bar", "repeats", "fills", "fills before sections", "idiom"


class Written(NamedTuple):
    """An example: its guitar, its written drums, and the bars with which sections begin after the first."""

    name: str
    song: Song
    drums: Drums
    part: Part
    begins: Sequence[int]


def examples() -> Iterator[Written]:
    """The ten."""
    for piece in PIECES:
        song = midi.read(ROOT / "examples" / f"{piece.name}.mid")
        both = midi.read(ROOT / "examples" / "training" / f"{piece.name}_1.mid")
        parts = [part for part in both.parts if part.is_drums]
        part = merge_drums(parts, kit=parts[0], name="")
        song_grid = SongGrid.of(song, theory.guitar_parts(song).parts)
        begins = [section.bar for section in sections(song_grid.guitar_grid)[1:]]
        yield Written(piece.name, song, guitar_grid(part, song), part, begins)


def guitar_grid(part: Part, song: Song) -> Drums:
    """A drum part in the bars of a song, in nine voices."""
    song_grid = SongGrid.of(song, theory.guitar_parts(song).parts)
    return drums_of(encode(part, lattice_of(song), FULL), song_grid.form)


def figures(part: Part, written: Written) -> list[float]:
    """The NAMES of some drums to a written piece."""
    drums = guitar_grid(part, written.song)
    made, real, keys = drums.velocity > 0, written.drums.velocity > 0, bar_keys(drums)
    filled = fills(drums)
    style = style_of(written.name)
    assert style is not None
    seen = Seen.of(part, written.song, theory.guitar_parts(written.song).parts)
    return [
        f1(float((made & real).sum()), float(made.sum()), float(real.sum())),
        Counter(keys).most_common(1)[0][1] / len(keys),
        float(np.mean([before == after for before, after in itertools.pairwise(keys)])),
        float(filled.sum()),
        float(np.mean([filled[bar - 1] for bar in written.begins])) if written.begins else np.nan,
        judge(style, 0, seen).score,
    ]


def ends(part: Part, song: Song) -> bool:
    """Whether the last drum is on the last chord, or on the barline after it."""
    guitar = max(int(song.parts[index].onset.max()) for index in theory.guitar_parts(song).parts)
    last, near = int(part.onset.max()), song.ticks_per_quarter // 4
    after = next(bar.end for bar in song.bars() if bar.end > guitar)
    return min(abs(last - guitar), abs(last - after)) <= near


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--styled", action="store_true", help="tell the drummers the style of five of the pieces")
    options = parser.parse_args()
    live, drummer = engine.load("live"), Drummer.load()
    print(machine(), end="\n\n")
    print(f"| example | {' | '.join(f'{name}: jam, take' for name in NAMES)} |")
    print("|---" * (len(NAMES) + 1) + "|")
    rows, real, ended = [], [], []
    for written in examples():
        found = []
        for seed in range(options.seeds):
            asked = Options(seed=seed, style=STYLED.get(written.name) if options.styled else None)
            jam, take = jammed(live, written.song, asked), drummer.accompany(written.song, asked)
            found.append([figures(jam.standard_part, written), figures(take.standard_part, written)])
            ended.append(ends(jam.standard_part, written.song))
        rows.append(np.mean(found, axis=0))
        real.append(figures(written.part, written))
        print(_row(written.name, *rows[-1]))
    print(_row("mean", *np.nanmean(rows, axis=0)))
    print(_row("as written", np.nanmean(real, axis=0)))
    print(f"\n{sum(ended)} of {len(ended)} jams end with the guitar.")


def _row(name: str, *sides: Sequence[float]) -> str:
    cells = [", ".join(f"{value:.2f}" for value in values) for values in zip(*sides, strict=True)]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
