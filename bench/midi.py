"""How fast MIDI is read and written, against symusic itself and other libraries: `python bench/midi.py [DIR]`.

Every reader reads the same bytes; every writer writes the song it read. Times are CPU time of this process, the best of
several rounds, in milliseconds a file. A ratio above 1 means slower than symusic alone. Without DIR the sample songs of
the corpus beside the repository are read. Songs that one of the libraries refuses are left out, for all of them.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from symusic import Score

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.machine import machine
from seq2drum.formats.midi import midi

SAMPLE = Path(__file__).parent.parent.parent / "shared" / "corpus" / "sample"


def best(work: Callable[[], object], rounds: int) -> float:
    """The least CPU time of some rounds, in seconds."""
    times = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return min(times)


def all_of(work: Callable[[Any], object], things: Sequence[Any]) -> None:
    for thing in things:
        work(thing)


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


Library = tuple[Callable[[bytes], Any], Callable[[Any], bytes], int]
"""What reads, what writes, and how many rounds are timed."""

LIBRARIES: dict[str, Library] = {
    "symusic": (Score.from_midi, lambda score: score.dumps_midi(), 15),
    "seq2drum": (midi.parse, midi.serialise, 15),
    "mido": (read_mido, write_mido, 1),
    "pretty_midi": (read_pretty_midi, write_pretty_midi, 1),
    "music21 (events only)": (read_music21, write_music21, 1),
}


def readable(files: Sequence[bytes]) -> tuple[dict[str, Library], list[bytes]]:
    """The libraries that are installed, and the files that all of these read; tells of what is left out."""
    libraries, left = {}, list(files)
    for name, library in LIBRARIES.items():
        try:
            kept = [data for data in left if is_read(library[0], data)]
        except ImportError:
            sys.stderr.write(f"{name} is not installed and is left out\n")
            continue
        if len(kept) < len(left):
            sys.stderr.write(f"{name} does not read {len(left) - len(kept)} of {len(left)} files: they are left out\n")
        libraries[name], left = library, kept
    return libraries, left


def is_read(read: Callable[[bytes], Any], data: bytes) -> bool:
    """Whether a library that is installed reads a file."""
    try:
        read(data)
    except ImportError:
        raise
    except Exception:  # each library has errors of its own, some of them ValueError and IndexError
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SAMPLE, metavar="DIR")
    folder = parser.parse_args(arguments).folder
    files = [path.read_bytes() for path in sorted(folder.rglob("*.mid"))]
    if not files:
        sys.stderr.write(f"{folder} has no MIDI files; name a folder that has\n")
        return 2
    libraries, files = readable(files)
    if not files:
        sys.stderr.write(f"there is no MIDI file in {folder} that all libraries read; name another folder\n")
        return 2
    rows = []
    for name, (read, write, rounds) in libraries.items():
        songs = [read(data) for data in files]
        reading, writing = best(partial(all_of, read, files), rounds), best(partial(all_of, write, songs), rounds)
        rows.append((name, reading / len(files) * 1e3, writing / len(files) * 1e3))
    own, ours = rows[0], rows[1]
    out = [f"{len(files)} files; {machine()}", ""]
    out.append(
        f"| {'library':22} | read ms | write ms | both ms | read x | write x | both x symusic | both x seq2drum |"
    )
    out.append("|---|---|---|---|---|---|---|---|")
    for name, reading, writing in rows:
        both = reading + writing
        out.append(
            f"| {name:22} | {reading:.3f} | {writing:.3f} | {both:.3f} "
            f"| {reading / own[1]:.1f} | {writing / own[2]:.1f} "
            f"| {both / (own[1] + own[2]):.1f} | {both / (ours[1] + ours[2]):.1f} |"
        )
    sys.stdout.write("\n".join(out) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
