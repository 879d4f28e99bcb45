"""What is said to a server of guitar and drums that become a file of another kind, and what it says; as `messages`."""

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
"""What guitar and drums can become."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that a server made. name: without a folder. media_type: such as "image/png". data: its bytes."""

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
    """Asks for a song and drums as a file of another kind.

    Raises:
        OptionError: there is no such format, or a number is one that no message can hold.
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
    """The pieces of such a file, put together."""

    def __init__(self) -> None:
        self._about: pb.RenderedFile | None = None
        self._data = bytearray()

    def add(self, piece: pb.RenderResponse) -> None:
        """Take in the next piece."""
        if piece.HasField("file"):
            self._about = piece.file
        self._data += piece.chunk

    def file(self) -> RemoteFile:
        """The file, once all has come.

        Raises:
            ServerFault: something is missing.
        """
        about = self._about
        if about is None or len(self._data) != about.size:
            raise ServerFault("a file came back damaged from the server; try again")
        return RemoteFile(about.name, about.media_type, bytes(self._data))
