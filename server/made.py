"""What guitar and drums become in Render: of each format its name, the end of a file's name, and its media type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from seq2drum.rpc import accompaniment_pb2 as pb
from server.statuses import Refusal

MOST_TITLE = 100
"""The longest title, in characters."""
_ODD = re.compile(r"[^\w .()'-]+")  # in the name of a file: signs that a system may give a meaning


class Made(NamedTuple):
    """The format that is asked for, and the name and the media type of the file."""

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
    }
)


def of(request: pb.RenderRequest) -> Made:
    """What a request asks for.

    Raises:
        Refusal: INVALID_OPTION, no format is said or the title is too long.
    """
    if request.format not in _FORMATS:
        known = ", ".join(pb.RenderFormat.keys()[1:])
        raise Refusal("INVALID_OPTION", f"no format is said that there is; there are {known}", field="format")
    if len(request.title) > MOST_TITLE:
        text = f"the title has {len(request.title)} characters, wanted at most {MOST_TITLE}"
        raise Refusal("INVALID_OPTION", text, field="title")
    suffix, media_type = _FORMATS[request.format]
    title = _ODD.sub("_", request.title).strip(" .")
    name = pb.RenderFormat.Name(request.format).removeprefix("RENDER_FORMAT_").lower()
    return Made(name, title + suffix if title else "drums" + suffix.removeprefix(".drums"), media_type)
