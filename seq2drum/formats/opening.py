"""Any file of music to a `Song`: which reader it is for, by its first bytes and by what its name ends in.

Each kind of file is a line of KINDS. The readers of all kinds but MIDI are imported when one is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from seq2drum import files
from seq2drum.formats import foreign, midi
from seq2drum.music.limits import (
    ABC_SUFFIXES,
    DEFAULT_LIMITS,
    GPIF_SUFFIXES,
    GUITARPRO_SUFFIXES,
    HUMDRUM_SUFFIXES,
    MIDI_SUFFIXES,
    RECORDING_LIMITS,
    RECORDING_SUFFIXES,
    SCORE_LIMITS,
    SCORE_SUFFIXES,
    TAB_LIMITS,
    Limits,
)
from seq2drum.music.notes import Song


class Opened(NamedTuple):
    """A song, and the bytes of the file if that is MIDI: they have what a `Song` has no place for."""

    song: Song
    midi: bytes | None


class Kind(NamedTuple):
    """A kind of file: its name in messages, what file names end in, whether first bytes are its, and its reader.

    most: how many bytes one may have; None stands for `Limits.file_bytes`.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    most: int | None
    read: Callable[[bytes, Limits], Song]


def _read_midi(data: bytes, limits: Limits) -> Song:
    return midi.parse(data, limits=limits)


def _read_score(data: bytes, _: Limits) -> Song:
    from seq2drum.formats import notation  # music21: only where it is used

    return notation.read_musicxml(data)


def _is_midi(head: bytes) -> bool:
    return head.startswith(b"MThd") or (head.startswith(b"RIFF") and head[8:12] == b"RMID")


def _is_score(head: bytes) -> bool:
    packed = head.startswith(b"PK\x03\x04") and head[30:].startswith((b"META-INF", b"mimetype"))
    return packed or b"score-partwise" in head


def _read_abc(data: bytes, _: Limits) -> Song:
    from seq2drum.formats import notation

    return notation.read_abc(data)


def _is_abc(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").startswith((b"%abc", b"X:"))


def _read_humdrum(data: bytes, _: Limits) -> Song:
    from seq2drum.formats import notation

    return notation.read_humdrum(data)


def _is_humdrum(head: bytes) -> bool:
    return head.startswith((b"**", b"!!")) and b"**kern" in head


def _read_guitarpro(data: bytes, _: Limits) -> Song:
    from seq2drum.formats import guitarpro

    return guitarpro.read_guitarpro(data)


def _is_guitarpro(head: bytes) -> bool:
    return head[1:20] == b"FICHIER GUITAR PRO "


def _read_gpif(data: bytes, _: Limits) -> Song:
    from seq2drum.formats import gpif

    return gpif.read_gpif(data)


def _is_gpif(head: bytes) -> bool:
    return head.startswith((b"BCFZ", b"BCFS")) or (head.startswith(b"PK\x03\x04") and b"score.gpif" in head)


def _read_recording(data: bytes, _: Limits) -> Song:
    from seq2drum.formats import recording

    return recording.read(data)[0]


def _is_recording(head: bytes) -> bool:
    if head.startswith((b"RIFF", b"RIFX", b"RF64", b"FORM")):
        return head[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    return head.startswith((b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"))


_MIDI = Kind("MIDI file", MIDI_SUFFIXES, _is_midi, None, _read_midi)
RECORDING = Kind("recording", RECORDING_SUFFIXES, _is_recording, RECORDING_LIMITS.file_bytes, _read_recording)
KINDS = (
    _MIDI,
    Kind("MusicXML file", SCORE_SUFFIXES, _is_score, SCORE_LIMITS.file_bytes, _read_score),
    Kind("file in ABC", ABC_SUFFIXES, _is_abc, SCORE_LIMITS.text_bytes, _read_abc),
    Kind("file in Humdrum", HUMDRUM_SUFFIXES, _is_humdrum, SCORE_LIMITS.text_bytes, _read_humdrum),
    Kind("Guitar Pro file", GUITARPRO_SUFFIXES, _is_guitarpro, TAB_LIMITS.binary_bytes, _read_guitarpro),
    Kind("Guitar Pro file", GPIF_SUFFIXES, _is_gpif, TAB_LIMITS.file_bytes, _read_gpif),
    RECORDING,
)


def kind_of(head: bytes, suffix: str = "") -> Kind:
    """The kind of a file: what its first bytes say; if they say nothing, what its name ends in; if neither does, MIDI.

    suffix: in lower case, with its dot.
    """
    for kind in KINDS:
        if kind.begins(head):
            return kind
    return next((kind for kind in KINDS if suffix in kind.suffixes), _MIDI)


def open_song(source: str | os.PathLike[str] | bytes, *, limits: Limits = DEFAULT_LIMITS) -> Opened:
    """Read a file of any kind, or its bytes.

    Raises:
        InputError: there is no such file, it may not be read, is too large, or is not what it seems to be.
        MissingExtraError: its reader needs a package that is not installed.
    """
    kind, data = recognised(source, limits=limits)
    return Opened(kind.read(data, limits), data if kind is _MIDI else None)


def recognised(source: str | os.PathLike[str] | bytes, *, limits: Limits = DEFAULT_LIMITS) -> tuple[Kind, bytes]:
    """The kind of a file or of its bytes, and its bytes.

    Raises:
        InputError: there is no such file, it may not be read, is too large, or is of a kind that has no reader.
    """
    suffix, data = "", source
    if not isinstance(data, bytes):
        suffix = Path(data).suffix.lower()
        data = _read(data, suffix, limits)
    return kind_of(data[: foreign.HEAD_BYTES], suffix), data


def _read(path: str | os.PathLike[str], suffix: str, limits: Limits) -> bytes:
    """The bytes of a file that has a reader; of one that is known to have none it is said what it is."""

    def most(head: bytes) -> int:
        kind = kind_of(head, suffix)
        if kind is _MIDI:
            foreign.refuse(head, path)
        return kind.most or limits.file_bytes

    return files.read_file(path, most, kind_of(b"", suffix).name, foreign.HEAD_BYTES)
