"""How early a jam has each bar: `python bench/jam.py [SONG] [--model NAME|DIR] [--minutes M]`.

The guitar of an example, or of SONG, in 4/4, is played again and again at four tempos, and each bar of drums is asked
for at the moment at which it is decided. The lead is what is left then until the bar begins, less the time that it
took: by the clock, and by the processor time, which other programs on the machine disturb less. Late are bars with a
lead of less than 20 ms. Of the fastest tempo it is also told what the processor and the memory do over some minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from bench.machine import machine
from bench.play import long_song
from seq2drum.music.notes import Song, Tempo
from seq2drum.play import engine
from seq2drum.play.guitarist import strikes
from seq2drum.play.jam import LEAD, Jam

TEMPOS = 60, 120, 180, 240
LEAST = 0.020  # seconds
QUARTERS = 4


class Timed(NamedTuple):
    """The bars of a jam, all (n,): seconds that each took by the clock and of the processor; and megabytes after it."""

    wall: np.ndarray[tuple[int], np.dtype[np.float64]]
    cpu: np.ndarray[tuple[int], np.dtype[np.float64]]
    megabytes: np.ndarray[tuple[int], np.dtype[np.float64]]


def timed(player: engine.Engine, song: Song, bpm: float, bars: int) -> Timed:
    """A jam of so many bars."""
    song = replace(song, tempos=(Tempo(0, round(6e7 / bpm)),))
    told, quarters = strikes(song.parts, song.ticks_per_quarter), song.end / song.ticks_per_quarter
    jam, rows, at, turn = Jam(player, score=song), [], 0, 0
    for _ in range(bars):
        point, heard = jam.point, []
        while (one := told[at]).quarter + turn * quarters < point:
            heard.append(one._replace(quarter=one.quarter + turn * quarters))
            at += 1
            if at == len(told):
                at, turn = 0, turn + 1
        wall, cpu = time.perf_counter(), time.process_time()
        jam.hear(heard, point)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append((time.perf_counter() - wall, time.process_time() - cpu, peak))
    return Timed(*np.array(rows).T)


def main() -> None:
    """Print a table of tempos, and a line about a long jam."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("song", nargs="?", type=Path, default=ROOT / "examples" / "rock_riff.mid")
    parser.add_argument("--model", default="live")
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    song, player = long_song(options.song), engine.load(options.model)
    print(machine(), end="\n\n")
    print("| tempo | bars | a bar, median | p99 | lead, least | late | the same by processor time | late |")
    print("|---|---|---|---|---|---|---|---|")
    for bpm in TEMPOS:
        bars = round(options.minutes * bpm / QUARTERS) if bpm == TEMPOS[-1] else 128
        one = timed(player, song, bpm, bars)
        room = LEAD * 60 / bpm
        row = [f"{bpm} | {bars}", *(f"{1000 * value:.0f} ms" for value in np.quantile(one.cpu, (0.5, 0.99)))]
        for leads in (room - one.wall, room - one.cpu):
            row += [f"{1000 * leads.min():.0f} ms", str((leads < LEAST).sum())]
        print(f"| {' | '.join(row)} |")
    tenth = max(len(one.cpu) // 10, 1)
    first, last = one.cpu[tenth : 2 * tenth].mean(), one.cpu[-tenth:].mean()
    busy = one.cpu.sum() / (bars * QUARTERS * 60 / TEMPOS[-1])
    print(f"\nOver {bars} bars at {TEMPOS[-1]}: {1000 * first:.1f} ms a bar of the second tenth,", end=" ")
    print(f"{1000 * last:.1f} of the last;", end=" ")
    print(f"{one.megabytes[tenth]:.0f} MB after a tenth, {one.megabytes[-1]:.0f} at the end; {busy:.1%} of a core.")


if __name__ == "__main__":
    main()
