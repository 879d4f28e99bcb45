"""A watched folder: every song that appears or changes in it gets its drums in another folder, or in the same.

The folder is polled, which works everywhere, on network drives too. `Ledger` decides which songs are complete, done or
postponed; it knows no files and no clock. Songs are played in parallel, started in the order of their names. A song
that fails holds up no other; a server that fails does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from client import songs
from client.errors import ServerBusy, ServerUnavailable, Unauthenticated, exit_code
from client.messages import MOST_BYTES, RemoteTake
from seq2drum.console import paths
from seq2drum.console.terminal import as_text
from seq2drum.errors import InputError, OptionError, OutputError, Seq2DrumError
from seq2drum.formats import foreign
from seq2drum.music.limits import SONG_SUFFIXES
from seq2drum.system import files

ERROR_SUFFIX = ".error.txt"
LOOK_SECONDS = 0.25  # between two polls of the folder
RETRY_SECONDS = (
    1.0,
    30.0,
)  # first and longest wait for an absent server or an unwritable folder
OPTIONS_SUFFIX = ".json"
_MOST_OPTIONS = 1 << 16  # bytes of a song's own options
Play = Callable[[bytes, Mapping[str, Any]], Awaitable[Sequence[RemoteTake]]]


async def _one() -> int:
    return 1


class Stamp(NamedTuple):
    """The size of a file in bytes and its modification time in nanoseconds, one of which a change changes."""

    size: int
    time: int


class Postponed(NamedTuple):
    """A postponed song: until when, its last wait in seconds, and the reason."""

    until: float
    seconds: float
    why: str


_NOT_POSTPONED = Postponed(0.0, 0.0, "")


class Ledger:
    """Decides which songs are complete and which are done.

    settle: seconds without a change after which a file is complete.
    """

    def __init__(self, settle: float, done: Mapping[str, Stamp]) -> None:
        self._settle = settle
        self._done = dict(done)
        self._seen: dict[str, tuple[Stamp, float]] = {}
        self._postponed: dict[str, Postponed] = {}

    def see(self, there: Mapping[str, Stamp], now: float) -> list[str]:
        """Record the files of now, in seconds of any clock; return the songs to play.

        They come in the order of `there`, postponed ones last.
        """
        self._done = {name: stamp for name, stamp in self._done.items() if name in there}
        seen = self._seen
        self._seen = {
            name: seen[name] if name in seen and seen[name][0] == stamp else (stamp, now)
            for name, stamp in there.items()
        }
        whole = [name for name in self._open() if now - self._seen[name][1] >= self._settle]
        ready = [name for name in whole if now >= self._postponed.get(name, _NOT_POSTPONED).until]
        return sorted(ready, key=lambda name: name in self._postponed)

    def finish(self, name: str, stamp: Stamp) -> str:
        """Record that a song is done or has failed, until it changes. Return why it had been postponed."""
        self._done[name] = stamp
        return self._postponed.pop(name, _NOT_POSTPONED).why

    def postpone(self, name: str, now: float, why: str = "") -> bool:
        """Postpone a song, longer each time. Return whether the reason is new."""
        before = self._postponed.get(name, _NOT_POSTPONED)
        seconds = min(max(2 * before.seconds, RETRY_SECONDS[0]), RETRY_SECONDS[1])
        self._postponed[name] = Postponed(now + seconds, seconds, why)
        return why != before.why

    def stamp(self, name: str) -> Stamp:
        """Return the stamp of a known song."""
        return self._seen[name][0]

    @property
    def names(self) -> list[str]:
        """The known songs."""
        return list(self._seen)

    @property
    def is_done(self) -> bool:
        """True if every known song is done."""
        return not self._open()

    def _open(self) -> list[str]:
        return [name for name, (stamp, _) in self._seen.items() if self._done.get(name) != stamp]


class Backoff:
    """The wait after a failure that all songs share, mostly the server's.

    It is reported once, and grows until a success.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._said, self._next, self._until = say, "", RETRY_SECONDS[0], 0.0

    @property
    def needed(self) -> bool:
        """True while the last failure stands."""
        return bool(self._said)

    def holds(self, now: float) -> bool:
        """Return whether it is too early for another attempt."""
        return now < self._until

    def tell(self, text: str) -> None:
        """Report a failure, but not twice in a row."""
        if text != self._said:
            self._say(text)
        self._said = text

    def wait(self, text: str, now: float, least: float = 0) -> None:
        """Report a failure and wait. If several songs fail together, the first counts."""
        self.tell(text)
        if not self.holds(now):
            self._until, self._next = now + max(self._next, least), min(2 * self._next, RETRY_SECONDS[1])

    def end(self) -> None:
        """Record a success."""
        if self._said:
            self._say("going on")
        self._said, self._next = "", RETRY_SECONDS[0]


@dataclass(frozen=True)
class FolderWatch:
    """A watched folder and the actions on its songs.

    play: returns the takes of a song, given its own options, the object in NAME.json beside NAME. takes: their number.
    written: called with each written take, its song, its file, and the seconds it took. say: prints a line for people.
    once: play to the present songs, and end. parallel_calls: returns the number of songs to play in parallel; called
    when there are several.
    """

    folder: Path
    output: Path
    play: Play
    takes: int
    written: Callable[[RemoteTake, str, str, float], None]
    say: Callable[[str], None]
    settle: float = 1.0
    once: bool = False
    parallel_calls: Callable[[], Awaitable[int]] = _one

    async def run(self) -> int:
        """Watch until cancelled or, with `once`, until all songs are done; return the exit code.

        Raises:
            InputError, OutputError, OptionError: a folder cannot be used.
            Unauthenticated: the server does not let this client in. Other failures of the server are waited out,
                but raised with `once`.
        """
        self._prepare()
        there = self._look() or {}
        done = {name: stamp for name, stamp in there.items() if self._is_done(name, list(there))}
        ledger = Ledger(self.settle, done)
        waiting, running = Backoff(self.say), dict[asyncio.Task[int], str]()
        code, most = 0, 1
        try:
            while True:
                # 1. Start songs; only one after a failure.
                ready = self._ready(ledger, waiting, running)
                if most == 1 and len(ready) > 1 and not waiting.needed:
                    most = await self.parallel_calls()
                for name in ready[: max(0, (1 if waiting.needed else most) - len(running))]:
                    running[asyncio.create_task(self._play_song(name, ledger))] = name
                if self.once and ledger.is_done and not running:
                    return code
                # 2. Collect finished songs.
                for task in await self._some(running):
                    name = running.pop(task)
                    try:
                        code = max(code, task.result())
                    except (ServerUnavailable, ServerBusy) as error:
                        if self.once:
                            raise
                        if error.retry_seconds is not None:  # the server works: another song may succeed
                            ledger.postpone(name, time.monotonic())
                        waiting.wait(f"{error}; waiting", time.monotonic(), error.retry_seconds or 0)
                    else:
                        waiting.end()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _ready(self, ledger: Ledger, waiting: Backoff, running: Mapping[asyncio.Task[int], str]) -> list[str]:
        """Return the songs that may start, by name."""
        there, now = self._look(), time.monotonic()
        if there is None:
            if self.once:
                raise InputError(f"the folder {files.named(self.folder)} cannot be read")
            waiting.tell(f"the folder {files.named(self.folder)} cannot be read; waiting for it")
            return []
        ready = ledger.see(there, now)
        return [] if waiting.holds(now) else [name for name in ready if name not in running.values()]

    async def _some(self, running: Mapping[asyncio.Task[int], str]) -> list[asyncio.Task[int]]:
        """Return the finished songs in the order of their start, once there are any or it is time to poll."""
        if running:
            await asyncio.wait(running, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(LOOK_SECONDS)
        return [task for task in running if task.done()]

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
        """Return the files that may be songs, or None if the folder cannot be read now."""
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

    def _is_done(self, name: str, others: Sequence[str]) -> bool:
        """Return whether the drums of a song exist and are not older. others: the files of its folder."""
        song, made = _stamp(self.folder / name), [_stamp(path) for path in self._targets(name, others)]
        return song is not None and all(stamp is not None and stamp.time >= song.time for stamp in made)

    def _targets(self, name: str, others: Sequence[str]) -> list[Path]:
        songs = [name, *(other for other in others if other != name and _is_song(other))]
        return [Path(path) for path in paths.numbered(paths.named_apart(songs, folder=self.output)[0], self.takes)]

    async def _play_song(self, name: str, ledger: Ledger) -> int:
        """Play to one song, or write the reason of a failure beside its drums; return the exit code.

        Raises:
            ServerUnavailable, ServerBusy, Unauthenticated: the failure is not the song's.
        """
        begun, stamp, others = time.monotonic(), ledger.stamp(name), ledger.names
        try:
            if not _is_song(name):
                self._refuse_foreign(name)
                ledger.finish(name, stamp)
                return 0
            if self._leads_out(name):
                text = "is a link out of the folder, and not opened; put the song itself there"
                raise InputError(f"{files.named(name)} {text}")
            data = files.read_file(self.folder / name, MOST_BYTES)
            if _stamp(self.folder / name) != stamp:
                return 0  # it is still changing, and comes again
            takes = await self.play(data, self._own_options(name))
        except (ServerUnavailable, ServerBusy, Unauthenticated) as error:
            if not songs.kills_workers(error):
                raise
            return self._refused(name, stamp, ledger, error)
        except Seq2DrumError as error:
            return self._refused(name, stamp, ledger, error)
        targets = self._targets(name, others)
        try:
            for take, target in zip(takes, targets, strict=True):
                files.write_file(target, take.midi, overwrite=True)
        except OutputError as error:
            if self.once:
                return self._refused(name, stamp, ledger, error)
            if ledger.postpone(name, time.monotonic(), str(error)):
                self.say(f"{paths.about(name, error)}; waiting")
            return 0
        if ledger.finish(name, stamp):
            self.say("going on")
        with contextlib.suppress(OSError):
            self._error_file(name).unlink(missing_ok=True)
        for take, target in zip(takes, targets, strict=True):
            self.written(take, str(self.folder / name), str(target), (time.monotonic() - begun) / len(takes))
        return 0

    def _own_options(self, name: str) -> dict[str, Any]:
        """Return the options that are written beside a song.

        Raises:
            InputError: they are no JSON object, or a link out of the folder.
        """
        beside = name + OPTIONS_SUFFIX
        if _stamp(self.folder / beside) is None:
            return {}
        if self._leads_out(beside):
            raise InputError(f"{files.named(beside)} is a link out of the folder, and not opened")
        try:
            options = json.loads(files.read_file(self.folder / beside, _MOST_OPTIONS))
        except (ValueError, RecursionError):
            options = None
        if not isinstance(options, dict):
            raise InputError(
                f'{files.named(beside)} holds no options; wanted a JSON object such as {{"style": "rock"}}'
            )
        return options

    def _refused(self, name: str, stamp: Stamp, ledger: Ledger, error: Seq2DrumError) -> int:
        """Report why a song gets no drums, until it changes; return the exit code."""
        ledger.finish(name, stamp)
        message = paths.about(name, error)
        self.say(message)
        self._write_error(name, message)
        return exit_code(error)

    def _leads_out(self, name: str) -> bool:
        """Return whether it is a link to a file elsewhere, whose content must not be revealed."""
        return not (self.folder / name).resolve().is_relative_to(self.folder.resolve())

    def _refuse_foreign(self, name: str) -> None:
        """Raise an InputError that names the kind of a file, if it is known."""
        if self._leads_out(name):
            return
        try:
            with (self.folder / name).open("rb") as file:
                head = file.read(foreign.HEAD_BYTES)
        except OSError:  # gone or unreadable
            return
        foreign.refuse(head, name)

    def _error_file(self, name: str) -> Path:
        return self.output / (name + ERROR_SUFFIX)

    def _write_error(self, name: str, message: str) -> None:
        text = f"{message}\n\nThis note goes away when there are drums.\n"
        with contextlib.suppress(OutputError):  # it was reported already
            files.write_file(self._error_file(name), as_text(text).encode(), overwrite=True)


def _is_song(name: str) -> bool:
    return Path(name).suffix.lower() in SONG_SUFFIXES


def _stamp(path: Path) -> Stamp | None:
    """Return the stamp of a file; None if there is no such file."""
    try:
        if not path.is_file():
            return None
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)
