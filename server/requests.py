"""Checks and replies that need no worker: file sizes, render formats, the server's information."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from types import MappingProxyType
from typing import NamedTuple

from seq2drum import __version__
from seq2drum.formats import foreign
from seq2drum.rpc import accompaniment_pb2 as pb
from server.settings import Settings
from server.statuses import Refusal

# --- sizes and uploads ------------------------------------------------------------------------------------------------


HEAD_BYTES = 16
"""The number of first bytes of a file that identify recordings."""


class SizeLimits:
    """The largest sizes of files: of a song, and of a recording, which may be larger."""

    def __init__(self, settings: Settings) -> None:
        self.most = settings.limits.file_bytes
        self._recording = max(self.most, settings.max_recording_bytes)

    def most_of(self, file: bytes | bytearray) -> int:
        """Return the size limit of a file, given its first bytes at least."""
        return self._recording if is_recording(file) else self.most

    def check(self, file: bytes | bytearray) -> None:
        """Refuse a song that is missing or too large."""
        if not file:
            raise Refusal("MIDI_MISSING", "there are no bytes of a MIDI file, wanted 1 or more", field="midi")
        if len(file) > (most := self.most_of(file)):
            raise too_large(len(file), most)

    def check_drums(self, file: bytes) -> None:
        """Refuse a drum file that is too large."""
        if len(file) > self.most:
            raise too_large(len(file), self.most, field="drums")

    def check_config(self, config: pb.GenerationConfig) -> None:
        """Refuse a configuration with a file that is too large."""
        files = [("config.groove", groove.midi) for groove in config.groove] + [("config.like", config.like)]
        for field, file in files:
            if len(file) > self.most:
                raise too_large(len(file), self.most, field=field)


class Upload:
    """A file that arrives in chunks.

    sizes: its limits. large: a place for a file that is larger than a song may be. held: keeps that place.
    """

    def __init__(self, sizes: SizeLimits, large: AbstractContextManager[None], held: ExitStack) -> None:
        self.file = bytearray()
        self._sizes, self._large, self._held = sizes, large, held

    def add(self, piece: bytes) -> None:
        """Add the next chunk.

        Raises:
            Refusal: MIDI_TOO_LARGE; QUEUE_FULL, too many large files are arriving.
        """
        before = len(self.file)
        self.file += piece
        if len(self.file) > (most := self._sizes.most_of(self.file)):
            raise too_large(len(self.file), most, "so far ")
        if before <= self._sizes.most < len(self.file):
            self._held.enter_context(self._large)


def too_large(size: int, most: int, so_far: str = "", field: str = "midi") -> Refusal:
    """Return the refusal of a file that is too large."""
    return Refusal("MIDI_TOO_LARGE", f"the file has {so_far}{size:,} bytes, wanted at most {most:,}", field=field)


def is_recording(file: bytes | bytearray) -> bool:
    """Return whether a song is a recording, by its first bytes."""
    return foreign.is_recording(bytes(file[:HEAD_BYTES]))


# --- formats of Render ------------------------------------------------------------------------------------------------


MOST_TITLE = 100
"""The longest title, in characters."""
_ODD = re.compile(r"[^\w .()'-]+")  # in file names: characters that a system may interpret


class RenderTarget(NamedTuple):
    """The requested format, and the name and media type of the file."""

    format: str
    name: str
    media_type: str


_FORMATS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        pb.RENDER_FORMAT_MIDI: (".drums.mid", "audio/midi"),
        pb.RENDER_FORMAT_MIDI_WITH_GUITAR: (".with-drums.mid", "audio/midi"),
        pb.RENDER_FORMAT_WAV: (".wav", "audio/wav"),
        pb.RENDER_FORMAT_STEMS: (".stems.zip", "application/zip"),
        pb.RENDER_FORMAT_MUSICXML: (".musicxml", "application/vnd.recordare.musicxml+xml"),
        pb.RENDER_FORMAT_PICTURE: (".png", "image/png"),
        pb.RENDER_FORMAT_RPP: (".rpp", "application/octet-stream"),
        pb.RENDER_FORMAT_DAWPROJECT: (".dawproject", "application/octet-stream"),
        pb.RENDER_FORMAT_FLAC: (".flac", "audio/flac"),
        pb.RENDER_FORMAT_TAB: (".txt", "text/plain; charset=utf-8"),
        pb.RENDER_FORMAT_GUITAR_PRO: (".gp5", "application/octet-stream"),
    }
)


def render_target(request: pb.RenderRequest) -> RenderTarget:
    """Return the export that a RenderRequest describes.

    Raises:
        Refusal: INVALID_OPTION, the format is missing or the title is too long.
    """
    if request.format not in _FORMATS:
        known = ", ".join(pb.RenderFormat.keys()[1:])
        raise Refusal("INVALID_OPTION", f"the format is missing or unknown; there are {known}", field="format")
    if len(request.title) > MOST_TITLE:
        text = f"the title has {len(request.title)} characters, wanted at most {MOST_TITLE}"
        raise Refusal("INVALID_OPTION", text, field="title")
    suffix, media_type = _FORMATS[request.format]
    title = _ODD.sub("_", request.title).strip(" .")
    name = pb.RenderFormat.Name(request.format).removeprefix("RENDER_FORMAT_").lower()
    return RenderTarget(name, title + suffix if title else "drums" + suffix.removeprefix(".drums"), media_type)


# --- the server's own information -------------------------------------------------------------------------------------


API_VERSIONS = ("v1",)


def server_info(settings: Settings) -> pb.GetServerInfoResponse:
    """Return the version, the limits, and the kind of credentials that the server needs."""
    limits = settings.limits
    return pb.GetServerInfoResponse(
        version=__version__,
        api_versions=API_VERSIONS,
        limits=pb.Limits(
            max_midi_bytes=limits.file_bytes,
            max_chunk_bytes=settings.max_chunk_bytes,
            max_tracks=limits.tracks,
            max_events=limits.events,
            max_tempos=limits.tempos,
            max_meters=limits.metres,
            max_quarters=limits.quarters,
            max_seconds=limits.seconds,
            max_bars=settings.max_bars,
            max_takes=settings.max_takes,
            max_playing=settings.playing,
            max_waiting=settings.waiting,
            max_queue_seconds=settings.queue_seconds,
            default_deadline_seconds=settings.default_deadline_seconds,
            max_idle_seconds=settings.idle_seconds,
            max_numerator=limits.numerator,
            max_denominator=limits.denominator,
            min_bpm=limits.slowest,
            max_bpm=limits.fastest,
            max_recording_bytes=settings.max_recording_bytes,
        ),
        auth=_auth(settings),
        missing_readers=[pb.MissingReader(kind=kind, install=install) for kind, install in foreign.missing().items()],
        readers=[pb.Reader(kind=kind, suffixes=suffixes) for kind, suffixes in foreign.readable().items()],
    )


def _auth(settings: Settings) -> pb.AuthMode.ValueType:
    if settings.all_tokens:
        return pb.AUTH_MODE_TOKEN
    return pb.AUTH_MODE_CERTIFICATE if settings.client_ca else pb.AUTH_MODE_NONE
