"""Takes of pieces whose titles name a style: how well they keep its rules, and how a jam compares with a take.

A rule is kept in a share of the bars, or by the take as a whole; the score of a take is the mean of its rules, those of
the style itself counting twice and those of every style once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.evaluate.auditions import Progress, tracked
from seq2drum.evaluate.evaluation import Measure, Row, measure_row
from seq2drum.judge.intervals import Interval, mean_over_songs
from seq2drum.judge.measures import bar_keys, f1
from seq2drum.judge.styles import COMMON, HANDS, MEANINGS, RULES, TakeGrid, crashes, style_named
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


def mean_score(takes: Sequence[Judged]) -> float:
    """Return the mean score of some takes."""
    return float(np.mean([take.score for take in takes]))


def summary(found: Mapping[str, Sequence[Judged]], seed: int = 0) -> dict[str, Interval | float]:
    """Return the figures over all takes of all pieces."""
    takes = [take for some in found.values() for take in some]

    def mean(of: Callable[[Judged], float]) -> Interval:
        return mean_over_songs([float(np.mean([of(take) for take in some])) for some in found.values()], seed)

    return {
        "mean": mean(lambda take: take.score),
        "worst piece": min(mean_score(some) for some in found.values()),
        "worst take": min(take.score for take in takes),
        "takes below .8": mean(lambda take: take.score < 0.8),
        "crashes a bar": mean(lambda take: take.crashes),
        "takes above .6 crashes a bar": mean(lambda take: take.crashes > 0.6),
        "hand percussion, share of hits": mean(lambda take: take.hands),
    }


def rules(drummer: Drummer, pieces: Sequence[Piece], options: Options, takes: int, progress: Progress) -> list[Measure]:
    """Return takes of pieces, of consecutive seeds, and the drums of their files, by rule and over all pieces."""
    # 1. The takes, and the drums of the files.
    found: dict[str, list[Judged]] = {}
    for piece in tracked(pieces, "pieces played", progress):
        for seed in range(options.seed, options.seed + takes):
            played = drummer.accompany(piece.guitar_alone, replace(options, seed=seed))
            found.setdefault(piece.title, []).append(judge_part(piece, played.standard_part))
    own = {piece.title: [judge_part(piece, piece.drums)] for piece in pieces if piece.drums is not None}
    # 2. Over all pieces, then by piece and rule.
    sides = {name: some for name, some in (("takes", found), ("drums of the files", own)) if some}
    columns = dict.fromkeys(summary(found), "over all takes of all pieces")
    rows = [measure_row(name, len(some), columns, summary(some, options.seed).values()) for name, some in sides.items()]
    measures = [Measure.of("All pieces", "Rules of the style that a piece's name says.", columns, rows)]
    for name, some in sides.items():
        columns = {"mean": "mean over takes", "worst": "the worst of the takes"}
        if takes > 1 and some is found:
            columns |= {f"take {number + 1}": "of the take with this seed" for number in range(takes)}
        measures.append(Measure.of(f"Rules, {name}", "The worst pieces first.", columns, _by_rule(some, columns)))
    return measures


def _by_rule(found: Mapping[str, Sequence[Judged]], columns: Iterable[str]) -> Iterator[Row]:
    """The rows of each piece: its score, each rule of its style, and its crashes."""
    for title, takes in sorted(found.items(), key=lambda item: mean_score(item[1])):
        scores = {title: [take.score for take in takes]}
        scores |= {f"{title}: {rule}": [take.rules[rule] for take in takes] for rule in takes[0].rules}
        scores[f"{title}: crashes a bar"] = [take.crashes for take in takes]
        for name, each in scores.items():
            worst = (max if name.endswith("crashes a bar") else min)(each)
            meaning = MEANINGS.get(name.partition(": ")[2], "")
            yield measure_row(name, 1, columns, [float(np.mean(each)), worst, *each], meaning=meaning)


# --- a jam and a take -------------------------------------------------------------------------------------------------

COLUMNS: Mapping[str, str] = {
    "F1": "hit F1 with the drums of the file",
    "commonest bar": "share of the bars that are the commonest bar, note by note",
    "repeats": "share of the bars that repeat the bar before",
    "fills": "number of fills",
    "fills before sections": "share of the sections of the whole guitar that begin behind a fill",
    "rules of the style": "score by the rules of the style that the piece's name says",
    "ends with the guitar": "share whose last drum is on the guitar's last chord, or on the barline after it",
}


def figures(piece: Piece, part: Part, own: Part) -> list[float]:
    """Return the `COLUMNS` of some drums to a piece. own: the drums that the piece was written with."""
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
        float(ends_with_guitar(piece, part)),
    ]


def _drums(part: Part, grid: SongGrid) -> Drums:
    return drums_of(encode(part, grid.lattice, FULL), grid.form)


def ends_with_guitar(piece: Piece, part: Part) -> bool:
    """Return whether the last drum is on the guitar's last chord, or on the barline after it."""
    if not len(part):
        return False
    guitar = max(int(piece.song.parts[index].onset.max()) for index in piece.guitar)
    last, near = int(part.onset.max()), piece.song.ticks_per_quarter // 4
    after = next(bar.end for bar in piece.song.bars() if bar.end > guitar)
    return min(abs(last - guitar), abs(last - after)) <= near


def jams(drummer: Drummer, pieces: Sequence[Piece], options: Options, takes: int, progress: Progress) -> list[Measure]:
    """Return jams by the live model, beside takes of a drummer that knows the whole song, and the drums of the files.

    Raises:
        OptionError: no piece has drums.
    """
    live, rows, of_pieces = engine.load("live"), [], []
    with_drums = [(piece, piece.drums) for piece in pieces if piece.drums is not None]
    if not with_drums:
        raise OptionError("--measure jam wants songs with a guitar and drums of their own; none of these has drums")
    for piece, own in tracked(with_drums, "pieces jammed", progress):
        found = []
        for number in range(takes):
            requested = replace(options, seed=options.seed + number)
            played = jammed(live, piece.guitar_alone, requested), drummer.accompany(piece.guitar_alone, requested)
            found.append([figures(piece, each.standard_part, own) for each in played])
        of_pieces.append([*np.mean(found, axis=0).tolist(), figures(piece, own, own)])
        for side, values in zip(("jam", "take"), of_pieces[-1], strict=False):
            rows.append(measure_row(f"{piece.title}: {side}", 1, COLUMNS, values))
    for side, values in zip(("mean: jam", "mean: take", "own drums"), np.array(of_pieces).swapaxes(0, 1), strict=True):
        means = [mean_over_songs(column, options.seed) for column in values.T.tolist()]
        rows.append(measure_row(side, len(of_pieces), COLUMNS, means))
    return [Measure.of("Jams", "Jams beside takes of a drummer that knows the whole song.", COLUMNS, rows)]
