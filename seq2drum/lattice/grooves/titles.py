"""A drummer's name for a groove, made from its hits: "half-time, ride, kick 1 3&", "one drop, hat, side stick".

A title is the kind of groove, then what sets it apart within its kind: the timekeeping piece and its rate, other
pieces, ghost notes, and the counts of the kick where the kind does not imply them. Counts are those of the metre: "1
e & a 2", in triplets "1 trip let 2", and in metres of eighths the number of the eighth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from seq2drum.lattice.grid import TWELFTHS, Grid
from seq2drum.lattice.grooves.fitting import BACKBEAT, LOUD, Beat, beats_of, twelfths
from seq2drum.music.kit import FULL

MOST_LETTERS = 48  # of a slug
_MOST_COUNTS = 6  # of the kick that are listed one by one
_IN_BEAT = {0: "", 3: "e", 6: "&", 9: "a", 4: "trip", 8: "let"}  # twelfths into a quarter
_TIMES = {  # timekeeping pieces and their names
    "hat": ("closed hat", "open hat"),
    "ride": ("ride",),
    "ride bell": ("bell",),
    "crash": ("crash",),
    "shaker": ("shaker", "cabasa"),
    "tambourine": ("tambourine",),
    "cowbell": ("cowbell",),
    "foot hat": ("pedal hat",),
}
_TOMS = ("low tom", "mid tom", "high tom")
_OFTEN = ((3.4, "16th "), (1.5, ""), (0.7, "quarter "), (0.0, "sparse "))  # strokes a quarter
_OFTEN_IN_THREES = ((5.0, "16th "), (2.2, ""), (1.2, "broken "), (0.0, "quarter "))  # strokes a beat of three eighths


def slug_of(title: str) -> str:
    """A title as a name: lower case letters and figures, joined by hyphens, at most MOST_LETTERS of them."""
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower().replace("&", " and ")).strip("-")
    short = plain if len(plain) <= MOST_LETTERS else plain[: MOST_LETTERS + 1].rpartition("-")[0]
    return short or "groove"


def unique(slugs: Iterable[str]) -> tuple[str, ...]:
    """Distinct slugs: a number is added to a repeated one."""
    given: set[str] = set()
    names = []
    for slug in slugs:
        name, number = slug, 1
        while name in given:
            number += 1
            name = f"{slug}-{number}"
        given.add(name)
        names.append(name)
    return tuple(names)


def title_of(bars: Sequence[Grid], numerator: int, denominator: int) -> str:
    """The name of one or two bars of the full kit.

    Raises:
        ValueError: the metre is impossible.
    """
    bar = _Struck.of(bars[0], numerator, denominator)
    if not bar.places:
        return "silence"
    kind, usual_kick = _kind(bar)
    details = [kind, *_time(bar, kind), *_others(bar, kind)]
    if bar.kick != usual_kick:
        many = f"kick {bar.counts(bar.kick)}" if len(bar.kick) <= _MOST_COUNTS else "busy kick"
        details.append(many if bar.kick else "no kick")
    return ", ".join(details)


def kind_of(bars: Sequence[Grid], numerator: int, denominator: int) -> str:
    """The kind of groove of the first bar, the beginning of its title; "silence" if nothing is struck.

    Raises:
        ValueError: the metre is impossible.
    """
    bar = _Struck.of(bars[0], numerator, denominator)
    return _kind(bar)[0] if bar.places else "silence"


# --- pieces -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Struck:
    """A bar as places in twelfths of a quarter.

    places: by piece, its places and velocities. beats: of the bar's metre.
    """

    places: dict[str, dict[int, int]]
    beats: tuple[Beat, ...]
    numerator: int
    denominator: int

    @staticmethod
    def of(grid: Grid, numerator: int, denominator: int) -> _Struck:
        places: dict[str, dict[int, int]] = {}
        columns = (twelfths(grid.step), grid.key, grid.velocity)
        for place, key, velocity in zip(*(column.tolist() for column in columns), strict=True):
            places.setdefault(FULL.names[key], {})[place] = velocity
        return _Struck(places, beats_of(numerator, denominator), numerator, denominator)

    def at(self, *names: str, least: int = 1) -> frozenset[int]:
        """The places where one of some pieces is struck at this velocity or louder."""
        found = (place for name in names for place, loud in self.places.get(name, {}).items() if loud >= least)
        return frozenset(found)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The places of the beats."""
        return tuple(round(beat.start) for beat in self.beats)

    @cached_property
    def quarters(self) -> float:
        """The length of the bar in quarters."""
        return 4 * self.numerator / self.denominator

    @cached_property
    def kick(self) -> frozenset[int]:
        return self.at("kick")

    @cached_property
    def snare(self) -> frozenset[int]:
        """Loud strokes of the snare and its substitutes."""
        return self.at(*BACKBEAT, least=LOUD)

    @cached_property
    def in_threes(self) -> bool:
        """True if all beats are of three units."""
        return all(beat.length * self.denominator == 3 * 4 * TWELFTHS for beat in self.beats)

    @cached_property
    def time(self) -> str:
        """The timekeeping piece: of those in _TIMES the one struck most; "" if there is none."""
        counts = {name: len(self.at(*pieces)) for name, pieces in _TIMES.items()}
        best = max(counts, key=counts.__getitem__)
        return best if counts[best] >= max(2, len(self.beats) / 2) else ""

    @cached_property
    def swings(self) -> bool:
        """True if quarters are divided into triplets rather than into halves."""
        every = [place % TWELFTHS for name in self.places for place in self.places[name]]
        swung, straight = (sum(place in inside for place in every) for inside in ((4, 8), (3, 6, 9)))
        return not self.in_threes and swung > straight

    def on(self, places: frozenset[int]) -> frozenset[int]:
        """The beats, from 0, that begin at one of these places."""
        return frozenset(beat for beat, start in enumerate(self.starts) if start in places)

    def counts(self, places: Iterable[int]) -> str:
        """Places as a drummer counts them: "1 2& 4a"."""
        unit = TWELFTHS if self.denominator <= 4 else 4 * TWELFTHS / self.denominator
        counted = (divmod(place, unit) for place in sorted(places))
        return " ".join(f"{int(at) + 1}{_IN_BEAT.get(round(rest * TWELFTHS / unit), '+')}" for at, rest in counted)


# --- kinds ------------------------------------------------------------------------------------------------------------


def _kind(bar: _Struck) -> tuple[str, frozenset[int]]:
    """The kind of groove, and the kick's usual places in that kind."""
    beats, starts = len(bar.beats), frozenset(bar.starts)
    kick_on, snare_on = bar.on(bar.kick), bar.on(bar.snare)
    strokes, drums = bar.at("snare"), bar.at("snare", "side stick", *_TOMS)
    first, odd = frozenset(bar.starts[:1]), frozenset(bar.starts[::2])
    offbeats = frozenset(start + TWELFTHS // 2 for start in bar.starts)
    toms = bar.at(*_TOMS)
    if len(toms) >= max(3, 0.5 * len(drums)):
        return "toms", odd
    if len(bar.snare) >= 2 * bar.quarters and len(bar.kick) >= 1.5 * bar.quarters:
        return "blast beat", bar.kick
    if len(strokes) >= 2.4 * bar.quarters:
        return ("train beat" if bar.time in ("", "foot hat", "shaker") else "snare 16ths"), odd
    if not bar.in_threes and offbeats <= bar.snare and not snare_on and kick_on:
        return "double-time", starts
    if beats == 4 and 2 in kick_on and 0 not in kick_on and snare_on <= {2}:
        return "one drop", frozenset(bar.starts[2:3])
    if _gallops(bar):
        return "gallop", bar.kick
    if len(bar.kick) >= 2.6 * bar.quarters:
        return "double kick", bar.kick
    if bar.swings:
        return _swung(bar, snare_on, odd)
    if beats >= 3 and len(kick_on) == beats:
        backed = snare_on == frozenset(range(1, beats, 2))
        if snare_on == {2} and beats == 4:
            return "steppers", starts
        floor = "four on the floor" if beats == 4 else "kick on every beat"
        return floor if backed else f"{floor}, no backbeat", starts
    if bar.at("side stick") and not bar.at("snare", least=LOUD) and {0, 18} <= bar.kick and beats == 4:
        return "bossa", frozenset({0, 18, 24, 42})
    if beats == 4 and sum(place % TWELFTHS == 9 for place in bar.kick) >= 2 and len(snare_on) < 2:
        return "samba", bar.kick
    if beats == 3 and len({beat.length for beat in bar.beats}) == 1:
        return _in_three(bar, snare_on), first
    return _by_snare(bar, snare_on), odd if beats > 2 and snare_on != {2} else first


def _swung(bar: _Struck, snare_on: frozenset[int], odd: frozenset[int]) -> tuple[str, frozenset[int]]:
    if bar.time in ("", "foot hat") and len(bar.at("snare")) >= len(bar.beats):
        return "swing on the snare", frozenset()
    if len(bar.beats) == 4 and snare_on == {2}:
        return "half-time shuffle", frozenset({0})
    if snare_on >= frozenset(range(1, len(bar.beats), 2)) and snare_on:
        return "shuffle", odd
    return ("jazz waltz" if len(bar.beats) == 3 else "swing"), frozenset()


def _gallops(bar: _Struck) -> bool:
    """Return whether the kick has an eighth and two sixteenths in half of the quarters, either way round."""
    quarters = [{place % TWELFTHS for place in bar.kick if place // TWELFTHS == at} for at in range(len(bar.beats))]
    return sum(inside in ({0, 6, 9}, {0, 3, 6}) for inside in quarters) * 2 >= len(bar.beats)


def _in_three(bar: _Struck, snare_on: frozenset[int]) -> str:
    what = "9/8" if bar.in_threes else "waltz"
    if not snare_on or snare_on == {1, 2}:
        return what
    return f"{what}, snare {bar.counts(bar.starts[beat] for beat in snare_on)}"


def _by_snare(bar: _Struck, snare_on: frozenset[int]) -> str:
    beats = len(bar.beats)
    if not bar.snare:
        return "side stick" if bar.at("side stick") else "no backbeat"
    if snare_on == frozenset(range(1, beats, 2)):
        return "backbeat"
    if beats == 4 and snare_on == {2}:
        return "half-time"
    if beats > 2 and len(snare_on) == beats:
        return "snare on every beat"
    if not snare_on:
        return f"snare {bar.counts(bar.snare)}" if len(bar.snare) <= _MOST_COUNTS else "busy snare"
    return f"snare {bar.counts(bar.starts[beat] for beat in snare_on)}"


# --- details ----------------------------------------------------------------------------------------------------------


def _time(bar: _Struck, kind: str) -> list[str]:
    """The timekeeping piece, its rate unless eighths, and the places of the open hat."""
    if not bar.time:
        return [] if kind in ("toms", "train beat") else ["no cymbal"]
    strokes = bar.at(*_TIMES[bar.time])
    beats, open_hats = len(bar.beats), bar.at("open hat")
    limits = _OFTEN_IN_THREES if bar.in_threes else _OFTEN
    rate = len(strokes) / (beats if bar.in_threes else bar.quarters)
    often = "" if bar.swings and rate < 3 else next(word for least, word in limits if rate >= least)
    if bar.time != "hat" or not open_hats:
        return [often + bar.time] + ([f"open hat {bar.counts(open_hats)}"] if 0 < len(open_hats) <= 2 else [])
    if open_hats == {start + TWELFTHS // 2 for start in bar.starts}:
        return [f"{often}hat, open hat offbeats"] if len(strokes) > len(open_hats) else ["open hat offbeats"]
    if len(open_hats) > len(strokes) / 2:
        return [f"{often}open hat"]
    return [f"{often}hat, open {bar.counts(open_hats)}" if len(open_hats) <= 3 else f"{often}hat, often open"]


def _others(bar: _Struck, kind: str) -> list[str]:
    """The piece of the backbeat if not the snare, other pieces, and whether there are ghost notes."""
    words = [name for name in ("side stick", "clap") if bar.at(name, least=LOUD) and name not in kind]
    ghosts = bar.at("snare") - bar.at("snare", least=LOUD)
    if len(ghosts) >= 2 and kind != "train beat":
        words.append("ghost notes")
    if bar.at("pedal hat") and bar.time != "foot hat":
        words.append("foot hat")
    if bar.at(*_TOMS) and kind != "toms":
        words.append("tom")
    if bar.at("crash") and bar.time != "crash":
        words.append("crash")
    own = {"clap", *_TIMES.get(bar.time, ())}
    percussion = (voice.name for voice in FULL.voices if voice.limb == "percussion" and voice.name not in own)
    there = sorted(filter(bar.at, percussion), key=lambda name: -len(bar.at(name)))
    return words + there[:2]
