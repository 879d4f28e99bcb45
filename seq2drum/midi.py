"""Bytes to `Song` and back. symusic reads and writes; what it lets through unchecked is checked here."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Note as SymusicNote
from symusic import Score, Tempo as SymusicTempo, TimeSignature as SymusicMetre
from symusic import Track as SymusicTrack

from seq2drum.errors import InputError, LimitError, MidiError, OutputError
from seq2drum.notes import Metre, Part, Song, Tempo

LAST_TICK = 0x0FFF_FFFF
"""The largest delta time four length bytes can hold; a song that ends later could not be written."""

_END_OF_TRACK = b"\xff\x2f\x00"
_KEPT_BY_SYMUSIC = b"\xbf\x7f\x7f"


@dataclass(frozen=True)
class Limits:
    """The one table of limits. A file beyond it is refused with a `LimitError` that names the limit."""

    file_bytes: int = 4 * 2**20
    tracks: int = 256
    events: int = 400_000
    tempos: int = 10_000
    metres: int = 1_000
    quarters: int = 20_000
    seconds: float = 7_200.0
    numerator: int = 255
    denominator: int = 64
    slowest_bpm: float = 3.0
    fastest_bpm: float = 2_000.0


DEFAULT_LIMITS = Limits()


def parse(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Song:
    """Read the bytes of a MIDI file."""
    data = _unwrapped(data)
    starts = _checked_chunks(data, limits)
    score = _score(_with_ends_kept(data, starts))
    tempos = tuple(Tempo(event.time, event.mspq) for event in score.tempos)
    metres = tuple(Metre(event.time, event.numerator, event.denominator) for event in score.time_signatures)
    parts = tuple(_part(track) for track in score.tracks if len(track.notes))
    song = Song(score.tpq, parts, tempos, metres, max(score.end(), 0))
    _check(song, limits)
    return song


def read(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> Song:
    """Read a MIDI file."""
    return parse(read_bytes(path, limits=limits), limits=limits)


def read_bytes(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of a file, or one clear error."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise InputError(f"{path} is a folder; give a MIDI file")
        if size > limits.file_bytes:
            raise LimitError(f"{path} has {size} bytes; the limit is {limits.file_bytes}")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of a MIDI file") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def serialise(song: Song) -> bytes:
    """The bytes of a MIDI file of format 1; `parse` makes an equal song of them."""
    if song.end > LAST_TICK:
        raise LimitError(f"the song ends at tick {song.end}; a MIDI file can hold {LAST_TICK}")
    score = Score(song.ticks_per_quarter)
    for tempo in song.tempos:
        score.tempos.append(SymusicTempo(tempo.tick, mspq=tempo.microseconds))
    for metre in song.metres:
        score.time_signatures.append(SymusicMetre(metre.tick, metre.numerator, metre.denominator))
    for part in song.parts:
        score.tracks.append(_track(part))
    if not song.parts:
        score.tracks.append(SymusicTrack("", 0, False))
    return _with_end(score.dumps_midi(), song)


def with_drums(data: bytes, drums: Part) -> bytes:
    """The original file plus the drum part, in place of the drums it had."""
    score = _score(_unwrapped(data))
    kept = [track for track in score.tracks if not track.is_drum]
    score.tracks = type(score.tracks)([*kept, _track(drums)])
    return bytes(score.dumps_midi())


def write_file(path: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Write the bytes to a file: all of them or none."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; choose another name or allow overwriting")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; what was there is untouched") from error
    finally:
        with contextlib.suppress(OSError):
            Path(name).unlink()


def _unwrapped(data: bytes) -> bytes:
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        start = data.find(b"MThd")
        return data[start:] if start >= 0 else data
    return data


def _checked_chunks(data: bytes, limits: Limits) -> list[tuple[int, int]]:
    if len(data) > limits.file_bytes:
        raise LimitError(f"the file has {len(data)} bytes; the limit is {limits.file_bytes}")
    if data[:4] != b"MThd" or len(data) < 14:
        raise MidiError("this is not a MIDI file: it does not begin with an MThd header")
    form, tracks, division = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10, 12))
    if form > 1:
        raise MidiError(f"the file has format {form}; formats 0 and 1 can be read")
    if not 1 <= division <= 0x7FFF:
        raise MidiError(f"the header (byte 12) says {division:#06x} ticks per quarter; 1 to 32767 are possible")
    chunks = []
    at = 8 + int.from_bytes(data[4:8], "big")
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"MTrk":
            chunks.append((at + 8, at + 8 + size))
        at += 8 + size
    if not tracks or not chunks:
        raise MidiError("the file has no tracks")
    if len(chunks) > limits.tracks:
        raise LimitError(f"the file has {len(chunks)} tracks; the limit is {limits.tracks}")
    return chunks


def _with_ends_kept(data: bytes, chunks: Iterable[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for _, end in chunks:
        if changed[end - 3 : end] == _END_OF_TRACK:
            changed[end - 3 : end] = _KEPT_BY_SYMUSIC
    return bytes(changed)


def _score(data: bytes) -> Any:
    try:
        return Score.from_midi(data)
    except RuntimeError as error:
        raise MidiError(f"the MIDI file is damaged: {error}") from error


def _part(track: Any) -> Part:
    notes = track.notes.numpy()
    rows = np.stack([notes["time"], notes["duration"], notes["pitch"], notes["velocity"]], axis=1)
    return Part.of(rows, program=track.program, name=track.name, is_drums=track.is_drum)


def _track(part: Part) -> Any:
    track = SymusicTrack(part.name.encode("utf-8", "replace").decode(), part.program, part.is_drums)
    track.notes = SymusicNote.from_numpy(
        part.onset.astype(np.int32),
        part.duration.astype(np.int32),
        part.pitch.astype(np.int8),
        part.velocity.astype(np.int8),
        "tick",
    )
    return track


def _check(song: Song, limits: Limits) -> None:
    for tempo in song.tempos:
        if not tempo.microseconds or not limits.slowest_bpm <= tempo.bpm <= limits.fastest_bpm:
            raise MidiError(f"the tempo at tick {tempo.tick} is {tempo.microseconds} microseconds a quarter")
    for metre in song.metres:
        if not metre.numerator or not 1 <= metre.denominator <= limits.denominator:
            raise MidiError(f"the metre at tick {metre.tick} is {metre.numerator}/{metre.denominator}")
    if song.end > limits.quarters * song.ticks_per_quarter:
        raise LimitError(f"the song ends at tick {song.end}; the limit is {limits.quarters} quarters")


def _with_end(data: bytes, song: Song) -> bytes:
    """Put the end of the first track where the song ends: symusic writes it a tick after the last event."""
    start, stop = 14, 22 + int.from_bytes(data[18:22], "big")
    first = song.parts[0].end if song.parts else 0
    last = max([first, *(event.tick for event in (*song.tempos, *song.metres))])
    track = data[start + 8 : stop - 4] + _variable_length(song.end - last if song.end > last else 0) + _END_OF_TRACK
    return data[:start] + b"MTrk" + len(track).to_bytes(4, "big") + track + data[stop:].replace(
        b"\x01" + _END_OF_TRACK, b"\x00" + _END_OF_TRACK
    )


def _variable_length(value: int) -> bytes:
    """A number as MIDI's variable-length quantity."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))
