"""What the program says: to a person on standard error, to a program on standard output."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2drum.errors import OutputError
from seq2drum.music.shown import visible

PATIENCE = 2.0  # seconds that may pass without a sign of progress
LINE_SECONDS = 30.0  # from line to line of progress in a file


def say(text: str) -> None:
    """A line on standard error."""
    if _speaks():
        with suppress(OSError):  # nobody listens
            print(visible(text), file=sys.stderr, flush=True)


def say_any_letters() -> None:
    """Print names that standard output or standard error has no letters for with escapes in their place.

    A pipe on Windows has the letters of one country, and a file's name may be no text at all.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def open_closed_streams() -> None:
    """Let nothing be read from, and all be written to nowhere, where the program was started without such a stream."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (for as long as it runs)


def as_text(name: str) -> str:
    """A file's name as something that can be written into a file: bytes in it that are no letters become "?"."""
    return name.encode(errors="replace").decode()


def command() -> str:
    """The command as it was given, without the paths of this machine."""
    words = [Path(word).name if os.sep in word and not word.startswith("-") else word for word in sys.argv[1:]]
    return shlex.join(["seq2drum", *words])


class StandardOutputError(OutputError):
    """Standard output takes no more: nothing that follows could be printed."""


def width() -> int:
    """How many columns there are. What goes into a pipe is most likely read in the terminal, too."""
    try:
        there = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        there = 80
    return shutil.get_terminal_size((there or 80, 24)).columns


def has_colours() -> bool:
    """Whether to use colours, see https://no-color.org and https://force-color.org."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def can_say(text: str) -> bool:
    """Whether standard output has all these letters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def standard_output() -> Iterator[None]:
    """Around whatever is written to standard output.

    Raises:
        StandardOutputError: it takes no more.
    """
    try:
        yield
    except OSError as error:
        raise StandardOutputError(f"standard output cannot be written ({error.strerror})") from error


def close_standard_output(error: StandardOutputError) -> None:
    """Say why nothing more is written, unless the reader has gone, and let nothing more be tried."""
    if not isinstance(error.__cause__, BrokenPipeError):  # whoever stopped reading needs no message
        say(f"seq2drum: {error}")
    # Python would try once more at its end, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _speaks() -> bool:
    """Of several processes that torchrun started, only the first speaks."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def bar(total: float | None, what: str, *, lines: bool = False) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on standard error, shown only to a person and only when it takes longer than two seconds.

    Without a total it only moves: something is being done. lines: of what takes minutes, a file or a pipe gets a line
    every LINE_SECONDS.
    """
    if not sys.stderr.isatty() or not _speaks():
        yield _lines(total or 1, what) if lines else lambda amount, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.percentage:3.0f} %"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    progress = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=4,
        redirect_stdout=sys.stdout.isatty(),  # a file or a pipe gets its lines, however long the bar has been there
    )
    task = progress.add_task(what, total=total)
    patience = threading.Timer(PATIENCE, progress.start)
    patience.daemon = True
    patience.start()

    def advance(amount: float, text: str) -> None:
        progress.update(task, advance=amount, description=f"{what} {text}".strip())

    try:
        yield advance
    finally:
        patience.cancel()
        patience.join()  # it may be starting at this very moment
        if progress.live.is_started:
            progress.stop()


def _lines(total: float, what: str) -> Callable[[float, str], None]:
    """What says a line of progress when the last is LINE_SECONDS old."""
    done, said = 0.0, time.monotonic()

    def advance(amount: float, text: str) -> None:
        nonlocal done, said
        done += amount
        if time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            say(f"{what} {done / total:.0%}: {text}")

    return advance
