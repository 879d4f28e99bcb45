"""The sections of a song as its drummer builds them: where the drums wait, how full they are, and on which cymbal.

The arranger predicts how full and how loud each section is, and how likely the drums rest in it. Fullness and loudness
are played as predicted, a little stretched; silence and the second cymbal are drawn from the seed. A long section is
built in phrases: the arranger hears each of them, too. Numbers were fitted on songs with drums, see
`notebooks/LOG.md`, 2026-11-24.

Letters of shapes: B bars.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import Grid, distinct
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.variation import leaned, timekeeper, varied
from seq2drum.lattice.sections import Section, spans_of
from seq2drum.music.notes import IntArray
from seq2drum.play.arrange.arranger import Arranger, Outlook, Part, heard, parts_of
from seq2drum.play.checkpoint.band import USUAL, Ways
from seq2drum.play.decode.sampling import Sampling, drawn_place

Numbers = NDArray[np.float64]

LEAST_BARS = 24  # of a song in which they wait
MOST_WAITED = 0.34  # of the bars
LONGEST_WAIT = 8  # bars before the drums enter: of longer waits .38 are right, and a wrong one is worse than none
STRETCH = 2.0  # of predicted levels: a variation plays about half of one
MOST_LEVEL = 1.0  # of a section, or least if negative
PHRASE = 8  # bars of a phrase; a section of fewer than two is played as one
TURN_PHRASES = 4  # of a section that may go to the second cymbal half-way
SWELL, MOST_SWELL = 0.2, 0.4  # steps of the level of a phrase above its section's or below it, and the most
OWN = 0.35  # share of a section's own level; the rest is that of all that share its letter
REFRAIN = re.compile(r"chorus|refrain|hook|kehrreim|estribillo|ritornello", re.IGNORECASE)
REFRAIN_LIFT = 0.12  # level of a named chorus above the others', at least
LAST_LIFT = 0.05  # level that the last of several refrains gains
# Probability that a song has a second cymbal: for refrains that the file names, for a letter whose level is CLEAR_LIFT
# above the others', and else; and that a song with none has it half-way through long sections. Drummers change at a
# fifth of all sections and at .07 of the phrases inside them; which is hardly to be known, and half of that is dared.
REFRAIN_TIME, CLEAR_TIME, ANY_TIME, TURN_TIME = 0.75, 0.5, 0.33, 0.15
CLEAR_LIFT = 0.12
BUSIER, USUAL_INTENSITY = 1.5, 0.5  # level that goes with an intensity of 1 above the usual one
SLOW = 112.0  # quarters a minute up to which a fuller groove has sixteenths on its cymbal
LOUDER = 0.15  # velocity, 0..1, that goes with a level of 1 beside that
LOUDEST, SOFTEST = 1.15, 0.8  # bounds of the factor of a section's velocities
MEAN_VELOCITY = 0.75
# Cymbals of the fuller sections where the others are on the hat, by style, with their shares.
LIFTED: Mapping[str, Mapping[str, float]] = {
    "metal": {"ride": 0.4, "open hat": 0.5, "crash": 0.1},
    "rock": {"ride": 0.65, "open hat": 0.35},
    "pop": {"ride": 0.7, "open hat": 0.3},
    "": {"ride": 1.0},
}
LIFTING = ("ride", "open hat", "crash")
SONGS_OF_TASTE = 2.0  # that LIFTED counts as beside the songs of a band
CALMED = frozenset({"rock", "pop", "funk", "metal", "dance"})  # styles whose calmer sections leave the ride for the hat


@dataclass(frozen=True)
class SectionPlan:
    """A section as it is to be played.

    Bars [first, stop). enters: the bar in which the drums enter: `first`, a later one, or `stop` if they wait
    throughout. level: the logarithm of its hits against the song's, in hundredths. loudness: the factor of its
    velocities. cymbal: the piece to which its time goes; None leaves that of its groove. early: whether they also wait
    in its bars before the guitar, in which the band plays. swells: what the level of each PHRASE has above that of the
    section; () for a section of one. turns: its phrase from which the time goes to the second cymbal; None for none.
    second: that cymbal, if it may be played.
    """

    first: int
    stop: int
    letter: str
    enters: int
    level: float = 0.0
    loudness: float = 1.0
    is_lifted: bool = False
    cymbal: str | None = None
    early: bool = False
    swells: tuple[float, ...] = ()
    turns: int | None = None
    second: str | None = None

    @property
    def phrases(self) -> list[SectionPlan]:
        """The plan phrase by phrase."""
        if not self.swells:
            return [self]
        cuts = [*range(self.first, self.stop, PHRASE)][: len(self.swells)]
        found = []
        for number, (first, stop, swell) in enumerate(zip(cuts, [*cuts[1:], self.stop], self.swells, strict=True)):
            cymbal = self.cymbal if self.second is None or number < (self.turns or 0) else self.second
            loudness = self.loudness * (1 + LOUDER * swell / MEAN_VELOCITY)
            own = replace(self, first=first, stop=stop, level=round(self.level + swell, 2), loudness=loudness)
            found.append(replace(own, cymbal=cymbal, swells=(), turns=None, second=None))
        return found


class Outline(NamedTuple):
    """A song as it is to be built, on whatever grooves.

    plans: of the sections, without cymbals. draw: 0..1, chooses the second cymbal; None takes the likeliest.
    """

    plans: tuple[SectionPlan, ...]
    draw: float | None


def outline_of(
    guitar_grid: GuitarGrid, sections: Sequence[Section], notes: Grid, sampling: Sampling, ways: Ways = USUAL
) -> Outline:
    """Return the outline of a song. notes: all notes but the drums. ways: of a band's own drummer."""
    form, (first, _) = guitar_grid.form, guitar_grid.sounding
    key = [sampling.seed, len(form.steps), len(guitar_grid.guitar.step), 4]
    rng = np.random.default_rng(key) if sampling.temperature else None
    begun = int(form.bar_of(notes.step.min(keepdims=True))[0]) if len(notes.step) else 0
    plans = list(section_plans(guitar_grid, sections, rng, ways))
    for number, plan in enumerate(plans):  # drums that play before the guitar, with the band, do not stop as it begins
        if begun >= first or plan.enters == plan.first:
            break
        plans[number] = replace(plan, enters=max(plan.first, min(begun, plan.enters)))
    return Outline(tuple(plans), None if rng is None else float(rng.random()))


def section_plans(
    guitar_grid: GuitarGrid, sections: Sequence[Section], rng: np.random.Generator | None, ways: Ways = USUAL
) -> tuple[SectionPlan, ...]:
    """Return the plan of each section, without cymbals. rng: draws silence; None takes what is likeliest."""
    if not sections:
        return ()
    spans = spans_in(guitar_grid, sections)
    parts, outlook = outlook_of(guitar_grid, spans, ways)
    # 1. Where the drums rest.
    silent = outlook.silence(parts, rng)
    waited, whole = silent @ np.array([part.stop - part.first for part in parts]), spans[-1][1] - spans[0][0]
    if whole < LEAST_BARS or waited > MOST_WAITED * whole:
        silent[:] = False
    # 2. The level and the loudness of each, alike within a letter; refrains above the others.
    length = np.array([stop - first for first, stop, _ in spans], dtype=np.float64)
    letters = np.array([letter for *_, letter in spans])
    level, loudness = (_shared(own, length, letters) for own in outlook.played(parts, silent))
    is_refrain = np.array([bool(REFRAIN.search(letter)) for letter in letters])
    if is_refrain.any() and not is_refrain.all():
        level += is_refrain * max(
            REFRAIN_LIFT - (_mean(level, length, is_refrain) - _mean(level, length, ~is_refrain)), 0.0
        )
    # 3. The sections on the second cymbal.
    lifted = _lifted(level, length, letters, is_refrain, rng, ways.changes)
    again = np.flatnonzero(lifted)
    if len(again) > 1:
        level[again[-1]] += LAST_LIFT
    level = level.clip(-MOST_LEVEL, MOST_LEVEL)
    factor = np.clip(1 + (loudness + LOUDER * level) / MEAN_VELOCITY, SOFTEST, LOUDEST)
    enters = [first for first, *_ in spans]
    for part, rests in zip(parts, silent.tolist(), strict=True):
        if rests:
            enters[part.section] = part.stop
    for number, (first, stop, _) in enumerate(spans if ways.waits <= 0 else ()):  # a band may be known to wait
        enters[number] = min(enters[number], max(first, spans[0][0] + LONGEST_WAIT))
        if enters[number] < stop:
            break
    rows = zip(spans, enters, level.round(2).tolist(), factor.tolist(), lifted.tolist(), strict=True)
    plans = tuple(SectionPlan(*span, *row) for span, *row in rows)
    # 4. How long sections are built.
    swells = _swells(guitar_grid, spans, ways)
    plans = tuple(replace(plan, swells=own) for plan, own in zip(plans, swells, strict=True))
    draw = 0.5 if rng is None else float(rng.random())
    turns = draw < TURN_TIME * ways.changes and not lifted.any()
    return tuple(replace(plan, turns=_turn(plan)) for plan in plans) if turns else plans


def _turn(plan: SectionPlan) -> int | None:
    """Return the phrase about half-way through a long section, after an even number of them; None for a shorter one."""
    return max(2 * round(len(plan.swells) / 4), 2) if len(plan.swells) >= TURN_PHRASES else None


def _swells(guitar_grid: GuitarGrid, spans: Sequence[tuple[int, int, str]], ways: Ways) -> list[tuple[float, ...]]:
    """Return what the level of each phrase of sections has above that of the section; () for sections of one phrase."""
    cuts, owner = list[tuple[int, int, str]](), list[int]()
    for number, (first, stop, letter) in enumerate(spans):
        starts = [*range(first, stop, PHRASE)]
        if len(starts) > 1 and stop - starts[-1] < PHRASE // 2:
            starts.pop()
        cuts += [(begin, end, letter) for begin, end in zip(starts, [*starts[1:], stop], strict=True)]
        owner += [number] * len(starts)
    if len(cuts) == len(spans):
        return [()] * len(spans)
    parts, outlook = outlook_of(guitar_grid, cuts, ways)
    level, _ = outlook.played(parts, np.zeros(len(parts), dtype=np.bool_))
    bars, of = np.array([stop - first for first, stop, _ in cuts], dtype=np.float64), np.array(owner)
    mean = (np.bincount(of, bars * level) / np.bincount(of, bars))[of]
    steps = np.rint(STRETCH * (level - mean) / SWELL)
    swell = ((SWELL * steps).clip(-MOST_SWELL, MOST_SWELL) + 0.0).round(2).tolist()  # no -0
    found = [[own for own, number in zip(swell, owner, strict=True) if number == each] for each in range(len(spans))]
    return [tuple(each) if len(each) > 1 else () for each in found]


def even_plans(guitar_grid: GuitarGrid, sections: Sequence[Section]) -> tuple[SectionPlan, ...]:
    """Return plans that play all sections alike."""
    return tuple(SectionPlan(*span, span[0]) for span in spans_in(guitar_grid, sections)) if sections else ()


def numbered_spans(
    guitar_grid: GuitarGrid, sections: Sequence[Section], numbers: IntArray
) -> list[tuple[int, int, str]]:
    """Return the first bar, the last bar and the letter of each section. numbers (B,): of the bars in the song."""
    spans = spans_in(guitar_grid, sections) if sections else []
    return [(int(numbers[first]), int(numbers[stop - 1]), letter) for first, stop, letter in spans]


def spans_in(guitar_grid: GuitarGrid, sections: Sequence[Section]) -> list[tuple[int, int, str]]:
    """Return the bars [first, stop) and the letter of each section, to the end of the guitar."""
    return spans_of(sections, max(guitar_grid.sounding[1], sections[-1].bar + 1))


def chances_of_silence(guitar_grid: GuitarGrid, sections: Sequence[Section]) -> Numbers:
    """Return the probability that drummers rest throughout each section (n,)."""
    parts, outlook = outlook_of(guitar_grid, spans_in(guitar_grid, sections))
    return outlook.chances(parts)


def outlook_of(
    guitar_grid: GuitarGrid, spans: Sequence[tuple[int, int, str]], ways: Ways = USUAL
) -> tuple[list[Part], Outlook]:
    """Return the parts of a song, and what drummers do in them, or the drummer of a band. spans: see `parts_of`."""
    parts = parts_of(guitar_grid, spans)
    silent, level, loudness = outlook = Arranger.load().outlook(heard(guitar_grid, spans, parts))
    if ways is USUAL:
        return parts, outlook
    odds = silent * np.exp(ways.waits)
    return parts, Outlook(odds / (odds + 1 - silent), ways.level * level, ways.loudness * loudness)


def _shared(own: Numbers, length: Numbers, letters: NDArray[np.str_]) -> Numbers:
    """Return stretched predictions for sections, nearer to the mean of their letter, less the mean of the song."""
    shared = np.array([_mean(own, length, letters == letter) for letter in letters])
    predicted: Numbers = STRETCH * (OWN * own + (1 - OWN) * shared)
    return predicted - _mean(predicted, length, np.ones(len(length), dtype=np.bool_))


def silence_of(plans: Sequence[SectionPlan], guitar_grid: GuitarGrid) -> tuple[NDArray[np.bool_], tuple[int, ...]]:
    """Return the bars (B,) in which the drums wait, and those in which they come in again.

    The bar before an entry is not silent: it leads into it.
    """
    first, stop = guitar_grid.sounding
    silent = np.zeros(len(guitar_grid.form.steps), dtype=np.bool_)
    for number, plan in enumerate(plans):
        silent[plan.first if number else 0 : plan.enters if plan.enters > plan.first else 0] = True
    silent[:first] = False
    for plan in plans:
        if plan.early:
            silent[plan.first : plan.enters] = True
    silent[stop:] = False
    entries = np.flatnonzero(silent[:-1] & ~silent[1:]) + 1
    entries = entries[entries < stop]
    silent[entries - 1] = False
    return silent, tuple(entries.tolist())


def loudness_of(plans: Sequence[SectionPlan], bars: int) -> FloatArray:
    """Return the factors of velocities in the bars of a song (B,)."""
    factors = np.ones(bars, dtype=np.float32)
    for plan in plans:
        for phrase in plan.phrases:
            factors[phrase.first : phrase.stop] = phrase.loudness
    return factors


def dressed(
    grooves: Sequence[Groove | None],
    plans: Sequence[SectionPlan],
    guitar_grid: GuitarGrid,
    intensity: float | None = None,
    complexity: float | None = None,
) -> tuple[Groove | None, ...]:
    """Return the groove of each bar (B,), varied as its section is planned.

    intensity, complexity: the controls, which make all sections fuller or sparser, and lean more or less.
    """
    busier = 0.0 if intensity is None else round(BUSIER * (intensity - USUAL_INTENSITY), 2)
    found, made = list(grooves), dict[tuple[str, float, str | None], Groove]()
    for number, plan in enumerate(plans):
        groove = grooves[plan.first]
        if groove is None:
            continue
        for phrase in plan.phrases:
            key = phrase.letter, phrase.level, phrase.cymbal
            if key not in made:
                places = _places(guitar_grid, [one for one in plans if one.letter == plan.letter], groove)
                is_slow = float(guitar_grid.form.bpm[plan.first]) <= SLOW
                own = varied(groove, time=phrase.cymbal, level=round(phrase.level, 2), bass=places, is_slow=is_slow)
                if complexity is not None:
                    own = leaned(own, complexity, bass=places)
                made[key] = varied(own, level=busier, bass=places, is_slow=is_slow, goes_far=True) if busier else own
            begin = phrase.first if number or phrase.first > plan.first else 0
            stop = len(found) if number + 1 == len(plans) and phrase.stop == plan.stop else phrase.stop
            found[begin:stop] = [made[key]] * (stop - begin)
    return tuple(found)


def on_cymbals(
    plans: Sequence[SectionPlan],
    grooves: Sequence[Groove | None],
    allowed: frozenset[str],
    draw: float | None,
    counted: Mapping[str, float] = MappingProxyType({}),
) -> tuple[SectionPlan, ...]:
    """Return plans with the piece that each section goes to for its time.

    grooves (B,). allowed: pieces that may keep time. draw: see `Outline`. counted: the cymbals of `Ways`.
    """
    if not plans:
        return ()
    longest = max(plans, key=lambda plan: plan.stop - plan.first)
    calm, lifted = _cymbals(grooves[longest.first], allowed, draw, counted)
    has_both = any(plan.is_lifted or plan.turns is not None for plan in plans)
    own = grooves[longest.first]
    second = lifted if own is None or calm is None else timekeeper(own)
    return tuple(
        replace(
            plan,
            cymbal=lifted if plan.is_lifted else calm if has_both else None,
            second=None if plan.turns is None else second,
        )
        for plan in plans
    )


def _cymbals(
    groove: Groove | None, allowed: frozenset[str], draw: float | None, counted: Mapping[str, float]
) -> tuple[str | None, str | None]:
    """Return the cymbals of a song's calmer and fuller sections, where it has both; None for that of its groove."""
    keeps = None if groove is None else timekeeper(groove)
    if groove is None or keeps is None:
        return None, None
    if keeps == "ride":
        return ("closed hat" if groove.style in CALMED and "closed hat" in allowed else None), None
    shares = LIFTED.get(groove.style or "", LIFTED[""])
    if counted:
        shares = {name: SONGS_OF_TASTE * shares.get(name, 0.0) + counted.get(name, 0.0) for name in LIFTING}
    shares = {name: share for name, share in shares.items() if name in allowed and name != keeps}
    if keeps != "closed hat" or not shares:
        return None, None
    names = list(shares)
    if draw is None:
        return None, max(names, key=shares.__getitem__)
    return None, names[drawn_place(list(shares.values()), draw)]


def _lifted(
    level: Numbers,
    length: Numbers,
    letters: NDArray[np.str_],
    is_refrain: NDArray[np.bool_],
    rng: np.random.Generator | None,
    changes: float,
) -> NDArray[np.bool_]:
    """Return the sections on the second cymbal: refrains, or the fullest letter, or else none. changes: see `Ways`."""
    none = np.zeros(len(level), dtype=np.bool_)
    names = list(dict.fromkeys(letters.tolist()))
    if len(names) < 2:
        return none
    means = {name: _mean(level, length, letters == name) for name in names}
    top = max(names, key=means.__getitem__)
    if is_refrain.any() and not is_refrain.all():
        chosen, share = is_refrain, REFRAIN_TIME
    else:
        chosen = letters == top
        gap = _mean(level, length, chosen) - _mean(level, length, ~chosen)
        share = CLEAR_TIME if gap >= CLEAR_LIFT else ANY_TIME
    draw = 0.5 if rng is None else float(rng.random())
    return chosen if draw < changes * share and length[chosen].sum() <= 0.75 * length.sum() else none


def _places(guitar_grid: GuitarGrid, plans: Sequence[SectionPlan], groove: Groove) -> tuple[int, ...]:
    """Return the steps of a bar on which the bass, or else the guitar, plays in some sections, the commonest first."""
    form = guitar_grid.form
    grid = guitar_grid.bass if len(guitar_grid.bass.step) else guitar_grid.guitar
    step = distinct(grid.step)
    bar = form.bar_of(step)
    inside = np.zeros(len(form.steps), dtype=np.bool_)
    for plan in plans:
        inside[plan.first : plan.stop] = True
    inside &= form.steps == groove.steps
    counts = np.bincount(form.place_of(step)[inside[bar]], minlength=groove.steps)
    often = np.argsort(-counts, kind="stable")
    return tuple(int(place) for place in often if counts[place] >= max(2, 0.3 * inside.sum()))


def _mean(values: Numbers, length: Numbers, which: NDArray[np.bool_]) -> float:
    total = float(length[which].sum())
    return float((values * length)[which].sum()) / total if total else 0.0
