"""Mode infer: drums for guitar files."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import exports, flags, paths
from seq2drum.cli.terminal import say, standard_output
from seq2drum.errors import OptionError, OutputError, Seq2DrumError
from seq2drum.music.limits import MIDI_SUFFIXES, SCORE_SUFFIXES

if TYPE_CHECKING:  # imported on use: help and errors come at once, and playing never loads torch
    from seq2drum.play.drummer import Drummer
    from seq2drum.play.options import Options
    from seq2drum.play.take import Take

# The fields of `Options` that have a flag of the same name and are None where it is not given.
ASKED = (
    "temperature",
    "top_p",
    "track",
    "intensity",
    "complexity",
    "fills",
    "humanize",
    "swing",
    "prime",
    "bars",
    "drum_map",
)
FLAGS = (
    "seed",
    "model",
    "files",
    "output",
    *ASKED,
    "style",
    "takes",
    "with_guitar",
    "score",
    "picture",
    "wav",
    "soundfont",
    "rpp",
    "explain",
    "force",
    "json",
)
STYLES = "jazz, shuffle, latin, metal, dance, reggae, funk, pop, rock"  # as `conditions` has them, which needs numpy


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
        help=f"where to write; - is standard output (default: SONG{paths.OUTPUT_SUFFIX} beside the song)",
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
    infer.add_argument("--score", metavar="FILE", help="also write the drums as a score: .musicxml, or .svg to look at")
    infer.add_argument("--picture", metavar="FILE", help="also draw the guitar and the drums: .png or .svg")
    infer.add_argument("--wav", metavar="FILE", help="also write guitar and drums as sound (needs FluidSynth)")
    infer.add_argument("--soundfont", metavar="FILE", help="what it sounds with: .sf2 or .sf3 (default: what is found)")
    infer.add_argument("--rpp", metavar="FILE", help="also write a REAPER project: the song's tracks and these drums")
    infer.add_argument("--explain", action="store_true", help="tell bar by bar what was done, and what it goes with")
    infer.add_argument("--force", action="store_true", help="overwrite what is there")
    infer.add_argument("--json", action="store_true", help="print one line of JSON a take")

    ask = parser.add_argument_group(
        "infer: what a musician asks for",
        "What is not asked for, the model decides. Besides: --bars A:B plays only these bars of the file's own drums "
        "anew; --takes N makes N takes, SONG.drums.1.mid being the best.",
    )
    ask.add_argument("--style", metavar="NAME", help=f"{STYLES}, or auto (default)")
    for name, text in (
        ("intensity", "how much is played and how loud; 0.5 is what half of all music stays below"),
        ("complexity", "how much the drums lean against the beat, likewise"),
        ("fills", "how often: 0 the fewest, 0.5 as drummers do, 1 twice as often"),
        ("humanize", "velocity and timing of human drummers: 0 stiff, 1 as they are (--mode humanize: 1)"),
        ("swing", "where the second eighth falls: 0 half way, 1 at two thirds"),
    ):
        ask.add_argument(f"--{name}", type=float, metavar="0..1", help=text)
    ask.add_argument("--prime", type=int, metavar="BARS", help="play on from the first drum bars of the file")
    ask.add_argument(
        "--drum-map", metavar="NAME|FILE", help="the notes of a sampler, or a JSON file of your own (default: gm)"
    )


def own_flags(parser: argparse.ArgumentParser) -> None:
    """Bars by number, and takes to choose from."""
    flags.add_bars(parser)
    parser.add_argument("--takes", type=int, metavar="N")


def run(options: argparse.Namespace) -> int:
    """Play to each song; returns the exit code."""
    from seq2drum.play.drummer import MOST_TAKES, Drummer
    from seq2drum.play.options import Options

    given = {name: value for name in ASKED if (value := getattr(options, name)) is not None}
    style = None if options.style == "auto" else options.style
    wanted = Options(seed=options.seed, style=style, **given)
    count = 1 if options.takes is None else options.takes
    if not 1 <= count <= MOST_TAKES:
        raise OptionError(f"--takes is {count}, wanted 1 to {MOST_TAKES}")
    if not options.files:
        raise OptionError("--mode infer wants a song: a MIDI or MusicXML file, a folder, or - for standard input")
    jobs = paths.jobs(options.files, options.output, MIDI_SUFFIXES + SCORE_SUFFIXES)
    also = exports.wanted(options)
    work = [(source, paths.numbered(target, count)) for source, target in jobs]
    for flag, name in also.items():
        if len(jobs) > 1:
            raise OptionError(f"--{flag} names one file, but there are {len(jobs)} songs")
        targets = work[0][1]
        if _absolute(name) in map(_absolute, targets):
            raise OptionError(f"--{flag} wants a file of its own")
        targets.append(name)
    drummer = Drummer.load(options.model or "default")
    return paths.each(
        work,
        options.force,
        "playing",
        lambda source, targets: _play_one(drummer, source, targets[:count], wanted, also, options),
    )


def _absolute(name: str) -> str:
    return str(Path(name).absolute())


def _play_one(
    drummer: Drummer,
    source: str,
    targets: Sequence[str],
    wanted: Options,
    also: Iterable[str],
    options: argparse.Namespace,
) -> None:
    begun = time.perf_counter()
    takes = drummer.takes(paths.read(source), wanted, len(targets))
    for take, target in zip(takes, targets, strict=True):
        paths.write(take.to_bytes(with_guitar=options.with_guitar), target, overwrite=options.force)
    missing = _write_exports(also, source, takes, options)
    seconds = (time.perf_counter() - begun) / len(takes)
    for take, target in zip(takes, targets, strict=True):
        told = _json(take, source, target, seconds, options) if options.json else _told(take, target, seconds, options)
        if target != "-":
            with standard_output():
                print(told, flush=True)
        elif options.json or options.explain:  # standard output belongs to the take
            say(told)
    if missing:
        raise OutputError("; ".join(missing))


def _write_exports(also: Iterable[str], source: str, takes: Sequence[Take], options: argparse.Namespace) -> list[str]:
    """Write what else was asked for; which of it could not be made, and why. The take is there, and so is the rest."""
    missing = []
    for flag in also:
        title = "Drums" if source == "-" else Path(source).stem
        try:
            exports.write(flag, takes, title, options)
        except Seq2DrumError as error:
            missing.append(f"no --{flag}: {error}")
    return missing


def _json(take: Take, source: str, target: str, seconds: float, options: argparse.Namespace) -> str:
    line: dict[str, object] = {
        "input": source,
        "output": target,
        "bars": len(take.song.bars()),
        "hits": len(take.part),
        "seed": take.options.seed,
        "seconds": round(seconds, 3),
        "guitar": [f"{index + 1} {take.song.parts[index].name}".strip() for index in take.guitar.parts],
        "why": take.guitar.reason,
    }
    if take.score is not None:
        line["score"] = round(take.score, 4)
    if options.explain:
        line["explain"] = [said._asdict() for said in take.explain()]
    return json.dumps(line)


def _told(take: Take, target: str, seconds: float, options: argparse.Namespace) -> str:
    names = ", ".join(str(index + 1) for index in take.guitar.parts)
    heard = f"{'part' if len(take.guitar.parts) == 1 else 'parts'} {names} ({take.guitar.reason})"
    line = f"{target}: {len(take.song.bars())} bars, {len(take.part)} hits in {seconds:.1f} s, listening to {heard}"
    if take.score is not None:
        line += f"; seed {take.options.seed}, agreement with the other takes {take.score:.2f}"
    return "\n  ".join([line, *(map(str, take.explain()) if options.explain else ())])
