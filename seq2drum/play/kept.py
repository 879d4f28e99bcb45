"""What of a song's own drums stays in a take: the notes themselves, and what a model is to remember of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.lattice.grid import Grid, Lattice, encode
from seq2drum.music import theory
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.kit import FULL, Kit
from seq2drum.music.limbs import Limbs
from seq2drum.music.notes import IntArray, Part, Song
from seq2drum.play.options import Options


class Kept(NamedTuple):
    """What of a song's own drums stays. The take is played in bars [first, stop) of the lattice, ticks [low, high).

    rows (n, 4): the notes that stay, as they are in the file. given: the bars before `first`, as a model remembers
    them. struck: the voices that sound at each tick. downbeat: those that are struck already on the first step played,
    a little before its barline.
    """

    rows: IntArray
    given: dict[int, Grid]
    struck: dict[int, list[int]]
    downbeat: frozenset[int]
    first: int
    stop: int
    low: int
    high: int


def kept_of(song: Song, lattice: Lattice, options: Options, drum_map: DrumMap, kit: Kit) -> Kept:
    """What stays of a song's own drums.

    A note belongs to the bar it sounds in, but for those that come early on the downbeat after the last bar that is
    played: they stay, too.

    Raises:
        OptionError: something of them should stay, but there are none, or there is no such bar.
    """
    count, asked = len(lattice.bars), options.prime or options.bars
    rows = np.concatenate([np.empty((0, 4), np.int64), *(song.parts[index].rows for index in theory.drum_parts(song))])
    if not asked:
        return Kept(rows[:0], {}, {}, frozenset(), 0, count, 0, song.end)
    pitch = drum_map.standard[rows[:, 2]]
    known = (pitch >= 0) & (FULL.voice_of[pitch] >= 0)
    if not known.any():
        raise OptionError("the song has no drums of its own that could stay; leave out prime and bars")
    number = np.array([bar.index for bar in lattice.bars])  # a long bar is several of the lattice
    step, _ = lattice.nearest(rows[:, 0])
    bar = lattice.bar_of[step]
    stop, low, high = count, song.end, song.end
    if options.bars is None:
        first = int(np.searchsorted(number, number[bar[known].min()] + options.prime))
        low = lattice.bars[first].start if first < count else song.end
        stays = known & (rows[:, 0] < low)
    else:
        begin, end = options.bars
        if end > len(song.bars()):
            raise OptionError(f"the bars are {begin}:{end}, but the song has {len(song.bars())}")
        first, stop = (int(np.searchsorted(number, edge)) for edge in (begin - 1, end))
        low, high = lattice.bars[first].start, lattice.bars[stop - 1].end
        stays = (rows[:, 0] < low) | (rows[:, 0] >= high) | (bar >= stop)
    standard = np.column_stack([rows[:, :2], pitch, rows[:, 3]])
    remembered = encode(Part.of(standard[known & (bar < first)]), lattice, kit)
    given = {}
    for index in range(first):
        here = remembered.select(
            (remembered.step >= lattice.first[index]) & (remembered.step < lattice.first[index + 1])
        )
        given[index] = here.shift(-lattice.first[index])
    inside = stays & known
    voice = kit.voice_of[pitch[inside]]
    struck: dict[int, list[int]] = {}
    for tick, piece in zip(rows[inside, 0].tolist(), voice.tolist(), strict=True):
        struck.setdefault(tick, []).append(piece)
    downbeat = voice[step[inside] == lattice.first[first]].tolist()
    return Kept(rows[stays], given, struck, frozenset(downbeat), first, stop, low, min(high, song.end))


def playable(rows: IntArray, voices: IntArray, limbs: Limbs, struck: dict[int, list[int]]) -> IntArray:
    """The hits (n, 4) that can be played beside those that were `struck` before at the same ticks; adds them there.

    A drummer's limits hold for each step. But late and early hits of neighbouring steps can meet in one tick, and where
    a quarter has few ticks, steps do; also across a barline.
    """
    if len(rows):
        for tick in [tick for tick in struck if tick < rows[0, 0]]:
            del struck[tick]
    order = np.lexsort((voices, rows[:, 0]))
    kept = []
    for index, tick, voice in zip(order.tolist(), rows[order, 0].tolist(), voices[order].tolist(), strict=True):
        held = struck.setdefault(tick, [])
        if limbs.can_add(voice, held):
            held.append(voice)
            kept.append(index)
    return rows[kept]
