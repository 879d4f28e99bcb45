"""The decoding loop: bar after bar, step after step, voice after voice.

Streaming is the primitive: `play` yields bars, a song is the bars joined, and a caller cancels by not iterating
further. All random numbers come from the seed and the bar, or the bar's place in its section, so a bar's draws do not
depend on other bars. `play` yields the graph calls to compute, see `engine`.

Letters of shapes: n batch, B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import of_controls
from seq2drum.lattice.features import Features, GuitarGrid
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import Grid, to_full
from seq2drum.music.kit import Kit, Limbs
from seq2drum.play.decode.bar import PlayedBatch
from seq2drum.play.decode.decoder import RUN_GAP, BarDecoder
from seq2drum.play.decode.engine import Computation, ComputationStream, Playable
from seq2drum.play.decode.memory import GrooveRows, Memory
from seq2drum.play.decode.plan import TIMEKEEPERS, Arrangement, BoolArray, Plan, Version

FILL_CHANGE = 0.8  # how far a requested fill strays from the bars before it: drummers change some nine hits
NEIGHBOURS = 2  # bars on either side whose fills the model sees when it encodes a bar


class PlayedBar(NamedTuple):
    """One bar of a take: its number, and its hits as a grid whose steps count from the barline.

    unwished: the bar's hits without its wishes, from which later bars continue; None without wishes. intensity: that
    which is requested for this bar, beside that of the take.
    """

    number: int
    hits: Grid
    unwished: Grid | None = None
    intensity: float | None = None


def play(
    model: Playable, guitar_grid: GuitarGrid, features: Features, arrangement: Arrangement
) -> ComputationStream[PlayedBar]:
    """Play an arrangement, a bar at a time; features: those of the guitar.

    A wish, or a requested fill, changes its own bars alone: the other bars stay the same, and do not remember it.
    """
    # 1. A track for the take and for each wish, and the conditions of the encodings.
    form, given, idle = guitar_grid.form, arrangement.given, arrangement.idle
    take = _Track.of(model, form, arrangement)
    wished = [take.branch(wish) for wish in arrangement.wishes]
    encodings = _encodings(take, wished)
    rests = idle & ~np.logical_or.reduce([take.version.refilled, *(each.version.bars for each in wished)])
    for begin, end in _ranges(model, guitar_grid, idle):
        # 2. Encode the bars of one unit, if any of them is decoded.
        if rests[begin:end].all():
            yield from (PlayedBar(number, Grid.join([])) for number in range(begin, end))
            continue
        encoded = list[dict[str, NDArray[Any]]]()
        for conditions, rows, bars in encodings:
            is_used = not encoded or bars[begin:end].any()
            encoded.append(
                (yield from model.encode(features, form, conditions, begin, end, rows)) if is_used else encoded[0]
            )
        if (key := encoded[0].get("key")) is not None:  # bars that the take rests in are not recognised again
            take.memory.recognise(begin, key[:0] if idle[begin:end].all() else key)
        for number in range(begin, end):
            if rests[number]:
                yield PlayedBar(number, Grid.join([]))
                continue
            # 3. Decode the bar without wishes, unless only a wish plays there.
            inputs = [{name: rows[number - begin, None] for name, rows in each.items()} for each in encoded]
            is_first, played = number == begin, None
            if not idle[number]:
                played = yield from take.decode(take.planned, number, inputs[0], is_first=is_first)
            # 4. Decode it with each of its wishes, and with the fill or crash of a request.
            track, plain, kept = take, played, list[tuple[_Track, PlayedBatch]]()
            for track in (each for each in wished if each.version.bars[number]):
                track.follow(take, number)
                plain = yield from track.decode(track.planned, number, inputs[track.encoding], is_first=is_first)
                kept.append((track, plain))
            version, final = track.version, plain
            if version.refilled[number]:
                refilled = inputs[track.refills[number]]
                final = yield from track.decode(track.requested, number, refilled, is_first=is_first)
            elif version.recrashed[number] and plain is not None:
                again = yield from track.decode(track.requested, number, inputs[track.encoding], is_first=is_first)
                final = _crashed_as(again, plain, model.kit)
            # 5. Remember it without the requested fill; remember a wish only for its own bars.
            for wish, own in kept:
                wish.keep(number, own)
            if played is not None:
                take.memory.keep(number, *take.planned.remembered(number, played))
                take.state, take.previous = played.state, played.hits[:, -1]
            loudness = take.version.plan.loudness_of(number)
            hits = Grid.join([]) if final is None else final.grid(loudness)
            unwished = Grid.join([]) if played is None else hits if final is played else played.grid(loudness)
            # 6. Leave it out by request; given bars are not written.
            is_out = arrangement.out is not None and bool(arrangement.out[number]) and number not in given
            hits = Grid.join([]) if is_out else given.get(number, hits)
            intensity = version.controls.intensity
            if intensity == take.version.controls.intensity:
                intensity = None
            yield PlayedBar(number, hits, unwished if is_out or final is not played else None, intensity)


@dataclass(eq=False)
class _Track:
    """The bars of a version so far, and its decoders: without and with the fills requested in single bars.

    memory: of the take, on the grooves of the version. state (1, ·), previous (1, V): after bar `last`. instead: the
    bars of a wish, as its other bars remember them. encoding, refills (B,): numbers of the encodings of its bars,
    planned and refilled.
    """

    version: Version
    planned: BarDecoder
    requested: BarDecoder
    memory: Memory
    state: FloatArray
    previous: FloatArray
    last: int = -1
    instead: dict[int, tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    encoding: int = 0
    refills: dict[int, int] = field(default_factory=dict)

    @staticmethod
    def of(model: Playable, form: Form, arrangement: Arrangement) -> _Track:
        """Return the track of the take at its start."""
        version, kit, plan = arrangement.take, model.kit, arrangement.take.plan
        grooves = GrooveRows.of(plan.grooves, form, kit, pieces=plan.pieces, firm=plan.firm)
        first, stop, given = arrangement.first, arrangement.stop, arrangement.given
        planned = BarDecoder(model, form, plan, grooves, version.sampling, first, stop, given)
        memory = Memory.of(form, len(kit), grooves, heard=model.hears_grooves)
        silence = np.zeros((1, len(kit)), dtype=np.float32)
        return _Track(version, planned, replace(planned, plan=version.requested), memory, model.silence[None], silence)

    def branch(self, wish: Version) -> _Track:
        """Return the track of a wish for some bars of this one."""
        own, plan, kit = self.planned, wish.plan, self.planned.model.kit
        grooves, bars = replace(own.grooves, firm=plan.firm), wish.bars.tolist()
        changed = [
            (mine, theirs)
            for here, mine, theirs in zip(bars, plan.grooves, own.plan.grooves, strict=True)
            if here and mine is not theirs
        ]
        if changed or not all(map(np.array_equal, plan.pieces or (), own.plan.pieces or ())):
            placed = [groove if here else None for groove, here in zip(plan.grooves, bars, strict=True)]
            grooves = GrooveRows.of(placed, own.form, kit, pieces=plan.pieces, firm=plan.firm)
        planned = replace(own, plan=plan, grooves=grooves, sampling=wish.sampling)
        # A variation of the take's groove fades among the take's remembered bars, unless it is remembered as well.
        is_varied = bool(changed) and all(mine and theirs and mine.name == theirs.name for mine, theirs in changed)
        memory = replace(self.memory, grooves=grooves, heard=self.memory.heard and not is_varied)
        return _Track(wish, planned, replace(planned, plan=wish.requested), memory, self.state, self.previous)

    def follow(self, take: _Track, number: int) -> None:
        """Continue with a bar: from the bar before it if this version has that bar, else from the take's."""
        self.memory.keys = take.memory.keys
        if self.last != number - 1:
            self.state, self.previous = take.state, take.previous

    def decode(
        self, decoder: BarDecoder, number: int, inputs: dict[str, NDArray[Any]], *, is_first: bool
    ) -> Computation[PlayedBatch]:
        """Decode a bar. inputs: its rows of the encoded guitar. is_first: it is the first bar encoded with these."""
        fill = decoder.plan.is_fill(number)
        remembered = self.memory.before(number, fill=fill, instead=self.instead)
        opened = yield from decoder.model.open_bar(inputs, remembered, self.state, first=is_first)
        recent = self.memory.recent(number, RUN_GAP, self.instead)
        return (yield from decoder.decode(number, opened, self.previous, inputs.get("sketch"), recent))

    def keep(self, number: int, played: PlayedBatch) -> None:
        """Remember a bar of a wish, for the other bars of that wish only."""
        self.instead[number] = self.planned.remembered(number, played)
        self.last, self.state, self.previous = number, played.state, played.hits[:, -1]


Encoding: TypeAlias = tuple[FloatArray, GrooveRows, BoolArray]
"""The inputs of an encoding besides the guitar: the conditions (B, ·), the grooves, and which bars (B,) use it."""


def _encodings(take: _Track, wished: Sequence[_Track]) -> list[Encoding]:
    """Return the encodings of a take: without wishes, with each wish alone, and of both with requested fills.

    The tracks note the numbers of theirs. No other refilled bar of a track is the neighbour of one, so no requested
    fill changes another.
    """
    numbers, found = np.arange(len(take.version.bars)), list[Encoding]()
    unwished = ~np.logical_or.reduce([np.zeros(len(numbers), dtype=np.bool_), *(each.version.bars for each in wished)])
    for track in (take, *wished):
        # 1. A wish has its grooves, fills and controls in its own bars alone.
        version, rows, fill = track.version, take.planned.grooves, take.version.plan.fill
        bars = unwished if track is take else version.bars
        if track is not take:
            own = track.planned.grooves
            rows = GrooveRows(rows.hits.copy(), rows.velocity.copy(), rows.held.copy())
            rows.hits[bars], rows.velocity[bars], rows.held[bars] = own.hits[bars], own.velocity[bars], own.held[bars]
            fill = None if fill is None or version.plan.fill is None else np.where(bars, version.plan.fill, fill)
        fills = [(bars, fill)]
        # 2. Its requested fills, in turn.
        for turn in range(NEIGHBOURS + 1):
            here = version.refilled & (numbers % (NEIGHBOURS + 1) == turn) & (unwished if track is take else True)
            if here.any():
                with_fills = np.zeros(len(numbers), dtype=np.bool_) if fill is None else fill.copy()
                if version.requested.fill is not None:
                    with_fills[here] = version.requested.fill[here]
                track.refills |= dict.fromkeys(np.flatnonzero(here).tolist(), len(found) + len(fills))
                fills.append((here, with_fills))
        track.encoding = len(found)
        for here, filled in fills:
            of_take, its = (
                of_controls(each.version.controls, len(numbers), filled, _change(each.version.plan, filled))
                for each in (take, track)
            )
            found.append((np.where(bars[:, None], its, of_take), rows, here))
    return found


def _change(plan: Plan, filled: BoolArray | None) -> FloatArray | None:
    """Return how far each bar (B,) of a plan strays when these bars (B,) are its fills; None leaves it to the model.

    A fill beside the planned ones strays far, and a bar whose planned fill is left out does not.
    """
    if plan.change is None or filled is None:
        return plan.change
    planned = np.zeros_like(filled) if plan.fill is None else plan.fill
    return np.where(filled == planned, plan.change, np.where(filled, FILL_CHANGE, 0)).astype(np.float32)


def _crashed_as(other: PlayedBatch, played: PlayedBatch, kit: Kit) -> PlayedBatch:
    """Return a bar with the cymbals and hats of another on its first beat; as it is if that takes a third hand."""
    hits, velocity, offset = (each.copy() for each in played[:3])
    cymbals = kit.voices_named(("crash", *TIMEKEEPERS))
    for here, there in zip((hits, velocity, offset), other, strict=False):
        here[:, 0, cymbals] = there[:, 0, cymbals]
    limbs, struck = Limbs(kit), np.flatnonzero(hits[0, 0]).tolist()
    if not all(limbs.can_add(voice, struck[:at]) for at, voice in enumerate(struck)):
        return played
    return PlayedBatch(hits, velocity, offset, played.state)


def _ranges(model: Playable, guitar_grid: GuitarGrid, idle: BoolArray) -> list[tuple[int, int]]:
    """Return the ranges of bars [begin, end) to encode together: the units that the model was trained on.

    idle (B,): bars that are not decoded. A range has only idle bars or none, except after the last decoded bar.
    """
    bars = len(idle)
    whole = [(0, bars)]
    if model.unit == "pair":
        from seq2drum.lattice.phrases import spans  # here: the shipped models read whole songs

        notes = np.bincount(guitar_grid.form.bar_of(guitar_grid.guitar.step), minlength=bars).tolist()
        whole = spans([notes], max_notes=model.max_notes)
    end = int(np.flatnonzero(~idle).max(initial=0)) + 1
    cuts = set((np.flatnonzero(np.diff(idle[:end])) + 1).tolist())
    return [pair for begin, stop in whole for pair in pairwise(sorted({begin, stop, *(cuts & {*range(begin, stop)})}))]


def take_of(played: Iterable[PlayedBar], form: Form, kit: Kit) -> Grid:
    """Return the played bars of a form, at least one, as one grid of the full kit."""
    return to_full(Grid.join(bar.hits.shift(form.first[bar.number]) for bar in played), kit)
