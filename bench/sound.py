"""Is the sound balanced? `python bench/sound.py [FOLDER ...] [--songs N] [--soundfont FILE]`.

The ten examples with the drums that the model in the package plays to them, and N songs of each folder with their own
drums. A row for each: its length; the loudness of guitars and drums as FluidSynth renders them, and by how much the
drums are above the guitars before and after they are balanced; where the energy of each lies (hundredths of it below
200 Hz and above 2 kHz); of the finished file its loudness, its highest sample, how many samples are at full scale, and
in how many of ten thousand frames the limiter had to be at work; and the seconds it took.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import machine
from seq2drum.errors import Seq2DrumError
from seq2drum.formats.midi import midi
from seq2drum.music import duet
from seq2drum.music.duet import Duet
from seq2drum.play.drummer import Drummer
from seq2drum.show import fluidsynth, loudness, sound
from seq2drum.show.loudness import CEILING, RATE, Sound

EXAMPLES = ROOT / "examples"


def pieces(folders: list[str], songs: int) -> Iterator[tuple[str, Duet]]:
    drummer = Drummer.load()
    for path in sorted(EXAMPLES.glob("*.mid")):
        if not path.name.endswith(".drums.mid"):
            yield path.stem, drummer.accompany(path).duet
    for folder in folders:
        count = 0
        for path in sorted(Path(folder).glob("*.mid")):
            try:
                piece = duet.of_songs([midi.read(path)])
            except Seq2DrumError:
                continue
            if piece.guitars and len(piece.drums) and count < songs:
                count += 1
                yield path.stem.split("__")[0], piece


def shares(stem: Sound) -> str:
    """How much of the energy is below 200 Hz, and above 2 kHz, in hundredths."""
    power = np.zeros(4097)
    for start in range(0, len(stem) - 8192, 8192):
        power += np.abs(np.fft.rfft(stem[start : start + 8192].sum(axis=1) * np.hanning(8192))) ** 2
    hertz = np.fft.rfftfreq(8192, 1 / RATE)
    low, high = (100 * power[part].sum() / power.sum() for part in (hertz < 200, hertz > 2000))
    return f"{low:3.0f}/{high:3.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--songs", type=int, default=10)
    parser.add_argument("--soundfont")
    options = parser.parse_args()
    print(machine())
    print(fluidsynth.find(options.soundfont).soundfont.resolve().name)
    print(
        f"{'song':28} {'s':>5} {'guitar':>7} {'drums':>7} {'before':>7} {'after':>6} {'guitar':>8} {'drums':>8}"
        f" {'LUFS':>6} {'peak':>6} {'full':>5} {'limited':>7} {'took':>5}"
    )
    before, after, levels = [], [], []
    for name, piece in pieces(options.folders, options.songs):
        begun = time.perf_counter()
        data = sound.wav(piece, soundfont=options.soundfont)
        took = time.perf_counter() - begun
        guitars, drums = sound.stems(piece, soundfont=options.soundfont)
        weights = shares(guitars), shares(drums)
        loud = loudness.integrated(guitars), loudness.integrated(drums)
        before.append(loud[1] - loud[0])
        after.append(before[-1] + sound.lift(guitars, drums))
        peaks = np.abs(sound.mix(guitars, drums)).max(axis=1)
        samples = np.frombuffer(data[44:], "<i2").reshape(-1, 2).astype(np.float32) / 32768
        levels.append(loudness.integrated(samples))
        heights = np.abs(samples).max(axis=1)
        over = 1e4 * np.mean(peaks > 10 ** (CEILING / 20))
        print(
            f"{name[:28]:28} {len(samples) / RATE:5.0f} {loud[0]:7.1f} {loud[1]:7.1f} {before[-1]:7.1f}"
            f" {after[-1]:6.1f} {weights[0]:>8} {weights[1]:>8} {levels[-1]:6.1f}"
            f" {20 * math.log10(heights.max()):6.2f} {int((heights > 0.9999).sum()):5} {over:7.2f} {took:5.1f}",
            flush=True,
        )
    for what, values in (("before", before), ("after", after), ("LUFS", levels)):
        print(f"{what}: median {statistics.median(values):.1f}, from {min(values):.1f} to {max(values):.1f}")


if __name__ == "__main__":
    main()
