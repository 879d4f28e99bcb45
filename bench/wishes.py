"""Whether wishes are heard: `python bench/wishes.py CACHE [--songs 50] [--bars 24] [--split test]`.

Songs of one side of a prepared corpus, in 4/4, are played with each style, and with intensity and complexity at five
levels. Whether a style is obeyed is told by rules that a drummer of it would agree with, and not by the rules that
named the styles of the songs that the model learnt from (`lattice.conditions.style_of`): each sign of a style holds in
a share of the bars. What the levels move is counted: how loud the hits are, how many there are, and how many of kick,
snare and toms lean against the beat.

Printed are how many songs obey each style; beside it how many do with no wish, and how many of the songs' own drums
that are named so; then for each level what is counted, Spearman's correlation with the levels in a song, and in how
many songs it never falls from level to level.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench import style_rules as rules
from bench.controls import spearman
from bench.machine import machine
from bench.style_rules import HANDS, KICK, LOUD, SNARE, Bools, Seen
from seq2drum.data.corpus import cache
from seq2drum.data.corpus.excerpts import duet_of
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import Seq2DrumError
from seq2drum.evaluate import auditions as songs_of
from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.form import written_lattice
from seq2drum.lattice.grid import STEPS_PER_QUARTER, decode
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song
from seq2drum.play.checkpoint.folder import DEFAULT
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
Sign = Callable[[Seen], Bools]


# --- styles -----------------------------------------------------------------------------------------------------------


def side_stick_or_hands(seen: Seen) -> Bools:
    """Two strokes a bar or more on side stick and hand percussion."""
    many: Bools = seen.struck(("side stick", *HANDS)).sum(axis=1) >= 2
    return many


def one_drop(seen: Seen) -> Bools:
    """The weight on 3: snare or side stick there, or a kick there and none on 1."""
    return seen.on(SNARE, 2, least=LOUD) | (seen.on(KICK, 2, least=LOUD) & ~seen.on(KICK, 0, least=LOUD))


def four_kicks(seen: Seen) -> Bools:
    """Kick on every beat, and not feathered as in swing."""
    return seen.on(KICK, 0, 1, 2, 3, least=LOUD)


def off_the_eighths(seen: Seen) -> Bools:
    """Kick or snare on a sixteenth between the eighths."""
    places = [beat + part for beat in range(seen.quarters) for part in (0.25, 0.75)]
    return seen.count((*KICK, *SNARE), places) >= 1


def swung_time(seen: Seen) -> Bools:
    """Hat or ride with a skip note, and no straight eighth on either."""
    skips, eighths = ([beat + part for beat in range(seen.quarters)] for part in (rules.SKIP, 0.5))
    return (seen.count(rules.TIME, skips) >= 1) & (seen.count(rules.TIME, eighths) <= 1)


def straight(seen: Seen) -> Bools:
    return ~swung_time(seen)


def no_backbeat(seen: Seen) -> Bools:
    """Not both 2 and 4 on a loud snare or a clap."""
    return ~seen.on(("snare", "clap"), 1, 3, least=LOUD)


def moderate(seen: Seen) -> Bools:
    """Five kicks a bar at most."""
    few: Bools = seen.struck(KICK).sum(axis=1) <= 5
    return few


def five_kicks(seen: Seen) -> Bools:
    many: Bools = seen.struck(KICK, least=LOUD).sum(axis=1) >= 5
    return many


HALF, MOST = 0.5, 0.6  # shares of the bars
SIGNS: Mapping[str, tuple[tuple[Sign, float], ...]] = MappingProxyType(
    {
        "jazz": ((swung_time, HALF), (rules.on_the_ride, HALF)),
        "shuffle": ((swung_time, HALF), (rules.backbeat_or_half_time, HALF)),
        "latin": ((side_stick_or_hands, HALF), (no_backbeat, HALF)),
        "metal": ((five_kicks, HALF),),
        "dance": ((four_kicks, MOST), (straight, HALF)),
        "reggae": ((one_drop, MOST), (no_backbeat, MOST)),
        "funk": ((off_the_eighths, HALF), (straight, HALF)),
        "pop": ((rules.backbeat_or_half_time, HALF), (moderate, HALF), (straight, HALF)),
        "rock": ((rules.backbeat_or_half_time, HALF), (straight, HALF)),
    }
)
"""The signs of each style, and the share of bars in which each is wanted at least."""


def obeys(style: str, seen: Seen) -> bool:
    """Whether drums are of a style."""
    bars = seen.bars & (seen.velocity > 0).any(axis=(1, 2))
    return bool(bars.any()) and all(np.mean(sign(seen)[bars]) >= share for sign, share in SIGNS[style])


# --- levels -----------------------------------------------------------------------------------------------------------


def counted(seen: Seen) -> tuple[float, float, float]:
    """The mean velocity of all hits; hits a quarter; hits a quarter that lean against the beat.

    A kick, a loud snare or a tom leans if it is off the beat and the same voice leaves out the next beat.
    """
    velocity = seen.velocity[seen.velocity > 0]
    form, quarter = seen.guitar_grid.form, STEPS_PER_QUARTER
    pattern = seen.velocity[:, :, [FULL.names.index(name) for name in LEANING]]
    pattern = np.where(pattern >= LOUD, 1, 0)[:, : 4 * quarter].reshape(-1, quarter, len(LEANING))
    next_beat = np.append(pattern[1:, 0], pattern[:1, 0] * 0, axis=0)
    leaning = pattern[:, 1:].sum(axis=1) * (1 - next_beat)
    quarters = float(np.sum(form.quarters))
    return (float(np.mean(velocity)) if len(velocity) else 0.0), len(velocity) / quarters, leaning.sum() / quarters


LEANING = ("kick", "snare", "low tom", "mid tom", "high tom")
SLACK = (1.0, 0.05, 0.05)  # of each: to fall by that much is not heard
COUNTED = ("loudness", "hits", "leaning hits")
MOVES = MappingProxyType({"intensity": ("loudness", "hits"), "complexity": ("leaning hits",)})


# --- playing ----------------------------------------------------------------------------------------------------------


def song_of(song: Prepared) -> Song:
    """The guitar and the bass of a prepared song, as a song."""
    duet = duet_of(song.guitar_grid, song.drums)
    bass = decode(song.guitar_grid.bass, written_lattice(duet.song), program=33, name="Bass")
    bass = Part.of(bass.rows[bass.onset < duet.song.length], program=33, name="Bass")
    return replace(duet.song, parts=(*duet.guitars, *([bass] if len(bass) else [])))


def seen_of(drummer: Drummer, song: Song, options: Options) -> Seen:
    """A take, looked at."""
    take = drummer.accompany(song, options)
    return Seen.of(take.standard_part, song, take.guitar.parts)


def play(drummer: Drummer, songs: Sequence[Song], base: Options, wishes: Mapping[str, Any]) -> list[Seen]:
    """A take of each song with some wishes."""
    return [seen_of(drummer, song, replace(base, **wishes)) for song in songs]


def styles(drummer: Drummer, songs: Sequence[Song], base: Options, own: Mapping[str, Sequence[Seen]]) -> None:
    """Play and print how each style is obeyed. own: the songs' own drums, by the style that training calls them."""
    plain = play(drummer, songs, base, {})
    print("| style | obeyed | no wish | own drums named so |\n|---|---|---|---|")
    shares = []
    for style in STYLES:
        obeyed = [obeys(style, seen) for seen in play(drummer, songs, base, {"style": style})]
        real = [obeys(style, seen) for seen in own.get(style, [])]
        shares.append(float(np.mean(obeyed)))
        unasked = np.mean([obeys(style, seen) for seen in plain])
        told = f"{np.mean(real):.2f} of {len(real)}" if real else "none"
        print(f"| {style} | {shares[-1]:.2f} | {unasked:.2f} | {told} |", flush=True)
    print(f"mean {np.mean(shares):.3f}, worst {min(shares):.2f}", flush=True)


def levels(drummer: Drummer, songs: Sequence[Song], base: Options) -> None:
    """Play and print what intensity and complexity move."""
    print("\n| wish | counted | " + " | ".join(f"{level:g}" for level in LEVELS) + " | Spearman | never falls |")
    print("|---" * (4 + len(LEVELS)) + "|")
    for wish, moved in MOVES.items():
        values = np.array([[counted(seen) for seen in play(drummer, songs, base, {wish: level})] for level in LEVELS])
        for name in moved:
            table: NDArray[np.float64] = values[:, :, COUNTED.index(name)]
            rank = np.mean([spearman(np.array(LEVELS), column) for column in table.T])
            rises = np.mean((np.diff(table, axis=0) >= -SLACK[COUNTED.index(name)]).all(axis=0))
            means = " | ".join(f"{mean:.2f}" for mean in table.mean(axis=1))
            print(f"| {wish} | {name} | {means} | {rank:.2f} | {rises:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="what --mode prepare has written")
    parser.add_argument("--songs", type=int, default=50)
    parser.add_argument("--bars", type=int, default=24)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--only", choices=("styles", "levels"))
    given = parser.parse_args()
    try:
        chosen = songs_of.choose(
            cache.load(given.cache), split=given.split, metre="4/4", most=given.songs, bars=given.bars
        )
        drummer = Drummer.load(given.model)
    except Seq2DrumError as error:
        sys.exit(str(error))
    songs, base = [song_of(song) for song in chosen], Options(seed=given.seed)
    about = f"{len(songs)} songs of the {given.split} side, {given.bars} bars, model {given.model}"
    print(f"{about}; {machine()}\n", flush=True)
    if given.only != "levels":
        own: dict[str, list[Seen]] = {}
        for each, song in zip(chosen, songs, strict=True):
            name = conditions.style_of(drums_of(each.drums, each.guitar_grid.form, FULL))
            own.setdefault(name, []).append(Seen.of(duet_of(each.guitar_grid, each.drums).drums, song, [0]))
        styles(drummer, songs, base, own)
    if given.only != "styles":
        levels(drummer, songs, base)


if __name__ == "__main__":
    main()
