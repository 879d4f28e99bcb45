"""What a musician can ask for."""

from __future__ import annotations

from dataclasses import dataclass

from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import Controls
from seq2drum.music import choices, drum_maps
from seq2drum.music.choices import CHOICES, STYLES
from seq2drum.music.shown import Shown
from seq2drum.play.sampling import OPENING_TRIES, Sampling


@dataclass(frozen=True, slots=True)
class Options(Shown):
    """What a musician can ask for.

    What is asked for, and None leaves to the model:

        style       one of `choices.STYLES`
        intensity   0..1, how much is played and how loud; 0.5 is what half of all music stays below
        complexity  0..1, how much the drums lean against the metre, likewise
        fills       0..1, how many bars break the pattern: 0 none, 0.5 as many as drummers play, 1 twice as many
        humanize    0..1, velocity and timing of human drummers: 0 on the lattice, 1 as human as they are
        swing       0..1, where the second eighth of a quarter falls: 0 half way, 1 at two thirds

    What of the file's own drums stays, one of

        prime       the drums up to their first bars, that many; the take goes on from there
        bars        (first, last), counted from 1: all drums but these bars, which are played anew

    And

        seed         which take, 0 or more; the same seed gives the same take
        temperature  0 is the most likely take, 1 as free as the music it was learnt from, at most 2
        top_p        the share of likely outcomes that is kept, above 0.5 up to 1; lower is tamer
        track        which part is the guitar, by number from 1 or by name; by default what looks like one
        drum_map     the notes that a sampler has the drums on, and the file's own drums are on: one of
                     `drum_maps.names()`, or a JSON file of one's own
    """

    seed: int = CHOICES["seed"].default
    temperature: float = CHOICES["temperature"].default
    top_p: float = CHOICES["top_p"].default
    track: str | None = None
    style: str | None = None
    intensity: float | None = None
    complexity: float | None = None
    fills: float | None = None
    humanize: float | None = None
    swing: float | None = None
    prime: int = CHOICES["prime"].default
    bars: tuple[int, int] | None = None
    drum_map: str = CHOICES["drum_map"].default

    def __post_init__(self) -> None:
        for name in ("seed", "temperature", "top_p"):
            choices.check(name, getattr(self, name))
        if self.style is not None and self.style not in STYLES:
            raise OptionError(f"there is no style {self.style!r}; there are {', '.join(STYLES)}")
        for name in ("intensity", "complexity", "fills", "humanize", "swing", "prime"):
            choices.check(name, getattr(self, name))
        if self.bars is not None:
            first, last = self.bars
            if not 1 <= first <= last:
                raise OptionError(f"the bars are {first}:{last}, wanted FIRST:LAST, counted from 1")
            if self.prime:
                raise OptionError("prime and bars both say what stays of the file's drums; ask for one of them")
        drum_maps.load(self.drum_map)

    @property
    def controls(self) -> Controls:
        """What the model is asked for."""
        return Controls(self.style, self.intensity, self.complexity, self.fills)

    @property
    def sampling(self) -> Sampling:
        """How the take is drawn. The most likely take is played in one way only."""
        return Sampling(self.seed, self.temperature, self.top_p, OPENING_TRIES if self.temperature else 1)
