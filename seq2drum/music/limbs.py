"""What one drummer can strike at once, with two hands and two feet."""

from __future__ import annotations

from collections.abc import Sequence

from seq2drum.music.kit import Kit

HANDS, LIMBS = 2, 4


class Limbs:
    """What one drummer can strike at once: four things, two pieces of the kit by hand, and one state of the hi-hat."""

    def __init__(self, kit: Kit) -> None:
        self.hand = [voice.limb == "hand" for voice in kit.voices]
        # One pair of cymbals cannot be open and closed at once.
        self.hats = {kit.names.index(name) for name in ("open hat", "closed hat", "pedal hat") if name in kit.names}

    def can_add(self, voice: int, struck: Sequence[int]) -> bool:
        """Whether a voice can be struck together with others."""
        if voice in struck or len(struck) >= LIMBS:
            return False
        if self.hand[voice] and sum(self.hand[other] for other in struck) >= HANDS:
            return False
        return voice not in self.hats or self.hats.isdisjoint(struck)
