"""Mode infer: drums for guitar files."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import places
from seq2drum.cli.terminal import StandardOutputError, bar, say, standard_output
from seq2drum.errors import OptionError, Seq2DrumError

if TYPE_CHECKING:  # imported on use: help and errors come at once, and playing never loads torch
    from seq2drum.drummer import Drummer, Options, Take

FLAGS = (
    "seed",
    "model",
    "files",
    "output",
    "temperature",
    "top_p",
    "track",
    "with_guitar",
    "score",
    "force",
    "json",
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of playing."""
    infer = parser.add_argument_group("infer: drums for guitar files")
    infer.add_argument(
        "files", nargs="*", metavar="SONG", help="MIDI or MusicXML files, folders of them, or - for MIDI on stdin"
    )
    infer.add_argument(
        "-o",
        "--output",
        metavar="FILE|DIR",
        help=f"where to write; - is standard output (default: SONG{places.OUTPUT_SUFFIX} beside the song)",
    )
    infer.add_argument(
        "--temperature", type=float, metavar="T", help="0 the most likely take, 1 as free as real music (default: 1)"
    )
    infer.add_argument(
        "--top-p", type=float, metavar="P", help="keep this share of what is likely; lower is tamer (default: 0.99)"
    )
    infer.add_argument(
        "--track", metavar="N|NAME", help="the guitar part, by number from 1 or by name (default: what looks like one)"
    )
    infer.add_argument(
        "--with-guitar", action="store_true", help="write the whole song, with these drums instead of its own"
    )
    infer.add_argument("--score", metavar="FILE", help="also write the drums as a MusicXML score")
    infer.add_argument("--force", action="store_true", help="overwrite what is there")
    infer.add_argument("--json", action="store_true", help="print one line of JSON a take")


def run(options: argparse.Namespace) -> int:
    """Play to each song; returns the exit code."""
    from seq2drum.drummer import Drummer, Options

    wanted = Options(seed=options.seed, track=options.track)
    for name in ("temperature", "top_p"):
        if getattr(options, name) is not None:
            wanted = replace(wanted, **{name: getattr(options, name)})
    jobs = places.jobs(options.files, options.output)
    if options.score and len(jobs) > 1:
        raise OptionError(f"--score names one file, but there are {len(jobs)} songs")
    if options.score and (options.score == "-" or Path(options.score).absolute() == Path(jobs[0][1]).absolute()):
        raise OptionError("--score wants a file of its own")
    inputs = {place for source, _ in jobs if (place := places.place(source))}
    drummer = Drummer.load(options.model or "default")
    code = 0
    with bar(len(jobs) if len(jobs) > 1 else None, "playing") as advance:
        for source, target in jobs:
            try:
                for written in filter(None, (target, options.score)):
                    places.check_target(written, inputs, overwrite=options.force)
                _play_one(drummer, source, target, wanted, options)
            except StandardOutputError:
                raise
            except Seq2DrumError as error:
                told, shown = str(error), "standard input" if source == "-" else source
                say(f"seq2drum: {told}" if shown in told else f"seq2drum: {shown}: {told}")
                code = 2
            advance(1, "")
    return code


def _play_one(drummer: Drummer, source: str, target: str, wanted: Options, options: argparse.Namespace) -> None:
    from seq2drum import midi

    begun = time.perf_counter()
    if source == "-":
        song: str | bytes = sys.stdin.buffer.read(midi.DEFAULT_LIMITS.file_bytes + 1)
    else:
        song = source
    take = drummer.accompany(song, wanted)
    if target == "-":
        data = take.to_bytes(with_guitar=options.with_guitar)
        with standard_output():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    else:
        take.save(target, with_guitar=options.with_guitar, overwrite=options.force)
    if options.score:
        from seq2drum import files, score

        title = "Drums" if source == "-" else Path(source).stem
        files.write_file(options.score, score.write_score(take.song, take.part, title), overwrite=options.force)
    seconds = time.perf_counter() - begun
    guitar = [f"{index + 1} {take.song.parts[index].name}".strip() for index in take.guitar.parts]
    if options.json:
        line = {
            "input": source,
            "output": target,
            "bars": len(take.song.bars()),
            "hits": len(take.part),
            "seed": wanted.seed,
            "seconds": round(seconds, 3),
            "guitar": guitar,
            "why": take.guitar.reason,
        }
        told = json.dumps(line)
    else:
        told = _told(take, target, seconds)
    if target != "-":
        with standard_output():
            print(told, flush=True)
    elif options.json:  # standard output belongs to the take
        say(told)


def _told(take: Take, target: str, seconds: float) -> str:
    names = ", ".join(str(index + 1) for index in take.guitar.parts)
    heard = f"{'part' if len(take.guitar.parts) == 1 else 'parts'} {names} ({take.guitar.reason})"
    return f"{target}: {len(take.song.bars())} bars, {len(take.part)} hits in {seconds:.1f} s, listening to {heard}"
