"""What is known of songs before each of their bars is played: to learn to play along with a guitar as it goes on.

Letters of shapes: B bars of all songs, R summaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.prepared import Prepared
from seq2drum.lattice.expecting import NOWHERE, expected_bars, sources
from seq2drum.lattice.features import BARS, SUMMARY, features
from seq2drum.lattice.form import FloatArray
from seq2drum.music.notes import IntArray

SUMMED_AFTER = (0, 2, 4, 8, 16, 32, 64, 128)  # bars after which what was heard of a song is summed up anew


@dataclass(frozen=True, eq=False)
class SoFar:
    """What is known of bars before they are played.

    source (B,): the bar, of all songs, that the guitar of each is expected to be like; NOWHERE if there is none. bars
    (B, BARS.size): see `expected_bars`. summary (R, SUMMARY.size), and of_bar (B,): which of these tells of the guitar
    before a bar.
    """

    source: IntArray
    bars: NDArray[np.float16]
    summary: FloatArray
    of_bar: IntArray

    def expected(
        self, bars: IntArray, exists: NDArray[np.bool_], count: int
    ) -> tuple[IntArray, NDArray[np.bool_], FloatArray]:
        """The first `count` of some bars (n, C) of all songs as they are expected.

        Returns which bar each is expected to be like and whether there is one, (n, count), and what is known of the bar
        itself, (n, count, BARS.size), zero where it does not exist.
        """
        own, exists = bars[:, :count], exists[:, :count]
        source = self.source[own]
        known = exists & (source != NOWHERE)
        return np.where(known, source, own), known, self.bars[own].astype(np.float32) * exists[..., None]


def so_far(songs: Sequence[Prepared]) -> SoFar:
    """What is known of songs, laid end to end, before each of their bars is played."""
    source, bars, of_bar = list[IntArray](), list[NDArray[np.float16]](), list[IntArray]()
    summaries = list[FloatArray]()
    begin = 0
    for song in songs:
        heard, count = song.heard, len(song.heard.form.steps)
        like = sources(heard)
        source.append(np.where(like == NOWHERE, NOWHERE, like + begin))
        bars.append(expected_bars(heard, features(heard), like).astype(np.float16))
        after = [number for number in SUMMED_AFTER if number < count]
        of_bar.append(len(summaries) + np.searchsorted(after, np.arange(count), side="right") - 1)
        summaries += [_summary(song, number) for number in after]
        begin += count
    return SoFar(
        np.concatenate([np.zeros(0, dtype=np.int64), *source]),
        np.concatenate([np.zeros((0, BARS.size), dtype=np.float16), *bars]),
        np.stack([np.zeros(SUMMARY.size, dtype=np.float32), *summaries])[1:],
        np.concatenate([np.zeros(0, dtype=np.int64), *of_bar]),
    )


def _summary(song: Prepared, bars: int) -> FloatArray:
    """What is known of a song's first bars as a whole; of none, what is known of a bar of silence."""
    heard = song.heard.between(0, max(bars, 1))
    if not bars:
        heard = heard.silenced()
    return features(heard).summary
