"""A folder is watched: every song that appears or changes in it gets its drums in another, or in the same.

By looking again and again, and not by asking the system to be told: that works everywhere, on network drives too. What
is whole and what is done is decided in `Ledger`, which knows no files and no clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from client.errors import ServerBusy, ServerError, ServerUnavailable, Unauthenticated, exit_code
from client.messages import MOST_BYTES, RemoteTake
from seq2drum import files
from seq2drum.cli import paths
from seq2drum.errors import InputError, OptionError, OutputError, Seq2DrumError
from seq2drum.formats import foreign
from seq2drum.music.limits import SONG_SUFFIXES

ERROR_SUFFIX = ".error.txt"
LOOK_SECONDS = 0.25  # between two looks at the folder
PATIENCE = (1.0, 30.0)  # seconds to wait for a server that is away, at first and at most
Play = Callable[[bytes], Awaitable[Sequence[RemoteTake]]]


class Stamp(NamedTuple):
    """What a change of a file changes: its size in bytes and its time in nanoseconds."""

    size: int
    time: int


class Ledger:
    """Which songs are whole, and which of them are done. settle: seconds after which a file that stays is whole."""

    def __init__(self, settle: float, done: Mapping[str, Stamp]) -> None:
        self._settle = settle
        self._done = dict(done)
        self._seen: dict[str, tuple[Stamp, float]] = {}

    def see(self, there: Mapping[str, Stamp], now: float) -> list[str]:
        """Take in what is there now, in seconds of any clock; returns the songs to play to."""
        self._done = {name: stamp for name, stamp in self._done.items() if name in there}
        seen = self._seen
        self._seen = {
            name: seen[name] if name in seen and seen[name][0] == stamp else (stamp, now)
            for name, stamp in there.items()
        }
        return [name for name in self._open() if now - self._seen[name][1] >= self._settle]

    def finish(self, name: str, stamp: Stamp) -> None:
        """Note that a song is done, for good or ill, until it changes."""
        self._done[name] = stamp

    @property
    def is_done(self) -> bool:
        """Whether nothing that was seen is still to be played to."""
        return not self._open()

    def _open(self) -> list[str]:
        return [name for name, (stamp, _) in self._seen.items() if self._done.get(name) != stamp]


@dataclass(frozen=True)
class FolderWatch:
    """What is watched, and what is done with it.

    play: the takes of a song. takes: how many there will be. written: is called with each take that was written, its
    song, its file, and the seconds it took. say: a line for people. once: play to what is there, and end.
    """

    folder: Path
    output: Path
    play: Play
    takes: int
    written: Callable[[RemoteTake, str, str, float], None]
    say: Callable[[str], None]
    settle: float = 1.0
    once: bool = False

    async def run(self) -> int:
        """Watch until cancelled, or, for once, until all is done; returns the exit code.

        Raises:
            InputError, OutputError, OptionError: a folder cannot be used.
            Unauthenticated: the server does not let this client in. Whatever else is the matter with the server is
                waited for, but for once it is raised.
        """
        self._prepare()
        there = self._look()
        ledger = Ledger(self.settle, {} if there is None else {n: s for n, s in there.items() if self._is_done(n)})
        code, trouble, wait, resume = 0, "", PATIENCE[0], 0.0
        while True:
            there = self._look()
            if there is None:
                if self.once:
                    raise InputError(f"the folder {self.folder} cannot be read")
                trouble = self._say_once(f"the folder {self.folder} cannot be read; waiting for it", trouble)
            ready = ledger.see(there, time.monotonic()) if there is not None else []
            for name in ready if time.monotonic() >= resume else []:
                assert there is not None  # else nothing is ready
                try:
                    code = max(code, await self._serve(name, there, ledger))
                except Unauthenticated:
                    raise
                except (ServerUnavailable, ServerBusy, OutputError) as error:
                    if self.once:
                        raise
                    trouble = self._say_once(f"{error}; waiting", trouble)
                    later = error.retry_seconds if isinstance(error, ServerError) else None
                    resume, wait = time.monotonic() + max(wait, later or 0), min(2 * wait, PATIENCE[1])
                    break
                if trouble:
                    self.say("going on")
                trouble, wait = "", PATIENCE[0]
            if self.once and ledger.is_done:
                return code
            await asyncio.sleep(LOOK_SECONDS)

    def _prepare(self) -> None:
        if not self.folder.is_dir():
            raise InputError(f"there is no folder {str(self.folder)!r} to watch; make it first")
        try:
            self.output.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise OptionError(f"{str(self.output)!r} is a file; wanted a folder for the drums") from None
        except OSError as error:
            raise OutputError(f"the folder {str(self.output)!r} cannot be made ({error.strerror})") from None

    def _look(self) -> dict[str, Stamp] | None:
        """The files that may be songs, or None if the folder cannot be read now."""
        songs = {}
        try:
            names = sorted(path.name for path in self.folder.iterdir())
        except OSError:
            return None
        for name in names:
            if name.startswith((".", "~")) or name.endswith(ERROR_SUFFIX) or paths.is_ours(name):
                continue
            if stamp := _stamp(self.folder / name):
                songs[name] = stamp
        return songs

    def _is_done(self, name: str) -> bool:
        """Whether the drums of a song are there, and not older."""
        song, made = _stamp(self.folder / name), [_stamp(path) for path in self._targets(name)]
        return song is not None and all(stamp is not None and stamp.time >= song.time for stamp in made)

    def _targets(self, name: str) -> list[Path]:
        return [
            Path(path)
            for path in paths.numbered(str(self.output / (Path(name).stem + paths.OUTPUT_SUFFIX)), self.takes)
        ]

    async def _serve(self, name: str, there: Mapping[str, Stamp], ledger: Ledger) -> int:
        """Play to one song, or say beside its drums why not; returns the exit code."""
        begun, stamp = time.monotonic(), there[name]
        try:
            if not _is_song(name):
                self._refuse_foreign(name)
                ledger.finish(name, stamp)
                return 0
            if other := next((song for song in there if song < name and _drums_of(song) == _drums_of(name)), None):
                raise OptionError(f"{name} has the same name as {other}; give one of them another")
            data = files.read_file(self.folder / name, MOST_BYTES)
            if _stamp(self.folder / name) != stamp:
                return 0  # it goes on changing, and is seen to
            takes = await self.play(data)
        except (ServerUnavailable, ServerBusy, Unauthenticated):
            raise
        except Seq2DrumError as error:
            ledger.finish(name, stamp)
            message = paths.about(name, error)
            self.say(message)
            self._write_error(name, message)
            return exit_code(error)
        targets = self._targets(name)
        for take, target in zip(takes, targets, strict=True):
            files.write_file(target, take.midi, overwrite=True)
        ledger.finish(name, stamp)
        with contextlib.suppress(OSError):
            self._error_file(name).unlink(missing_ok=True)
        for take, target in zip(takes, targets, strict=True):
            self.written(take, str(self.folder / name), str(target), (time.monotonic() - begun) / len(takes))
        return 0

    def _refuse_foreign(self, name: str) -> None:
        """Raise an InputError that says what a file is, if that is known. Of others there is nothing to say."""
        try:
            with (self.folder / name).open("rb") as file:
                head = file.read(foreign.HEAD_BYTES)
        except OSError:  # it is gone, or not to be read
            return
        foreign.refuse(head, name)

    def _error_file(self, name: str) -> Path:
        return self.output / (name + ERROR_SUFFIX)

    def _write_error(self, name: str, message: str) -> None:
        text = f"{message}\n\nThis note goes away when there are drums.\n"
        with contextlib.suppress(OutputError):  # it was said already
            files.write_file(self._error_file(name), text.encode(), overwrite=True)

    def _say_once(self, text: str, before: str) -> str:
        """Say something, but not again and again; returns what was said last."""
        if text != before:
            self.say(text)
        return text


def _is_song(name: str) -> bool:
    return Path(name).suffix.lower() in SONG_SUFFIXES


def _drums_of(name: str) -> str | None:
    """What the drums of a song are called, without their suffix; None if it is no song by its name."""
    return Path(name).stem if _is_song(name) else None


def _stamp(path: Path) -> Stamp | None:
    """The stamp of a file; None if there is no such file."""
    try:
        if not path.is_file():
            return None
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)
