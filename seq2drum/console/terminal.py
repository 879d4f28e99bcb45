"""Output: to a person on standard error, to a program on standard output."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from seq2drum.errors import OutputError
from seq2drum.music.explanation import Explanation, SectionGroove, Swap, in_words
from seq2drum.music.shown import visible
from seq2drum.system import files

PATIENCE = 2.0  # seconds without a sign of progress
LINE_SECONDS = 30.0  # from line to line of progress in a file


def say(text: str) -> None:
    """A line on standard error."""
    if _speaks():
        with suppress(OSError):  # nobody listens
            print(visible(text), file=sys.stderr, flush=True)


def say_any_letters() -> None:
    """Escape letters that standard output or standard error cannot encode.

    A pipe on Windows has the letters of one country, and a file's name can be arbitrary bytes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def open_closed_streams() -> None:
    """Replace standard streams that the caller closed with the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (for as long as it runs)


def as_text(name: str) -> str:
    """A file's name as text for a file: undecodable bytes become "?"."""
    return name.encode(errors="replace").decode()


def command() -> str:
    """The command line, without the paths of this machine."""
    words = [Path(word).name if os.sep in word and not word.startswith("-") else word for word in sys.argv[1:]]
    return shlex.join(["seq2drum", *words])


class StandardOutputError(OutputError):
    """Standard output is closed: nothing more can be printed."""


def width() -> int:
    """The number of columns. Output into a pipe is most likely read in the terminal as well."""
    try:
        there = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        there = 80
    return shutil.get_terminal_size((there or 80, 24)).columns


def has_colours() -> bool:
    """Return whether to use colours, see https://no-color.org and https://force-color.org."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def can_say(text: str) -> bool:
    """Return whether standard output can encode all these letters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def standard_output() -> Iterator[None]:
    """A context for writing to standard output.

    Raises:
        StandardOutputError: it is closed.
    """
    try:
        yield
    except OSError as error:
        raise StandardOutputError(f"standard output cannot be written ({error.strerror})") from error


def close_standard_output(error: StandardOutputError) -> None:
    """Report why writing failed, unless the reader has gone, and suppress further attempts."""
    if not isinstance(error.__cause__, BrokenPipeError):  # a reader that closed the pipe needs no message
        say(f"seq2drum: {error}")
    # Python would try once more at exit, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _speaks() -> bool:
    """Return whether this process reports: of several that torchrun started, only the first does."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def bar(total: float | None, what: str, *, lines: bool = False) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on standard error, shown only on a terminal and only after two seconds.

    Without a total it only moves. lines: for slow work, a file or a pipe gets a line every LINE_SECONDS.
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
        redirect_stdout=sys.stdout.isatty(),  # a file or a pipe gets its lines, while the bar is shown as well
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
        patience.join()  # it can be starting at this very moment
        if progress.live.is_started:
            progress.stop()


def _lines(total: float, what: str) -> Callable[[float, str], None]:
    """A function that prints a line of progress when the last is LINE_SECONDS old."""
    done, said = 0.0, time.monotonic()

    def advance(amount: float, text: str) -> None:
        nonlocal done, said
        done += amount
        if time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            say(f"{what} {done / total:.0%}: {text}")

    return advance


@dataclass(frozen=True)
class Report:
    """The report on a written take.

    source, target: the names of the song and of the take; "-" is a standard stream. bars, hits: their numbers. parts:
    the guitar parts used, by number from 1. guitar: the same, as JSON names them. reason: of that choice. score: the
    expected F1, 0 to 1, of its hits with what a drummer would play; None for the only take. grooves: those of the
    sections. take: its number, from 1; 0 for the only one. swaps: hits of pieces that a sampler lacks. explanations: of
    the take bar by bar, if requested. more: what only JSON has.
    """

    source: str
    target: str
    bars: int
    hits: int
    seed: int
    seconds: float
    parts: Sequence[int]
    guitar: Sequence[str]
    reason: str
    score: float | None = None
    grooves: Sequence[SectionGroove] = ()
    take: int = 0
    swaps: Sequence[Swap] = ()
    explanations: Sequence[Explanation] | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """A line for people, and one for each groove and explanation."""
        numbers = ", ".join(map(str, self.parts))
        guitar = f"{'part' if len(self.parts) == 1 else 'parts'} {numbers} ({self.reason})"
        target = files.named(self.target)
        line = f"{target}: {self.bars} bars, {self.hits} hits in {self.seconds:.1f} s, listening to {guitar}"
        if self.take or self.grooves:
            named = f"take {self.take}" if self.take else "groove"
            line += "; " + ": ".join(filter(None, [named, in_words(self.grooves)]))
        if self.score is not None:
            line += f"; seed {self.seed}, score {self.score:.2f}"
        notes = [*map(str, self.swaps), *map(str, self.explanations or ())]
        return "\n".join([line, *map(_wrapped, notes)])

    def as_json(self) -> str:
        """A line of JSON."""
        line: dict[str, object] = {
            "input": self.source,
            "output": self.target,
            "bars": self.bars,
            "hits": self.hits,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "guitar": list(self.guitar),
            "why": self.reason,
            **self.more,
        }
        if self.take:
            line["take"] = self.take
        if self.grooves:
            line["grooves"] = [groove._asdict() for groove in self.grooves]
        if self.swaps:
            line["swaps"] = [swap._asdict() for swap in self.swaps]
        if self.score is not None:
            line["score"] = round(self.score, 4)
        if self.explanations is not None:
            line["explain"] = [{"first": one.first, "last": one.last, "text": one.text} for one in self.explanations]
        return json.dumps(line)


def _wrapped(text: str) -> str:
    """A text in lines that end between words, indented, as wide as the terminal."""
    return textwrap.fill(
        text,
        max(width(), 40),
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def show(report: Report, *, as_json: bool) -> None:
    """Print a report; on standard error, and only if requested, if standard output has the take.

    Raises:
        StandardOutputError: standard output is closed.
    """
    text = report.as_json() if as_json else visible(report.as_text())
    if report.target != "-":
        with standard_output():
            print(text, flush=True)
    elif as_json or report.explanations is not None:
        say(text)
