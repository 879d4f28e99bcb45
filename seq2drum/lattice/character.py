"""What kind of groove it is: swung or straight, with a backbeat or without, on a kit alone or with hand percussion."""

from __future__ import annotations

from functools import cache

from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER
from seq2drum.lattice.grooves import Groove
from seq2drum.lattice.titles import kind_of
from seq2drum.music.kit import FULL

_EIGHTH, _TRIPLET = PLACES.tolist().index(6), PLACES.tolist().index(8)
_QUARTERS = tuple(beat * STEPS_PER_QUARTER for beat in range(4))  # the beats of a bar of four
_BACKBEATS = _QUARTERS[1::2]
_KICK, _SNARE, _STICK, _CLAP = (FULL.names.index(name) for name in ("kick", "snare", "side stick", "clap"))
EXTREME = ("blast beat", "double kick", "double-time", "half-time")  # how the kinds of extreme grooves begin
_HAND = frozenset(index for index, voice in enumerate(FULL.voices) if voice.limb == "percussion")


@cache
def swings(groove: Groove) -> bool:
    """Whether the groove has more hits on the last triplet of its quarters than on their second eighth."""
    places = [step % STEPS_PER_QUARTER for bar in groove.bars for step in bar.step.tolist()]
    return groove.denominator == 4 and places.count(_TRIPLET) > places.count(_EIGHTH)


@cache
def has_hand_percussion(groove: Groove) -> bool:
    """Whether something is struck in it that is no piece of a drum kit."""
    return any(not _HAND.isdisjoint(bar.key.tolist()) for bar in groove.bars)


@cache
def is_extreme(groove: Groove) -> bool:
    """Whether a band must want it: a blast beat, a double kick, double time or half time.

    In 2/4 a snare on the offbeats is no double time but a polka.
    """
    kind = kind_of(groove.bars, groove.numerator, groove.denominator)
    return kind.startswith(EXTREME) and not (kind == "double-time" and groove.numerator == 2)


@cache
def idiom_of(groove: Groove) -> str | None:
    """The groove's style, as a drummer of the style would say.

    Songs are counted as Latin by their percussion and as jazz by a swung ride. But a bar of four with a backbeat is not
    Latin: four on the floor is dance, and all else pop. A swung one with a snare on it is a shuffle.
    """
    if groove.style == "latin" and _has_backbeat(groove, _SNARE, _STICK, _CLAP):
        return "dance" if _is_on_the_floor(groove) else "pop"
    if groove.style == "jazz" and _has_backbeat(groove, _SNARE, _CLAP):
        return "shuffle"
    return groove.style


def _has_backbeat(groove: Groove, *voices: int) -> bool:
    """Whether some bar of the groove has one of the voices on each of the backbeats."""
    return any(
        all(any((at, voice) in struck for voice in voices) for at in _BACKBEATS) for struck in _bars_of_four(groove)
    )


def _is_on_the_floor(groove: Groove) -> bool:
    """Whether each bar has a kick on every beat, and some beat is left to the kick: a tango leaves none."""
    return all(
        {(at, _KICK) for at in _QUARTERS} <= struck and not {(at, _SNARE) for at in _QUARTERS} <= struck
        for struck in _bars_of_four(groove)
    )


def _bars_of_four(groove: Groove) -> list[set[tuple[int, int]]]:
    """Of each bar of a groove in 4/4 the steps and voices that are struck; none in other metres."""
    if (groove.numerator, groove.denominator) != (4, 4):
        return []
    return [set(zip(bar.step.tolist(), bar.key.tolist(), strict=True)) for bar in groove.bars]
