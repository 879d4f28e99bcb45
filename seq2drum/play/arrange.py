"""Arrange: the plan of a take, from its grooves and the options: fills, crashes, endings, pieces, and what stays.

`arranged` is the plan as far as it needs no model. `arrange` completes it: it asks the model once where drummers fill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from seq2drum.lattice.columns import distinct
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from seq2drum.lattice.gestures import stopped
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music import choices
from seq2drum.music.kit import FULL, Kit, to_kit
from seq2drum.music.notes import IntArray
from seq2drum.play.choose import Grooves
from seq2drum.play.decode.engine import Computation, Playable
from seq2drum.play.decode.memory import Pieces, pieces_for
from seq2drum.play.decode.plan import (
    Arrangement,
    BoolArray,
    Fills,
    Gestures,
    Plan,
    Wish,
    gestures_of,
    planned,
)
from seq2drum.play.kept import KeptDrums
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options

SOFT_STYLES = frozenset({"jazz", "latin"})
SOFT_VELOCITY = 68  # mean of a groove's hits, up to which it is soft
SOFT_INTENSITY = 0.3


def arranged(
    guitar_grid: GuitarGrid,
    sections: Sequence[Section],
    grooves: Mapping[str, Groove],
    options: Options,
    kit: Kit,
    *,
    notes: Grid | None = None,
    numbers: IntArray | None = None,
) -> Plan:
    """The plan of a take.

    Args:
        guitar_grid: The guitar.
        sections: Its passages.
        grooves: What is played on, by the letters of the sections.
        options: What is asked for.
        kit: The kit of the model that plays.
        notes: Everything that sounds besides the drums; by default the guitar and its bass.
        numbers: (B,) the number of each bar in the song, from 1; by default each bar is one of the song.
    """
    form = guitar_grid.form
    plan = Plan.of_sections(len(form.steps), sections, grooves, firm=options.is_plain)
    notes = Grid.join([guitar_grid.guitar, guitar_grid.bass]) if notes is None else notes
    numbers = np.arange(1, len(form.steps) + 1) if numbers is None else numbers
    pieces = pieces_of(options, grooves, kit)
    known = frozenset(name for name, allowed in zip(kit.names, pieces.allowed.tolist(), strict=True) if allowed)
    soft = is_soft(options, next((groove for groove in plan.grooves[::-1] if groove is not None), None))
    seed = options.sampling.seed if options.sampling.temperature else 0
    gestures = gestures_of(notes, form, options.ending, soft=soft, seed=seed)
    gestures = replace(gestures, cues={step: cue.of(known) for step, cue in gestures.cues.items()})
    fills = _fills(options, numbers) if options.fill_at or options.no_fills_in else None
    return replace(plan, fills=fills, gestures=gestures, pieces=pieces)


def arrange(model: Playable, guitar: Guitar, grooves: Grooves, kept: KeptDrums) -> Computation[Arrangement]:
    """Arrange a take. kept: the song's own drums that stay in it."""
    # 1. The plan without wishes that have a place, and the bars that each of these changes.
    options, without, guitar_grid = grooves.options, grooves.without, guitar.song_grid.guitar_grid
    notes, numbers, passages = guitar.everything, guitar.song_grid.numbers, guitar.sections

    def planned_on(by_section: Mapping[str, Groove], asked: Options) -> Plan:
        return arranged(guitar_grid, passages, by_section, asked, model.kit, notes=notes, numbers=numbers)

    plan = planned_on(grooves.everywhere, without)
    wishes = [] if without is options else _wishes(grooves, plan, guitar_grid.form, planned_on)
    # 2. Where drummers would fill, by the model; crashes follow.
    plan = yield from planned(model, guitar.features, guitar_grid.form, plan, options.controls.fills, without.sampling)
    first, stop = guitar.sounding
    return Arrangement(
        plan,
        without.sampling,
        options.controls,
        first=first,
        stop=stop,
        given=kept.given,
        stopped=stopped(guitar.resting),
        wishes=wishes,
    )


def _wishes(grooves: Grooves, plan: Plan, form: Form, planned_on: Callable[..., Plan]) -> list[Wish]:
    """The wishes that have a place. plan: that of the take without them. planned_on: makes plans."""
    options, without, others = grooves.options, grooves.without, grooves.everywhere
    found = list[Wish]()
    left = np.ones(len(plan.letter), dtype=np.bool_)
    for letter, groove in grooves.placed.items():
        own = replace(options, groove={letter: groove})
        if groove == others.get(letter) and own.sampling == without.sampling:
            continue  # it is played on that without being asked
        bars = np.array([each == letter for each in plan.letter])
        left &= ~bars
        found.append(Wish(bars, planned_on({**others, letter: groove}, own), own.sampling))
    if options.ending != choices.AUTO:
        ended = planned_on(others, replace(without, ending=options.ending))
        found.append(Wish(left & _differ(plan.gestures, ended.gestures, form), ended, without.sampling))
    return found


def _differ(one: Gestures, other: Gestures, form: Form) -> BoolArray:
    """(B,): the bars in which something else is done together with the band."""
    differ = np.zeros(len(form.steps), dtype=np.bool_)
    steps = [step for step in {*one.cues, *other.cues} if one.cues.get(step) != other.cues.get(step)]
    differ[form.bar_of(np.array(steps, dtype=np.int64))] = True
    for name in ("heavy", "crashed", "full", "still"):
        differ[list(getattr(one, name) ^ getattr(other, name))] = True
    return differ


def is_soft(options: Options, groove: Groove | None) -> bool:
    """Whether a last chord is answered softly: by what is asked for, or as the groove is."""
    if options.intensity is not None:
        return options.intensity < SOFT_INTENSITY
    if options.style is not None:
        return options.style in SOFT_STYLES
    if groove is None:
        return False
    velocity = np.concatenate([bar.velocity for bar in groove.bars])
    return groove.style in SOFT_STYLES or (len(velocity) > 0 and float(velocity.mean()) <= SOFT_VELOCITY)


def pieces_of(options: Options, grooves: Mapping[str, Groove], kit: Kit) -> Pieces:
    """What may be played, by what is asked for and by the grooves of all sections."""
    keys = [bar.key for groove in grooves.values() for bar in groove.bars]
    voices = to_kit(kit, FULL)[np.concatenate([np.empty(0, dtype=np.int64), *keys])]
    return pieces_for(
        kit,
        pieces=options.pieces,
        time=options.time,
        without=options.forbidden,
        style=options.style,
        groove=distinct(voices[voices >= 0]).tolist(),
    )


def _fills(options: Options, numbers: IntArray) -> Fills:
    """Of a long bar, which is several of the lattice, the last piece is the fill that is asked for."""
    is_last: BoolArray = np.append(np.diff(numbers) > 0, True)
    never = np.zeros(len(numbers), dtype=bool)
    for first, last in options.no_fills_in:
        never |= (first <= numbers) & (numbers <= last)
    return Fills(np.isin(numbers, options.fill_at) & is_last, never)
