"""Tabs for tests, written with PyGuitarPro."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest

from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

STANDARD = (64, 59, 55, 50, 45, 40)  # the strings of a guitar, from the highest


def beat(*notes: tuple[int, int], length: int = 8, **more: Any) -> Callable[[Any], Any]:
    """A beat of (string from 1, fret); no notes is a rest. more: dotted, tuplet, tempo; what else is of `NoteEffect`.

    kind: the type of the notes; velocity: of the notes.
    """
    from guitarpro import models

    def make(voice: Any) -> Any:
        options = dict(more)
        duration = models.Duration(length, options.pop("dotted", False), models.Tuplet(*options.pop("tuplet", (1, 1))))
        status = models.BeatStatus.normal if notes else models.BeatStatus.rest
        made = models.Beat(voice, duration=duration, status=status)
        if "tempo" in options:
            made.effect.mixTableChange = models.MixTableChange(tempo=models.MixTableItem(options.pop("tempo")))
        kind, velocity = models.NoteType[options.pop("kind", "normal")], options.pop("velocity", 95)
        for string, fret in notes:
            effect = models.NoteEffect(**options)
            made.notes.append(models.Note(made, fret, velocity, string, effect, type=kind))
        return made

    return make


def track(bars: Sequence[Sequence[Any]], *, name: str = "Guitar", program: int = 29, **more: Any) -> dict[str, Any]:
    """A track: for each bar its beats; or for each bar two voices of beats, as a tuple. more: fields of `Track`."""
    return {"bars": bars, "name": name, "program": program, **more}


def song(*tracks: dict[str, Any], tempo: int = 120, headers: dict[int, dict[str, Any]] | None = None) -> Any:
    """A song of PyGuitarPro. headers: of each measure, by index: fields of `MeasureHeader`, metre, section."""
    pytest.importorskip("guitarpro", reason="PyGuitarPro is not installed: pip install 'seq2drum[guitarpro]'")
    from guitarpro import models

    made = models.Song(tempo=tempo, tracks=[], measureHeaders=[])
    metre = (4, 4)
    for index in range(len(tracks[0]["bars"])):
        given = dict((headers or {}).get(index, {}))
        metre = given.pop("metre", metre)
        section = given.pop("section", None)
        header = models.MeasureHeader(number=index + 1, **given)
        header.timeSignature = models.TimeSignature(metre[0], models.Duration(metre[1]))
        header.marker = models.Marker(section) if section else None
        made.measureHeaders.append(header)
    for number, each in enumerate(tracks):
        given = dict(each)
        bars, program = given.pop("bars"), given.pop("program")
        tuning = given.pop("tuning", STANDARD)
        strings = [models.GuitarString(string, pitch) for string, pitch in enumerate(tuning, start=1)]
        place = models.Track(made, number + 1, strings=strings, **given)
        channel = 9 if place.isPercussionTrack else 2 * number if 2 * number < 8 else 2 * number + 2
        place.channel = models.MidiChannel(channel, channel + 1, program)
        for measure, voices in zip(place.measures, bars, strict=True):
            for voice, beats in zip(measure.voices, voices if isinstance(voices, tuple) else (voices,), strict=False):
                voice.beats.extend(make(voice) for make in beats)
        made.tracks.append(place)
    return made


def written(made: Any, version: tuple[int, int, int] = (5, 1, 0)) -> bytes:
    """The bytes of a song of PyGuitarPro."""
    import guitarpro

    file = io.BytesIO()
    guitarpro.write(made, file, version=version)
    return file.getvalue()


# --- songs to write as tabs -------------------------------------------------------------------------------------------

STEP = Fraction(1, 6)
"""How far from a change of tempo its place in a tab may be, in quarters: half of a triplet eighth."""


def multi_tempo_song(seed: int) -> Song:
    """A song made by chance: a guitar that rests and holds, and changes of tempo anywhere, some close together."""
    chance = random.Random(seed)
    numerator, denominator = chance.choice([(4, 4), (3, 4), (7, 8), (6, 8)])
    bar = 4 * 480 * numerator // denominator
    pickup, length = chance.choice([0, 240, 480]), chance.randint(2, 6) * bar
    metres = tuple(Metre(tick, numerator, denominator) for tick in sorted({0, pickup}))
    onsets = sorted(chance.sample(range(0, length, chance.choice([60, 80, 120])), chance.randint(1, 12)))
    notes = [Note(tick, chance.choice([120, 160, 480, 2000]), chance.randint(40, 70), 95) for tick in onsets]
    ticks = [chance.choice([chance.randrange(length), chance.randrange(0, length, bar) + pickup - 10]) for _ in "1234"]
    tempos = [Tempo(max(tick, 0), round(60e6 / chance.randint(40, 240))) for tick in sorted(ticks)]
    guitar = Part.of(notes, program=27, name="Guitar")
    return Song(480, (guitar,), (Tempo(0, 500_000), *tempos), metres, length + pickup)


def tempos_at_quarters(song: Song) -> list[tuple[Fraction, int]]:
    """(quarters from its start, whole quarters a minute) at each quarter of each bar, but shortly before a change."""
    changes = [Fraction(tempo.tick, song.ticks_per_quarter) for tempo in song.tempo_map]
    ticks = [tick for bar in song.bars() for tick in range(bar.start, bar.end, song.ticks_per_quarter)]
    places = [(Fraction(tick, song.ticks_per_quarter), round(song.tempo_at(tick).bpm)) for tick in ticks]
    return [(at, bpm) for at, bpm in places if not any(at < change <= at + STEP for change in changes)]
