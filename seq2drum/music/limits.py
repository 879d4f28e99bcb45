"""Suffixes and size limits of music files.

This module imports only the standard library, so that programs which never read a note share the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
"""Suffixes of MIDI files, in lower case."""

SCORE_SUFFIXES = (".musicxml", ".mxl", ".xml")
"""Suffixes of MusicXML scores, in lower case."""

ABC_SUFFIXES = (".abc",)
"""Suffixes of files in ABC notation, in lower case."""

HUMDRUM_SUFFIXES = (".krn", ".kern")
"""Suffixes of files in Humdrum's **kern, in lower case."""

GUITARPRO_SUFFIXES = (".gp3", ".gp4", ".gp5")
"""Suffixes of Guitar Pro 3 to 5, in lower case."""

GPIF_SUFFIXES = (".gp", ".gpx")
"""Suffixes of Guitar Pro 6 to 8, in lower case."""

MUSESCORE_SUFFIXES = (".mscz", ".mscx")
"""Suffixes of MuseScore, in lower case."""

TUXGUITAR_SUFFIXES = (".tg",)
"""Suffixes of TuxGuitar, in lower case."""

POWERTAB_SUFFIXES = (".ptb", ".pt2")
"""Suffixes of Power Tab Editor 1.7 and 2, in lower case."""

DAWPROJECT_SUFFIXES = (".dawproject",)
"""Suffixes of DAWproject, in lower case."""

RECORDING_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
"""Suffixes of recordings, in lower case."""

DRUM_TEXT_SUFFIXES = (".txt",)
"""Suffixes of drum text and of other texts, in lower case."""

PICTURE_SUFFIXES = (".png",)
"""Suffixes of pictures of drums and of other pictures, in lower case."""

NOTE_SUFFIXES = (
    *(MIDI_SUFFIXES + SCORE_SUFFIXES + ABC_SUFFIXES + HUMDRUM_SUFFIXES + GUITARPRO_SUFFIXES + GPIF_SUFFIXES),
    *(TUXGUITAR_SUFFIXES + POWERTAB_SUFFIXES + MUSESCORE_SUFFIXES + DAWPROJECT_SUFFIXES),
)
"""Suffixes of files with notes, and possibly drums, in lower case."""

SONG_SUFFIXES = NOTE_SUFFIXES + RECORDING_SUFFIXES
"""Suffixes of songs in a folder, in lower case."""

OPENED_SUFFIXES = SONG_SUFFIXES + DRUM_TEXT_SUFFIXES + PICTURE_SUFFIXES
"""Suffixes of all files that can be opened as a song, in lower case."""

LAST_TICK = 0x0FFF_FFFF
"""The largest time that four length bytes of a MIDI file can hold; a song that ends later could not be written."""

MOST_TICKS_PER_QUARTER = 0x7FFF
"""The finest clock that the header of a MIDI file can state."""


MOST_COUNT_IN = 8
"""The most bars of a count-in."""

SLOWEST_BPM, FASTEST_BPM = 30, 300
"""The quarters a minute that the beats of a performance can have."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a MIDI file. One beyond them is refused with a `LimitError` that names the limit and the place.

    Each field has its meaning in `metadata["help"]`. The numbers are those a service can afford, raised where real
    music needs more. Over the 6,038 songs of the training corpus the largest values are: 376,996 bytes, 80,474 events,
    130 tracks (2 songs beyond 64), 4,876 tempo and 170 metre events, 2,240 quarters, 1,305 seconds, metres to 76 and
    /32, tempos from 10 to 999 BPM (2 songs beyond 400). Played piano pieces slow down to 8 BPM in their rubato, and
    demonstration files of sound modules last an hour. So tracks (64), seconds (1,800), numerators (64) and tempos (10
    to 400) go beyond a service's usual limits, given in brackets. The cost of a request is bounded by bytes, events and
    quarters, which did not have to change. The song's end is limited in quarters, since ticks depend on the clock.
    Events of kinds that are not counted are bounded by the bytes.
    """

    file_bytes: int = field(default=1 << 20, metadata={"help": "size of a MIDI file in bytes"})
    tracks: int = field(default=256, metadata={"help": "tracks of a file"})
    events: int = field(
        default=100_000,
        metadata={"help": "events of a file: notes with both ends, controllers, pitch bends, lyrics"},
    )
    tempos: int = field(default=10_000, metadata={"help": "tempo events of a file"})
    metres: int = field(default=1_000, metadata={"help": "metre events of a file"})
    quarters: int = field(default=20_000, metadata={"help": "length of a file in quarters"})
    seconds: float = field(default=7_200.0, metadata={"help": "length of a file in seconds"})
    numerator: int = field(default=128, metadata={"help": "largest numerator of a metre"})
    denominator: int = field(default=64, metadata={"help": "largest denominator of a metre"})
    slowest: float = field(default=4.0, metadata={"help": "slowest tempo in quarters a minute"})
    fastest: float = field(default=1_000.0, metadata={"help": "fastest tempo in quarters a minute"})


DEFAULT_LIMITS = Limits()


class ScoreLimits(NamedTuple):
    """The limits of a MusicXML score. One beyond them is refused with a `NotationError`."""

    file_bytes: int = 10 * 2**20
    """Size of the file, and of what is packed in it."""
    text_bytes: int = 64 * 2**10
    """Size of a file in ABC or Humdrum."""
    text_bars: int = 400
    """Bars of such a file: music21 takes a time that grows with their square."""
    text_fields: int = 250
    """Fields of a tune in ABC."""
    text_overfull: int = 64
    """Bars of a tune in ABC that are longer than their metre."""
    text_bar_items: int = 512
    """Notes and signs in a bar of a tune in ABC."""
    text_bar_quarters: int = 64
    """Length of a bar of a tune in ABC, in quarters."""
    chord: int = 128
    """Notes in a chord."""
    packing: int = 100
    """The ratio of the unpacked to the packed size."""
    depth: int = 64
    """XML elements within elements."""
    notes: int = 50_000
    """Notes, with repeats played out: as many as a MIDI file may have, see `Limits.events`."""
    measures: int = 50_000
    """Measures of all parts together, as written."""
    squares: int = 25_000_000
    """The sum of the squares of the parts' measures: music21 takes a time that grows with it."""
    short: int = 1_500_000
    """The same for measures that are shorter than their metre, each times its part's measures: one takes longer."""
    played: int = 10_000
    """Measures with repeats played out."""
    marks: int = 10_000
    """Tempo marks, and rehearsal marks, with repeats played out."""
    parts: int = 64
    """Parts."""
    quarters: int = 20_000
    """Length in quarters, from the first to the last barline."""
    repeats: int = 16
    """Passes of one repeat sign."""
    slowest: float = 10.0
    """The slowest tempo in quarters a minute."""
    fastest: float = 400.0
    """The fastest tempo in quarters a minute."""


SCORE_LIMITS = ScoreLimits()


class TabLimits(NamedTuple):
    """The limits of a tab, and of a score of MuseScore. One beyond them is refused with a `NotationError`."""

    file_bytes: int = 32 * 2**20
    """Size of the file; Guitar Pro 8 may pack a recording with the tab, which is not read."""
    score_bytes: int = 32 * 2**20
    """Size of the tab that is packed in it."""
    binary_bytes: int = 4 * 2**20
    """Size of a file of Guitar Pro 3 to 5."""
    packing: int = 200
    """The ratio of the unpacked to the packed size."""
    depth: int = 32
    """XML elements within elements."""
    elements: int = 2_000_000
    """XML elements."""
    tracks: int = 64
    """Tracks."""
    staves: int = 256
    """Staves of all tracks together."""
    measures: int = 5_000
    """Measures as written."""
    bars: int = 100_000
    """Measures of all tracks or staves together."""
    played: int = 10_000
    """Measures with repeats played out."""
    items: int = 600_000
    """Tracks, measures, bars, voices, beats, notes and rhythms of a tab of Guitar Pro 6 to 8."""
    beats: int = 100_000
    """Beats of all tracks together, as written."""
    played_beats: int = 400_000
    """Beats of all tracks together, with repeats played out."""
    voice: int = 512
    """Beats of one voice in one measure."""
    notes: int = 100_000
    """Notes of all tracks together, as written, and with repeats played out."""
    markers: int = 1_000
    """Names of sections, with repeats played out; further ones are ignored."""
    quarters: int = 20_000
    """Length in quarters, with repeats played out."""
    tempos: int = 10_000
    """Changes of tempo, with repeats played out."""
    slowest: float = 10.0
    """The slowest tempo in quarters a minute."""
    fastest: float = 400.0
    """The fastest tempo in quarters a minute."""


TAB_LIMITS = TabLimits()


class ProjectLimits(NamedTuple):
    """The limits of a DAWproject beside those of its music, `Limits`. One beyond them is refused."""

    file_bytes: int = 64 * 2**20
    """Size of the file; recordings and the states of plug-ins may be packed with it, which are not read."""
    text_bytes: int = 32 * 2**20
    """Size of the project that is packed in it."""
    packing: int = 200
    """The ratio of the unpacked to the packed size."""
    depth: int = 64
    """XML elements within elements."""
    elements: int = 400_000
    """XML elements."""
    items: int = 60_000
    """Tracks, clips, timelines and points."""
    clips: int = 20_000
    """Clips and timelines in them, with the passes of loops played out."""
    notes: int = 100_000
    """Notes, with loops played out."""
    markers: int = 1_000
    """Markers; further ones are ignored."""


PROJECT_LIMITS = ProjectLimits()

DRUM_TEXT_BYTES = 1 << 20
"""The size of a file of drum text: 1,024 bars of 32 words are 400,000 bytes."""

PICTURE_BYTES = 1 << 20
"""The size of a picture of drums: without packing it has 6,400 pixels."""


class RecordingLimits(NamedTuple):
    """The limits of a recording. One beyond them is refused with a `RecordingError`."""

    file_bytes: int = 256 * 2**20
    """Size of the file: 15 minutes of WAV in stereo, 24 bits, 48,000 samples a second are 247 MiB."""
    seconds: float = 900.0
    """Length in seconds."""
    channels: int = 8
    """Channels, which are mixed to one."""
    slowest_rate: int = 8_000
    """The lowest sample rate in hertz."""
    fastest_rate: int = 192_000
    """The highest sample rate in hertz."""


RECORDING_LIMITS = RecordingLimits()
