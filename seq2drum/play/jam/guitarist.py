"""A song as the guitarist of a jam, to play what a live listener would have heard, as fast as possible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from seq2drum.lattice.form import lattice_of
from seq2drum.music import theory
from seq2drum.music.choices import NO_ENDING
from seq2drum.music.explanation import SectionGroove
from seq2drum.music.notes import Bar, Marker, Part, Song, merge_drums
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.decode.engine import Engine
from seq2drum.play.jam.jam import Jam, JamBar, Told
from seq2drum.play.jam.live_input import Strike, in_order
from seq2drum.play.jam.signs import STOP, Sign
from seq2drum.play.options import Options
from seq2drum.play.take import TRACK_NAME, Take


def strikes(parts: Iterable[Part], ticks_per_quarter: int) -> list[Strike]:
    """The notes of some parts as they begin and end, in order of time; at one moment, ends come before beginnings."""
    heard = list[Strike]()
    for part in parts:
        for onset, duration, pitch, velocity in part:
            heard.append(Strike(onset / ticks_per_quarter, pitch, velocity))
            heard.append(Strike((onset + max(duration, 1)) / ticks_per_quarter, pitch, 0))
    return in_order(heard)


class Jammed(NamedTuple):
    """A jam with a song: the song, a bar longer if the drums end after it; its guitar; the bars of drums."""

    song: Song
    guitar: GuitarChoice
    bars: list[JamBar]


@dataclass(frozen=True, eq=False)
class Guitarist:
    """A song as a jam receives it: its guitar, the signs, and its end.

    song: a bar longer if the drums end after its last bar. told: the events, sorted by time. end: the quarter up to
    which the drums play. program: the General MIDI program of the guitar.
    """

    song: Song
    guitar: GuitarChoice
    told: tuple[Told, ...]
    end: float
    program: int

    @classmethod
    def of(cls, song: Song, options: Options, signs: Sequence[Sign] = ()) -> Guitarist:
        """The guitarist of a song, who nods in the bar before the last.

        The drums end with the last chord if that begins a bar, or else on the first beat after it. Without an ending
        (`Options.ending`) they play to the end of the last bar. signs: further signs.

        Raises:
            InputError: the song has no guitar.
            OptionError: there is no such part.
        """
        guitar = theory.choose_parts(song, options.track)
        parts = [song.parts[index] for index in guitar.parts]
        quarter, last = song.ticks_per_quarter, max(int(part.onset.max(initial=0)) for part in parts)
        song, stop = _ended(song, last, ends=options.ending != NO_ENDING)
        events: list[Told] = [*strikes(parts, quarter), *signs]
        if options.ending != NO_ENDING:
            events.append(Sign(stop.start / quarter - stop.length / quarter, STOP))
        events.sort(key=lambda one: one.quarter)
        return cls(song, guitar, tuple(events), stop.start / quarter, parts[0].program)


def jammed(
    engine: Engine,
    song: Song,
    options: Options | None = None,
    *,
    signs: Sequence[Sign] = (),
    source: bytes | None = None,
) -> Take:
    """The take of a drummer who plays along with a song's guitar without seeing its future.

    source: the bytes of the song's file. See `jammed_bars`.
    """
    options = options or Options()
    song, guitar, bars = jammed_bars(engine, song, options, signs=signs)
    return as_take(bars, Take(song, bars[0].part, guitar, options, source))


def jammed_bars(engine: Engine, song: Song, options: Options, *, signs: Sequence[Sign] = ()) -> Jammed:
    """The bars of a drummer who plays along with a song's guitar without seeing its future, see `Guitarist`.

    Raises:
        InputError: the song has no guitar.
        OptionError: there is no such part, groove or sign; an option needs a whole song.
    """
    player = Guitarist.of(song, options, signs)
    jam = Jam(engine, options, player.song, program=player.program)
    return Jammed(player.song, player.guitar, jam.hear(player.told, player.end))


def _ended(song: Song, last: int, *, ends: bool) -> tuple[Song, Bar]:
    """The song, a bar longer if it should end after its last bar, and the bar of the lattice in which it ends.

    last: the tick of the last note of the guitar.
    """
    bars = lattice_of(song).bars
    at = next(index for index, bar in reversed(list(enumerate(bars))) if bar.start <= last)
    if not ends:
        return song, bars[-1]
    if last - bars[at].start < song.ticks_per_quarter:
        return song, bars[at]
    if at + 1 == len(bars):
        song = replace(song, length=bars[-1].end + bars[-1].length)
        bars = lattice_of(song).bars
    return song, bars[at + 1]


def as_take(bars: Sequence[JamBar], take: Take) -> Take:
    """The bars of a jam as a take; take: the song and guitar played to."""
    part = merge_drums([bar.part for bar in bars], kit=bars[0].part, name=TRACK_NAME)
    grooves = dict.fromkeys((bar.letter, bar.groove, bar.title) for bar in bars if bar.groove)
    begins = [next(passage) for _, passage in groupby(bars, key=lambda bar: bar.letter)]
    passages = tuple(Marker(bar.bar.start, bar.letter) for bar in begins)
    played_on = tuple(SectionGroove(*one) for one in grooves)
    return replace(take, part=part, grooves=played_on, sections=passages)
