"""Whether the drums follow their style: `python bench/idiom.py [--seeds N] [--folder DIR] [--daring 0.5]`.

The ten examples are played with each seed, and with whatever options of `--mode infer` stand on the command line; or
`--others`, sixteen pieces that nothing was tuned by, or the MIDI files of a folder whose names say a style
(`my_bossa.mid`). Each take is judged by rules that a drummer of its style would follow, 0 to 1 each: most are the share
of bars that keep to the rule, some are a yes or no of the take. Fills and the last bar are left out where a rule is
about the pattern. With `--written` the pieces' own drums are judged instead: what the rules make of music that was
written in the style.

Printed are, by piece, the mean over takes and rules (those of the style itself count twice, those of every style once),
the worst take and every rule; then the mean over pieces, the worst piece, how many takes are below .8, and what is
struck that a drummer of the style would not: crashes, hand percussion.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench import other_pieces
from bench.machine import machine
from bench.style_rules import COMMON, HANDS, NAMES, STYLES, Seen, crashes, style_of
from seq2drum.console import shared
from seq2drum.errors import OptionError, Seq2DrumError
from seq2drum.formats.midi import midi
from seq2drum.music import theory
from seq2drum.music.notes import Part, Song
from seq2drum.play.checkpoint.folder import DEFAULT
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options


class Judged(NamedTuple):
    """A take: its seed, each rule's score, crashes a bar, the share of its hits that are hand percussion."""

    seed: int
    rules: dict[str, float]
    crashes: float
    hands: float

    @property
    def score(self) -> float:
        """The mean of the rules; those of the style itself count twice."""
        weights = [1 if name in COMMON else 2 for name in self.rules]
        return float(np.average(list(self.rules.values()), weights=weights))


def judge(style: str, seed: int, seen: Seen) -> Judged:
    """Score a take by the rules of its style."""
    hits = max(int((seen.velocity > 0).sum()), 1)
    hands = int(seen.struck(HANDS).sum()) / hits
    return Judged(seed, {rule.name: rule.score(seen) for rule in STYLES[style]}, crashes(seen), hands)


class Piece(NamedTuple):
    """A guitar piece: its name, its style and its song."""

    name: str
    style: str
    song: Song


def pieces_of(folder: Path) -> list[Piece]:
    """The MIDI files of a folder whose names say a style and which have a guitar."""
    pieces = []
    for path in sorted(folder.glob("*.mid")):
        style = style_of(path.stem)
        try:
            song = midi.read(path)
            theory.guitar_parts(song)
        except Seq2DrumError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        if style is None:
            print(f"{path.name}: its name says no style; there are {', '.join((*STYLES, *NAMES))}", file=sys.stderr)
            continue
        pieces.append(Piece(path.stem, style, song))
    return pieces


def others() -> list[Piece]:
    """The pieces that nothing was tuned by."""
    return [Piece(name, style, song) for name, song in other_pieces.pieces() if (style := style_of(name))]


def played(drummer: Drummer, piece: Piece, options: Options) -> Judged:
    """A take of a piece, judged."""
    take = drummer.accompany(piece.song, options)
    return judge(piece.style, options.seed, Seen.of(take.standard_part, piece.song, take.guitar.parts))


def written(piece: Piece) -> Judged:
    """The piece's own drums, judged."""
    drums = [part.rows for part in piece.song.parts if part.is_drums]
    part = Part.of(np.concatenate(drums), is_drums=True)
    return judge(piece.style, 0, Seen.of(part, piece.song, theory.guitar_parts(piece.song).parts))


def lines(found: Mapping[str, Sequence[Judged]]) -> list[str]:
    """The table of takes by piece: worst pieces first."""
    text = []
    for name, takes in sorted(found.items(), key=lambda item: mean_of(item[1])):
        worst = min(takes, key=lambda take: take.score)
        text.append(
            f"{name:16} {mean_of(takes):.3f}  worst {worst.score:.3f} (seed {worst.seed})  crashes a bar "
            f"{np.mean([take.crashes for take in takes]):.2f} (most {max(take.crashes for take in takes):.2f})"
        )
        for rule in takes[0].rules:
            scores = [take.rules[rule] for take in takes]
            text.append(f"    {rule:28} {np.mean(scores):.2f}   {' '.join(f'{score:.2f}' for score in scores)}")
    everything = summary(found)
    return [*text, "", "; ".join(f"{name} {value:.3f}" for name, value in everything.items())]


def mean_of(takes: Sequence[Judged]) -> float:
    """The mean score of some takes."""
    return float(np.mean([take.score for take in takes]))


def summary(found: Mapping[str, Sequence[Judged]]) -> dict[str, float]:
    """What all takes come to."""
    takes = [take for some in found.values() for take in some]
    return {
        "mean": float(np.mean([mean_of(some) for some in found.values()])),
        "worst piece": min(mean_of(some) for some in found.values()),
        "worst take": min(take.score for take in takes),
        "takes below .8": float(np.mean([take.score < 0.8 for take in takes])),
        "crashes a bar": float(np.mean([take.crashes for take in takes])),
        "takes above .6 crashes a bar": float(np.mean([take.crashes > 0.6 for take in takes])),
        "hand percussion, share of hits": float(np.mean([take.hands for take in takes])),
    }


def as_json(found: Mapping[str, Sequence[Judged]]) -> str:
    """All figures, as JSON."""
    pieces: dict[str, Any] = {
        name: [take._asdict() | {"score": take.score} for take in takes] for name, takes in found.items()
    }
    return json.dumps({"summary": summary(found), "pieces": pieces}, indent=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="a folder of guitar pieces (default: the examples)")
    parser.add_argument("--others", action="store_true", help="the pieces of bench/other_pieces.py")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="pieces whose names hold one of these")
    parser.add_argument("--seeds", type=int, default=6, help="takes of each piece, from --seed on (default: 6)")
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--written", action="store_true", help="judge the drums of the files")
    parser.add_argument("--json", type=Path, metavar="FILE")
    shared.add_choices(parser)
    shared.add_drum_map(parser)
    given = parser.parse_args()
    try:
        base = Options(**shared.chosen(given))
        folder = given.folder or ROOT / "examples" / ("training" if given.written else "")
        pieces = others() if given.others else pieces_of(folder)
        pieces = [piece for piece in pieces if not given.only or any(part in piece.name for part in given.only)]
        if not pieces:
            raise OptionError(f"{folder} has no guitar piece whose name says a style")
        if given.written:
            found = {piece.name: [written(piece)] for piece in pieces}
        else:
            drummer = Drummer.load(given.model)
            seeds = range(base.seed, base.seed + given.seeds)
            found = {
                piece.name: [played(drummer, piece, replace(base, seed=seed)) for seed in seeds] for piece in pieces
            }
    except Seq2DrumError as error:
        sys.exit(str(error))
    print("\n".join(lines(found)))
    print(f"{len(pieces)} pieces, {'their own drums' if given.written else f'{given.seeds} seeds'}; {machine()}")
    if given.json:
        given.json.write_text(as_json(found) + "\n")


if __name__ == "__main__":
    main()
