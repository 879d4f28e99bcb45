"""Any file of music to a `Song`, by the reader that its first bytes and its suffix call for.

Each kind of file is a line of KINDS. All readers except MIDI's are imported on first use.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from seq2drum.errors import InputError
from seq2drum.formats import foreign
from seq2drum.formats.midi import midi
from seq2drum.music.choices import SYMUSIC
from seq2drum.music.limits import (
    ABC_SUFFIXES,
    DAWPROJECT_SUFFIXES,
    DEFAULT_LIMITS,
    DRUM_TEXT_BYTES,
    DRUM_TEXT_SUFFIXES,
    GPIF_SUFFIXES,
    GUITARPRO_SUFFIXES,
    HUMDRUM_SUFFIXES,
    MIDI_SUFFIXES,
    MUSESCORE_SUFFIXES,
    PICTURE_BYTES,
    PICTURE_SUFFIXES,
    POWERTAB_SUFFIXES,
    PROJECT_LIMITS,
    RECORDING_LIMITS,
    RECORDING_SUFFIXES,
    SCORE_LIMITS,
    SCORE_SUFFIXES,
    TAB_LIMITS,
    TUXGUITAR_SUFFIXES,
    Limits,
)
from seq2drum.music.notes import Song
from seq2drum.system import files


class Opened(NamedTuple):
    """A song, and the bytes of the file if that is MIDI: they hold events that a `Song` has no place for."""

    song: Song
    midi: bytes | None


class Kind(NamedTuple):
    """A kind of file: its name in messages, its suffixes, and its reader.

    most: the largest file in bytes; None stands for `Limits.file_bytes`.
    """

    name: str
    suffixes: tuple[str, ...]
    most: int | None
    read: Callable[[bytes, Limits], Song]

    def song(self, data: bytes, limits: Limits, reader: str = SYMUSIC) -> Song:
        """Return the song in the bytes of a file of this kind. reader: of MIDI, one of `choices.READERS`.

        Raises:
            InputError: the bytes are damaged, or beyond the limits.
            MissingExtraError: the reader needs a package that is not installed.
        """
        return self.read(data, limits) if reader == SYMUSIC or self is not _MIDI else _read_streams(data, limits)


def _read_streams(data: bytes, limits: Limits) -> Song:
    from seq2drum.formats.midi import streams  # music21: only where it is used

    return streams.parse(data, limits=limits)


def _read_score(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.notation import reading  # music21: only where it is used

    return reading.read_musicxml(data)


def _read_abc(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.notation import reading

    return reading.read_abc(data)


def _read_humdrum(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.notation import reading

    return reading.read_humdrum(data)


def _read_guitarpro(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.guitarpro import binary

    return binary.read_guitarpro(data)


def _read_gpif(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.guitarpro import gpif

    return gpif.read_gpif(data)


def _read_tuxguitar(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.tuxguitar import reading

    return reading.read_tuxguitar(data)


def _read_powertab(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.powertab import reading

    return reading.read_powertab(data)


def _read_musescore(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.musescore import reading

    return reading.read_musescore(data)


def _read_dawproject(data: bytes, limits: Limits) -> Song:
    from seq2drum.formats.dawproject import reading

    return reading.read_dawproject(data, limits)


def _read_recording(data: bytes, _: Limits) -> Song:
    from seq2drum.formats.audio import recording

    return recording.read(data)[0]


def _read_drum_text(data: bytes, _: Limits) -> Song:
    from seq2drum.formats import drum_picture

    return drum_picture.read_drum_text(data)


def _read_drum_picture(data: bytes, _: Limits) -> Song:
    from seq2drum.formats import drum_picture

    return drum_picture.read_drum_picture(data)


_MIDI = Kind("MIDI file", MIDI_SUFFIXES, None, lambda data, limits: midi.parse(data, limits=limits))
RECORDING = Kind("recording", RECORDING_SUFFIXES, RECORDING_LIMITS.file_bytes, _read_recording)
KINDS = (
    _MIDI,
    Kind("MusicXML file", SCORE_SUFFIXES, SCORE_LIMITS.file_bytes, _read_score),
    Kind("file in ABC", ABC_SUFFIXES, SCORE_LIMITS.text_bytes, _read_abc),
    Kind("file in Humdrum", HUMDRUM_SUFFIXES, SCORE_LIMITS.text_bytes, _read_humdrum),
    Kind("Guitar Pro file", GUITARPRO_SUFFIXES, TAB_LIMITS.binary_bytes, _read_guitarpro),
    Kind("Guitar Pro file", GPIF_SUFFIXES, TAB_LIMITS.file_bytes, _read_gpif),
    Kind("tab of TuxGuitar", TUXGUITAR_SUFFIXES, TAB_LIMITS.file_bytes, _read_tuxguitar),
    Kind("tab of Power Tab", POWERTAB_SUFFIXES, TAB_LIMITS.binary_bytes, _read_powertab),
    Kind("score of MuseScore", MUSESCORE_SUFFIXES, TAB_LIMITS.score_bytes, _read_musescore),
    Kind("DAWproject", DAWPROJECT_SUFFIXES, PROJECT_LIMITS.file_bytes, _read_dawproject),
    RECORDING,
    Kind("drum text", DRUM_TEXT_SUFFIXES, DRUM_TEXT_BYTES, _read_drum_text),
    Kind("PNG picture of drums", PICTURE_SUFFIXES, PICTURE_BYTES, _read_drum_picture),
)


def kind_of(head: bytes, suffix: str = "") -> Kind:
    """The kind of a file by its first bytes, else by its suffix, else MIDI.

    suffix: in lower case, with its dot.
    """
    if head and foreign.is_midi(head):
        return _MIDI
    if (known := foreign.recognised(head)) and known.suffixes:
        suffix = known.suffixes[0]
    return next((kind for kind in KINDS if suffix in kind.suffixes), _MIDI)


def open_song(
    source: str | os.PathLike[str] | bytes, *, limits: Limits = DEFAULT_LIMITS, reader: str = SYMUSIC
) -> Opened:
    """The song in a file of any kind, or in its bytes. reader: of MIDI, one of `choices.READERS`.

    Raises:
        InputError: no such file, not readable, too large, or not what its beginning or name says.
        MissingExtraError: its reader needs a package that is not installed.
    """
    kind, data = recognised(source, limits=limits)
    return Opened(kind.song(data, limits, reader), data if kind is _MIDI else None)


def open_drums(source: str | os.PathLike[str] | bytes, *, limits: Limits = DEFAULT_LIMITS) -> Opened:
    """The drums' song in a file: as `open_song`, except for recordings, whose drums cannot be heard.

    Raises:
        InputError, MissingExtraError: as `open_song`; a recording. A song without drums is not an error.
    """
    kind, data = recognised(source, limits=limits)
    if kind is RECORDING:
        raise InputError(foreign.NO_DRUMS_HEARD)
    return Opened(kind.read(data, limits), data if kind is _MIDI else None)


def recognised(source: str | os.PathLike[str] | bytes, *, limits: Limits = DEFAULT_LIMITS) -> tuple[Kind, bytes]:
    """The kind of a file or of its bytes, and its bytes.

    Raises:
        InputError: no such file, not readable, too large, or a kind without a reader.
    """
    if isinstance(source, bytes):
        return kind_of(source[: foreign.HEAD_BYTES]), source
    suffix = Path(source).suffix.lower()

    def most(head: bytes) -> int:
        """Return the largest size of a file with this beginning; refuse by name a known kind without a reader."""
        kind = kind_of(head, suffix)
        if kind is _MIDI:
            foreign.refuse(head, source)
        return kind.most or limits.file_bytes

    meant = kind_of(b"", suffix)
    data = files.read_file(source, most, meant.name, foreign.HEAD_BYTES)
    if not data and meant is not _MIDI:
        raise InputError(f"{files.named(source)} is empty; give a {meant.name} with music in it")
    return kind_of(data[: foreign.HEAD_BYTES], suffix), data
