"""What kind of groove it is: swung or straight, with a backbeat or without, on a kit alone or with hand percussion."""

from __future__ import annotations

from functools import cache

from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER
from seq2drum.lattice.grooves import Groove
from seq2drum.music.kit import FULL

_EIGHTH, _TRIPLET = PLACES.tolist().index(6), PLACES.tolist().index(8)
_BACKBEATS = (1 * STEPS_PER_QUARTER, 3 * STEPS_PER_QUARTER)  # the second and the fourth beat of a bar of four
_SNARE, _STICK = FULL.names.index("snare"), FULL.names.index("side stick")
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
def idiom_of(groove: Groove) -> str | None:
    """The groove's style, as a drummer of the style would say.

    Songs are counted as Latin by their percussion and as jazz by a swung ride. But a bar of four with a backbeat is pop
    and not Latin, and a swung one with a snare on it is a shuffle.
    """
    if groove.style == "latin" and _on_backbeats(groove, _SNARE, _STICK):
        return "pop"
    if groove.style == "jazz" and _on_backbeats(groove, _SNARE):
        return "shuffle"
    return groove.style


def _on_backbeats(groove: Groove, *voices: int) -> bool:
    """Whether one of the voices is struck on both backbeats, in a bar or another of the groove."""
    if (groove.numerator, groove.denominator) != (4, 4):
        return False
    struck = {hit for bar in groove.bars for hit in zip(bar.step.tolist(), bar.key.tolist(), strict=True)}
    return all(any((at, voice) in struck for voice in voices) for at in _BACKBEATS)
