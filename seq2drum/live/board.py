"""What a person sees of a jam while it goes on: where it is, what is planned, and what was heard."""

from __future__ import annotations

from collections.abc import Sequence

from seq2drum.live.jamming import View
from seq2drum.music import drum_maps
from seq2drum.music.counting import later
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Metre, Part, Song, Tempo, merged
from seq2drum.music.theory import pitch_name
from seq2drum.play.jam import JamBar

WAITING = "waiting for the MIDI clock to start"


def status(view: View) -> str:
    """Where the jam is, in a line."""
    if view.quarter is None:
        return WAITING
    here, parts = view.here, list[str]()
    if here is None:
        parts.append("count-in")
    else:
        beat = (view.quarter - here.bar.start / view.ticks_per_quarter) * here.bar.denominator / 4
        parts.append(f"bar {here.number + 1}, beat {min(max(int(beat), 0), here.bar.numerator - 1) + 1}")
        parts.append(_played(here))
    parts.append(f"{view.bpm:.0f} bpm")
    if view.coming is not None:
        parts.append(f"next: {_played(view.coming)}")
    if view.asked:
        parts.append(f"shown: {', '.join(view.asked)}")
    if view.repeated:
        parts.append(f"{view.repeated} late")
    return " | ".join(parts)


def line(view: View) -> str:
    """A bar as it begins, for a terminal that is none."""
    here = view.here
    if here is None:
        return "count-in"
    heard = " ".join(pitch_name(pitch) for pitch in view.heard) or "nothing"
    return f"bar {here.number + 1}: {_played(here)}, {view.bpm:.0f} bpm; heard {heard}"


def _played(bar: JamBar) -> str:
    what = "the end" if bar.is_last else "fill" if bar.is_fill else bar.title or bar.groove
    return f"{bar.letter} {what}".strip()


def duet(bars: Sequence[JamBar], guitar: Part, bpm: float, ticks_per_quarter: int, drum_map: str) -> Duet:
    """Some bars that follow each other, and what was heard in them, as a song that begins with the first."""
    first = bars[0].bar.start
    drums = merged([later(bar.part, -first) for bar in bars], kit=bars[0].part, name="Drums")
    own = Part.of(guitar.rows[guitar.onset >= first], program=guitar.program, name="Guitar")
    heard = later(own, -first)
    metres = [Metre(bar.bar.start - first, bar.bar.numerator, bar.bar.denominator) for bar in bars]
    own_metres = tuple(one for at, one in enumerate(metres) if not at or one[1:] != metres[at - 1][1:])
    length = bars[-1].bar.end - first
    song = Song(ticks_per_quarter, (heard,), (Tempo(0, round(6e7 / bpm)),), own_metres, length)
    return Duet(song, (heard,), drum_maps.load(drum_map).read(drums))
