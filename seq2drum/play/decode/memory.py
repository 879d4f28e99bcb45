"""The bars of a take so far, and its groove, as a model remembers them.

A model trained to continue from remembered bars plays a groove that it remembers: before a section begins the groove
was played, and in each bar some rows of memory say that it was played when the guitar last did this. So it holds the
groove to the last bar; a groove given only as the first bars of a take fades. A model that hears the groove needs those
rows only to hold it firmly.

Letters of shapes: n batch, B bars of the song, M remembered bars, S steps of the longest bar, V voices.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.music.choices import ALL, AUTO, OPEN
from seq2drum.music.kit import Kit, to_kit
from seq2drum.music.notes import IntArray

HAND_PERCUSSION_STYLE = "latin"  # the style whose grooves mostly have hand percussion
# The lines on which a hand keeps time. The pedal hat is the foot's, and goes on below the ride.
_LINES = {"hat": ("closed hat", "open hat"), "ride": ("ride", "bell")}


class Pieces(NamedTuple):
    """The pieces of a take. allowed (V,): whether a voice is allowed.

    moved (V,): the voice that replaces each: itself, or another one where the timekeeping moves, and then the voice
    itself is not allowed.
    """

    allowed: NDArray[np.bool_]
    moved: IntArray

    @property
    def are_all(self) -> bool:
        """True if every voice is allowed and none is moved."""
        return bool(self.allowed.all())

    @property
    def moves(self) -> bool:
        """True if any voice is moved."""
        return bool((self.moved != np.arange(len(self.moved))).any())

    def logits(self, logits: FloatArray) -> FloatArray:
        """Logits of hits (..., V) on these pieces: minus infinity for forbidden voices.

        A voice takes the highest logit of those moved to it.
        """
        wished = np.where(self.allowed, logits, -np.inf).astype(logits.dtype)
        for voice in np.flatnonzero(self.moved != np.arange(len(self.moved))).tolist():
            if self.allowed[target := self.moved[voice]]:
                np.maximum(wished[..., target], logits[..., voice], out=wished[..., target])
        return wished

    def hits(self, grid: Grid) -> Grid:
        """Hits of a groove or a bar on these pieces. Of two hits moved to one voice, the louder."""
        key = self.moved[grid.key]
        order = np.lexsort((-grid.velocity, key, grid.step))
        wished = grid._replace(key=key).select(order[self.allowed[key[order]]])
        first = np.ones(len(wished.step), dtype=bool)
        first[1:] = (np.diff(wished.step) != 0) | (np.diff(wished.key) != 0)
        return wished.select(first)


def pieces_instead(kit: Kit, others: Mapping[str, str]) -> Pieces:
    """Return all pieces of a kit, some of them moved. others: the piece that plays in place of each.

    Raises:
        OptionError: the kit lacks one that is to play.
    """
    moved = np.arange(len(kit))
    for name, other in others.items():
        if other not in kit.places:
            raise OptionError(f"this drummer plays no {other}; it has {', '.join(kit.names)}")
        if name in kit.places:
            moved[kit.places[name]] = kit.places[other]
    return Pieces(np.ones(len(kit), dtype=np.bool_), moved)


def pieces_for(
    kit: Kit,
    *,
    pieces: str | None = None,
    time: str = AUTO,
    without: Collection[str] = (),
    style: str | None = None,
    groove: Collection[int] = (),
) -> Pieces:
    """Return the pieces of a request.

    Args:
        kit: The kit of the voices.
        pieces: "kit" for no hand percussion, "all" for any, None for what the groove has of it, and any in latin music.
        time: The line that keeps time: "hat", "ride", or "auto" for either. The other line is not played. "open": the
            open hat in place of both.
        without: Names of excluded pieces. If that excludes a line, the other one keeps time.
        style: The requested one, or None.
        groove: The voices of the kit that the groove has, of all sections.
    """
    names = list(kit.names)
    allowed = np.array([name not in without for name in names])
    # 1. Hand percussion.
    percussion = np.array([voice.limb == "percussion" for voice in kit.voices])
    if pieces != ALL and not (pieces is None and style == HAND_PERCUSSION_STYLE):
        kept = np.isin(np.arange(len(kit)), list(groove)) if pieces is None else False
        allowed &= ~percussion | kept
    # 2. The line that keeps time.
    if time == OPEN and ("open hat" not in names or "open hat" in without):
        time = AUTO
    if time == AUTO:
        there = [line for line, (main, _) in _LINES.items() if main in names and main not in without]
        time = there[0] if len(there) == 1 else AUTO
    moved = np.arange(len(kit))
    if time == OPEN:
        moved[kit.voices_named(("closed hat", *_LINES["ride"]))] = names.index("open hat")
        time = AUTO
    for line, members in _LINES.items():
        target = next((voices[0] for other, voices in _LINES.items() if other != line), "")
        if time not in (line, AUTO) and target in names:
            moved[kit.voices_named(members)] = names.index(target)
    return Pieces(allowed & (moved == np.arange(len(kit))), moved)


@dataclass(frozen=True, eq=False)
class GrooveRows:
    """The groove of each bar: hits and velocity (B, S, V) as a model remembers bars, velocities 0..1.

    held (B,): the number of bars before each with the same groove; -1 without a groove. firm: the bars copy the groove
    closely, rather than continue from it.
    """

    hits: FloatArray
    velocity: FloatArray
    held: IntArray
    firm: bool = False

    @staticmethod
    def of(
        grooves: Sequence[Groove | None], form: Form, kit: Kit, *, pieces: Pieces | None = None, firm: bool = False
    ) -> GrooveRows:
        """The grooves of the bars of a form, in the voices of a kit; each in the metre of its bar.

        pieces: the allowed ones; None for all.
        """
        rows = GrooveRows.empty(len(form.steps), int(form.steps.max()), kit, firm=firm)
        alike = dict[tuple[int, ...], int]()
        metres = zip(form.numerator.tolist(), form.denominator.tolist(), form.steps.tolist(), strict=True)
        rowed = zip(grooves, bars_held(grooves), metres, strict=True)
        for bar, (groove, so_far, (*metre, steps)) in enumerate(rowed):
            if groove is None:
                continue
            place = so_far % len(groove.fitted(*metre).bars)
            first = alike.setdefault((id(groove), *metre, steps, place), bar)
            if first == bar:
                rows.put(bar, groove, so_far, form.between(bar, bar + 1), kit, pieces)
            else:
                rows.hits[bar], rows.velocity[bar], rows.held[bar] = rows.hits[first], rows.velocity[first], so_far
        return rows

    @staticmethod
    def empty(bars: int, steps: int, kit: Kit, *, firm: bool = False) -> GrooveRows:
        """Rows for this many bars of at most this many steps, without any groove."""
        hits = np.zeros((bars, steps, len(kit)), dtype=np.float32)
        return GrooveRows(hits, np.zeros_like(hits), np.full(bars, -1), firm)

    def put(self, bar: int, groove: Groove, held: int, form: Form, kit: Kit, pieces: Pieces | None = None) -> None:
        """Put a groove, held for some bars before, into a bar of the given form."""
        own = groove.fitted(int(form.numerator[0]), int(form.denominator[0])).bar(held)
        own = own._replace(key=to_kit(kit)[own.key])
        own = own.select((own.key >= 0) & (own.step < form.steps[0]))
        own = own if pieces is None else pieces.hits(own)
        at = bar, own.step, own.key
        self.hits[at], self.velocity[at] = 1, own.velocity / 127
        self.held[bar] = held

    @staticmethod
    def none(form: Form, kit: Kit) -> GrooveRows:
        """No groove in any bar."""
        return GrooveRows.of([None] * len(form.steps), form, kit)

    def part(self, first: int, stop: int, steps: int) -> GrooveRows:
        """Bars [first, stop) with at most these steps."""
        here = np.s_[first:stop, :steps]
        return GrooveRows(self.hits[here], self.velocity[here], self.held[first:stop], self.firm)


def bars_held(grooves: Sequence[Groove | None]) -> list[int]:
    """Return how many bars before each bar have the same groove without a break."""
    held, before = list[int](), None
    for groove in grooves:
        held.append(held[-1] + 1 if held and groove is before else 0)
        before = groove
    return held


LOOK_BACK = 4  # the most recent bars, seen as they were played; before the song there is silence
MEMORY_BARS = 1024  # the most remembered bars; without a bound, time would grow with the square of the song's length
SLOTS = 1  # memory rows with the groove, for a model that does not hear it
FIRM_SLOTS = 2  # the same, for any model with a firmly held groove, in bars that are not fills
DISTANCE = 8  # the distance of the groove's rows in bars, at which phrases recur
AGAIN = 4  # bars back in which a firmly held groove replaces the played bars

Instead: TypeAlias = Mapping[int, tuple[FloatArray, FloatArray]]
"""By the numbers of bars: hits (n, steps, V), and their velocities 0..1."""

_NOTHING: Instead = MappingProxyType({})


@dataclass(eq=False)
class Memory:
    """The guitar's key and the drums of each bar so far, for a batch of n. The first LOOK_BACK bars are silence.

    steps (bars,): the length of each. keys (1, bars, ·): the keys for attention. hits and velocity (n, bars, S, V): the
    played bars, velocities 0..1. grooves: remembered in addition. heard: the model hears them, too.
    """

    steps: IntArray
    keys: FloatArray
    hits: FloatArray
    velocity: FloatArray
    grooves: GrooveRows | None = None
    heard: bool = False

    @staticmethod
    def of(form: Form, voices: int, grooves: GrooveRows | None = None, *, heard: bool = False) -> Memory:
        """Return the memory before a song, with a batch of one."""
        count = LOOK_BACK + len(form.steps)
        steps = np.concatenate([np.zeros(LOOK_BACK, dtype=np.int64), form.steps])
        hits = np.zeros((1, count, int(form.steps.max()), voices), dtype=np.float32)
        return Memory(steps, np.zeros((1, count, 0), dtype=np.float32), hits, np.zeros_like(hits), grooves, heard)

    def recognise(self, first: int, keys: FloatArray) -> None:
        """Store the keys (bars, ·) of the bars from `first` on."""
        if not self.keys.shape[-1]:
            self.keys = np.zeros((*self.keys.shape[:2], keys.shape[-1]), dtype=np.float32)
        self.keys[0, LOOK_BACK + first : LOOK_BACK + first + len(keys)] = keys

    def keep(self, bar: int, hits: FloatArray, velocity: FloatArray) -> None:
        """Store the played hits (n, steps, V) of a bar, and their velocities 0..1."""
        self.hits[:, LOOK_BACK + bar, : hits.shape[1]] = hits
        self.velocity[:, LOOK_BACK + bar, : hits.shape[1]] = velocity * hits

    def forget(self, bars: int) -> None:
        """Drop the first bars: later bars move to the front, and the freed ones must be stored again."""
        rows: list[NDArray[Any]] = [self.steps, self.keys[0], *self.hits, *self.velocity]
        if self.grooves is not None:
            rows += [self.grooves.hits, self.grooves.velocity, self.grooves.held]
        for row in rows:
            row[:-bars] = row[bars:].copy()
            row[-bars:] = 0
        if self.grooves is not None:
            self.grooves.held[-bars:] = -1

    def recent(self, bar: int, bars: int, instead: Instead = _NOTHING) -> FloatArray:
        """(up to bars, S, V): the hits of the bars before one, in the first row of the batch."""
        now = LOOK_BACK + bar
        recent: FloatArray = _with(self.hits, 0, slice(max(now - bars, 0), now), instead)[0]
        return recent

    def before(self, bar: int, *, fill: bool = False, instead: Instead = _NOTHING) -> dict[str, NDArray[Any]]:
        """Return the inputs of `Engine.open_bar` from the bars before one.

        Only bars with the same number of steps count. fill: the bar should break the pattern. instead: hits that
        replace those stored for some bars.
        """
        now = LOOK_BACK + bar
        since = slice(max(now - MEMORY_BARS, 0), now)
        distance = np.arange(now - since.start, 0, -1) * (self.steps[since] == self.steps[now])
        batch = len(self.hits)
        remembered = {
            "keys": expand_batch(self.keys[:, since], batch),
            "distance": expand_batch(distance[None], batch),
            "past": _with(self.hits, 0, since, instead),
            "past_velocity": _with(self.velocity, 1, since, instead),
        }
        if self.grooves is None or self.grooves.held[bar] < 0:
            return remembered
        slots = 0 if self.heard else SLOTS
        return self._with_groove(remembered, bar, FIRM_SLOTS if self.grooves.firm and not fill else slots)

    def _with_groove(self, remembered: dict[str, NDArray[Any]], bar: int, slots: int) -> dict[str, NDArray[Any]]:
        """The same with groove rows, which come before the bar and replace bars of another groove or of none."""
        assert self.grooves is not None
        held = int(self.grooves.held[bar])
        restored = [-back for back in range(1, LOOK_BACK + 1) if back > held or (self.grooves.firm and back == AGAIN)]
        if not restored and not slots:
            return remembered
        grooves = {"past": self.grooves.hits[bar], "past_velocity": self.grooves.velocity[bar]}
        if restored:
            remembered = {name: rows.copy() if name in grooves else rows for name, rows in remembered.items()}
            for name, row in grooves.items():
                remembered[name][:, restored] = row
        if not slots:
            return remembered
        out = {
            "keys": np.broadcast_to(self.keys[:, [LOOK_BACK + bar]], (1, slots, self.keys.shape[-1])),
            "distance": np.full((1, slots), DISTANCE),
            **{name: np.broadcast_to(row, (1, slots, *row.shape)) for name, row in grooves.items()},
        }
        batch = len(self.hits)
        return {
            name: np.concatenate([expand_batch(out[name], batch), rows], axis=1) for name, rows in remembered.items()
        }


def _with(rows: FloatArray, which: int, since: slice, instead: Instead) -> FloatArray:
    """Some bars of rows (n, bars, S, V), with replacements: `which` is 0 for hits and 1 for velocities."""
    kept: FloatArray = rows[:, since]
    if not instead:
        return kept
    places = {LOOK_BACK + bar - since.start: played[which] for bar, played in instead.items()}
    places = {place: played for place, played in places.items() if 0 <= place < kept.shape[1]}
    if not places:
        return kept
    kept = kept.copy()
    for place, played in places.items():
        kept[:, place] = 0
        kept[:, place, : played.shape[1]] = played
    return kept


def expand_batch(rows: NDArray[Any], batch: int) -> NDArray[Any]:
    """(1, ...) -> (n, ...), repeated; (n, ...) unchanged."""
    return rows if len(rows) == batch else np.broadcast_to(rows, (batch, *rows.shape[1:]))
