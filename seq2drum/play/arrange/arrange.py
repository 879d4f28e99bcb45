"""Arrange: from the guitar and its grooves to a plan for each bar: fills, crashes, cues, pieces, and kept drums.

`make_plan` needs no model. `arrange` completes it: the model says once where drummers would fill, and each wish (what
is requested for a place, an ending or an entry) makes a version of the bars that it changes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from seq2drum.lattice.gestures import stopped
from seq2drum.lattice.grid import Grid, distinct
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.variation import USUAL, timekeeper
from seq2drum.lattice.sections import Section
from seq2drum.music import choices
from seq2drum.music.kit import FULL, Kit, to_kit
from seq2drum.music.notes import IntArray
from seq2drum.music.song_plan import PlannedSection
from seq2drum.play.arrange.cues import gestures_of
from seq2drum.play.arrange.fills import add_fills, at_level, entered, version_of, wished_version
from seq2drum.play.arrange.repeats import with_changes
from seq2drum.play.arrange.sections import (
    Outline,
    SectionPlan,
    dressed,
    even_plans,
    loudness_of,
    on_cymbals,
    outline_of,
    silence_of,
)
from seq2drum.play.checkpoint.band import ways_of
from seq2drum.play.choose import Grooves
from seq2drum.play.decode.engine import Computation, Playable
from seq2drum.play.decode.memory import Pieces, pieces_for
from seq2drum.play.decode.plan import Arrangement, BoolArray, Fills, Gestures, Plan, Version, decoded_bars
from seq2drum.play.kept import KeptDrums
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options

SOFT_STYLES = frozenset({"jazz", "latin"})
SOFT_VELOCITY = 68  # mean velocity of a groove's hits up to which it is soft
SOFT_INTENSITY = 0.3  # the control below which a take is soft


def arrange(model: Playable, guitar: Guitar, grooves: Grooves, kept: KeptDrums) -> Computation[Arrangement]:
    """Arrange a take. kept: the song's own drums that stay in it."""
    options, unplaced, form = grooves.options, grooves.without, guitar.song_grid.form
    grid, notes, numbers = guitar.song_grid.guitar_grid, guitar.everything, guitar.song_grid.numbers
    out = guitar.out(options.out, options.enter)
    without = set(numbers[out].tolist())

    def plan_on(by_section: Mapping[str, Groove], request: Options) -> Plan:
        return make_plan(
            grid,
            guitar.sections,
            by_section,
            request,
            model.kit,
            notes=notes,
            numbers=numbers,
            outline=outline,
            given=given,
            hidden=without if options.enter is None else range(1, len(out) + 1),
            waits=not kept.given,
        )

    # The song is built in one way, whatever is requested for places.
    builds = unplaced.arranges or any(place.options.arranges for place in grooves.placed)
    ways = ways_of(options.band)
    outline = outline_of(grid, guitar.sections, notes, unplaced.sampling, ways) if builds else None
    # A section whose groove is requested keeps its own plan: the bars of others continue from it.
    given = tuple(None if row.name in grooves.named else row for row in grooves.plan)

    # 1. The bars that may be played, and those that are: the drums do not wait where the song's own drums stay.
    first, stop = guitar.sounding
    plan = plan_on(grooves.everywhere, unplaced)
    silent = stopped(guitar.resting)
    able, idle = decoded_bars(first, stop, kept.given, silent)
    if plan.silent is not None:
        _, idle = decoded_bars(first, stop, kept.given, silent | plan.silent)
    # 2. The plan without the wishes that have a place, with fills where drummers would play them.
    plan = yield from add_fills(model, guitar.features, form, plan, unplaced.controls.fills, unplaced.sampling)
    if model.hears_changes:
        plan = with_changes(plan, grid, able & ~idle, unplaced.sampling)
    take = version_of(plan, able, unplaced.sampling, unplaced.sampling, unplaced.controls)
    # 3. A version for each wish: what is requested for places, and the ending.
    wishes, unwished, rows = list[Version](), np.ones(len(able), dtype=np.bool_), list(plan.sections)

    def add(wish: Plan, request: Options, bars: BoolArray) -> None:
        level, usual = request.controls.fills, unplaced.controls.fills
        of_take = plan if level in (None, usual) else at_level(plan, level, bars, unplaced.sampling)
        own = request.sampling
        wish = wish if wish.firm or not own.temperature else replace(wish, change=plan.change)
        wishes.append(wished_version(wish, bars & able, own, of_take, unplaced.sampling, request.controls))

    entered_by = [(unplaced, grooves.everywhere, plan, unwished, idle)]  # `unwished` as it is in the end
    for place in grooves.placed:
        # A requested groove is played where the drums would wait; all other wishes say how they play, not where.
        plays = place.options.groove != unplaced.groove
        wish, waits = plan_on(place.grooves, place.options), idle & (not plays)
        add(wish, place.options, place.bars & ~waits)
        unwished &= ~place.bars
        entered_by.append((place.options, place.grooves, wish, place.bars, waits))
        rows = [
            own._replace(enters=row.first if plays else row.enters, loudness=row.loudness)
            if place.bars[(row.first <= numbers) & (numbers <= row.last)].all()
            else row
            for row, own in zip(rows, wish.sections, strict=True)
        ]
    if options.ending != choices.AUTO:
        wish = plan_on(grooves.everywhere, replace(unplaced, ending=options.ending))
        ends = unwished & _differ(plan.gestures, wish.gestures, form)
        unwished &= ~ends
        add(wish, unplaced, ends)
    # 4. The requested entry: the drums do not wait after it, and begin it with kick and crash.
    if options.enter is not None:
        for request, by_section, before, bars, waits in entered_by:
            wish = plan_on(by_section, replace(request, enter=options.enter))
            here = bars & (waits | _differ(before.gestures, wish.gestures, form)) & (numbers >= options.enter)
            add(wish, request, here)
        rows = [row._replace(enters=row.first) for row in rows]
        if options.enter > numbers[first]:
            entry = int(np.searchsorted(numbers, options.enter))
            take, *wishes = (entered(version, entry) for version in (take, *wishes))
    sections = tuple(row.without(without) for row in rows) if without else tuple(rows)
    return Arrangement(take, tuple(wishes), first, stop, kept.given, idle, out, sections)


def make_plan(
    guitar_grid: GuitarGrid,
    sections: Sequence[Section],
    grooves: Mapping[str, Groove],
    options: Options,
    kit: Kit,
    *,
    notes: Grid | None = None,
    numbers: IntArray | None = None,
    outline: Outline | None = None,
    given: Sequence[PlannedSection | None] = (),
    hidden: Container[int] = (),
    waits: bool = True,
) -> Plan:
    """Return the part of a take's plan that needs no model.

    Args:
        guitar_grid: The guitar.
        sections: Its sections.
        grooves: The groove of each section, by its letter.
        options: The request.
        kit: The kit of the model that plays.
        notes: All notes but the drums; by default the guitar and its bass.
        numbers: (B,) the number of each bar in the song, from 1; by default each bar is one of the song.
        outline: Of the song, if it is made already; used where the request builds the song.
        given: Plans in place of those of the sections, None for some; used where the request builds the song.
        hidden: The numbers of bars in which no entry is heard: where a given plan and the drummer's own sound alike
            because of these, the own entry stays, as later bars continue from it.
        waits: Whether the drums may wait in some bars.
    """
    form = guitar_grid.form
    is_firm = options.is_plain or options.half_time is not None  # the guitar has the backbeat twice as often
    plan = Plan.of_sections(len(form.steps), sections, grooves, firm=is_firm)
    notes = Grid.join([guitar_grid.guitar, guitar_grid.bass]) if notes is None else notes
    numbers = np.arange(1, len(form.steps) + 1) if numbers is None else numbers
    played = [groove for groove in plan.grooves if groove is not None]
    usual = max(played, key=Counter(played).__getitem__, default=None) if options.arranges else [None, *played][-1]
    soft = is_soft(options, usual)
    seed, ways = options.sampling.seed if options.sampling.temperature else 0, ways_of(options.band)
    # 1. Where the drums wait, and the groove of each section, varied unless it is requested.
    entries: tuple[int, ...] = ()
    basic, pieces = plan.grooves, pieces_of(options, grooves.values(), kit)
    if options.arranges:
        allowed = _cymbals(options, pieces, kit)
        own = outline_of(guitar_grid, sections, notes, options.sampling, ways) if outline is None else outline
        plans = on_cymbals(own.plans, basic, allowed, own.draw, ways.cymbals)
        if given:
            plans = tuple(
                each
                if row is None
                else _given(each, row, _time(basic[each.first], pieces, kit), allowed, numbers, hidden)
                for each, row in zip(plans, given, strict=True)
            )
        if not waits:
            plans = tuple(replace(each, enters=each.first) for each in plans)
        silent, entries = silence_of(plans, guitar_grid)
        plan = replace(plan, silent=silent, loudness=loudness_of(plans, len(form.steps)))
    else:
        plans = even_plans(guitar_grid, sections)
    intensity, complexity = options.controls.intensity, options.controls.complexity
    if options.arranges or intensity is not None or complexity is not None:
        has_ghosts = intensity is not None or (complexity or 0.0) > USUAL
        plan = replace(plan, grooves=dressed(basic, plans, guitar_grid, intensity, complexity), ghosts=has_ghosts)
    # 2. What is done together with the band.
    pieces = pieces_of(options, {id(groove): groove for groove in plan.grooves if groove is not None}.values(), kit)
    known = frozenset(name for name, allowed in zip(kit.names, pieces.allowed.tolist(), strict=True) if allowed)
    gestures = gestures_of(
        notes, form, options.ending, soft=soft, seed=seed, entries=entries, leads=options.enter is None
    )
    gestures = replace(gestures, cues={step: cue.of(known) for step, cue in gestures.cues.items()})
    fills = _requested_fills(options, numbers) if options.fill_at or options.no_fills_in else None
    # 3. The same, section by section.
    rows = tuple(_row(each, basic[each.first], pieces, kit, numbers) for each in plans)
    return replace(plan, fills=fills, gestures=gestures, pieces=pieces, sections=rows, crashes=ways.crashes)


def _row(plan: SectionPlan, groove: Groove | None, pieces: Pieces, kit: Kit, numbers: IntArray) -> PlannedSection:
    """Return a section as the take tells it."""
    return PlannedSection(
        first=int(numbers[plan.first]),
        last=int(numbers[plan.stop - 1]),
        name=plan.letter,
        enters=int(numbers[plan.enters]) if plan.enters < plan.stop else None,
        cymbal=_time(groove, pieces, kit, plan.cymbal),
        level=round(math.exp(plan.level), 4),
        loudness=float(str(np.float32(plan.loudness))),
        groove=None if groove is None else groove.name,
    )


def _given(
    plan: SectionPlan,
    row: PlannedSection,
    time: str | None,
    allowed: frozenset[str],
    numbers: IntArray,
    hidden: Container[int],
) -> SectionPlan:
    """Return the plan of a section as a row of a given plan has it. time: the cymbal of its groove."""
    enters, early, heard = plan.enters, False, row.without(hidden)
    own = row._replace(enters=int(numbers[enters]) if enters < plan.stop else None)
    if heard != own.without(hidden):
        enters = plan.stop if heard.enters is None else max(int(np.searchsorted(numbers, heard.enters)), plan.first)
        early = True
    cymbal = row.cymbal if row.cymbal in allowed and row.cymbal != time else None
    second = plan.second if cymbal == plan.cymbal else None  # a requested cymbal is that of the whole section
    given = replace(plan, enters=enters, early=early, level=row.log_level, loudness=row.loudness)
    return replace(given, cymbal=cymbal, second=second)


def _time(groove: Groove | None, pieces: Pieces, kit: Kit, cymbal: str | None = None) -> str | None:
    """Return the cymbal that keeps time on a groove, or on another cymbal; None if none does."""
    if groove is None or (keeps := timekeeper(groove)) is None:
        return None
    if keeps == "closed hat" and cymbal is None:  # the hat, either way
        keys = np.concatenate([bar.key for bar in groove.bars])
        keeps = max((keeps, "open hat"), key=lambda name: int((keys == FULL.places[name]).sum()))
    name = keeps if cymbal is None else cymbal
    return kit.names[pieces.moved[kit.places[name]]] if name in kit.places else name


def _cymbals(options: Options, pieces: Pieces, kit: Kit) -> frozenset[str]:
    """Return the pieces that the time of sections may go to: none if the request says which, nor one it is moved to."""
    if options.whole("time") != choices.AUTO:
        return frozenset()
    taken = pieces.moved[pieces.moved != np.arange(len(kit))]
    return frozenset(name for at, name in enumerate(kit.names) if pieces.allowed[at] and at not in taken)


def _differ(one: Gestures, other: Gestures, form: Form) -> BoolArray:
    """Return the bars (B,) in which two takes respond differently to the band."""
    differ = np.zeros(len(form.steps), dtype=np.bool_)
    steps = [step for step in {*one.cues, *other.cues} if one.cues.get(step) != other.cues.get(step)]
    differ[form.bar_of(np.array(steps, dtype=np.int64))] = True
    for name in ("heavy", "crashed", "full", "still"):
        differ[list(getattr(one, name) ^ getattr(other, name))] = True
    return differ


def is_soft(options: Options, groove: Groove | None) -> bool:
    """Return True if the drums end softly on the last chord: as requested, or as the groove is."""
    if (intensity := options.controls.intensity) is not None:
        return intensity < SOFT_INTENSITY
    if options.style is not None:
        return options.style in SOFT_STYLES
    if groove is None:
        return False
    return groove.style in SOFT_STYLES or 0 < groove.velocity <= SOFT_VELOCITY


def pieces_of(options: Options, grooves: Iterable[Groove], kit: Kit) -> Pieces:
    """Return the allowed pieces, by the request and the grooves of all sections."""
    keys = [bar.key for groove in grooves for bar in groove.bars]
    voices = to_kit(kit, FULL)[np.concatenate([np.empty(0, dtype=np.int64), *keys])]
    return pieces_for(
        kit,
        pieces=options.pieces,
        time=options.whole("time"),
        without=options.forbidden,
        style=options.style,
        groove=distinct(voices[voices >= 0]).tolist(),
    )


def _requested_fills(options: Options, numbers: IntArray) -> Fills:
    """Return the requests for fills. A long bar spans several of the lattice: the last of them is the fill."""
    is_last: BoolArray = np.append(np.diff(numbers) > 0, True)
    never = np.zeros(len(numbers), dtype=bool)
    for first, last in options.no_fills_in:
        never |= (first <= numbers) & (numbers <= last)
    return Fills(np.isin(numbers, options.fill_at) & is_last, never)
