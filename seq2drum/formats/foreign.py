"""Files that are not MIDI, recognised by their first bytes and names, with the way to get MIDI from each.

Some have a reader, see `opening`; here only their beginning is read. A guitarist's folder holds projects of DAWs,
tablature, scans and recordings; each gets its own message, with the menu of the program that made it.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from seq2drum.errors import MidiError
from seq2drum.music.limits import (
    ABC_SUFFIXES,
    DAWPROJECT_SUFFIXES,
    DRUM_TEXT_SUFFIXES,
    GPIF_SUFFIXES,
    GUITARPRO_SUFFIXES,
    HUMDRUM_SUFFIXES,
    MIDI_SUFFIXES,
    MUSESCORE_SUFFIXES,
    PICTURE_SUFFIXES,
    POWERTAB_SUFFIXES,
    RECORDING_SUFFIXES,
    SCORE_SUFFIXES,
    TUXGUITAR_SUFFIXES,
)
from seq2drum.system import files

HEAD_BYTES = 1 << 16
"""The number of bytes read to recognise a file."""
NO_DRUMS_HEARD = "this is a recording, whose drums cannot be read; wanted a MIDI file, a tab or a score with drums"
_PACKED_BYTES = 4096  # bytes unpacked from a gzip file


class Kind(NamedTuple):
    """A kind of file, with its article, and the advice to get a song from it.

    suffixes: the file names of its reader; empty without one.
    """

    what: str
    advice: str
    suffixes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"this is {self.what}, not a MIDI file; {self.advice}"


def _made_by(program: str, menu: str) -> Kind:
    return Kind(f"a project of {program}", f"export the guitar from it: {menu}")


_READ = "--mode infer plays to it; this command needs a MIDI file"
_RECORDING = "save it as WAV, FLAC, Ogg or MP3, which --mode infer plays to"
_PAPER = "a picture of notes cannot be played to; export MIDI or MusicXML from the program that it was printed from"
_ENGRAVED = "open it there and choose File > Export, as MIDI or MusicXML"
_PACKED = "unpack it and give the MIDI file that is in it"

_LIVE = _made_by("Ableton Live", "select the clip and choose File > Export MIDI Clip")
_LOGIC = _made_by("Logic Pro", "select the region and choose File > Export > Selection as MIDI File")
_GARAGEBAND = Kind(
    "a project of GarageBand", "GarageBand exports no MIDI; open the project in Logic Pro, or record into another DAW"
)
_FL = _made_by("FL Studio", "on a copy, Tools > Macros > Prepare for MIDI export, then File > Export > MIDI file")
_CUBASE = _made_by("Cubase or Nuendo", "File > Export > MIDI File")
_REAPER = _made_by("REAPER", "File > Export project MIDI, or run the action of docs/reaper.md in it")
_PRO_TOOLS = _made_by("Pro Tools", "File > Export > MIDI")
_STUDIO_ONE = _made_by("Studio One", "File > Save As, of type MIDI File, or drag the part into a folder")
_BITWIG = _made_by("Bitwig Studio", "File > Export MIDI")
_REASON = _made_by("Reason", "File > Export MIDI File")
_CAKEWALK = _made_by("Cakewalk", "File > Save As, of type MIDI Format 1")
_GUITAR_PRO = Kind("a Guitar Pro file", _READ, GUITARPRO_SUFFIXES)
_GPIF = Kind("a Guitar Pro file", _READ, GPIF_SUFFIXES)
_DAWPROJECT = Kind("a project of a DAW (.dawproject)", _READ, DAWPROJECT_SUFFIXES)
_ABC = Kind("a file in ABC", _READ, ABC_SUFFIXES)
_HUMDRUM = Kind("a file in Humdrum", _READ, HUMDRUM_SUFFIXES)
_WAV = Kind("a WAV recording", _READ, RECORDING_SUFFIXES)
_MP3 = Kind("an MP3 recording", _READ, RECORDING_SUFFIXES)
_AIFF = Kind("an AIFF recording", _READ, RECORDING_SUFFIXES)
DRUM_TEXT = Kind("drum text", "its drums can be shown, played, and a --groove", DRUM_TEXT_SUFFIXES)
PICTURE = Kind("a picture (PNG)", _PAPER, PICTURE_SUFFIXES)
_TUXGUITAR = Kind("a tab of TuxGuitar", _READ, TUXGUITAR_SUFFIXES)
_POWER_TAB = Kind("a tab of Power Tab", _READ, POWERTAB_SUFFIXES)
_OLD_GUITAR_PRO = Kind(
    "a file of Guitar Pro 1 or 2",
    "open it in a later Guitar Pro or in TuxGuitar, and save it as .gp5 or export it as MIDI",
)
_MUSESCORE = Kind("a score of MuseScore", _READ, MUSESCORE_SUFFIXES)
_SIBELIUS = Kind("a Sibelius file", _ENGRAVED)
_FINALE = Kind("a Finale file", _ENGRAVED)
_MUSICXML = Kind(
    "a MusicXML score", "give it a name that ends in .musicxml, or in .mxl if it is packed", SCORE_SUFFIXES
)
_ZIP = Kind("a zip file", _PACKED)

_BEGINNINGS: tuple[tuple[int, bytes, Kind], ...] = (
    (8, b"WAVE", _WAV),
    (0, b"fLaC", Kind("a FLAC recording", _READ, RECORDING_SUFFIXES)),
    (0, b"OggS", Kind("an OGG recording", _READ, RECORDING_SUFFIXES)),
    (0, b"ID3", _MP3),
    (0, b"\xff\xfb", _MP3),
    (0, b"\xff\xf3", _MP3),
    (0, b"\xff\xf2", _MP3),
    (0, b"\xff\xf1", Kind("an AAC recording", _RECORDING)),
    (8, b"AIFF", _AIFF),
    (8, b"AIFC", _AIFF),
    (4, b"ftyp", Kind("a recording or a film (MP4)", _RECORDING)),
    (0, b"caff", Kind("a recording (CAF)", _RECORDING)),
    (0, b"0&\xb2u", Kind("a recording (WMA)", _RECORDING)),
    (0, b"\x1aE\xdf\xa3", Kind("a film (Matroska)", _RECORDING)),
    (1, b"FICHIER GUITARE PRO v1", _OLD_GUITAR_PRO),
    (1, b"FICHIER GUITAR PRO v2", _OLD_GUITAR_PRO),
    (1, b"FICHIER GUITAR PRO", _GUITAR_PRO),
    (0, b"BCFZ", _GPIF),
    (0, b"BCFS", _GPIF),
    (1, "TuxGuitar".encode("utf-16-be"), _TUXGUITAR),
    (0, b"ptab", _POWER_TAB),
    (1, b"SIBELIUS", _SIBELIUS),
    (0, b"ENIGMA BINARY", _FINALE),
    (0, b"FLhd", _FL),
    (8, b"NUND", _CUBASE),
    (0, b"<REAPER_PROJECT", _REAPER),
    (0, b"\x030010111100101011", _PRO_TOOLS),
    (0, b"BtWg", _BITWIG),
    (0, b"CAKEWALK", _CAKEWALK),
    (0, b"%abc", _ABC),
    (0, b"X:", _ABC),
    (0, b"\xef\xbb\xbf%abc", _ABC),
    (0, b"\xef\xbb\xbfX:", _ABC),
    (0, b"%PDF", Kind("a PDF document", _PAPER)),
    (0, b"\x89PNG", PICTURE),
    (0, b"\xff\xd8\xff", Kind("a picture (JPEG)", _PAPER)),
    (0, b"GIF8", Kind("a picture (GIF)", _PAPER)),
    (0, b"Rar!", Kind("a RAR file", _PACKED)),
    (0, b"7z\xbc\xaf", Kind("a 7-Zip file", _PACKED)),
)
"""Offset, bytes, and the kind they mark. The first match holds."""

_IN_ZIP: tuple[tuple[bytes, Kind], ...] = (
    (b"score.gpif", _GPIF),
    (b".mscx", _MUSESCORE),
    (b"version.txt", _TUXGUITAR),
    (b"Song/song.xml", _STUDIO_ONE),
    (b"NotationMetadata.xml", _FINALE),
    (b"META-INF/container.xml", _MUSICXML),
    (b"project.xml", _DAWPROJECT),
    (b"word/", Kind("a Word document", _PAPER)),
)
"""Names of files in a zip file, and the kind they mark."""

_FIRST_WORD = re.compile(rb"(\xef\xbb\xbf)?\s*0b[01]")  # of drum text

_IN_TEXT: tuple[tuple[bytes, Kind], ...] = (
    (b"<museScore", _MUSESCORE),
    (b'"score_info"', _POWER_TAB),
    (b'"midi_preset"', _POWER_TAB),
    (b"<Ableton", _LIVE),
    (b"score-partwise", _MUSICXML),
    (b"score-timewise", _MUSICXML),
    (b"<html", Kind("a page of the web", "save the file that the page links to, and not the page")),
    (b"|--", Kind("tablature in letters", "it has no rhythm to play to; look for the song as Guitar Pro or MIDI file")),
)
"""Bytes anywhere in a text, and the kind they mark."""

_BY_SUFFIX: Mapping[str, Kind] = MappingProxyType(
    {
        ".als": _LIVE, ".alc": _LIVE, ".logicx": _LOGIC, ".logic": _LOGIC, ".band": _GARAGEBAND, ".flp": _FL,
        ".cpr": _CUBASE, ".npr": _CUBASE, ".rpp": _REAPER, ".ptx": _PRO_TOOLS, ".ptf": _PRO_TOOLS,
        ".song": _STUDIO_ONE, ".bwproject": _BITWIG, ".reason": _REASON, ".rns": _REASON, ".cwp": _CAKEWALK,
        ".dawproject": _DAWPROJECT, ".gtp": _OLD_GUITAR_PRO, **dict.fromkeys(GUITARPRO_SUFFIXES, _GUITAR_PRO),
        **dict.fromkeys(GPIF_SUFFIXES, _GPIF), ".tg": _TUXGUITAR, **dict.fromkeys(POWERTAB_SUFFIXES, _POWER_TAB),
        **dict.fromkeys(MUSESCORE_SUFFIXES, _MUSESCORE), ".sib": _SIBELIUS, ".mus": _FINALE, ".musx": _FINALE,
    }
)  # fmt: skip
"""Kinds by suffix, if the bytes do not identify them. Projects of Logic and GarageBand are folders on most systems."""


def recognised(head: bytes, name: str = "") -> Kind | None:
    """The kind of a file that is neither MIDI nor empty; None if unknown.

    head: its first bytes, HEAD_BYTES of them or all. name: its own, if it has one.
    """
    head = head[:HEAD_BYTES]
    for at, mark, kind in _BEGINNINGS:
        if head.startswith(mark, at):
            return kind
    if head.startswith(b"PK\x03\x04"):
        inside = _first(_IN_ZIP, head)
        return inside or _BY_SUFFIX.get(_suffix(name)) or _ZIP
    if head.startswith(b"\x1f\x8b"):
        inside = _first(_IN_TEXT, _unpacked(head))
        return inside or _BY_SUFFIX.get(_suffix(name)) or Kind("a packed file (gzip)", _PACKED)
    # A text up to its first zero, not counting those between the letters of UTF-16.
    text = head.replace(b"\0", b"") if head.startswith((b"\xff\xfe", b"\xfe\xff")) else head
    text = text.partition(b"\0")[0]
    if text.startswith((b"**", b"!!")) and b"**kern" in text:
        return _HUMDRUM
    if _FIRST_WORD.match(text):
        return DRUM_TEXT
    return _first(_IN_TEXT, text) or _BY_SUFFIX.get(_suffix(name))


def beginning(data: bytes) -> str:
    """The first bytes of a file, for a message: as letters if they all are, else as numbers."""
    text = data[:4].decode("latin-1")
    return repr(text) if text.isascii() and text.isprintable() else f"the bytes {data[:4].hex(' ')}"


def is_recording(head: bytes) -> bool:
    """Return whether a file is a recording that has a reader, by its first bytes."""
    kind = recognised(head)
    return kind is not None and kind.suffixes == RECORDING_SUFFIXES


def is_notation(head: bytes) -> bool:
    """Return whether a file is a score or notation in plain text, by its first bytes."""
    kind = None if is_midi(head) else recognised(head)
    return kind is not None and kind.suffixes in (SCORE_SUFFIXES, ABC_SUFFIXES, HUMDRUM_SUFFIXES)


def of_folder(name: str) -> Kind | None:
    """The kind of a folder that a program shows as one file; None for a plain folder."""
    return _BY_SUFFIX.get(_suffix(name))


def read_file(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a MIDI file; a file of another kind is refused by name, whatever its size.

    most: its limit in bytes.

    Raises:
        InputError: no such file, a folder, or not readable.
        LimitError: it is larger.
        MidiError: it is another kind of file.
    """

    def allowed(head: bytes) -> int:
        refuse(head, path)
        return most

    return files.read_file(path, allowed, head=HEAD_BYTES)


def refuse(head: bytes, path: str | os.PathLike[str]) -> None:
    """Raise a MidiError that names the kind of a file, if it is known and not MIDI."""
    if not is_midi(head) and (kind := recognised(head, Path(path).name)):
        raise MidiError(f"{files.named(path)}: {kind}")


def is_midi(data: bytes) -> bool:
    """Return whether a file is MIDI by its first bytes, or empty."""
    return not data or data.startswith(b"MThd") or (data.startswith(b"RIFF") and data.startswith(b"RMID", 8))


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _first(table: tuple[tuple[bytes, Kind], ...], text: bytes) -> Kind | None:
    """The first kind of a table whose mark is in a text."""
    return next((kind for mark, kind in table if mark in text), None)


def _unpacked(head: bytes) -> bytes:
    """The first bytes in a gzip file; none if it is damaged."""
    try:
        return zlib.decompressobj(31).decompress(head, _PACKED_BYTES)
    except zlib.error:
        return b""


GET_GUITARPRO = "pip install 'seq2drum[guitarpro]'"
GET_AUDIO = "pip install 'seq2drum[audio]'"
GET_NETWORK = "pip install --no-deps basic-pitch==0.4.0"
"""Without --no-deps it would install TensorFlow, which has no wheel for Python 3.12; so no extra can name it."""


def network() -> Path | None:
    """The transcription network, a file of the package basic-pitch; None if it is missing."""
    from importlib import metadata  # takes 11 ms

    try:
        found = metadata.files("basic-pitch") or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(path.locate())) for path in found if path.name == "nmp.onnx"), None)


@cache
def missing() -> dict[str, str]:
    """The kinds of files that this installation cannot read, "tab" and "recording", each with the command to add it."""
    tab = [] if find_spec("guitarpro") and find_spec("defusedxml") else [GET_GUITARPRO]
    recording = [] if find_spec("soundfile") and find_spec("soxr") else [GET_AUDIO]
    recording += [] if network() else [GET_NETWORK]
    return {kind: " && ".join(commands) for kind, commands in (("tab", tab), ("recording", recording)) if commands}


def readable() -> dict[str, tuple[str, ...]]:
    """The suffixes of songs that this installation can open, by the words for their kinds, as in `missing`."""
    kinds = {
        "midi": MIDI_SUFFIXES,
        "score": SCORE_SUFFIXES + ABC_SUFFIXES + HUMDRUM_SUFFIXES + MUSESCORE_SUFFIXES,
        "tab": GUITARPRO_SUFFIXES + GPIF_SUFFIXES,
        "other_tab": TUXGUITAR_SUFFIXES + POWERTAB_SUFFIXES,
        "dawproject": DAWPROJECT_SUFFIXES,
        "recording": RECORDING_SUFFIXES,
    }
    return {kind: suffixes for kind, suffixes in kinds.items() if kind not in missing()}
