"""Time and memory to read tabs and recordings.

A large input of each kind is made, and read by us and by its peers, each in a process of its own: CPU seconds from the
start of the process to the song, imports included, the best of several rounds, and the most memory it had (told by
Linux). A peer does less: it gives its own objects of what is written, and plays no repeats out. A last row is a process
that imports nothing of all this.

The recording: three minutes of an example's guitar, rendered by FluidSynth and repeated, a WAV file of 44,100 Hz in
stereo. Of it librosa finds the onsets and beats, without a note; soundfile reads the samples.

The tab: 300 bars in 4/4, two guitars in sixteenths of two notes, a bass and drums in eighths; 40 bars are repeated.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.harness import BenchError, Row, Table
from bench.machine import CHECKOUT, apart, peak

BARS, SECONDS, ROUNDS = 300, 180, 3


class Input(NamedTuple):
    """A kind of input: the name of its file, a function that makes its bytes, and the names of its readers."""

    file: str
    make: Callable[[], bytes]
    readers: tuple[str, ...]


# --- the inputs -------------------------------------------------------------------------------------------------------


def gp5_tab() -> bytes:
    from tests import tabs

    chords = [tabs.beat((6, fret % 12), (5, fret % 12 + 2), length=16) for fret in range(16)]
    line, drums = [tabs.beat((4, fret)) for fret in range(8)], [tabs.beat((1, 36), (2, 42)) for _ in range(8)]
    tracks = [tabs.track([chords] * BARS, name=name) for name in ("Rhythm", "Lead")]
    tracks.append(tabs.track([line] * BARS, name="Bass", program=33, tuning=(43, 38, 33, 28)))
    tracks.append(tabs.track([drums] * BARS, name="Drums", program=0, isPercussionTrack=True, tuning=(0,) * 6))
    return tabs.written(tabs.song(*tracks, headers={0: {"isRepeatOpen": True}, 39: {"repeatClose": 1}}))


def gp_tab() -> bytes:
    from tests import gpif_files as files

    chords = [files.xbeat((0, fret % 12), (1, fret % 12 + 2), value="16th") for fret in range(16)]
    line, drums = [files.xbeat((0, fret)) for fret in range(8)], [files.drum(0, 2) for _ in range(8)]
    tracks = [files.xtrack([chords] * BARS, name=name) for name in ("Rhythm", "Lead")]
    tracks.append(files.xtrack([line] * BARS, name="Bass", program=33, tuning=(28, 33, 38, 43)))
    tracks.append(files.xtrack([drums] * BARS, name="Drums", is_drums=True))
    repeat = {
        0: '<Repeat start="true" end="false" count="0"/>',
        39: '<Repeat start="false" end="true" count="2"/>',
    }
    return files.gp(files.gpif(*tracks, measures=repeat))


def recording() -> bytes:
    from seq2drum.formats.midi import midi
    from seq2drum.music.duet import Duet
    from seq2drum.music.notes import Part
    from seq2drum.show import sound

    song = midi.read(CHECKOUT / "examples" / "blues_shuffle.mid")
    made = io.BytesIO()
    with wave.open(io.BytesIO(sound.wav(Duet(song, song.parts, Part.of([], is_drums=True))))) as once:
        frames = once.readframes(once.getnframes())
        with wave.open(made, "wb") as file:
            file.setparams(once.getparams())
            size = SECONDS * once.getframerate() * once.getnchannels() * once.getsampwidth()
            file.writeframes((frames * (size // len(frames) + 1))[:size])
    return made.getvalue()


INPUTS = {
    "recording": Input("riff.wav", recording, ("seq2drum", "librosa", "soundfile")),
    "gp5": Input("tab.gp5", gp5_tab, ("seq2drum", "PyGuitarPro")),
    "gp": Input("tab.gp", gp_tab, ("seq2drum",)),
}

# --- the readers ------------------------------------------------------------------------------------------------------


def with_seq2drum(path: str) -> str:
    from seq2drum.formats.opening import open_song

    song = open_song(path).song
    return f"{len(song.parts)} parts, {len(song.bars())} bars, {sum(map(len, song.parts))} notes"


def with_pyguitarpro(path: str) -> str:
    import guitarpro

    song: Any = guitarpro.parse(path)
    measures = [measure for track in song.tracks for measure in track.measures]
    beats = [beat for measure in measures for voice in measure.voices for beat in voice.beats]
    return f"{len(song.tracks)} parts, {len(song.measureHeaders)} bars, {sum(len(beat.notes) for beat in beats)} notes"


def with_librosa(path: str) -> str:
    import librosa

    samples, rate = librosa.load(path)
    _, beats = librosa.beat.beat_track(y=samples, sr=rate)
    return f"{len(librosa.onset.onset_detect(y=samples, sr=rate))} onsets, {len(beats)} beats"


def with_soundfile(path: str) -> str:
    import soundfile

    return f"{len(soundfile.read(path)[0])} frames"


def with_nothing(path: str) -> str:
    return f"{Path(path).stat().st_size} bytes"


READERS = {
    "seq2drum": with_seq2drum,
    "PyGuitarPro": with_pyguitarpro,
    "librosa": with_librosa,
    "soundfile": with_soundfile,
    "nothing": with_nothing,
}

# --- measuring --------------------------------------------------------------------------------------------------------

COSTS = Table({"input": "", "reader": "", "KB": "{:.0f}", "CPU s": "{:.2f}", "MB": "{:.0f}", "found": ""})


def read(reader: str, path: str) -> tuple[float, float, str]:
    """Return CPU seconds, megabytes and the result of a reader, in a separate process."""
    found = READERS[reader](path)
    return time.process_time(), peak(), found


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help=f"some of {', '.join(INPUTS)} (default: all)")


def run(options: argparse.Namespace) -> Iterator[Row]:
    chosen = options.inputs or list(INPUTS)
    if strange := set(chosen) - set(INPUTS):
        raise BenchError(f"there is no input {', '.join(strange)}; there are {', '.join(INPUTS)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            path = Path(folder) / INPUTS[name].file
            path.write_bytes(INPUTS[name].make())
            for reader in (*INPUTS[name].readers, "nothing"):
                seconds, megabytes, found = min(apart(read, reader, str(path)) for _ in range(ROUNDS))
                yield COSTS.row(name, reader, path.stat().st_size / 1024, seconds, megabytes, found)
