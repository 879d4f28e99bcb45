"""Render requests and rendered files as plain values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from client import messages
from client.errors import ServerFault
from client.messages import RemoteOptions, Source
from seq2drum.errors import OptionError
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.system import files

_PREFIX = "RENDER_FORMAT_"
FORMATS = tuple(name.removeprefix(_PREFIX).lower() for name in pb.RenderFormat.keys()[1:])
"""The formats of guitar and drums."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that a server rendered. name: without a folder. media_type: such as "image/png". data: its bytes."""

    name: str
    media_type: str
    data: bytes

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the file, whole or not at all.

        Raises:
            OutputError: it cannot be written; what was there is untouched.
        """
        files.write_file(path, self.data, overwrite=overwrite)
        return Path(path)


def request(song: Source, drums: Source, form: str, options: RemoteOptions) -> pb.RenderRequest:
    """Return the request for a song and drums as a file of another kind.

    Raises:
        OptionError: the format does not exist, or a number does not fit into a message.
        InputError: a file cannot be read.
    """
    if form not in FORMATS:
        raise OptionError(f"there is no format {form[:40]!r}; there are {', '.join(FORMATS)}")
    return pb.RenderRequest(
        midi=messages.song_bytes(song),
        drums=messages.drum_bytes(drums),
        config=messages.config(options),
        format=pb.RenderFormat.Value(_PREFIX + form.upper()),
    )


class Pieces:
    """Collects the pieces of a rendered file."""

    def __init__(self) -> None:
        self._about: pb.RenderedFile | None = None
        self._data = bytearray()

    def add(self, piece: pb.RenderResponse) -> None:
        """Add the next piece."""
        if piece.HasField("file"):
            self._about = piece.file
        self._data += piece.chunk

    def file(self) -> RemoteFile:
        """Return the file, once all pieces have come.

        Raises:
            ServerFault: a piece is missing.
        """
        about = self._about
        if about is None or len(self._data) != about.size:
            raise ServerFault("a file came back damaged from the server; try again")
        return RemoteFile(about.name, about.media_type, bytes(self._data))
