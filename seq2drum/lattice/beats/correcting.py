"""A song whose file has a wrong grid, on the right one: its tempo, its metre and its first downbeat, as somebody says.

Nothing is detected here, and every note keeps its second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.lattice.beats.performance import Timing
from seq2drum.music.limits import MOST_TICKS_PER_QUARTER
from seq2drum.music.notes import Metre, Part, Song

_SIXTEENTHS = 4  # of a quarter; a barline is put on one
_SHORTEST = 4  # the least denominator of a short bar


def corrected(song: Song, timing: Timing) -> Song:
    """Return the song with its tempo times `timing.scale`, then in bars of `timing.metre` from `timing.downbeat` on.

    The bars of a doubled tempo are half as long, and those of a halved one twice. Notes before the first downbeat are
    in whole bars, with a short one at the front. Without a metre the file's own stay, those that change as well.

    timing: its `bpm` is none, as this tempo would have to be brought to the notes; see `pulse.beats_of`.

    Raises:
        OptionError: the first downbeat is behind the end of the song.
    """
    song = _scaled(song, timing.scale)
    if timing.metre is None and timing.downbeat is None:
        return song
    before = _pickup(song)
    lead = before if timing.downbeat is None else _tick(song, timing.downbeat)
    _, *first = song.metre_map[1 if before else 0]
    kept = () if timing.metre else tuple(one for one in song.metre_map if one.tick > before)
    return replace(song, metres=_metres(song, lead, timing.metre or (first[0], first[1]), kept, lead - before))


def _scaled(song: Song, scale: float) -> Song:
    """Return the song with its tempo times 2, or half as fast; no note moves in time."""
    if scale == 1:
        return song
    quarter, factor = song.ticks_per_quarter, 1.0
    if scale == 0.5 and 2 * quarter <= MOST_TICKS_PER_QUARTER:
        quarter *= 2  # so that no tick is rounded
    else:
        factor = scale
    moved: Callable[[int], int] = lambda tick: round(tick * factor)  # noqa: E731
    return replace(
        song,
        ticks_per_quarter=quarter,
        parts=tuple(_stretched(part, factor) for part in song.parts),
        tempos=tuple(
            tempo._replace(tick=moved(tempo.tick), microseconds=max(round(tempo.microseconds / scale), 1))
            for tempo in song.tempo_map
        ),
        metres=tuple(metre._replace(tick=moved(metre.tick)) for metre in song.metres),
        length=moved(song.length),
        markers=tuple(marker._replace(tick=moved(marker.tick)) for marker in song.markers),
    )


def _stretched(part: Part, factor: float) -> Part:
    """Return a part with all its times multiplied."""
    if factor == 1:
        return part
    rows, pedal = part.rows.copy(), part.pedal.copy()
    rows[:, :2] = np.maximum(np.rint(rows[:, :2] * factor), np.array([0, 1]))
    pedal[:, 0] = np.rint(pedal[:, 0] * factor)
    fresh = Part.of(rows, program=part.program, name=part.name, is_drums=part.is_drums, is_xg=part.is_xg)
    return replace(fresh, pedal=pedal)


def _pickup(song: Song) -> int:
    """Return the length of the first bar in ticks, if it is shorter than its metre or the second bar, else 0."""
    bar, *others = song.bars()[:2]
    return bar.length if others and bar.length < others[0].length else 0


def _tick(song: Song, second: float) -> int:
    """Return the place of the sixteenth nearest to a second.

    Raises:
        OptionError: the song has ended by then.
    """
    ends = song.seconds(song.end)
    if second >= ends:
        raise OptionError(f"the first downbeat is at {second:g} s, but the song ends at {ends:.2f} s")
    step = Fraction(song.ticks_per_quarter, _SIXTEENTHS)
    places = np.array([round(step * number) for number in range(int(song.end / step) + 1)], dtype=np.int64)
    elapsed = song.elapsed(places) / song.ticks_per_quarter / 1e6
    return int(places[np.abs(elapsed - second).argmin()])


def _metres(song: Song, lead: int, metre: tuple[int, int], kept: tuple[Metre, ...], shift: int) -> tuple[Metre, ...]:
    """Return the metres of bars from tick `lead` on. kept: those that follow the first one, `shift` ticks later."""
    bar = Fraction(4 * metre[0] * song.ticks_per_quarter, metre[1])
    rest = Fraction(lead) % bar
    later = tuple(one._replace(tick=one.tick + shift) for one in kept if one.tick + shift > rest)
    if not rest:
        return (Metre(0, *metre), *later)
    short = Fraction(round(rest * _SIXTEENTHS / song.ticks_per_quarter), 4 * _SIXTEENTHS)  # in whole notes
    denominator = max(short.denominator, _SHORTEST)
    first = Metre(0, max(short.numerator * denominator // short.denominator, 1), denominator)
    return (first, Metre(round(rest), *metre), *later)
