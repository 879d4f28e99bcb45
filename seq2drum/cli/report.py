"""What is printed of a take, by the command line and by the client: a line for people, or a line of JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2drum import files
from seq2drum.cli.terminal import say, standard_output, width
from seq2drum.music.explanation import Explanation, SectionGroove, Swap, in_words
from seq2drum.music.shown import visible


@dataclass(frozen=True)
class Report:
    """What there is to say of a take that was written.

    source, target: the names of the song and of the take; "-" is a standard stream. bars, hits: how many. parts: the
    guitar parts listened to, by number from 1. guitar: the same, as JSON names them. reason: why those. score: the F1,
    0 to 1, that its hits are expected to have with what a drummer would play; None where it is the only take. grooves:
    what each section was played on. take: which of several it is, from 1; 0 where there is one. swaps: hits of pieces
    that a sampler lacks. explanations: what was done bar by bar, if that was asked for. more: what only JSON has.
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
        """A line for people, and one for each one."""
        numbers = ", ".join(map(str, self.parts))
        guitar = f"{'part' if len(self.parts) == 1 else 'parts'} {numbers} ({self.reason})"
        target = files.named(self.target)
        line = f"{target}: {self.bars} bars, {self.hits} hits in {self.seconds:.1f} s, listening to {guitar}"
        if self.take or self.grooves:
            named = f"take {self.take}" if self.take else "groove"
            line += "; " + ": ".join(filter(None, [named, in_words(self.grooves)]))
        if self.score is not None:
            line += f"; seed {self.seed}, score {self.score:.2f}"
        told = [*map(str, self.swaps), *map(str, self.explanations or ())]
        return "\n".join([line, *map(_wrapped, told)])

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
    """Print a report; on standard error, and only if something was asked for, where standard output has the take.

    Raises:
        StandardOutputError: standard output takes no more.
    """
    text = report.as_json() if as_json else visible(report.as_text())
    if report.target != "-":
        with standard_output():
            print(text, flush=True)
    elif as_json or report.explanations is not None:
        say(text)
