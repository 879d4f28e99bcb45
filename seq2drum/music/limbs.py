"""What one drummer can strike at once, with two hands and two feet."""

from __future__ import annotations

from collections.abc import Sequence

from seq2drum.music.kit import Kit

HANDS = 2


class Limbs:
    """What one drummer can strike at once: two things by hand, kick and pedal hat by foot, and one state of the hi-hat.

    Hand percussion needs a hand as any drum or cymbal does. What several players play on one channel is read as it is;
    the limits hold for what is made.
    """

    def __init__(self, kit: Kit) -> None:
        self.hand = [voice.limb != "foot" for voice in kit.voices]
        # One pair of cymbals cannot be open and closed at once.
        self.hats = {kit.names.index(name) for name in ("open hat", "closed hat", "pedal hat") if name in kit.names}

    def can_add(self, voice: int, struck: Sequence[int]) -> bool:
        """Whether a voice can be struck together with others."""
        if not struck:
            return True
        if voice in struck or (voice in self.hats and not self.hats.isdisjoint(struck)):
            return False
        return not self.hand[voice] or len(struck) < HANDS or sum(self.hand[other] for other in struck) < HANDS
