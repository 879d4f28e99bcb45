"""Time to read and write MIDI files, beside symusic itself and other libraries.

Every reader reads the same bytes; every writer writes the song it read. Times are CPU time of this process, the best of
several rounds, in milliseconds a file. A ratio above 1 means slower than symusic alone. Without DIR the sample songs of
the corpus beside the repository are read. Songs that one of the libraries refuses are left out, for all of them.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from symusic import Score

from bench.harness import BenchError, Row, Table
from bench.machine import ROOT, spent
from seq2drum.formats.midi import midi, streams

SAMPLE = ROOT.parent / "shared" / "corpus" / "sample"
TIMES = Table(
    {
        "library": "",
        "read ms": "{:.3f}",
        "write ms": "{:.3f}",
        "both ms": "{:.3f}",
        "read x": "{:.1f}",
        "write x": "{:.1f}",
        "both x symusic": "{:.1f}",
        "both x seq2drum": "{:.1f}",
    }
)


def read_mido(data: bytes) -> Any:
    import mido

    return mido.MidiFile(file=io.BytesIO(data))


def write_mido(file: Any) -> bytes:
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def read_pretty_midi(data: bytes) -> Any:
    import pretty_midi

    return pretty_midi.PrettyMIDI(io.BytesIO(data))


def write_pretty_midi(file: Any) -> bytes:
    out = io.BytesIO()
    file.write(out)
    return out.getvalue()


def read_music21(data: bytes) -> Any:
    from music21.midi import MidiFile

    file = MidiFile()
    file.readstr(data)
    return file


def write_music21(file: Any) -> bytes:
    return bytes(file.writestr())


def read_streams(data: bytes) -> Any:
    import music21  # noqa: F401  # so that its absence is known as that of the others

    return streams.parse(data)


Library = tuple[Callable[[bytes], Any], Callable[[Any], bytes], int]
"""A reader, a writer, and how many rounds are timed."""

LIBRARIES: dict[str, Library] = {
    "symusic": (Score.from_midi, lambda score: bytes(score.dumps_midi()), 15),
    "seq2drum": (midi.parse, midi.serialise, 15),
    "mido": (read_mido, write_mido, 1),
    "pretty_midi": (read_pretty_midi, write_pretty_midi, 1),
    "music21 (events only)": (read_music21, write_music21, 1),
    "--reader music21": (read_streams, midi.serialise, 1),
}


def readable(files: Sequence[bytes]) -> tuple[dict[str, Library], list[bytes], list[str]]:
    """Return the installed libraries, the files that all of these read, and notes on omissions."""
    libraries, left, notes = {}, list(files), []
    for name, library in LIBRARIES.items():
        try:
            kept = [data for data in left if is_read(library[0], data)]
        except ImportError:
            notes.append(f"{name} is not installed and is left out")
            continue
        if len(kept) < len(left):
            notes.append(f"{name} does not read {len(left) - len(kept)} of {len(left)} files: they are left out")
        libraries[name], left = library, kept
    return libraries, left, notes


def is_read(read: Callable[[bytes], Any], data: bytes) -> bool:
    """Return whether a library that is installed reads a file."""
    try:
        read(data)
    except ImportError:
        raise
    except Exception:  # each library has other errors, some of them ValueError and IndexError
        return False
    return True


def best(work: Callable[[Any], object], things: Sequence[Any], rounds: int) -> float:
    """Return the milliseconds of CPU time a thing, in the best of some rounds."""

    def once() -> None:
        for thing in things:
            work(thing)

    return 1e3 * min(spent(once).cpu for _ in range(rounds)) / len(things)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, default=SAMPLE, metavar="DIR")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    files = [path.read_bytes() for path in sorted(options.folder.rglob("*.mid"))]
    libraries, files, notes = readable(files)
    if not files:
        raise BenchError(f"{options.folder} has no MIDI file that all libraries read; name another folder")
    yield from notes
    yield f"{len(files)} files"
    times = {}
    for name, (read, write, rounds) in libraries.items():
        songs = [read(data) for data in files]
        times[name] = best(read, files, rounds), best(write, songs, rounds)
    alone, ours = times["symusic"], sum(times["seq2drum"])
    for name, (reading, writing) in times.items():
        both = reading + writing
        ratios = reading / alone[0], writing / alone[1], both / sum(alone), both / ours
        yield TIMES.row(name, reading, writing, both, *ratios)
