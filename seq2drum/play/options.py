"""The options of a take, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.music import drum_maps
from seq2drum.music.choices import ALL, AUTO, ON, PIECES, WHOLE, places_of, range_of, sections_of
from seq2drum.music.options import OPTIONS, PLACED, BaseOptions, check_value, pieces_of, placed, replaced_by
from seq2drum.music.shown import Shown
from seq2drum.play import asked
from seq2drum.play.checkpoint.band import Band, ways_of
from seq2drum.play.decode.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Options(BaseOptions, Shown):
    """The options of a take. The model or the song decides whatever is None.

    `music.options.BaseOptions` has the fields, their meanings, ranges and defaults.

    groove: a name in the groove book, a file with drums (`FILE`, `FILE:5` for one of its bars, `FILE:5-8` for several),
    a `Groove`, or one of these for each place: a mapping of section or bars to it, or "verse=NAME,9-16=FILE". See
    `asked`. intensity, complexity, fills, time: a value, or a mapping of places to values, such as {"chorus": 0.9,
    "9-16": 0.2}; under "" that of all other bars.
    like: a file of any kind but recordings, or its bytes. no_fills_in: (first, last) of each range of bars. sections:
    unnamed bars belong to the section before them. out, half_time: sections by letter or name, and bars. drum_map: the
    notes of a sampler, and of the file's own drums.

    Raises:
        OptionError: a value is out of range or not one of its words, or two options contradict each other.
    """

    def __post_init__(self) -> None:
        for name in PLACED:
            if isinstance(given := getattr(self, name), str) and ("=" in given or OPTIONS[name].kind is float):
                object.__setattr__(self, name, placed(name, given))
        for name in OPTIONS:
            check_value(name, getattr(self, name))
        if self.forbidden.issuperset(PIECES):
            raise OptionError("no piece of the kit is left to play; leave out some of what is not to be played")
        if self.instead is not None:
            for name, other in (pair for others in replaced_by(self.instead).values() for pair in others.items()):
                if other in self.forbidden:
                    raise OptionError(f"{other} is to be played instead of {name}, and never; leave one of them out")
        for first, last in self.no_fills_in:
            for bar in self.fill_at:
                if first <= bar <= last:
                    raise OptionError(
                        f"a fill is requested in bar {bar}, and none in bars {first}-{last}; leave one of them out"
                    )
        if self.sections is not None:
            sections_of(self.sections)
        for places in (self.out, self.half_time):
            if places is not None:
                places_of(places)
        if self.groove is not None:
            asked.by_section(self.groove)
        if self.bars is not None and self.prime:
            raise OptionError("prime and bars both choose the file's drums to keep; leave one of them out")
        drum_maps.load(self.drum_map)

    @property
    def controls(self) -> Controls:
        """The controls that condition the model, without those of places."""
        return Controls(self.style, *(self.whole(name) for name in ("intensity", "complexity", "fills")))

    def whole(self, name: str) -> Any:
        """Return the value of an option for all bars without a value of their own."""
        value = getattr(self, name)
        return value.get(WHOLE, OPTIONS[name].default) if isinstance(value, Mapping) else value

    @property
    def freedom(self) -> float:
        """The temperature of bars: the requested one, else 1, or 0 with a given groove."""
        if self.temperature is not None:
            return self.temperature
        return 0.0 if self.is_plain else 1.0

    @property
    def is_plain(self) -> bool:
        """True if a given groove is played unchanged, except in fills."""
        return self.temperature is None and not (self.groove is None and self.like is None)

    @property
    def arranges(self) -> bool:
        """True if the song is built: by request, else where no groove is given."""
        return self.arrange == ON or (self.arrange == AUTO and self.groove is None and self.like is None)

    @property
    def sections_named(self) -> tuple[str, ...]:
        """The names of sections in options other than the groove."""
        texts = [text for text in (self.out, self.half_time) if text not in (None, ALL)]
        listed = [place for text in texts for place in places_of(text) if isinstance(place, str)]
        keys = [place for values in self.in_places.values() for place in values]
        keys += [] if self.instead is None else replaced_by(self.instead)
        return (*listed, *(place for place in keys if place != WHOLE and range_of(place) is None))

    @property
    def in_places(self) -> dict[str, Mapping[str, Any]]:
        """The values by place of each option that has such values; the groove aside."""
        return {name: values for name in PLACED if isinstance(values := getattr(self, name), Mapping)}

    @property
    def band(self) -> Band | None:
        """What the drummer learnt of its band, if it is a band's own; see `of_band`."""
        return None

    def with_ways(self) -> Options:
        """The options with the levels of the drummer's band where the request has none."""
        filled: dict[str, Any] = {}
        for name, level in ways_of(self.band).levels.items():
            given = getattr(self, name)
            if level is not None and isinstance(given, Mapping):  # by places
                filled[name] = {WHOLE: level, **given}
            elif level is not None and given is None:
                filled[name] = level
        return replace(self, **filled) if filled else self

    @property
    def forbidden(self) -> frozenset[str]:
        """The names of the excluded pieces, by `without`."""
        return pieces_of(self.without)

    @property
    def sampling(self) -> Sampling:
        """The sampling of the take. Fills stay free where a given groove makes bars plain."""
        return Sampling(self.seed, self.freedom, self.top_p, 1.0 if self.temperature is None else None)


@dataclass(frozen=True, slots=True)
class BandOptions(Options):
    """The options of a take by a band's own drummer."""

    band: Band | None = field(default=None, repr=False)


def of_band(options: Options, band: Band | None) -> Options:
    """Return the options for a drummer: with what it learnt of its band, or without."""
    if options.band is band:
        return options
    given = {each.name: getattr(options, each.name) for each in fields(Options)}
    return Options(**given) if band is None else BandOptions(**given, band=band)


def in_words(name: str, value: object) -> str:
    """Return an option's value in words; for bytes and grooves, their names."""
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
