"""Whether the playing falls apart outside 4/4: `python bench/metres.py CACHE [--model NAME] [--songs N] [--bars N]`.

Songs of a corpus cache are played from their guitars alone: the most likely take and a sampled one, beside the real
drums, the rule baseline and the commonest bar of the metre. What is played is counted bar by bar and summed by the
metre of the bar: once for songs that never leave it, once for songs that do. Of each kind at most --songs songs are
played, chosen by their digests, and of each song at most --bars bars.

The songs are those of the test and validation sides. Of 5/4 and 7/8 there are next to none there; songs of the training
side that have bars of them have rows of their own: a model may know those by heart.

    hit F1    nine voices, where the real drummer plays
    heads     of the steps with a strong hit (kick, snare, crash or a tom), how many are the head of an accent group
    again     how far kick, snare and crash come again a bar later, as a correlation, less the same after four quarters:
              above 0 the bar is a bar, below 0 it is a 4/4 bar cut short or drawn out; nothing of 4/4 itself
    fills     share of bars that stand out of their song
    density   hits for each of the real drummer's
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import machine
from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.auditions import choose, reference
from seq2drum.judge import measures
from seq2drum.judge.baselines import baselines
from seq2drum.judge.players import play_heard
from seq2drum.lattice.conditions import Drums, drums_of, fills
from seq2drum.lattice.form import CHANGING, Form
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid
from seq2drum.music import metres
from seq2drum.music.kit import NINE
from seq2drum.play.checkpoint.folder import DEFAULT
from seq2drum.play.decode import engine

METRES = ("4/4", "3/4", "6/8", "12/8", "5/4", "7/8")
RARE = ("5/4", "7/8")
STRONG = [NINE.names.index(name) for name in ("kick", "snare", "crash")]
TOMS = [index for index, name in enumerate(NINE.names) if name.endswith(" tom")]
FOUR_QUARTERS = 4 * STEPS_PER_QUARTER
BASELINES = ("common bar", "rule")

Play = Callable[[Prepared], Grid]


class Kind(NamedTuple):
    """Which bars are counted together: their metre; of songs that change it or not; whether a model may know them."""

    metre: str
    changing: bool
    trained: bool

    def __str__(self) -> str:
        where = "bars of songs that change" if self.changing else "songs"
        return f"{self.metre} {where}{', training side' if self.trained else ''}"


class Counts(NamedTuple):
    """Sums over some bars, of one player: what all figures are made of."""

    both: float = 0.0
    made: float = 0.0
    real: float = 0.0
    on_heads: float = 0.0
    strong: float = 0.0
    again: float = 0.0
    after_four: float = 0.0
    energy: float = 0.0
    fills: float = 0.0
    bars: float = 0.0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*(one + more for one, more in zip(self, other, strict=True)))


def heads_of(form: Form) -> NDArray[np.bool_]:
    """(T,): whether an accent group begins at each step."""
    begins_at = []
    for steps, numerator, denominator in zip(*(column.tolist() for column in form[:3]), strict=True):
        quarter, place = np.divmod(np.arange(steps), STEPS_PER_QUARTER)
        unit = 4 * TWELFTHS // denominator if denominator <= 4 * TWELFTHS else 1
        begins = [unit * size for size in accumulate((0, *metres.groups(numerator, denominator)[:-1]))]
        begins_at.append(np.isin(quarter * TWELFTHS + PLACES[place], begins))
    return np.concatenate(begins_at)


def count(real: Drums, made: Drums, bars: NDArray[np.bool_]) -> Counts:
    """Count what is made in some bars (B,) of one length; the bars are joined."""
    filled = fills(made)[bars].sum()
    real, made = measures.cut(real, bars), measures.cut(made, bars)
    struck, wanted = made.velocity > 0, real.velocity > 0
    strong = struck[:, STRONG + TOMS].any(axis=1)
    part = struck[:, STRONG] - struck[:, STRONG].mean(axis=0)

    def moved(lag: int) -> float:
        return float((part[lag:] * part[:-lag]).sum()) if lag < len(part) else 0.0

    return Counts(
        float((struck & wanted).sum()),
        float(struck.sum()),
        float(wanted.sum()),
        float((strong & heads_of(made.form)).sum()),
        float(strong.sum()),
        moved(int(made.form.steps[0])),
        moved(FOUR_QUARTERS),
        float((part**2).sum()),
        float(filled),
        float(bars.sum()),
    )


def kinds_in(song: Prepared) -> dict[Kind, NDArray[np.bool_]]:
    """The bars (B,) of each kind that the real drummer plays, those that a change cuts short left out."""
    form = song.guitar_grid.form
    counted = measures.judged_bars(drums_of(song.drums, form))
    changing = form.metre == CHANGING
    bars_of = {}
    for metre in METRES:
        numerator, denominator = map(int, metre.split("/"))
        bars = counted & (form.numerator == numerator) & (form.denominator == denominator)
        bars &= form.steps == numerator * FOUR_QUARTERS // denominator
        if bars.sum() >= 2:
            bars_of[Kind(metre, changing, song.split == "train")] = bars
    return bars_of


def chosen(songs: Sequence[Prepared], most: int, bars: int) -> list[Prepared]:
    """The songs to be played: unseen ones of each metre and such as change it; seen ones only for the rare metres."""
    able = [song for song in choose(songs, split="all", bars=bars) if kinds_in(song)]
    taken: dict[str, Prepared] = {}
    room: dict[tuple[str, bool], int] = {}
    for song in able:
        kinds = kinds_in(song)
        rare = any(kind.metre in RARE for kind in kinds)
        kind = song.guitar_grid.form.metre, song.split == "train"
        if kind[1] and not rare:
            continue
        room[kind] = room.get(kind, 0) + 1
        if rare or room[kind] <= most:  # all there is of the rare ones
            taken[song.sha256] = song
    return list(taken.values())


def totals_of(songs: Sequence[Prepared], players: dict[str, Play]) -> dict[Kind, tuple[int, dict[str, Counts]]]:
    """What every player does in the bars of each kind, and in how many songs those are."""
    totals: dict[Kind, tuple[int, dict[str, Counts]]] = {}
    for number, song in enumerate(songs, 1):
        if number % 20 == 0:
            print(f"{number} of {len(songs)} songs played", file=sys.stderr, flush=True)
        form = song.guitar_grid.form
        real = drums_of(song.drums, form)
        made = {name: drums_of(play(song), form) for name, play in players.items()}
        for kind, bars in kinds_in(song).items():
            if kind.trained and kind.metre not in RARE:
                continue
            many, sums = totals.get(kind, (0, {}))
            here = {name: count(real, part, bars) for name, part in made.items()}
            totals[kind] = many + 1, {name: sums.get(name, Counts()).plus(here[name]) for name in here}
    return totals


def figures(counts: Counts, metre: str) -> list[str]:
    """The cells of a row."""
    again = (counts.again - counts.after_four) / max(counts.energy, 1e-9)
    return [
        f"{2 * counts.both / max(counts.made + counts.real, 1):.3f}",
        f"{counts.on_heads / max(counts.strong, 1):.0%}",
        "" if metre == "4/4" else f"{again:+.2f}",
        f"{counts.fills / max(counts.bars, 1):.1%}",
        f"{counts.made / max(counts.real, 1):.2f}",
    ]


def lines(totals: dict[Kind, tuple[int, dict[str, Counts]]]) -> Iterable[str]:
    """The table, in Markdown."""
    head = ("what", "songs", "bars", "player", "hit F1", "heads", "again", "fills", "density")
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for kind in sorted(totals, key=lambda kind: (kind.changing, METRES.index(kind.metre), kind.trained)):
        many, sums = totals[kind]
        for index, (name, counts) in enumerate(sums.items()):
            about = [str(kind), str(many), f"{counts.bars:.0f}"] if not index else ["", "", ""]
            yield "| " + " | ".join([*about, name, *figures(counts, kind.metre)]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="what `--mode prepare` wrote")
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--songs", type=int, default=40, help="at most so many of each kind")
    parser.add_argument("--bars", type=int, default=64, help="at most so many of each song")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    songs = load(given.cache)
    played = chosen(songs, given.songs, given.bars)
    loaded = engine.load(given.model)

    def playing(temperature: float) -> Play:
        return lambda song: play_heard(loaded, song.guitar_grid, seed=given.seed, temperature=temperature)

    def based(play: Callable[[Prepared, int], Grid]) -> Play:
        return lambda song: play(song, 0)

    players: dict[str, Play] = {
        "real drums": lambda song: song.drums,
        "most likely": playing(0.0),
        "sampled": playing(1.0),
    }
    known = baselines(reference(songs, played), seed=given.seed)
    players |= {row.name: based(row.play) for row in known if row.name in BASELINES}
    print(f"{len(played)} songs, model {given.model}, seed {given.seed}; {machine()}", flush=True)
    print("\n".join(lines(totals_of(played, players))))


if __name__ == "__main__":
    main()
