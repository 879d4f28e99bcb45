"""Takes of pieces whose titles name a style: how well they keep its rules, and what a jam lacks of a take.

A rule is kept in a share of the bars, or by the take as a whole; the score of a take is the mean of its rules, those of
the style itself counting twice and those of every style once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seq2drum.judge.measures import bar_keys, f1
from seq2drum.judge.styles import COMMON, HANDS, RULES, TakeGrid, crashes, style_named
from seq2drum.lattice.conditions import Drums, drums_of, fills
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.grid import encode
from seq2drum.lattice.sections import sections
from seq2drum.music import theory
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song, merge_drums
from seq2drum.play.decode import engine
from seq2drum.play.drummer import Drummer
from seq2drum.play.jam.guitarist import jammed
from seq2drum.play.options import Options


class Piece(NamedTuple):
    """A song with a guitar whose title names a style; its drums, or None. guitar: the indices of the guitar's parts."""

    title: str
    style: str
    song: Song
    guitar: tuple[int, ...]
    drums: Part | None

    @property
    def guitar_alone(self) -> Song:
        """The song without its drums."""
        return replace(self.song, parts=tuple(part for part in self.song.parts if not part.is_drums))


def piece_of(title: str, song: Song) -> Piece | None:
    """Return a song as a piece, or None if its title names no style.

    Raises:
        NoGuitarError: it has no guitar.
    """
    style = style_named(title)
    if style is None:
        return None
    drums = [part for part in song.parts if part.is_drums]
    part = merge_drums(drums, kit=drums[0], name="") if drums else None
    return Piece(title, style, song, theory.guitar_parts(song).parts, part)


# --- rules ------------------------------------------------------------------------------------------------------------


class Judged(NamedTuple):
    """The score of a take by each rule of its style, crashes a bar, and the share of hits on hand percussion."""

    rules: dict[str, float]
    crashes: float
    hands: float

    @property
    def score(self) -> float:
        """The mean of the rules; those of the style itself count twice."""
        weights = [1 if name in COMMON else 2 for name in self.rules]
        return float(np.average(list(self.rules.values()), weights=weights))


def judge(style: str, take: TakeGrid) -> Judged:
    """Return how well a take keeps the rules of a style."""
    hits = max(int((take.velocity > 0).sum()), 1)
    hands = int(take.struck(HANDS).sum()) / hits
    return Judged({rule.name: rule.score(take) for rule in RULES[style]}, crashes(take), hands)


def judge_part(piece: Piece, part: Part) -> Judged:
    """Return how well some drums to a piece keep the rules of its style."""
    return judge(piece.style, TakeGrid.of(part, piece.song, piece.guitar))


def judge_takes(drummer: Drummer, piece: Piece, options: Options, takes: int) -> list[Judged]:
    """Return how well some takes of a piece do, of consecutive seeds."""
    played = [
        drummer.accompany(piece.guitar_alone, replace(options, seed=options.seed + number)) for number in range(takes)
    ]
    return [judge_part(piece, take.standard_part) for take in played]


def mean_score(takes: Sequence[Judged]) -> float:
    """Return the mean score of some takes."""
    return float(np.mean([take.score for take in takes]))


def summary(found: Mapping[str, Sequence[Judged]]) -> dict[str, float]:
    """Return the figures over all takes of all pieces."""
    takes = [take for some in found.values() for take in some]
    return {
        "mean": float(np.mean([mean_score(some) for some in found.values()])),
        "worst piece": min(mean_score(some) for some in found.values()),
        "worst take": min(take.score for take in takes),
        "takes below .8": float(np.mean([take.score < 0.8 for take in takes])),
        "crashes a bar": float(np.mean([take.crashes for take in takes])),
        "takes above .6 crashes a bar": float(np.mean([take.crashes > 0.6 for take in takes])),
        "hand percussion, share of hits": float(np.mean([take.hands for take in takes])),
    }


def rules_table(found: Mapping[str, Sequence[Judged]]) -> list[str]:
    """Return the takes by piece in Markdown, the worst pieces first, and the summary."""
    lines = ["| piece, rule | mean | worst | each take |", "|---|---|---|---|"]
    for title, takes in sorted(found.items(), key=lambda item: mean_score(item[1])):
        rows = {f"**{title}**": [take.score for take in takes]}
        rows |= {rule: [take.rules[rule] for take in takes] for rule in takes[0].rules}
        rows["crashes a bar"] = [take.crashes for take in takes]
        for name, scores in rows.items():
            each = ", ".join(f"{score:.2f}" for score in scores)
            worst = (max if name == "crashes a bar" else min)(scores)
            lines.append(f"| {name} | {np.mean(scores):.3f} | {worst:.3f} | {each} |")
    lines += ["", "| all pieces | value |", "|---|---|"]
    return lines + [f"| {name} | {value:.3f} |" for name, value in summary(found).items()]


# --- a jam beside a take ----------------------------------------------------------------------------------------------

NAMES = "F1", "commonest bar", "repeats", "fills", "fills before sections", "rules of the style"


def figures(piece: Piece, part: Part, own: Part) -> list[float]:
    """Return the `NAMES` of some drums to a piece. own: the drums that the piece was written with.

    F1 with its own drums; the share of bars that are the commonest bar, note by note; the share of those that
    repeat the bar before; fills; of the sections that the whole guitar has, how many begin behind a fill; the score by
    the rules of the style.
    """
    grid = SongGrid.of(piece.song, piece.guitar)
    drums, real = _drums(part, grid), _drums(own, grid).velocity > 0
    made, keys, filled = drums.velocity > 0, bar_keys(drums), fills(drums)
    begins = [section.bar for section in sections(grid.guitar_grid)[1:]]
    return [
        f1(float((made & real).sum()), float(made.sum()), float(real.sum())),
        Counter(keys).most_common(1)[0][1] / len(keys),
        float(np.mean([before == after for before, after in itertools.pairwise(keys)])),
        float(filled.sum()),
        float(np.mean([filled[bar - 1] for bar in begins])) if begins else np.nan,
        judge_part(piece, part).score,
    ]


def _drums(part: Part, grid: SongGrid) -> Drums:
    return drums_of(encode(part, grid.lattice, FULL), grid.form)


def ends_with_guitar(piece: Piece, part: Part) -> bool:
    """Return whether the last drum is on the guitar's last chord, or on the barline after it."""
    guitar = max(int(piece.song.parts[index].onset.max()) for index in piece.guitar)
    last, near = int(part.onset.max()), piece.song.ticks_per_quarter // 4
    after = next(bar.end for bar in piece.song.bars() if bar.end > guitar)
    return min(abs(last - guitar), abs(last - after)) <= near


def jam_table(drummer: Drummer, pieces: Sequence[Piece], options: Options, takes: int) -> Iterator[str]:
    """Yield the lines of a table of jams by the live model, beside takes of a drummer that knows the whole song."""
    live = engine.load("live")
    yield f"| piece | {' | '.join(f'{name}: jam, take' for name in NAMES)} |"
    yield "|---" * (len(NAMES) + 1) + "|"
    rows, written, ended = [], [], []
    for piece in pieces:
        if (own := piece.drums) is None:
            continue
        found = []
        for number in range(takes):
            asked = replace(options, seed=options.seed + number)
            jam, take = jammed(live, piece.guitar_alone, asked), drummer.accompany(piece.guitar_alone, asked)
            found.append([figures(piece, part, own) for part in (jam.standard_part, take.standard_part)])
            ended.append(ends_with_guitar(piece, jam.standard_part))
        rows.append(np.mean(found, axis=0))
        written.append(figures(piece, own, own))
        yield _row(piece.title, *rows[-1])
    yield _row("mean", *np.nanmean(rows, axis=0))
    yield _row("own drums", np.nanmean(written, axis=0))
    yield f"\n{sum(ended)} of {len(ended)} jams end with the guitar."


def _row(name: str, *sides: Sequence[float]) -> str:
    cells = [", ".join(f"{value:.2f}" for value in values) for values in zip(*sides, strict=True)]
    return f"| {name} | {' | '.join(cells)} |"
