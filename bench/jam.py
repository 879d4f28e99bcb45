"""Lead of each bar of a jam, and jitter of its hits.

The guitar of an example, or of SONG, in 4/4, is played again and again at four tempos, and each bar of drums is asked
for at the moment at which it is decided. The lead is what is left then until the bar begins, less the time that it
took: by the clock, and by the processor time, which other programs on the machine disturb less. Late are bars with a
lead of less than 20 ms. Of the fastest tempo it is also told what the processor and the memory do over some minutes
(`--minutes`).

With `--in-time MINUTES` it is a jam in time instead, of so many minutes at each tempo of `--bpm`: a thread plays the
guitar, functions are the ports. The lead is then from when a bar is ready until it begins; a hit's jitter is how far
from its moment the port got it, by the schedule of the take that was recorded; late are bars in whose place the groove
was repeated, and left out are hits that would have been more than 30 ms late.
"""

from __future__ import annotations

import argparse
import resource
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.harness import Row, Table, figure
from bench.machine import CHECKOUT, most_memory, spent
from bench.play import long_song
from seq2drum.music.notes import Song, Tempo
from seq2drum.play.decode import engine
from seq2drum.play.jam.guitarist import strikes
from seq2drum.play.jam.jam import LEAD, Jam
from seq2drum.play.jam.live import Jamming, rehearse
from seq2drum.play.jam.loop import Inbox, play
from seq2drum.play.jam.ports import NOTE_ON, Port
from seq2drum.play.jam.songtime import Steady
from seq2drum.play.jam.striker import Messages, Striker
from seq2drum.play.options import Options

TEMPOS = 60, 120, 180, 240
LEAST = 0.020  # seconds
QUARTERS = 4
DECIDED = Table(
    {
        "tempo": "",
        "bars": "{}",
        "a bar, median": "{:.0f} ms",
        "p99": "{:.0f} ms",
        "lead, least": "{:.0f} ms",
        "late": "{}",
        "lead, least, by CPU": "{:.0f} ms",
        "late by CPU": "{}",
    }
)
IN_TIME = Table(
    {
        "tempo": "",
        "bars": "{}",
        "lead, median": "{:.0f} ms",
        "lead, least": "{:.0f} ms",
        "jitter, median": "{:.2f} ms",
        "p99": "{:.2f} ms",
        "most": "{:.2f} ms",
        "of a core": "{:.1%}",
        "late": "{}",
        "left out": "{}",
    }
)


class Timed(NamedTuple):
    """The bars of a jam, all (n,): seconds that each took by the clock and of the processor; and megabytes after it."""

    wall: NDArray[np.float64]
    cpu: NDArray[np.float64]
    megabytes: NDArray[np.float64]


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
        taken = spent(partial(jam.hear, heard, point))
        rows.append((*taken, most_memory(resource.RUSAGE_SELF)))
    return Timed(*np.array(rows).T)


# --- in time ----------------------------------------------------------------------------------------------------------


class Even(NamedTuple):
    """A jam in time: seconds of lead of each bar, of jitter of each hit; shares of a core; megabytes each second."""

    lead: NDArray[np.float64]
    jitter: NDArray[np.float64]
    cpu: float
    megabytes: list[float]
    late: int
    left_out: int


class Timing(Striker):
    """A striker that writes down how early it is given each bar."""

    leads: list[float]

    def put(self, bar: Messages, origin: float) -> bool:
        """As of every striker."""
        is_heard, line = super().put(bar, origin), self._time.line
        if line is not None and bar.number > 0 and is_heard:
            self.leads.append(line.seconds_at(origin) - time.monotonic())
        return is_heard


def in_time(player: engine.Engine, song: Song, bpm: float, minutes: float) -> Even:
    """A jam in time of so many minutes."""
    sent, megabytes, process = list[float](), list[float](), psutil.Process()
    inbox, steady, options = Inbox(), Steady(bpm), Options()

    def port(message: bytes) -> None:
        if message[0] & 0xF0 == NOTE_ON:
            sent.append(time.monotonic())

    striker = Timing(port, steady)
    striker.leads = []
    score = replace(song, parts=(), tempos=(Tempo(0, round(6e7 / bpm)),), length=0)
    rehearse(player, options, score)
    jamming = Jamming(Jam(player, options, score), striker, steady, options)
    end = time.monotonic() + 60 * minutes
    guitar = threading.Thread(target=strum, args=(song, bpm, inbox, end), daemon=True)

    def look(now: float) -> None:
        if now > end:
            inbox.stop()
        elif len(megabytes) < now - begun:
            megabytes.append(process.memory_info().rss / 2**20)

    begun, cpu = time.monotonic(), time.process_time()
    guitar.start()
    play(jamming, striker, inbox, [Port("guitar"), Port("drums", port)], look)
    cpu = (time.process_time() - cpu) / (time.monotonic() - begun)
    guitar.join()
    take, line = jamming.take(), steady.line
    assert take is not None and line is not None
    due = np.sort([line.seconds_at(tick / song.ticks_per_quarter) for tick in take.part.onset.tolist()])
    after = np.searchsorted(due, sent).clip(1, len(due) - 1)
    jitter = np.minimum(np.abs(sent - due[after]), np.abs(sent - due[after - 1]))
    return Even(np.array(striker.leads), jitter, cpu, megabytes, striker.repeated, striker.left_out)


def strum(song: Song, bpm: float, inbox: Inbox, end: float) -> None:
    """Play a song's guitar again and again until a moment."""
    told, quarters = strikes(song.parts, song.ticks_per_quarter), song.end / song.ticks_per_quarter
    begun, turn = time.monotonic(), 0
    while True:
        for one in told:
            moment = begun + (one.quarter + turn * quarters) * 60 / bpm
            if moment > end:
                return
            time.sleep(max(moment - time.monotonic(), 0))
            inbox.put(bytes([NOTE_ON, one.pitch, one.velocity]))
        turn += 1


def evenness(player: engine.Engine, song: Song, tempos: Sequence[float], minutes: float) -> Iterator[Row]:
    """Jam in time at each tempo."""
    for bpm in tempos:
        one = in_time(player, song, bpm, minutes)
        leads = 1000 * np.median(one.lead), 1000 * one.lead.min()
        jitter = *(1000 * np.quantile(one.jitter, (0.5, 0.99))), 1000 * one.jitter.max()
        yield IN_TIME.row(f"{bpm:g}", len(one.lead), *leads, *jitter, one.cpu, one.late, one.left_out)
        tenth = min(len(one.megabytes) // 10, 1)
        yield figure(f"memory after a tenth, tempo {bpm:g}", one.megabytes[tenth], "MB")
        yield figure(f"memory at the end, tempo {bpm:g}", one.megabytes[-1], "MB")


def leads(player: engine.Engine, song: Song, minutes: float) -> Iterator[Row]:
    """Decide bars at each tempo as fast as they can be, the last tempo for some minutes."""
    for bpm in TEMPOS:
        bars = round(minutes * bpm / QUARTERS) if bpm == TEMPOS[-1] else 128
        one = timed(player, song, bpm, bars)
        by_wall, by_cpu = (LEAD * 60 / bpm - seconds for seconds in (one.wall, one.cpu))
        each = [value for left in (by_wall, by_cpu) for value in (1000 * left.min(), int((left < LEAST).sum()))]
        yield DECIDED.row(str(bpm), bars, *(1000 * np.quantile(one.cpu, (0.5, 0.99))), *each)
    tenth = max(len(one.cpu) // 10, 1)
    yield figure("a bar of the second tenth of the last jam", 1000 * one.cpu[tenth : 2 * tenth].mean(), "ms")
    yield figure("a bar of its last tenth", 1000 * one.cpu[-tenth:].mean(), "ms")
    yield figure("memory after its first tenth", one.megabytes[tenth], "MB")
    yield figure("memory at its end", one.megabytes[-1], "MB")
    yield figure("processor", 100 * one.cpu.sum() / (bars * QUARTERS * 60 / TEMPOS[-1]), "% of a core")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("song", nargs="?", type=Path, default=CHECKOUT / "examples" / "rock_riff.mid")
    parser.add_argument("--model", default="live")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--in-time", type=float, metavar="MINUTES", help="jam in time, so long at each tempo")
    parser.add_argument("--bpm", nargs="+", type=float, default=TEMPOS, help="the tempos of --in-time")


def run(options: argparse.Namespace) -> Iterator[Row]:
    song, player = long_song(options.song), engine.load(options.model)
    if options.in_time is not None:
        yield from evenness(player, song, options.bpm, options.in_time)
    else:
        yield from leads(player, song, options.minutes)
