"""Options of a take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.music import choices, drum_maps
from seq2drum.music.choices import CHOICES
from seq2drum.music.shown import Shown
from seq2drum.play import asked
from seq2drum.play.asked import Grooves
from seq2drum.play.decode.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Options(Shown):
    """A musician's request for a take.

    The fields; None leaves a choice to the model:

        style       one of `choices.STYLES`
        intensity   0..1, how much is played and how loud; 0.5 is what half of all music stays below
        complexity  0..1, how much the drums lean against the metre, likewise
        groove      what is played on: a name in the groove book, a file with drums (`FILE`, `FILE:5` for one of
                    its bars, `FILE:5-8` for several), a `Groove`, or one of these for each section: a mapping of
                    section to it, or "verse=NAME,chorus=FILE". See `asked`
        like        a song with drums, a file of any kind but recordings or its bytes: what is left open is as in
        daring      0..1, how a groove is chosen: 0 the safest, 0.5 as drummers choose, 1 wilder
        fills       0..1, how many bars break the pattern: 0 none, 0.5 as many as drummers play, 1 twice as many
        fill_at     the bars that are fills, counted from 1
        no_fills_in (first, last) of each range of bars that has no fill
        ending      one of `choices.ENDINGS`: how the last chord is answered
        pieces      "kit" for no hand percussion, or "all"
        time        what time is kept on: "hat", "ride" or "auto"
        sections    "intro 1-4, verse 5-20": the passages by name, in place of the file's markers or what is found. Bars
                    that are not named go with those before them
        without     pieces and families of them that are never played, see `choices.PIECES` and `choices.FAMILIES`
        humanize    0..1, velocity and timing of human drummers: 0 on the lattice, 1 as human as they are
        swing       0..1, where the second eighth of a quarter falls: 0 half way, 1 at two thirds

    What of the file's own drums stays, one of

        prime       the drums up to their first bars, that many; the take goes on from there
        bars        (first, last), counted from 1: all drums but these bars, which are played again

    And

        seed         which take, 0 or more; the same seed gives the same take
        temperature  0 is the most likely take, 1 as free as the music it was learnt from, at most 2. None is 1, and
                     with a groove plain bars with free fills
        top_p        the share of likely outcomes that is kept, above 0.5 up to 1; lower is tamer
        track        which parts are the guitar, by number from 1 or by name, as "1,3,5-8"; by default what looks so
        drum_map     the notes that a sampler has the drums on, and the file's own drums are on: one of
                     `drum_maps.names()`, or a JSON file of one's own
    """

    seed: int = CHOICES["seed"].default
    temperature: float | None = CHOICES["temperature"].default
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
    groove: Grooves | None = None
    like: bytes | str | os.PathLike[str] | None = None
    daring: float = CHOICES["daring"].default
    ending: str = CHOICES["ending"].default
    fill_at: tuple[int, ...] = CHOICES["fill_at"].default
    no_fills_in: tuple[tuple[int, int], ...] = CHOICES["no_fills_in"].default
    pieces: str | None = None
    time: str = CHOICES["time"].default
    without: tuple[str, ...] = CHOICES["without"].default
    sections: str | None = None

    def __post_init__(self) -> None:
        for name in ("seed", "temperature", "top_p"):
            choices.check(name, getattr(self, name))
        for name in ("style", "ending", "pieces", "time"):
            choices.check_word(name, getattr(self, name))
        for name in ("intensity", "complexity", "fills", "daring", "humanize", "swing", "prime"):
            choices.check(name, getattr(self, name))
        if self.forbidden.issuperset(choices.PIECES):
            raise OptionError("no piece of the kit is left to play; leave out some of what is not to be played")
        self._check_fills()
        if self.sections is not None:
            choices.sections_of(self.sections)
        if self.groove is not None:
            asked.by_section(self.groove)
        if self.bars is not None:
            choices.check_bars(self.bars)
            if self.prime:
                raise OptionError("prime and bars both say what stays of the file's drums; ask for one of them")
        drum_maps.load(self.drum_map)

    def _check_fills(self) -> None:
        for bar in self.fill_at:
            choices.check("fill_at", bar, "a bar of fill_at")
        for first, last in self.no_fills_in:
            choices.check_bars((first, last), "bars of no_fills_in are")
            for bar in self.fill_at:
                if first <= bar <= last:
                    raise OptionError(
                        f"a fill is asked for in bar {bar}, and none in bars {first}-{last}; ask for one of them"
                    )

    @property
    def controls(self) -> Controls:
        """The controls that the model is conditioned on."""
        return Controls(self.style, self.intensity, self.complexity, self.fills)

    @property
    def freedom(self) -> float:
        """The temperature of bars: the requested one, else 1, and 0 where a groove is given."""
        if self.temperature is not None:
            return self.temperature
        return 0.0 if self.is_plain else 1.0

    @property
    def is_plain(self) -> bool:
        """True if a given groove is played as it is, except in fills."""
        return self.temperature is None and not (self.groove is None and self.like is None)

    @property
    def forbidden(self) -> frozenset[str]:
        """The pieces of the kit that are never played, by name, as far as `without` tells."""
        return choices.pieces_of(self.without)

    @property
    def sampling(self) -> Sampling:
        """The sampling of the take. Where bars are plain because a groove is given, fills are free."""
        return Sampling(self.seed, self.freedom, self.top_p, 1.0 if self.temperature is None else None)


def in_words(name: str, value: object) -> str:
    """Return an option's value in words; of bytes and grooves, their names."""
    match value:
        case tuple() if name == "bars":
            return " to ".join(map(str, value))
        case tuple() if name == "no_fills_in":
            return ", ".join(in_words("bars", bars) for bars in value)
        case tuple():
            return ", ".join(map(str, value))
        case Mapping():
            return ", ".join(f"{section} {in_words(name, one)}".strip() for section, one in value.items())
        case Groove():
            return value.title
        case bytes():
            return f"{len(value):,} bytes"
        case float():
            return f"{value:g}"
    return str(value)
