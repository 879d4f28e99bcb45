"""How large the files of callers may be, while they arrive and when they are here."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack

from seq2drum.formats import foreign
from seq2drum.rpc import accompaniment_pb2 as pb
from server.settings import Settings
from server.statuses import Refusal

HEAD_BYTES = 16
"""The first bytes of a file, by which recordings are known."""


class Sizes:
    """How large files may be: a song, and a recording, which may be larger."""

    def __init__(self, settings: Settings) -> None:
        self.most = settings.limits.file_bytes
        self._recording = max(self.most, settings.max_recording_bytes)

    def most_of(self, file: bytes | bytearray) -> int:
        """How large this file may be. file: its first bytes at least."""
        return self._recording if is_recording(file) else self.most

    def check(self, file: bytes | bytearray) -> None:
        """Refuse a song that is missing or too large."""
        if not file:
            raise Refusal("MIDI_MISSING", "there are no bytes of a MIDI file, wanted 1 or more", field="midi")
        if len(file) > (most := self.most_of(file)):
            raise too_large(len(file), most)

    def check_drums(self, file: bytes) -> None:
        """Refuse a file of drums that is too large."""
        if len(file) > self.most:
            raise too_large(len(file), self.most, field="drums")

    def check_config(self, config: pb.GenerationConfig) -> None:
        """Refuse a configuration with a file that is too large."""
        files = [("config.groove", groove.midi) for groove in config.groove] + [("config.like", config.like)]
        for field, file in files:
            if len(file) > self.most:
                raise too_large(len(file), self.most, field=field)


class Upload:
    """A file that arrives piece by piece.

    sizes: how large it may be. large: a place for a file beyond the size of a song. held: keeps it.
    """

    def __init__(self, sizes: Sizes, large: AbstractContextManager[None], held: ExitStack) -> None:
        self.file = bytearray()
        self._sizes, self._large, self._held = sizes, large, held

    def add(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            Refusal: MIDI_TOO_LARGE; QUEUE_FULL, there is no room for one so large.
        """
        before = len(self.file)
        self.file += piece
        if len(self.file) > (most := self._sizes.most_of(self.file)):
            raise too_large(len(self.file), most, "so far ")
        if before <= self._sizes.most < len(self.file):
            self._held.enter_context(self._large)


def too_large(size: int, most: int, so_far: str = "", field: str = "midi") -> Refusal:
    """Why a file is refused that is too large."""
    return Refusal("MIDI_TOO_LARGE", f"the file has {so_far}{size:,} bytes, wanted at most {most:,}", field=field)


def is_recording(file: bytes | bytearray) -> bool:
    """Whether a song is a recording, by its first bytes."""
    return foreign.is_recording(bytes(file[:HEAD_BYTES]))
