"""Damaged input by the hundred thousand, guided by coverage.

Two targets: "midi" is `formats.midi.midi.parse`, of any bytes; "wire" is what a parser does with a message of the
contract, of any bytes that are one: the conversion of its configuration, its song, and a brief. Atheris (a libFuzzer
for Python) mutates examples, and keeps what reaches new branches of this package. Wanted: each input is taken, or
refused by an error of the tree of `seq2drum.errors`; an error of any other kind is a fault, and so is a second of the
processor for one input. A fault is written to the working folder as `fault-TARGET-...`, and ends that target's run.
Seconds are of the processor.

Wants `pip install atheris` (Linux and macOS). The same seed and number of runs try the same inputs, as long as the
package is the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.harness import BenchError, Row, Table
from bench.machine import CHECKOUT, command, environment, most_memory

TARGETS = ("midi", "wire")
RUNS = 200_000
LONGEST = 4_000  # bytes of an input: a short one has all that a long one has, and is read in less time
MOST_SECONDS = 1.0  # of the processor, that one may take
LOOK = 500  # runs between two notes of how far it is
KINDS = ("analyze", "convert", "brief")  # of a message, by its first byte


TRIED = Table(
    {
        "target": "",
        "inputs": "{:,}",
        "seconds": "{:.0f}",
        "taken": "{:,}",
        "refused": "{:,}",
        "faults": "{}",
        "slowest, ms of CPU": "{:.0f}",
        "most memory, MB": "{:.0f}",
    }
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"inputs of each (default: {RUNS:,})")
    parser.add_argument("--minutes", type=int, default=0, help="after which each is stopped (default: never)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: 1)")


def run(options: argparse.Namespace) -> Iterator[Row]:
    for target in options.target or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder) / "told.json"
            words = command(fuzz, target, options.runs, options.seed, options.minutes, str(told))
            ended = subprocess.run(words, capture_output=True, text=True, errors="replace", env=environment())
            if not told.exists():
                raise BenchError(ended.stderr[-2000:])
            numbers = json.loads(told.read_text())
        yield TRIED.row(target, *numbers.values())._replace(kept=not numbers["faults"])


class Tally:
    """Outcomes of the inputs so far, written down again and again: libFuzzer ends the process itself."""

    def __init__(self, target: str, file: Path) -> None:
        self.target, self.file = target, file
        self.inputs = self.taken = self.refused = self.faults = 0
        self.slowest = 0.0

    def note(self) -> None:
        line = {
            "inputs": self.inputs,
            "seconds": time.process_time(),
            "taken": self.taken,
            "refused": self.refused,
            "faults": self.faults,
            "slowest_ms": 1000 * self.slowest,
            "megabytes": most_memory(resource.RUSAGE_SELF),
        }
        self.file.write_text(json.dumps(line))

    def fault(self, data: bytes, why: str) -> None:
        self.faults += 1
        self.note()
        name = f"fault-{self.target}-{hashlib.sha256(data).hexdigest()[:12]}"
        Path(name).write_bytes(data)
        raise RuntimeError(f"{why}; the input is in {name}")


def fuzz(target: str, runs: int, seed: int, minutes: int, told: str) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["seq2drum", "server"], enable_loader_override=False):
        try_one = {"midi": midi_target, "wire": wire_target}[target]()
    logging.disable(logging.CRITICAL)
    tally = Tally(target, Path(told))
    tally.note()

    def one(data: bytes) -> None:
        began = time.process_time()
        taken, why = try_one(data)
        seconds = time.process_time() - began
        tally.inputs += 1
        tally.slowest = max(tally.slowest, seconds)
        tally.taken += taken
        tally.refused += not taken
        if why or seconds > MOST_SECONDS:
            tally.fault(data, why or f"it took {seconds:.1f} s")
        if tally.inputs % LOOK == 0 or tally.inputs >= runs:
            tally.note()

    with tempfile.TemporaryDirectory() as corpus:
        for number, example in enumerate(examples(target)):
            (Path(corpus) / f"{number:03}").write_bytes(example)
        words = [f"-runs={runs}", f"-seed={seed}", f"-max_total_time={60 * minutes}"]
        words += [f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=4096"]
        atheris.Setup([sys.argv[0], *words, corpus], one)
        atheris.Fuzz()


Trial = Callable[[bytes], tuple[bool, str]]
"""From an input to whether it was accepted, and the fault in its refusal, if any."""


def midi_target() -> Trial:
    from seq2drum.errors import Seq2DrumError
    from seq2drum.formats.midi import midi

    def try_one(data: bytes) -> tuple[bool, str]:
        try:
            midi.parse(data)
        except Seq2DrumError:
            return False, ""
        except Exception as error:
            return False, f"{type(error).__name__}: {error}"
        return True, ""

    return try_one


def wire_target() -> Trial:
    from google.protobuf.message import DecodeError
    from google.rpc import status_pb2

    from seq2drum.rpc import accompaniment_pb2 as pb
    from server import parser, statuses
    from server.ipc import Frame
    from server.settings import Settings
    from server.workers import start_frame

    rules = parser.RequestRules.of(start_frame(Settings()).head)
    messages: dict[str, Any] = {"analyze": pb.GenerateDrumsRequest, "brief": pb.ComposeRequest}

    def try_one(data: bytes) -> tuple[bool, str]:
        kind, body = KINDS[data[0] % len(KINDS)] if data else KINDS[0], data[1:]
        try:
            if kind in messages:
                messages[kind].FromString(body)
        except DecodeError:  # the front has refused it
            return False, ""
        reply = parser.answer(Frame({"what": kind, "job": 1}, body), rules)
        if reply.head["what"] == "done":
            return True, ""
        status = status_pb2.Status.FromString(reply.body)
        reason = statuses.reason_of(status)
        return False, "" if reason and reason != statuses.INTERNAL_ERROR else f"{reason or 'no reason'}: {status}"

    return try_one


def examples(target: str) -> list[bytes]:
    """Return the seeds of mutation: the songs of the repository, and messages with all fields."""
    songs = [path.read_bytes() for path in sorted((CHECKOUT / "examples").glob("**/*.mid"))]
    songs = sorted((song for song in songs if len(song) < LONGEST), key=len)
    if target == "midi":
        return songs
    from seq2drum.rpc import accompaniment_pb2 as pb

    groove = pb.GrooveChoice(section="verse", name="one drop")
    drums = pb.GrooveChoice(section="chorus", midi=songs[0][:2000])
    config = pb.GenerationConfig(seed=7, style="rock", takes=2, track="1", sections="verse 1-8", groove=[groove, drums])
    asked = [pb.GenerateDrumsRequest(midi=song, config=config) for song in songs[:12]]
    briefs = [pb.Brief(bars=8, bpm=96), pb.Brief(bars=4, takes=2, genres=[pb.GenreShare(name="funk", weight=0.5)])]
    composed = [pb.ComposeRequest(brief=brief) for brief in briefs]
    messages = [b"\0" + one.SerializeToString() for one in asked] + [
        b"\2" + one.SerializeToString() for one in composed
    ]
    return messages + [b"\1" + song for song in songs[:6]]
