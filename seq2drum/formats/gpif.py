"""Guitar Pro 6 to 8 -> Song: the tables of a `score.gpif` as a tab. A reader of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from seq2drum.errors import NotationError
from seq2drum.formats.containers import gpif_text
from seq2drum.formats.gpif_tables import (
    Instrument,
    Tables,
    WrittenBeat,
    WrittenNote,
    number_of,
    tables_of,
    text_of,
    texts_of,
    too_many,
    whole,
)
from seq2drum.formats.performed import song_of
from seq2drum.formats.tab import Beat, Measure, Tab, TabNote, TempoMark, Track, general_midi, velocity_of
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Song

_TEMPO_UNITS = {1: 0.5, 2: 1.0, 3: 1.5, 4: 2.0, 5: 3.0}  # quarters of what a tempo counts
_GP6_KIT = (
    (35, 35, 35), (38, 91, 37), (99, 100, 99), (56, 100, 56), (102, 103, 102), (43, 43, 43), (45, 45, 45), (47, 47, 47),
    (48, 48, 48), (50, 50, 50), (42, 92, 46), (44, 44, 44), (57, 98, 57), (49, 97, 49), (55, 95, 55), (51, 93, 127),
    (52, 96, 52),
)  # fmt: skip
"""The articulations of Guitar Pro 6, by the number of the element and of its variation."""


def read_gpif(data: bytes) -> Song:
    """Read the bytes of a file of Guitar Pro 6, 7 or 8 (.gpx, .gp), as `performed.song_of` plays it.

    Bends, slides and harmonics are not heard: a note has the pitch of its fret.

    Raises:
        NotationError: it is no such file, is damaged, or lies beyond TAB_LIMITS.
        MissingExtraError: defusedxml is not installed.
    """
    tables = tables_of(gpif_text(data))
    try:
        tab = _tab(tables)
    except (ArithmeticError, LookupError, ValueError) as error:
        problem = f"{type(error).__name__}: {str(error)[:80]}"
        raise NotationError(f"the tab contradicts itself ({problem}); save it again in Guitar Pro") from error
    return song_of(tab)


# --- the tables as a tab ----------------------------------------------------------------------------------------------


def _tab(tables: Tables) -> Tab:
    measures = [measure for measure, _ in tables.measures]
    if len(tables.order) > TAB_LIMITS.tracks:
        raise NotationError(f"the tab has {len(tables.order):,} tracks; at most {TAB_LIMITS.tracks:,} are read")
    instruments = [tables.tracks[key] for key in tables.order]
    staves = sum(len(instrument.tunings) for instrument in instruments)
    for count, most, what in (
        (len(measures), TAB_LIMITS.measures, "measures"),
        (staves, TAB_LIMITS.staves, "staves"),
        (staves * len(measures), TAB_LIMITS.bars, "measures in all staves together"),
    ):
        if count > most:
            raise NotationError(f"the tab has {count:,} {what}; at most {most:,} are read")
    counter = _Counter()
    tracks, place = [], 0
    for instrument in instruments:
        voices = [_voices(tables, place + staff) for staff in range(len(instrument.tunings))]
        place += len(voices)
        bars = [
            tuple(
                tuple(_voice(tables, voice, instrument, staff, counter))
                for staff, measures_of in enumerate(voices)
                for voice in measures_of[number]
            )
            for number in range(len(measures))
        ]
        tracks.append(Track(instrument.name, instrument.program, instrument.is_drums, tuple(bars)))
    if tables.has_pickup and measures:
        lengths = [sum((beat.duration for beat in voice), Fraction(0)) for track in tracks for voice in track.bars[0]]
        length = max(lengths, default=Fraction(0))
        if 0 < length < measures[0].length:
            measures[0] = replace(measures[0], length=length)
    return Tab(tuple(measures), tuple(tracks), tuple(_tempos(tables, measures)))


class _Counter:
    """Counts beats and notes while a tab is built: tables may refer to a few of them again and again."""

    def __init__(self) -> None:
        self.beats = self.notes = 0

    def add_notes(self, count: int) -> None:
        self.notes += count
        if self.notes > TAB_LIMITS.notes:
            raise too_many()

    def add(self, count: int) -> None:
        self.beats += count
        if count > TAB_LIMITS.voice or self.beats > TAB_LIMITS.beats:
            raise NotationError(
                f"the tab has more than {TAB_LIMITS.beats:,} beats, or {TAB_LIMITS.voice} of a voice in a measure;"
                " wanted are fewer"
            )


def _voices(tables: Tables, staff: int) -> list[list[str]]:
    """The voices of a staff, measure by measure; where one repeats what was before, that one's."""
    out: list[list[str]] = []
    for number, (_, keys) in enumerate(tables.measures):
        bar = tables.bars.get(keys[staff]) if staff < len(keys) else None
        if bar is not None and 0 < bar.like <= number:
            out.append(out[number - bar.like])
        else:
            out.append([] if bar is None else bar.voices)
    return out


def _voice(tables: Tables, key: str, instrument: Instrument, staff: int, counter: _Counter) -> Iterator[Beat]:
    keys = tables.voices.get(key, ())
    counter.add(len(keys))
    graces, is_on_beat = list[tuple[TabNote, ...]](), False
    for each in keys:
        beat = tables.beats[each]
        counter.add_notes(len(beat.notes))
        notes = tuple(_tab_note(tables.notes[note], beat, instrument, staff) for note in beat.notes)
        if beat.is_grace:
            graces.append(notes)
            is_on_beat |= beat.is_on_beat
        else:
            yield Beat(tables.rhythms[beat.rhythm], notes, tuple(graces), is_on_beat)
            graces, is_on_beat = [], False


def _tab_note(note: WrittenNote, beat: WrittenBeat, instrument: Instrument, staff: int) -> TabNote:
    touch, string = note.touch, note.string
    if instrument.is_drums:
        pitch = string = _drum(note, instrument.kit)
        touch = touch._replace(is_slurred=False)
    elif note.fret >= 0 and 0 <= string < len(instrument.tunings[staff]):
        pitch = instrument.tunings[staff][string] + note.fret
    elif note.midi >= 0:
        pitch = string = note.midi
    else:
        pitch = string = 12 * note.octave + max(note.tone, 0)
    velocity = velocity_of(beat.dynamic, louder=touch.louder)
    return TabNote(pitch, string, velocity, note.is_tied, note.rings, beat.tremolo)


def _drum(note: WrittenNote, kit: list[int]) -> int:
    """The General MIDI note of a drum: by the articulation, of Guitar Pro 7 or of 6, else by the fret."""
    if note.articulation >= 0:
        listed = kit[note.articulation] if note.articulation < len(kit) else -1
        return listed if listed >= 0 else general_midi(note.articulation)
    if 0 <= note.element < len(_GP6_KIT):
        return general_midi(_GP6_KIT[note.element][min(max(note.variation, 0), 2)])
    return general_midi(max(note.fret, 0))


def _tempos(tables: Tables, measures: list[Measure]) -> Iterator[TempoMark]:
    for item in tables.tempos:
        number, words = whole(item.findtext("Bar"), 0), texts_of(item, "Value")
        if not 0 <= number < len(measures) or not words:
            continue
        unit = _TEMPO_UNITS.get(whole(words[1], 2) if len(words) > 1 else 2, 1.0)
        share = min(max(number_of(item.findtext("Position"), 0.0), 0.0), 1.0)
        place = (Fraction(share) * measures[number].length).limit_denominator(48)
        is_gradual = text_of(item, "Linear").lower() == "true"
        yield TempoMark(number, place, number_of(words[0], 120.0) * unit, is_gradual)
