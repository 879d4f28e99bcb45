"""Arrangement: how drums differ from section to section of a song, and how well they agree with the real ones in that.

Sections are those of the guitar, the same for all players of a song. All is counted on nine voices.

Letters of shapes: B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.auditions import Progress, tracked
from seq2drum.evaluate.evaluation import Measure, Row, measure_row
from seq2drum.judge.intervals import Interval, interval, mean_over_songs, over_songs, resampled
from seq2drum.judge.measures import auc, spearman
from seq2drum.judge.players import play_heard
from seq2drum.lattice.conditions import bars_of, drums_of, is_silent, most_struck
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.sections import Section, sections, spans_of
from seq2drum.music.kit import NINE
from seq2drum.music.song_plan import CYMBALS
from seq2drum.play.arrange.sections import chances_of_silence
from seq2drum.play.decode.engine import Engine

LEAST_BARS = 2  # of a section that is counted
LEAST_SECTIONS = 3  # of a song that is counted; two of them with drums
LATE = 2  # bars after the first from which an entrance is late
TIMEKEEPERS = (*CYMBALS, "toms")
_KICK = NINE.names.index("kick")
_TOMS = [voice for voice, name in enumerate(NINE.names) if name.endswith(" tom")]


class Passage(NamedTuple):
    """The drums of a section.

    hits, kicks: a bar. velocity: mean of its hits, 0..1; nan without hits. timekeeper: one of TIMEKEEPERS, "" if none
    of them keeps time, None if the drums are silent. body (S, V): the share of its bars with a hit.
    """

    letter: str
    bars: int
    hits: float
    kicks: float
    velocity: float
    timekeeper: str | None
    body: FloatArray

    @property
    def is_silent(self) -> bool:
        """True if the drums rest in this section."""
        return self.timekeeper is None


def passages_of(drums: Grid, form: Form, sections: Sequence[Section], stop: int) -> list[Passage]:
    """Return the drums of each section of LEAST_BARS or more; stop: the bar after the last in which anything sounds."""
    struck = drums_of(drums, form)
    rolls = bars_of(struck)
    velocity = form.by_bar((struck.velocity / 127).astype(np.float32)).sum(axis=(1, 2))
    found = []
    for first, end, letter in spans_of(sections, stop):
        if end - first >= LEAST_BARS:
            found.append(_passage(letter, rolls[first:end], float(velocity[first:end].sum())))
    return found


def _passage(letter: str, rolls: FloatArray, velocity: float) -> Passage:
    bars, by_voice = len(rolls), rolls.sum(axis=(0, 1))
    hits = float(by_voice.sum())
    counts = {name: by_voice[NINE.names.index(name)] / bars for name in CYMBALS}
    counts["toms"] = by_voice[_TOMS].sum() / bars
    timekeeper: str | None = most_struck(counts) or ""
    if is_silent(rolls.sum(axis=(1, 2))):
        timekeeper = None
    return Passage(
        letter,
        bars,
        hits / bars,
        float(by_voice[_KICK]) / bars,
        velocity / hits if hits else np.nan,
        timekeeper,
        rolls.mean(axis=0),
    )


class Arranged(NamedTuple):
    """Figures of the drums of one song, see COLUMNS; nan where there is nothing to count."""

    hits: float
    velocity: float
    timekeepers: float
    changes: float
    within: float
    between: float
    silent: float
    silent_first: float
    late: float
    late_with_bass: float
    hits_rank: float
    kicks_rank: float
    velocity_rank: float


COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "hits": "coefficient of variation of hits a bar over the sections with drums",
        "velocity": "the same of their mean velocity",
        "timekeepers": "cymbals that keep time in some section, or toms",
        "changes": "share of sections in which time is kept on another one than in the section before",
        "within": "Ruzicka's similarity of the mean bars of two sections of one letter",
        "between": "the same of two letters",
        "silent": "share of sections in which the drums rest",
        "silent first": "share of songs in which they rest in the first",
        "late": f"share of songs in which they come in {LATE} bars after the guitar or more",
        "late with bass": "the same of songs in which the bass does",
        "hits rank": "Spearman's correlation over sections with the hits a bar of the real drums, mean over songs",
        "kicks rank": "the same of kicks",
        "velocity rank": "the same of the mean velocity",
    }
)


def arrangement(
    player: Engine, songs: Sequence[Prepared], options: Mapping[str, Any], progress: Progress
) -> list[Measure]:
    """Return the figures of the real drums, of takes, and of takes to the guitar without its bass; and of silence.

    options: fields of `Options` that takes are played with.
    """
    found: dict[str, list[Arranged]] = {"real drums": [], "takes": [], "takes, bass hidden": []}
    rests: dict[str, list[Rests]] = {"takes": [], "takes, bass hidden": []}
    seed = int(options.get("seed", 0))
    for song in tracked(songs, "songs played", progress):
        guitar_grid, passages = song.guitar_grid, sections(song.guitar_grid)
        if not passages or (own := arranged(song.drums, song.drums, guitar_grid, passages)) is None:
            continue
        found["real drums"].append(own)
        hidden = replace(guitar_grid, bass=Grid.join([]))
        for name, heard in (("takes", guitar_grid), ("takes, bass hidden", hidden)):
            take = play_heard(player, heard, **options)
            made = arranged(take, song.drums, guitar_grid, passages)
            found[name] += [made] if made is not None else []
            if heard is hidden or len(heard.bass.step):
                rests[name].append(rests_of(take, song.drums, heard, passages))
    rows = [
        measure_row(name, len(each), COLUMNS, [mean_over_songs(column, seed) for column in np.array(each).T])
        for name, each in found.items()
        if each
    ]
    meaning = f"Sections of songs with {LEAST_SECTIONS} or more, against those of the real drums."
    return [
        Measure.of("Arrangement", meaning, COLUMNS, rows),
        Measure.of(
            "Silence", MEANING, SILENCE, [silence_row(name, each, seed) for name, each in rests.items() if each]
        ),
        Measure.of(
            "Chances",
            "Sections by the predicted probability that the drums rest in them.",
            CHANCES,
            [row for name, each in rests.items() if each for row in reliability_rows(name, each, seed)],
        ),
    ]


# --- silence ----------------------------------------------------------------------------------------------------------

MEANING = "Sections in which drums rest. Takes: of songs with a bass; bass hidden: of all songs."
SILENCE: Mapping[str, str] = MappingProxyType(
    {
        "AUC": "probability that a section in which the real drums rest has a higher predicted chance than another",
        "real": "share of sections in which the real drums rest",
        "chance": "mean of the predicted chances",
        "takes": "share of sections in which takes rest",
        "right": "share of these in which the real drums rest, too",
        "right entry": f"share of takes entering {LATE} bars after the guitar or more whose real drums do",
    }
)
CHANCES: Mapping[str, str] = MappingProxyType(
    {"sections": "how many", "chance": "mean of the predicted chances", "real": "share in which the real drums rest"}
)
_EDGES = (0.0, 0.02, 0.1, 0.3, 0.5, 1.0)


class Rests(NamedTuple):
    """Silence of a song: (n,) for its sections, the predicted chance, whether the take and the real drums rest.

    entries: whether the take and the real drums enter late.
    """

    chance: NDArray[np.float64]
    take: NDArray[np.bool_]
    real: NDArray[np.bool_]
    entries: tuple[bool, bool]


def rests_of(take: Grid, real: Grid, guitar_grid: GuitarGrid, sections: Sequence[Section]) -> Rests:
    """Return where a take and the real drums rest. sections: of the guitar."""
    form, (first, stop) = guitar_grid.form, guitar_grid.sounding
    long = np.array([end - begin >= LEAST_BARS for begin, end, _ in spans_of(sections, stop)])
    own, theirs = (
        np.array([each.is_silent for each in passages_of(one, form, sections, stop)]) for one in (take, real)
    )
    entries = [entry_of(one, form, first) for one in (take, real)]
    late, really = (bar is None or bar >= LATE for bar in entries)
    return Rests(chances_of_silence(guitar_grid, sections)[long], own, theirs, (late, really))


def silence_row(name: str, songs: Sequence[Rests], seed: int) -> Row:
    """Return the figures of SILENCE over some songs."""
    rng = np.random.default_rng([seed, 11])
    song = np.repeat(np.arange(len(songs)), [len(each.real) for each in songs])
    chance, take, real = (np.concatenate([each[at] for each in songs]) for at in range(3))

    def area(counts: NDArray[np.int64]) -> float:
        own, rests = np.repeat(chance, counts[song]), np.repeat(real, counts[song])
        return auc(own[~rests], own[rests])

    drawn = [area(counts.astype(np.int64)) for counts in resampled(len(songs), rng, 1000)]
    late = np.array([really for own, really in (each.entries for each in songs) if own])
    values: list[Interval | float] = [
        interval(area(np.ones(len(songs), dtype=np.int64)), np.array(drawn)),
        *(over_songs(each.astype(np.float64), song, rng) for each in (real, chance, take)),
        over_songs(real[take].astype(np.float64), song[take], rng),
        over_songs(late.astype(np.float64), np.arange(len(late)), rng),
    ]
    return measure_row(name, len(songs), SILENCE, values)


def reliability_rows(name: str, songs: Sequence[Rests], seed: int) -> Iterator[Row]:
    """Return a row of CHANCES for the sections between each two of _EDGES; both agree if calibrated."""
    rng = np.random.default_rng([seed, 12])
    song = np.repeat(np.arange(len(songs)), [len(each.real) for each in songs])
    chance, real = (np.concatenate([each[at] for each in songs]) for at in (0, 2))
    for low, high in pairwise(_EDGES):
        here = (low <= chance) & (chance < high)
        values: list[Interval | float] = [
            float(here.sum()),
            *(over_songs(each[here].astype(np.float64), song[here], rng) for each in (chance, real)),
        ]
        yield measure_row(f"{name}, {low:g} to {high:g}", len(np.unique(song[here])), CHANCES, values)


# --- a song -----------------------------------------------------------------------------------------------------------


def arranged(drums: Grid, real: Grid, guitar_grid: GuitarGrid, sections: Sequence[Section]) -> Arranged | None:
    """Return the figures of the drums of a song; None if it has too few sections with real drums."""
    form, (first, stop) = guitar_grid.form, guitar_grid.sounding
    own, theirs = (passages_of(each, form, sections, stop) for each in (drums, real))
    if len(theirs) < LEAST_SECTIONS or sum(not each.is_silent for each in theirs) < 2:
        return None
    live = [each for each in own if not each.is_silent]
    pairs = [(one, other) for one, other in pairwise(own) if not one.is_silent and not other.is_silent]
    alike: dict[bool, list[float]] = {True: [], False: []}
    for at, one in enumerate(live):
        for other in live[at + 1 :]:
            alike[one.letter == other.letter].append(ruzicka(one.body, other.body))
    enters, bass_enters = entry_of(drums, form, first), entry_of(guitar_grid.bass, form, first, least=1)
    late = float(enters is None or enters >= LATE)
    return Arranged(
        hits=_variation([each.hits for each in live]),
        velocity=_variation([each.velocity for each in live]),
        timekeepers=float(len({each.timekeeper for each in live} - {""})),
        changes=_mean([one.timekeeper != other.timekeeper for one, other in pairs]),
        within=_mean(alike[True]),
        between=_mean(alike[False]),
        silent=_mean([each.is_silent for each in own]),
        silent_first=float(own[0].is_silent),
        late=late,
        late_with_bass=late if bass_enters is not None and bass_enters >= LATE else np.nan,
        hits_rank=_rank([each.hits for each in own], [each.hits for each in theirs]),
        kicks_rank=_rank([each.kicks for each in own], [each.kicks for each in theirs]),
        velocity_rank=_rank(*_both([each.velocity for each in own], [each.velocity for each in theirs])),
    )


def entry_of(notes: Grid, form: Form, first: int, least: int = 2) -> int | None:
    """Return how many bars after bar `first` the first one with as many notes begins; None if there is none."""
    counts = np.bincount(form.bar_of(notes.step), minlength=len(form.steps))
    found = np.flatnonzero(counts[first:] >= least)
    return int(found[0]) if len(found) else None


def ruzicka(one: FloatArray, other: FloatArray) -> float:
    """Return the sum of the lesser of each two values over that of the greater ones; 1 if all are 0."""
    most = float(np.maximum(one, other).sum())
    return float(np.minimum(one, other).sum()) / most if most else 1.0


def _variation(values: Sequence[float]) -> float:
    return float(np.std(values) / np.mean(values)) if len(values) > 1 and np.mean(values) else np.nan


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else np.nan


def _both(one: Sequence[float], other: Sequence[float]) -> tuple[list[float], list[float]]:
    known = [pair for pair in zip(one, other, strict=True) if not np.isnan(pair).any()]
    return [own for own, _ in known], [theirs for _, theirs in known]


def _rank(own: Sequence[float], theirs: Sequence[float]) -> float:
    """Return Spearman's rank correlation; nan of fewer than three, or if the real ones are all the same."""
    if len(own) < 3 or np.ptp(theirs) == 0:
        return np.nan
    return spearman(np.asarray(own), np.asarray(theirs))
