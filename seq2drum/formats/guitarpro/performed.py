"""A tab -> Song as performed, with repeats, ties, graces, triplet feel and let ring."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

from seq2drum.errors import NotationError
from seq2drum.formats.guitarpro.tab import (
    Beat,
    Feel,
    Measure,
    Tab,
    TabNote,
    TempoMark,
    Track,
    played,
    ticks_per_quarter,
)
from seq2drum.music import metres
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo

_GRACES = Fraction(1, 8)  # the length of all graces of a beat together, in quarters, as in alphaTab


def song_of(tab: Tab, order: Sequence[int] | None = None) -> Song:
    """The song of a tab. Every beat falls on a tick, see `tab.ticks_per_quarter`.

    order: the indices of the measures as they are played; by default, as their repeats say.

    Every measure is one bar of `Song.bars()`; a short one (a pickup) has its metre and its own length. A tied note is
    one with the note before it on its string. Section names become markers each time they are played. Notes beyond
    MIDI's range and notes beyond the end of a measure are left out, with `remarks`.

    Raises:
        NotationError: beyond TAB_LIMITS, or an impossible metre, tempo or pitch.
    """
    # 1. The measures as played, and their times.
    _check(tab)
    tab, remarks = _fitted(tab)
    order = played(tab.measures, what=tab.what) if order is None else order
    starts = [Fraction(0)]
    for index in order:
        starts.append(starts[-1] + tab.measures[index].length)
    if starts[-1] > TAB_LIMITS.quarters:
        raise NotationError(
            f"the {tab.what} is {float(starts[-1]):.6g} quarters long with its repeats; at most {TAB_LIMITS.quarters:,}"
            " are read: is it more than one song?"
        )
    # 2. The place of each beat in its measure.
    lines = [_Line.of(track, tab.measures) for track in tab.tracks]
    tempos = _tempos(tab, order, starts)
    times = {time for line in lines for time in line.times}
    ticks = ticks_per_quarter([*times, *starts, *(at for at, _ in tempos)])
    places = [round(start * ticks) for start in starts]
    # 3. The notes.
    beats = [
        sum(len(voice[index].beats) for line in lines for voice in line.voices) for index in range(len(tab.measures))
    ]
    if sum(beats[index] for index in order) > TAB_LIMITS.played_beats:
        raise NotationError(
            f"with its repeats played out the {tab.what} has more than {TAB_LIMITS.played_beats:,} beats;"
            " write fewer repeats"
        )
    parts, count = [], 0
    for track, line in zip(tab.tracks, lines, strict=True):
        notes = _notes(line, order, places, ticks, tab.what)
        count += len(notes)
        if count > TAB_LIMITS.notes:
            raise _too_many_notes(tab.what)
        parts.append(Part.of(notes, program=track.program, name=track.name, is_drums=track.is_drums))
    return Song(
        ticks,
        tuple(part for part in parts if len(part)),
        tuple(Tempo(round(at * ticks), round(60_000_000 / bpm)) for at, bpm in tempos),
        _metres(tab.measures, order, places, ticks),
        places[-1],
        tuple(
            Marker(place, text, not text.isdecimal())  # a number alone can be a bar's
            for index, place in zip(order, places, strict=False)
            if (text := tab.measures[index].section)
        )[: TAB_LIMITS.markers],
        remarks,
    )


def _too_many_notes(what: str) -> NotationError:
    return NotationError(f"the {what} has more than {TAB_LIMITS.notes:,} notes with its repeats; wanted fewer")


def _check(tab: Tab) -> None:
    if not tab.measures or not tab.tracks:
        raise NotationError(f"the {tab.what} has no measures or no instruments; wanted one with a guitar")
    for number, measure in enumerate(tab.measures, start=1):
        if measure.numerator not in metres.NUMERATORS or measure.denominator not in metres.DENOMINATORS:
            raise NotationError(
                f"measure {number} is in {measure.numerator}/{measure.denominator}, and no bar has that length;"
                " wanted metres to 64/64"
            )
    for mark in tab.tempos:
        if not TAB_LIMITS.slowest <= mark.bpm <= TAB_LIMITS.fastest:
            raise NotationError(
                f"the tempo in measure {mark.measure + 1} is {mark.bpm:g} BPM;"
                f" wanted {TAB_LIMITS.slowest:g} to {TAB_LIMITS.fastest:g}"
            )


# --- playable notes ---------------------------------------------------------------------------------------------------


def _fitted(tab: Tab) -> tuple[Tab, tuple[str, ...]]:
    """The tab limited to notes that MIDI has, and to measures as long as their headers say; and the omissions."""
    # 1. The unplayable notes.
    strange, late, count = list[str](), list[str](), 0
    for track in tab.tracks:
        for number, (voices, measure) in enumerate(zip(track.bars, tab.measures, strict=True), start=1):
            place = f"in measure {number} of {track.name[:40]!r}"
            notes = [note for voice in voices for beat in voice for note in _all_notes(beat)]
            count += len(notes)
            strange += [f"(pitch {note.pitch}) {place}" for note in notes if not _is_midi(note)]
            late += [place for voice in voices for beat in _beyond(voice, measure.length) for _ in _all_notes(beat)]
    if not (strange or late):
        return tab, ()
    if len(strange) == count:
        raise NotationError(
            f"all {count:,} notes are beyond MIDI's range, the first {strange[0]}: is the {tab.what} damaged?"
        )
    # 2. The others.
    tracks = []
    for track in tab.tracks:
        bars = zip(track.bars, tab.measures, strict=True)
        inside = (tuple(_inside(voice, measure.length) for voice in voices) for voices, measure in bars)
        tracks.append(replace(track, bars=tuple(inside)))
    remarks = (
        f"notes beyond MIDI's range: {len(strange):,} left out, the first {strange[0]}" if strange else "",
        f"notes beyond the end of their measure: {len(late):,} cut or left out, the first {late[0]}" if late else "",
    )
    return replace(tab, tracks=tuple(tracks)), tuple(remark for remark in remarks if remark)


def _all_notes(beat: Beat) -> Iterator[TabNote]:
    """The notes of a beat and of its graces."""
    return chain(beat.notes, *beat.graces)


def _is_midi(note: TabNote) -> bool:
    return 0 <= note.pitch <= 127


def _beyond(voice: Sequence[Beat], length: Fraction) -> Iterator[Beat]:
    """The beats of a voice that end after its measure."""
    unit, durations = _counted(voice)
    last = math.floor(length * unit)
    return (beat for beat, end in zip(voice, accumulate(durations), strict=True) if end > last)


def _inside(voice: Sequence[Beat], length: Fraction) -> tuple[Beat, ...]:
    """The beats of a voice up to the end of its measure, with the notes that MIDI has."""
    starts = accumulate((beat.duration for beat in voice), initial=Fraction(0))
    return tuple(
        Beat(
            min(beat.duration, length - start),
            tuple(filter(_is_midi, beat.notes)),
            tuple(tuple(filter(_is_midi, grace)) for grace in beat.graces),
            beat.is_on_beat,
        )
        for beat, start in zip(voice, starts, strict=False)
        if start < length
    )


# --- beats in their measures ------------------------------------------------------------------------------------------


class _Placed(NamedTuple):
    """A beat in its measure: its start and length in parts of a quarter."""

    onset: int
    duration: int
    notes: tuple[TabNote, ...]
    graces: tuple[tuple[TabNote, ...], ...]
    is_on_beat: bool


class _Bar(NamedTuple):
    """The beats of a voice in a measure. parts: of a quarter, the fewest that count its times: fast, and exact."""

    parts: int
    beats: Sequence[_Placed]


@dataclass(frozen=True)
class _Line:
    """The beats of a track, by voice and measure."""

    voices: list[list[_Bar]]

    @staticmethod
    def of(track: Track, measures: Sequence[Measure]) -> _Line:
        most = max((len(bar) for bar in track.bars), default=0)
        voices = (
            [
                _placed(bar[voice] if voice < len(bar) else (), measure.feel)
                for bar, measure in zip(track.bars, measures, strict=True)
            ]
            for voice in range(most)
        )
        return _Line([voice for voice in voices if any(bar.beats for bar in voice)])

    @property
    def times(self) -> Iterator[Fraction]:
        """Times that have all the denominators of those in it."""
        for parts in {bar.parts for voice in self.voices for bar in voice}:
            yield Fraction(1, parts)
        for voice in self.voices:
            for bar in voice:
                for beat in bar.beats:
                    if beat.graces:
                        yield _GRACES / len(beat.graces)
                    for note in beat.notes:
                        if note.tremolo:
                            yield note.tremolo


def _counted(beats: Sequence[Beat], *others: Fraction) -> tuple[int, list[int]]:
    """The parts of a quarter that count the lengths of some beats, and other times, and the lengths in these."""
    parts = math.lcm(*{beat.duration.denominator for beat in beats}, *(time.denominator for time in others))
    return parts, [beat.duration.numerator * (parts // beat.duration.denominator) for beat in beats]


def _placed(beats: Sequence[Beat], feel: Feel | None) -> _Bar:
    """The beats of a voice in a measure; pairs of the feel's units are swung."""
    if not beats:
        return _Bar(1, ())
    if feel is None:
        parts, durations = _counted(beats)
        return _Bar(parts, _in_places(beats, accumulate(durations, initial=0), durations))
    # Swung: the first of a pair is longer.
    long = 2 * feel.unit * feel.share
    parts, durations = _counted(beats, feel.unit, long)
    onsets = list(accumulate(durations, initial=0))
    unit, longer = int(feel.unit * parts), int(long * parts)
    index = 0
    while index + 1 < len(beats):
        if durations[index] == durations[index + 1] == unit and onsets[index] % (2 * unit) == 0:
            onsets[index + 1] = onsets[index] + longer
            durations[index : index + 2] = longer, 2 * unit - longer
            index += 1
        index += 1
    common = math.gcd(parts, *onsets, *durations)
    return _Bar(
        parts // common, _in_places(beats, (at // common for at in onsets), [each // common for each in durations])
    )


def _in_places(beats: Sequence[Beat], onsets: Iterable[int], durations: Sequence[int]) -> list[_Placed]:
    return [
        _Placed(onset, duration, beat.notes, beat.graces, beat.is_on_beat)
        for onset, duration, beat in zip(onsets, durations, beats, strict=False)
    ]


# --- notes ------------------------------------------------------------------------------------------------------------


@dataclass
class _Voice:
    """A voice in performance: its notes as [onset, end, pitch, velocity], and the sounding ones by string.

    ringing: the index of a note that rings, and its latest end.
    """

    notes: list[list[int]] = field(default_factory=list)
    held: dict[int, int] = field(default_factory=dict)
    ringing: dict[int, tuple[int, int]] = field(default_factory=dict)

    def strike(self, note: TabNote, onset: int, end: int, latest: int) -> None:
        """Play a note, or extend the one it is tied to. latest: its end if it rings."""
        before = self.held.get(note.string)
        if note.is_tied and before is not None and self.notes[before][1] == onset:
            self.notes[before][1] = end
            place = before
        else:
            place = len(self.notes)
            self.notes.append([onset, end, note.pitch, note.velocity])
        self.held[note.string] = place
        self.ringing.pop(note.string, None)  # a tied note rings if the note it is tied to does
        if note.rings:
            self.ringing[note.string] = place, latest

    def cut(self, tick: int, but: set[int]) -> None:
        """End all notes at a tick, except on some strings."""
        for place in (place for string, place in self.held.items() if string not in but):
            onset, end = self.notes[place][:2]
            self.notes[place][1] = min(end, max(tick, onset + 1))

    def damp(self, tick: int, strings: set[int] | None = None) -> None:
        """End ringing notes, on some strings or on all."""
        if not self.ringing:
            return
        for string in list(self.ringing) if strings is None else strings & self.ringing.keys():
            place, latest = self.ringing.pop(string)
            self.notes[place][1] = max(self.notes[place][1], min(tick, latest))


def _notes(line: _Line, order: Sequence[int], places: Sequence[int], ticks: int, what: str) -> list[Note]:
    out = []
    for bars in line.voices:
        voice, before = _Voice(), 0
        for number, index in enumerate(order):
            start, length = places[number], places[number + 1] - places[number]
            parts, beats = bars[index]
            if not beats:
                voice.damp(start)
                before = start
            for beat in beats:
                onset = start + _in_ticks(beat.onset, parts, ticks)
                end = start + _in_ticks(beat.onset + beat.duration, parts, ticks)
                tied = {note.string for note in beat.notes if note.is_tied}
                if beat.graces:
                    onset = _graced(voice, beat, onset, end, before, tied, ticks)
                before = onset
                voice.damp(onset, {note.string for note in beat.notes} - tied if beat.notes else None)
                if len(voice.notes) > TAB_LIMITS.notes:
                    raise _too_many_notes(what)
                for note in beat.notes:
                    for struck, stop in _strokes(onset, end, round(note.tremolo * ticks) if note.tremolo else 0):
                        voice.strike(note, struck, stop, onset + length)
        voice.damp(places[-1])
        out += [Note(onset, max(end - onset, 1), pitch, velocity) for onset, end, pitch, velocity in voice.notes]
    return out


def _in_ticks(count: int, parts: int, ticks: int) -> int:
    """The nearest tick of so many parts of a quarter."""
    whole, rest = divmod(count * ticks, parts)
    return round(Fraction(count * ticks, parts)) if rest else whole


def _graced(voice: _Voice, beat: _Placed, onset: int, end: int, before: int, tied: set[int], ticks: int) -> int:
    """Play the graces of a beat, and return the onset of its notes. before: the onset of the voice's beat before it.

    They take at most half of the beat before it, or of its own if they are on the beat, as are those that begin a song.
    tied: the strings whose notes continue.
    """
    is_on_beat = beat.is_on_beat or onset == before
    room = end - onset if is_on_beat else onset - before
    length = min(round(_GRACES * ticks), room // 2)
    first = onset if is_on_beat else onset - length
    edges = [first + round(Fraction(length * number, len(beat.graces))) for number in range(len(beat.graces) + 1)]
    if not is_on_beat:
        voice.cut(first, tied)
    for notes, (at, until) in zip(beat.graces, pairwise(edges), strict=True):
        voice.damp(at, {note.string for note in notes})
        for note in notes:
            voice.strike(note, at, until, until)
    return onset + length if is_on_beat else onset


def _strokes(onset: int, end: int, step: int) -> list[tuple[int, int]]:
    """The onset and length of each stroke of a note: one, or one every `step` ticks if that is not 0."""
    if not 0 < step < end - onset:
        return [(onset, end)]
    return [(at, min(at + step, end)) for at in range(onset, end, step)]


# --- metres and tempos ------------------------------------------------------------------------------------------------


def _metres(measures: Sequence[Measure], order: Sequence[int], places: Sequence[int], ticks: int) -> tuple[Metre, ...]:
    """Metre events that make every measure one bar."""
    events: list[Metre] = []
    due = -1
    for number, index in enumerate(order):
        measure, at = measures[index], places[number]
        if not events or events[-1][1:] != (measure.numerator, measure.denominator) or at != due:
            events.append(Metre(at, measure.numerator, measure.denominator))
        due = at + round(Fraction(4 * measure.numerator, measure.denominator) * ticks)
    return tuple(events)


def _tempos(tab: Tab, order: Sequence[int], starts: Sequence[Fraction]) -> list[tuple[Fraction, float]]:
    """(place in quarters, quarters a minute) of every tempo, as played; a gradual one takes a step each quarter."""
    by_measure: dict[int, list[TempoMark]] = {}
    for mark in sorted(tab.tempos, key=lambda mark: (mark.measure, mark.place)):
        by_measure.setdefault(mark.measure, []).append(mark)
    if sum(len(by_measure.get(index, ())) for index in order) > TAB_LIMITS.tempos:
        raise NotationError(
            f"with its repeats played out the {tab.what} has more than {TAB_LIMITS.tempos:,} changes of tempo;"
            " write fewer"
        )
    marks = [(starts[n] + mark.place, mark) for n, index in enumerate(order) for mark in by_measure.get(index, ())]
    out: dict[Fraction, float] = {}
    for number, (at, mark) in enumerate(marks):
        out[at] = mark.bpm
        if not mark.is_gradual or number + 1 == len(marks):
            continue
        end, last = marks[number + 1][0], marks[number + 1][1].bpm
        for step in range(1, int(end - at) + 1):
            if at + step < end:
                out[at + step] = mark.bpm + (last - mark.bpm) * float(step / (end - at))
        if len(out) > TAB_LIMITS.quarters:
            break
    changes = sorted(out.items())
    return [
        change
        for before, change in zip([None, *changes], changes, strict=False)
        if before is None or before[1] != change[1]
    ]
