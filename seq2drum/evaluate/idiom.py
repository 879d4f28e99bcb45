"""Takes beside the habits of drummers: the rules of a style, a jam beside a take, and the accents of metres.

A rule is kept in a share of the bars, or by the take as a whole; the score of a take is the mean of its rules, those of
the style itself counting twice and those of every style once. The title of a piece names its style.

Two figures of metres are missing from the panel:

    heads     of the steps with a strong hit (kick, snare, crash or a tom), the share that are heads of accent groups
    again     how far kick, snare and crash come again a bar later, as a correlation, less the same after four quarters:
              above 0 the bar is a bar, below 0 it is a 4/4 bar cut short or drawn out; nothing of 4/4 itself

They are summed over the bars of a metre: once for songs that never leave it, once for songs that do. Hit F1, fills and
density by metre are figures of the panel (`evaluation.BY_KIND`).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import OptionError
from seq2drum.evaluate.auditions import Progress, tracked
from seq2drum.evaluate.evaluation import METRES, OTHER, Measure, Row, measure_row
from seq2drum.judge import measures
from seq2drum.judge.intervals import Interval, mean_over_songs, over_sums
from seq2drum.judge.measures import VOICE, Vector, bar_keys, f1
from seq2drum.judge.players import play_heard
from seq2drum.judge.styles import COMMON, HANDS, MEANINGS, RULES, TakeGrid, crashes, style_named
from seq2drum.judge.trial import TOMS
from seq2drum.lattice.conditions import Drums, drums_of, fills
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import CHANGING, CLOCK, clock_of
from seq2drum.lattice.grid import STEPS_PER_QUARTER, encode
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
    found_rules = [Measure.of("All pieces", "Rules of the style that a piece's name says.", columns, rows)]
    for name, some in sides.items():
        columns = {"mean": "mean over takes", "worst": "the worst of the takes"}
        if takes > 1 and some is found:
            columns |= {f"take {number + 1}": "of the take with this seed" for number in range(takes)}
        found_rules.append(Measure.of(f"Rules, {name}", "The worst pieces first.", columns, _by_rule(some, columns)))
    return found_rules


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

JAM_COLUMNS: Mapping[str, str] = {
    "F1": "hit F1 with the drums of the file",
    "commonest bar": "share of the bars that are the commonest bar, note by note",
    "repeats": "share of the bars that repeat the bar before",
    "fills": "number of fills",
    "fills before sections": "share of the sections of the whole guitar that begin behind a fill",
    "rules of the style": "score by the rules of the style that the piece's name says",
    "ends with the guitar": "share whose last drum is on the guitar's last chord, or on the barline after it",
}


def figures(piece: Piece, part: Part, own: Part) -> list[float]:
    """Return the `JAM_COLUMNS` of some drums to a piece. own: the drums that the piece was written with."""
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
            rows.append(measure_row(f"{piece.title}: {side}", 1, JAM_COLUMNS, values))
    for side, values in zip(("mean: jam", "mean: take", "own drums"), np.array(of_pieces).swapaxes(0, 1), strict=True):
        means = [mean_over_songs(column, options.seed) for column in values.T.tolist()]
        rows.append(measure_row(side, len(of_pieces), JAM_COLUMNS, means))
    return [Measure.of("Jams", "Jams beside takes of a drummer that knows the whole song.", JAM_COLUMNS, rows)]


# --- metres -----------------------------------------------------------------------------------------------------------

STRONG = [VOICE[name] for name in ("kick", "snare", "crash")]
FOUR_QUARTERS = 4 * STEPS_PER_QUARTER

METRE_COLUMNS: Mapping[str, str] = {
    "heads": "share of the steps with a strong hit that are heads of accent groups",
    "again": "correlation of kick, snare and crash with the bar before, less that with four quarters before",
}


class Counts(NamedTuple):
    """Sums over the bars of a metre, from which all figures are computed."""

    bars: float
    on_heads: float
    strong: float
    again: float
    after_four: float
    energy: float

    @staticmethod
    def heads(sums: Vector) -> float:
        """The share of the strong steps that are heads of accent groups, of summed counts."""
        counts = Counts(*sums.tolist())
        return counts.on_heads / max(counts.strong, 1)

    @staticmethod
    def recurrence(sums: Vector) -> float:
        """The correlation with the bar before, less that with four quarters before, of summed counts."""
        counts = Counts(*sums.tolist())
        return (counts.again - counts.after_four) / max(counts.energy, 1e-9)


def count_accents(made: Drums, bars: NDArray[np.bool_]) -> Counts:
    """Return the counts of some bars (B,) of one length; the bars are joined."""
    made = measures.cut(made, bars)
    struck = made.velocity > 0
    strong = struck[:, [*STRONG, *TOMS]].any(axis=1)
    part = struck[:, STRONG] - struck[:, STRONG].mean(axis=0)

    def moved(lag: int) -> float:
        return float((part[lag:] * part[:-lag]).sum()) if lag < len(part) else 0.0

    heads = clock_of(made.form)[:, CLOCK.at("group_start")] > 0
    return Counts(
        float(bars.sum()),
        float((strong & heads).sum()),
        float(strong.sum()),
        moved(int(made.form.steps[0])),
        moved(FOUR_QUARTERS),
        float((part**2).sum()),
    )


def bars_by_metre(song: Prepared) -> dict[str, NDArray[np.bool_]]:
    """Return the bars (B,) of each metre that the real drummer plays, without those that a change cuts short."""
    form = song.guitar_grid.form
    counted = measures.judged_bars(drums_of(song.drums, form))
    bars_of = {}
    whole = form.steps == form.numerator * FOUR_QUARTERS // form.denominator
    for metre in (name for name in METRES if name != OTHER):
        bars = counted & whole & (np.array(form.metres) == metre)
        if bars.sum() >= 2:
            bars_of[f"{metre} in songs that change" if form.metre == CHANGING else metre] = bars
    return bars_of


def metres(player: engine.Engine, songs: Sequence[Prepared], seed: int, progress: Progress) -> list[Measure]:
    """The real drums, the most likely take and a sampled one by the metre of bars."""
    players: Mapping[str, float | None] = {"real drums": None, "most likely": 0.0, "sampled": 1.0}
    # 1. The counts of each song's bars, by the kind of bar and by player.
    counted: dict[str, dict[str, list[Counts]]] = {}
    for song in tracked(songs, "songs played", progress):
        made = {
            name: song.drums
            if temperature is None
            else play_heard(player, song.guitar_grid, seed=seed, temperature=temperature)
            for name, temperature in players.items()
        }
        for kind, bars in bars_by_metre(song).items():
            for name, grid in made.items():
                counts = count_accents(drums_of(grid, song.guitar_grid.form), bars)
                counted.setdefault(kind, {}).setdefault(name, []).append(counts)
    # 2. Their sums over songs.
    rows = []
    for kind, by_player in sorted(counted.items()):
        for name, each in by_player.items():
            sums, reads = np.array(each), (Counts.heads, Counts.recurrence)
            figures = [over_sums(sums, read, np.random.default_rng([seed, 10])) for read in reads]
            known = figures[:1] if kind.startswith("4/4") else figures
            rows.append(measure_row(f"{kind}: {name}", len(each), METRE_COLUMNS, known, bars=int(sums[:, 0].sum())))
    return [Measure.of("By metre", "The bars that the real drummer plays.", METRE_COLUMNS, rows)]
