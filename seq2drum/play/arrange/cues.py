"""Cues: what drums do where the band comes in, stops and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from seq2drum.lattice import gestures
from seq2drum.lattice.form import Form
from seq2drum.lattice.gestures import Entrance, LastChord, Stop
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid
from seq2drum.music.choices import AUTO, CHOKE, NO_ENDING, RING, RITARD
from seq2drum.play.decode.plan import Cue, Cues, Gestures

Pattern = tuple[tuple[int, str], ...]
"""A lead-in to a downbeat: the steps before it at which pieces are struck, and the pieces."""

STRAIGHT: tuple[Pattern, ...] = (
    ((6, "snare"), (3, "snare")),
    ((6, "snare"), (3, "snare"), (1, "snare")),
    ((6, "snare"), (5, "snare"), (3, "high tom"), (1, "low tom")),
    ((6, "high tom"), (3, "low tom")),
)
SWUNG: tuple[Pattern, ...] = (
    ((6, "snare"), (2, "snare")),
    ((6, "snare"), (4, "snare"), (2, "snare")),
    ((6, "snare"), (4, "high tom"), (2, "low tom")),
)
SOFT_STRAIGHT: tuple[Pattern, ...] = (((6, "side stick"), (3, "side stick")), ((6, "closed hat"), (3, "side stick")))
SOFT_SWUNG: tuple[Pattern, ...] = (((6, "closed hat"), (2, "side stick")), ((6, "side stick"), (2, "closed hat")))
SWELL = (12, 9, 6, 5, 3, 1)  # steps before the last chord at which a cymbal swells
# Velocities, 0..1, in a loud groove and in a soft one; where there are two, of the first stroke and of the last.
LEADS = {False: (0.5, 0.85), True: (0.35, 0.55)}
SWELLS = {False: (0.2, 0.7), True: (0.15, 0.45)}
STOPS = {False: 0.9, True: 0.6}
LAST = {False: 0.88, True: 0.55}
LED_STOP = 1.0  # bars of a break, after which a pickup leads back

Lead = Callable[[int], Cues]
"""A lead-in to a step."""


def gestures_of(
    notes: Grid, form: Form, ending: str, *, soft: bool, seed: int, entries: Sequence[int] = (), leads: bool = True
) -> Gestures:
    """Return the cues where the band comes in, stops and ends.

    Args:
        notes: All notes but the drums.
        form: The bars.
        ending: One of `choices.ENDINGS`. "auto" rings on a last chord that rings and chokes on a short one; a song that
            goes on to its end, as a loop does, has no ending.
        soft: Whether the groove is soft.
        seed: Chooses the pickups.
        entries: Bars in which the drums come in after a bar or more of rest.
        leads: Whether the bar before each of these only leads into it.
    """
    came = gestures.entrance(notes, form)
    if came is None:
        return Gestures()
    rng = np.random.default_rng([seed, len(form.steps), 3])
    swung, breaks, last = gestures.is_swung(notes, form), gestures.stops(notes, form), gestures.last_chord(notes, form)
    patterns = {
        (False, False): STRAIGHT,
        (False, True): SWUNG,
        (True, False): SOFT_STRAIGHT,
        (True, True): SOFT_SWUNG,
    }[soft, swung]

    def lead(step: int) -> Cues:
        return _lead(patterns[int(rng.integers(len(patterns)))], step, soft)

    cues = dict[int, Cue]()
    if came.is_pickup:
        cues |= _entered(came, form, lead)
    for one in breaks:
        cues |= _stopped(one, form, lead, soft=soft)
    led = [entry - 1 for entry in entries if leads]
    for bar in led:
        cues |= _entered(Entrance(bar, 0, bar + 1), form, lead)
    struck = None if ending == NO_ENDING or (ending == AUTO and last is None) else last or _last_stroke(notes)
    if struck is not None:
        if ending == AUTO:
            ending = RING if struck.rings else CHOKE
        cues |= ended(ending, struck.step, form, soft=soft)
    bar = int(form.bar_of(notes.step.max(keepdims=True))[0])
    marked = _marked(cues, came, breaks, struck, bar, form)
    come_in = frozenset(entries)
    return replace(
        marked,
        heavy=marked.heavy | come_in,
        crashed=marked.crashed | come_in,
        full=marked.full | come_in,
        still=marked.still | come_in | frozenset(led),
        soft=soft,
        swung=swung,
    )


def _marked(
    cues: Cues, came: Entrance, breaks: Iterable[Stop], struck: LastChord | None, last: int, form: Form
) -> Gestures:
    """Some cues, and the bars that they make heavy, crashed, full, a build or still. last: the last bar with a note."""
    first = form.first[:-1].tolist()
    back = {first.index(one.back) for one in breaks if one.back in first}
    still = set(range(came.bar, came.downbeat + 1))
    for one in breaks:
        begin, end = form.bar_of(np.array([one.chord, one.back - 1])).tolist()
        still |= set(range(begin, end + 1))
    builds, full = set[int](), {came.downbeat}
    if struck is None:
        full |= set(range(last, len(form.steps)))
    else:
        bar = int(form.bar_of(np.array([struck.step]))[0])
        still |= set(range(bar, len(form.steps)))
        builds = {bar - 1} if struck.step - first[bar] <= 1 else set()
    crashed = back | ({came.downbeat} if came.is_pickup else set())
    heavy = crashed | {came.downbeat}
    return Gestures(
        cues,
        heavy=frozenset(heavy),
        crashed=frozenset(crashed),
        full=frozenset(full),
        builds=frozenset(builds - still),
        still=frozenset(still),
    )


def _lead(pattern: Pattern, step: int, soft: bool) -> Cues:
    """A crescendo pickup into a step."""
    velocities = np.linspace(*LEADS[soft], len(pattern)).tolist()
    return {step - back: Cue((piece,), loud) for (back, piece), loud in zip(pattern, velocities, strict=True)}


def _entered(came: Entrance, form: Form, lead: Lead) -> dict[int, Cue]:
    """Silence in the bars of the pickup, except for the lead-in to the downbeat."""
    begin, downbeat = int(form.first[came.bar]), int(form.first[came.downbeat])
    into = {step: cue for step, cue in lead(downbeat).items() if step >= begin}
    return dict.fromkeys(range(begin, downbeat), Cue()) | into


def _stopped(one: Stop, form: Form, lead: Lead, *, soft: bool) -> dict[int, Cue]:
    """A hit on the chord, and silence until all come back."""
    cues = dict.fromkeys(range(one.chord + 1, one.back), Cue())
    bar = int(form.bar_of(np.array([one.chord]))[0])
    if one.back - one.chord >= LED_STOP * form.steps[bar] and one.back in form.first:
        cues |= lead(one.back)
    return cues | {one.chord: Cue(("kick", "closed hat" if soft else "snare"), STOPS[soft])}


def ended(ending: str, step: int, form: Form, *, soft: bool) -> dict[int, Cue]:
    """The last hit at a step, its lead-in, and silence after it."""
    cues = dict.fromkeys(range(step + 1, int(form.first[-1])), Cue())
    if ending == RITARD:
        # The bar before thins out to its quarters, and a cymbal swells.
        bar = int(form.bar_of(np.array([step - 1]))[0]) if step else 0
        before = range(int(form.first[bar]), step)
        cues |= {at: Cue() for at in before if (at - before.start) % STEPS_PER_QUARTER}
        loud = np.linspace(*SWELLS[soft], len(SWELL)).tolist()
        cues |= {step - back: Cue(("crash",), one) for back, one in zip(SWELL, loud, strict=True) if step >= back}
    if ending == CHOKE:
        pieces: tuple[str, ...] = ("kick", "side stick" if soft else "snare")
    else:
        pieces = ("kick", "ride" if soft else "crash")
    return cues | {step: Cue(pieces, LAST[soft])}


def _last_stroke(notes: Grid) -> LastChord:
    return LastChord(int(notes.step.max()), rings=False)
