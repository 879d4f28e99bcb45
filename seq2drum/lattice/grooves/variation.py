"""Variations of a groove: on another cymbal, sparser or fuller, as a drummer varies it from section to section.

Kick and backbeat stay what they are; a fuller groove has more kicks, where the bass has notes, ghost notes, and shorter
notes on the cymbal, a sparser one fewer. A full rock or pop groove leaves the side stick for the snare. In half time
they come half as often, and all else goes on. A groove that leans more against the beat has kicks pushed ahead of beats
and ghost notes before others; a straighter one has what lies between the beats on them, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import drums_of, most_struck, pattern_syncopation
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import HIT_LENGTH, STEPS_PER_QUARTER, Grid
from seq2drum.lattice.grooves.fitting import BACKBEAT, LOUD, beats_of, playable, steps_of, twelfths
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.styles import swings
from seq2drum.music.choices import FAMILIES
from seq2drum.music.kit import FULL

TIMEKEEPERS = {"closed hat": ("closed hat", "open hat"), "ride": ("ride", "bell"), "crash": ("crash",)}
SHAKEN = ("shaker", "cabasa", "tambourine", "triangle")  # pieces that keep time beside or in place of a cymbal
STRAIGHT, SWUNG, SIXTEENTHS = 3, 4, (1, 5)  # steps of a quarter: its second eighth, and the sixteenths beside it
GHOSTS = (11, 13, 23, 5)  # steps of ghost notes around the backbeats of four quarters
SWUNG_GHOSTS = (10, 22, 4, 16)
MOST_KICKS, MOST_GHOSTS = 2, 1  # that a fuller groove gains in a bar; more would lean against the beat
FAR_KICKS, FAR_GHOSTS = 4, 2  # likewise where a fuller one is requested
KICK_GAP = 3  # steps between kicks
GHOST, FOOT, KICK, BACK, SOFT = 34, 58, 88, 100, 0.8  # velocities; of strokes between others, as a share
USUAL, STRAIGHT_AT = 0.5, 0.1  # levels of leaning: that of a groove as it is, and that from which down all is straight
PUSHES = 1.0  # changes a beat at a level of 1
TINY = 1e-6
SET_KICKS = frozenset({"latin", "jazz", "reggae"})  # styles in whose grooves a kick more is another groove
STICKED, OFF_THE_STICK = (
    frozenset({"rock", "pop"}),
    0.15,
)  # styles that leave the side stick for the snare, from a level on
NO_GHOSTS = frozenset({"jazz", "latin", "metal", "dance", "reggae"})
NOT_GHOST = 0.7  # share of the loudest stroke on the snare from which one is no ghost note, where all are soft
_VOICE = FULL.places
_KICK, _SNARE, _STICK, _FOOT = (_VOICE[name] for name in ("kick", "snare", "side stick", "pedal hat"))
_TOMS = frozenset(_VOICE[name] for name in FAMILIES["toms"])
_BACKBEAT = frozenset(_VOICE[name] for name in BACKBEAT)
REACHED = frozenset(_VOICE[name] for name in ("ride", "bell", "open hat"))
_PERCUSSION = frozenset(index for index, voice in enumerate(FULL.voices) if voice.limb == "percussion") - _BACKBEAT

_Bar = dict[tuple[int, int], tuple[int, int]]
"""Velocity and offset of each hit, by step and voice."""


def timekeeper(groove: Groove) -> str | None:
    """Return the piece of TIMEKEEPERS that keeps time; None if none does."""
    keys = np.concatenate([bar.key for bar in groove.bars])
    return most_struck(
        {
            name: np.isin(keys, [_VOICE[piece] for piece in pieces]).sum() / len(groove.bars)
            for name, pieces in TIMEKEEPERS.items()
        }
    )


@lru_cache(maxsize=512)
def varied(
    groove: Groove,
    *,
    time: str | None = None,
    level: float = 0.0,
    bass: tuple[int, ...] = (),
    is_slow: bool = True,
    goes_far: bool = False,
) -> Groove:
    """Return a groove on other time and of other fullness; name and title stay.

    Args:
        groove: Of the full kit.
        time: The piece to keep time on: "closed hat", "open hat", "ride" or "crash"; None leaves it.
        level: The logarithm of the ratio of hits wanted to those it has.
        bass: Steps of a bar on which the bass begins notes, the commonest first; kicks are added there.
        is_slow: Whether the tempo leaves room for sixteenths on the cymbal.
        goes_far: Whether it goes as far as the level says, as by a request, rather than as drummers mostly go.
    """
    bars = [_bar(bar) for bar in groove.bars]
    wanted = np.exp(level) * sum(map(len, bars)) / len(bars)
    if level >= OFF_THE_STICK and groove.style in STICKED and not any(key == _SNARE for bar in bars for _, key in bar):
        bars = [{(step, _SNARE if key == _STICK else key): hit for (step, key), hit in bar.items()} for bar in bars]
    keeps = timekeeper(groove)
    if time is not None and keeps is not None and time != keeps:
        bars = [_on_time(bar, keeps, time, groove) for bar in bars]
    change = round(wanted - sum(map(len, bars)) / len(bars))
    if change < 0 and level < 0:
        bars = [_thinned(bar, -change, groove, frozenset(bass), goes_far=goes_far) for bar in bars]
    elif change > 0 and level > 0:
        bars = [_filled(bar, change, groove, bass, is_slow=is_slow, goes_far=goes_far) for bar in bars]
    return replace(groove, bars=tuple(playable(_grid(bar)) for bar in bars))


@lru_cache(maxsize=512)
def halved(groove: Groove) -> Groove:
    """Return a groove in half time; name and title stay.

    Its kicks take twice the time. The backbeat is in the middle: on the third of four beats, and on the first of the
    second of two bars in a metre of two beats or of an odd number. What keeps time, ghost notes and percussion go on.

    Raises:
        OptionError: a bar has one beat.
    """
    beats = beats_of(groove.numerator, groove.denominator)
    if len(beats) < 2:
        raise OptionError(f"half time takes two beats or more, and a bar of {groove.metre} has one; leave it out")
    # 1. The middle, in twelfths of a quarter from the barline: of each bar, or that between two bars.
    length = beats[-1].start + beats[-1].length
    each = len(beats) % 2 == 0 and len(beats) > 2
    backs = ((0, beats[len(beats) // 2].start), (1, beats[len(beats) // 2].start)) if each else ((1, 0.0),)
    # 2. The stroke of the backbeat: the commonest loud one, else on the snare.
    bars = [_bar(bar) for bar in groove.bars]
    struck = [(key, hit[0]) for bar in bars for (_, key), hit in bar.items() if key in _BACKBEAT]
    least = min(LOUD, NOT_GHOST * max((velocity for _, velocity in struck), default=0))
    loud = [(key, velocity) for key, velocity in struck if velocity >= least]
    voices = [key for key, _ in loud] or [_SNARE]
    voice = max(voices, key=lambda key: (voices.count(key), -key))
    velocity = round(float(np.mean([hit for key, hit in loud if key == voice]))) if loud else BACK
    # 3. Two bars: what goes on, and the kicks of the first half of each of two bars, or of both halves of one.
    made = []
    for number in (0, 1):
        source = bars[number % len(bars)]
        bar = {at: hit for at, hit in source.items() if at[1] != _KICK and not (at[1] in _BACKBEAT and hit[0] >= least)}
        begin = length / 2 if number and (len(bars) == 1 or not each) else 0.0
        kicks = bars[0] if not each else source
        for (step, key), hit in kicks.items():
            place = 2 * (float(twelfths(np.array(step))) - begin)
            if key == _KICK and 0 <= place < length:
                bar[_step(place, groove.steps), key] = hit
        if each and (0, _KICK) in source:
            bar.setdefault((0, _KICK), source[0, _KICK])
        for own, place in backs:
            if own == number:
                step = _step(place, groove.steps)
                bar = {at: hit for at, hit in bar.items() if at[0] != step or at[1] not in _BACKBEAT}
                bar[step, voice] = (velocity, 0)
        made.append(playable(_grid(bar)))
    return replace(groove, bars=tuple(made))


@lru_cache(maxsize=512)
def leaned(groove: Groove, level: float, *, bass: tuple[int, ...] = ()) -> Groove:
    """Return another groove that leans more or less against the beat; name and title stay.

    Each change counts only if it moves `pattern_syncopation` its way, and a level has all changes of those between it
    and the usual one. So no level leans less than a lower one.

    Args:
        groove: Of the full kit.
        level: 0 straight on the beat, 0.5 as it is, 1 far against the beat.
        bass: Steps of a bar on which the bass begins notes, the commonest first; kicks are pushed there first.
    """
    bars, beats = [_bar(bar) for bar in groove.bars], len(_heads(groove.numerator, groove.denominator))
    if level < USUAL:
        places = _between_beats(bars, groove)
        states = _changed(bars, places, partial(_straightened, groove=groove), groove, -1, len(places))
        many = round((len(states) - 1) * min((USUAL - level) / (USUAL - STRAIGHT_AT), 1.0))
    else:
        places, many = _ahead_of_beats(bars, groove, bass), round(PUSHES * beats * len(bars) * (level - USUAL) / USUAL)
        states = _changed(bars, places, partial(_pushed, groove=groove), groove, 1, many)
    bars = states[min(many, len(states) - 1)]
    return replace(groove, bars=tuple(playable(_grid(bar)) for bar in bars))  # also at 0.5: all levels are played alike


def _step(place: float, steps: int) -> int:
    """The step of a bar nearest to a place in twelfths of a quarter."""
    return int(np.abs(twelfths(np.arange(steps)) - place).argmin())


def _bar(grid: Grid) -> _Bar:
    columns = (grid.step.tolist(), grid.key.tolist(), grid.velocity.tolist(), grid.offset.tolist())
    return {(step, key): (velocity, offset) for step, key, velocity, offset in zip(*columns, strict=True)}


def _grid(bar: _Bar) -> Grid:
    rows = [(step, key, velocity, offset, HIT_LENGTH) for (step, key), (velocity, offset) in sorted(bar.items())]
    return Grid(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)


# --- the cymbal -------------------------------------------------------------------------------------------------------


def _on_time(bar: _Bar, keeps: str, time: str, groove: Groove) -> _Bar:
    """Return a bar whose time goes from the piece that keeps it to another."""
    old, new = {_VOICE[piece] for piece in TIMEKEEPERS[keeps]}, _VOICE[time]
    rest = {at: hit for at, hit in bar.items() if at[1] not in old}
    strokes = {step: hit for (step, key), hit in sorted(bar.items()) if key in old}
    # An arm that reaches out for a ride or a crash has no sixteenths.
    if time == "crash":
        strokes = {step: hit for step, hit in strokes.items() if step % STEPS_PER_QUARTER == 0} or strokes
    elif time == "ride" and groove.denominator == 4:
        strokes = {step: hit for step, hit in strokes.items() if step % STEPS_PER_QUARTER not in SIXTEENTHS}
    if time in ("closed hat", "open hat"):  # the foot is on the pedal
        rest = {at: hit for at, hit in rest.items() if at[1] != _FOOT}
    elif (
        time == "ride"
        and keeps == "closed hat"
        and groove.denominator == 4
        and not any(key == _FOOT for _, key in rest)
    ):
        rest |= {(step, _FOOT): (FOOT, 0) for step in range(STEPS_PER_QUARTER, groove.steps, 2 * STEPS_PER_QUARTER)}
    return rest | {(step, new): hit for step, hit in strokes.items()}


# --- fewer and more hits ----------------------------------------------------------------------------------------------


def _strokes(bar: _Bar) -> dict[int, int]:
    """Return the strokes of the piece that keeps time, a cymbal if there is one: steps and voices."""
    by_piece: dict[str, dict[int, int]] = {}
    for name, pieces in (TIMEKEEPERS | {name: (name,) for name in SHAKEN}).items():
        voices = {_VOICE[piece] for piece in pieces}
        by_piece[name] = {step: key for step, key in sorted(bar) if key in voices}
    best = most_struck({name: len(strokes) for name, strokes in by_piece.items()})
    return {} if best is None else by_piece[best]


def _thinned(bar: _Bar, fewer: int, groove: Groove, bass: frozenset[int], *, goes_far: bool) -> _Bar:
    """Return a bar with about so many hits fewer."""
    bar, least = dict(bar), len(bar) - fewer
    strokes = _strokes(bar)

    def leave_out(some: Sequence[tuple[int, int]], *, together: bool) -> None:
        if together and 2 * (len(bar) - least) < len(some):
            return
        for at in some if together else some[: max(len(bar) - least, 0)]:
            bar.pop(at, None)

    # 1. What is beside the kit, a foot that doubles the hand, ghost notes, sixteenths on the cymbal.
    if strokes:
        foot = [at for at in bar if at[1] == _FOOT and at[0] % (2 * STEPS_PER_QUARTER) != STEPS_PER_QUARTER]
        leave_out(foot, together=True)
        for voice in sorted({key for _, key in bar} & _PERCUSSION - set(strokes.values())):
            leave_out([at for at in bar if at[1] == voice], together=True)
    leave_out(
        [at for at, (loud, _) in sorted(bar.items(), reverse=True) if at[1] == _SNARE and loud < LOUD], together=False
    )
    leave_out([(step, key) for step, key in strokes.items() if step % STEPS_PER_QUARTER in SIXTEENTHS], together=True)
    # 2. The cymbal on the beats alone.
    heads = _heads(groove.numerator, groove.denominator)
    leave_out([at for at in strokes.items() if at in bar and at[0] not in heads], together=True)
    # 3. Kicks between the beats, first those that the bass does not play; the first and one more stay.
    kicks = sorted(step for step, key in bar if key == _KICK)
    weak = [step for step in kicks[1:] if step % STEPS_PER_QUARTER]
    weak.sort(key=lambda step: (step in bass, step % STEPS_PER_QUARTER == STRAIGHT, -step))
    leave_out([(step, _KICK) for step in weak][: max(len(kicks) - 2, 0)], together=False)
    # 4. The foot under the cymbal, toms, and all kicks but the first, from the last on.
    if goes_far:
        leave_out([at for at in bar if at[1] == _FOOT and _FOOT not in strokes.values()], together=True)
        leave_out([at for at in sorted(bar, reverse=True) if at[1] in _TOMS], together=False)
        leave_out([(step, _KICK) for step in kicks[:0:-1] if (step, _KICK) in bar], together=False)
    return bar


@cache
def _heads(numerator: int, denominator: int) -> frozenset[int]:
    """Return the steps of a bar on which its beats begin."""
    places = twelfths(np.arange(steps_of(numerator, denominator)))
    return frozenset(int(np.abs(places - beat.start).argmin()) for beat in beats_of(numerator, denominator))


def _filled(bar: _Bar, more: int, groove: Groove, bass: Sequence[int], *, is_slow: bool, goes_far: bool) -> _Bar:
    """Return a bar with about so many hits more."""
    bar, most, strokes = dict(bar), len(bar) + more, _strokes(bar)
    # 1. The cymbal in eighths for quarters, in sixteenths for eighths if the change is great.
    if strokes and (goes_far or _VOICE["crash"] not in strokes.values()):
        voice = max(strokes.values(), key=list(strokes.values()).count)
        loud = float(np.mean([bar[step, key][0] for step, key in strokes.items()]))
        quarters, is_swung = groove.steps / STEPS_PER_QUARTER, swings(groove)
        inside: tuple[int, ...] = ()
        if len(strokes) <= quarters + 1 and groove.denominator == 4:
            inside = (SWUNG if is_swung else STRAIGHT,)
        elif not is_swung and is_slow and len(strokes) <= 2 * quarters + 1:
            inside = SIXTEENTHS if goes_far or voice not in REACHED else ()  # an arm that reaches out has none
        places = [begin + place for begin in range(0, groove.steps, STEPS_PER_QUARTER) for place in inside]
        added = [(step, voice) for step in places if step < groove.steps and step not in strokes]
        if len(bar) + len(added) / 2 <= most:
            bar |= dict.fromkeys(added, (round(loud * SOFT), 0))
    # 2. Kicks and ghost notes.
    bar = (_with_many if goes_far else _with_some)(bar, most, groove, bass)
    # 3. The foot on two and four under the ride.
    if strokes and groove.denominator == 4 and set(strokes.values()) <= {_VOICE["ride"], _VOICE["bell"]}:
        for step in range(STEPS_PER_QUARTER, groove.steps, 2 * STEPS_PER_QUARTER):
            if len(bar) < most:
                bar.setdefault((step, _FOOT), (FOOT, 0))
    return bar


def _with_some(bar: _Bar, most: int, groove: Groove, bass: Sequence[int]) -> _Bar:
    """Return a bar with kicks where the bass plays and a ghost note around the backbeat, as drummers mostly go."""
    bar = _kicked(bar, bass, groove, min(most - len(bar), 0 if groove.style in SET_KICKS else MOST_KICKS))
    is_swung, is_four = swings(groove), (groove.numerator, groove.denominator) == (4, 4)
    if not is_four or (groove.style in NO_GHOSTS and not is_swung):
        return bar
    backed = {step for step, key in bar if key in _BACKBEAT}
    places = [(step, _SNARE) for step in (SWUNG_GHOSTS if is_swung else GHOSTS) if step not in backed]
    return bar | dict.fromkeys(places[: min(MOST_GHOSTS, max(most - len(bar), 0))], (GHOST, 0))


def _with_many(bar: _Bar, most: int, groove: Groove, bass: Sequence[int]) -> _Bar:
    """Return a bar with as many kicks and ghost notes as are requested, on beats or into them.

    So a fuller bar is not more syncopated.
    """
    # 1. Kicks, first where the bass plays.
    is_swung = swings(groove)
    places = [step for step in range(groove.steps) if step % STEPS_PER_QUARTER in (0, SWUNG if is_swung else STRAIGHT)]
    places = [step for step in places if step % STEPS_PER_QUARTER == 0 or _leads(bar, step, groove.steps, (_KICK,))]
    played = [step for step in bass if step in places]
    bar = _kicked(bar, [*played, *places], groove, min(most - len(bar), FAR_KICKS))
    # 2. Ghost notes before a beat, then after it; first those that lead into the backbeat.
    backed = {step for step, key in bar if key in _BACKBEAT}
    inside = (SWUNG, 2) if is_swung else (5, 1)
    between = [begin + place for place in inside for begin in range(0, groove.steps, STEPS_PER_QUARTER)]
    between = [step for step in between if step < groove.steps and step not in backed]
    between.sort(key=lambda step: not _leads(bar, step, groove.steps, _BACKBEAT))
    some = [(step, _SNARE) for step in between[: min(FAR_GHOSTS, max(most - len(bar), 0))]]
    return bar | dict.fromkeys(some, (GHOST, 0))


def _kicked(bar: _Bar, places: Sequence[int], groove: Groove, count: int) -> _Bar:
    """Return a bar with some kicks more, on places that have room for one, first on beats."""
    bar, steps = dict(bar), groove.steps
    for step in sorted(dict.fromkeys(places), key=lambda step: step % STEPS_PER_QUARTER != 0):
        if count <= 0:
            break
        kicks = [at for at, key in bar if key == _KICK]
        is_free = all(min(abs(step - at), steps - abs(step - at)) >= KICK_GAP for at in kicks)
        is_backed = any(bar.get((step, key), (0, 0))[0] >= LOUD for key in _BACKBEAT)
        if is_free and not is_backed and step < steps:
            bar[step, _KICK] = (KICK, 0)
            count -= 1
    return bar


def _leads(bar: _Bar, step: int, steps: int, voices: Collection[int]) -> bool:
    """Return True if a hit at a step leads into one of some voices on the next beat."""
    beat = (step // STEPS_PER_QUARTER + 1) * STEPS_PER_QUARTER % steps
    return any((beat, key) in bar for key in voices)


# --- against the beat, and straighter ---------------------------------------------------------------------------------

_Place = tuple[int, int, int]
"""A bar of a groove, a step, and a voice."""


def _changed(
    bars: Sequence[_Bar],
    places: Sequence[_Place],
    change: Callable[[_Bar, int, int], _Bar],
    groove: Groove,
    way: int,
    most: int,
) -> list[list[_Bar]]:
    """Return the bars of a groove as they are, and after each of up to so many changes that lean more or less.

    change: from a bar, a step and a voice to the bar changed there. way: 1 for more, -1 for less.
    """
    states, leaning = [list(bars)], _leaning(bars, groove)
    for number, step, voice in places:
        if len(states) > most:
            break
        changed = list(states[-1])
        changed[number] = change(changed[number], step, voice)
        after = _leaning(changed, groove)
        if way * (after - leaning) > TINY:
            states.append(changed)
            leaning = after
    return states


def _leaning(bars: Sequence[_Bar], groove: Groove) -> float:
    """Return the mean `pattern_syncopation` of the bars of a groove that is played again and again."""
    form = Form(*(np.full(2 * len(bars), one) for one in (groove.steps, groove.numerator, groove.denominator, 120.0)))
    grid = Grid.join(_grid(bar).shift(first) for bar, first in zip([*bars, *bars], form.first.tolist(), strict=False))
    return float(pattern_syncopation(drums_of(grid, form))[: len(bars)].mean())


def _between_beats(bars: Sequence[_Bar], groove: Groove) -> list[_Place]:
    """Return the hits between beats: ghost notes first, then those between the eighths, kicks before others."""
    heads, off = _heads(groove.numerator, groove.denominator), SWUNG if swings(groove) else STRAIGHT
    found = [
        (loud >= LOUD, step % STEPS_PER_QUARTER in (0, off), key != _KICK, (number, step, key))
        for number, bar in enumerate(bars)
        for (step, key), (loud, _) in bar.items()
        if step not in heads and key in {_KICK, *_BACKBEAT, *_TOMS}
    ]
    return [place for *_, place in sorted(found)]


def _straightened(bar: _Bar, step: int, voice: int, groove: Groove) -> _Bar:
    """Return a bar in which a hit is on the next beat, if there is room, or left out."""
    bar, hit = dict(bar), bar[step, voice]
    del bar[step, voice]
    beat = min((head for head in _heads(groove.numerator, groove.denominator) if head > step), default=None)
    if beat is not None and hit[0] >= LOUD and not any((beat, key) in bar for key in {_KICK, *_BACKBEAT, *_TOMS}):
        bar[beat, voice] = hit
    return bar


def _ahead_of_beats(bars: Sequence[_Bar], groove: Groove, bass: Sequence[int]) -> list[_Place]:
    """Return places just before beats to lean on: eighths for kicks, then sixteenths, then those of ghost notes.

    Of each, first those of beats with a kick, then those of the bass, then those in the middle of the bar.
    """
    eighth = STEPS_PER_QUARTER - (SWUNG if swings(groove) else STRAIGHT)
    ways = ((eighth, _KICK), (eighth, _SNARE)) if swings(groove) else ((eighth, _KICK), (1, _KICK), (1, _SNARE))
    found = []
    for number, bar in enumerate(bars):
        for beat in (*sorted(_heads(groove.numerator, groove.denominator))[1:], groove.steps):
            for way, (before, voice) in enumerate(ways):
                step, late = beat - before, abs(2 * beat - groove.steps)
                found.append((way, (beat, _KICK) not in bar, step not in bass, late, (number, step, voice)))
    return [place for *_, place in sorted(found)]


def _pushed(bar: _Bar, step: int, voice: int, groove: Groove) -> _Bar:
    """Return a bar with a kick at a step in place of that on the next beat, or with a ghost note there."""
    is_backed = any(bar.get((step, key), (0, 0))[0] >= LOUD for key in _BACKBEAT)
    if is_backed or (step, voice) in bar:
        return bar
    if voice != _KICK:
        return bar | {(step, voice): (GHOST, 0)}
    beat = min((head for head in _heads(groove.numerator, groove.denominator) if head > step), default=groove.steps)
    rest = {at: hit for at, hit in bar.items() if at != (beat, _KICK)}
    kicks = [at for at, key in rest if key == _KICK]
    if any(min(abs(step - at), groove.steps - abs(step - at)) < KICK_GAP for at in kicks):
        return bar
    loud = [velocity for (_, key), (velocity, _) in bar.items() if key == _KICK]
    return rest | {(step, _KICK): bar.get((beat, _KICK), (round(float(np.mean(loud))) if loud else KICK, 0))}
