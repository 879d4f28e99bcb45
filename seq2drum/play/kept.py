"""What of a song's own drums stays in a take: the notes themselves, and what a model is to remember of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid, Lattice, encode, notes_of
from seq2drum.lattice.grooves.grooves import Groove, typical
from seq2drum.lattice.sections import Section, bars_of
from seq2drum.music import theory
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.kit import FULL, Kit, Limbs, Strokes
from seq2drum.music.notes import NO_PEDAL, Bar, IntArray, Part, Song
from seq2drum.play.asked import WHOLE
from seq2drum.play.options import Options

LATE = 0.04  # seconds that a stroke may come late by for its limb


class KeptDrums(NamedTuple):
    """What of a song's own drums stays. The take is played in bars [first, stop) of the lattice, ticks [low, high).

    rows (n, 4): the notes that stay, as they are in the file, and pedal (positions, 2) that of their hats. given: the
    bars before `first`, as a model remembers them. struck: the voices that sound at each tick. downbeat: those that are
    struck already on the first step played, a little before its barline. hits: what stays in other bars than those
    played, as voices of the full kit.
    """

    rows: IntArray
    pedal: IntArray
    given: dict[int, Grid]
    struck: dict[int, list[int]]
    downbeat: frozenset[int]
    first: int
    stop: int
    low: int
    high: int
    hits: Grid

    def within(self, bar: Bar, *, last: bool) -> IntArray:
        """The notes (n, 4) that stay in a bar of the song; in the last one also those after it."""
        if not len(self.rows):
            return self.rows
        onset = self.rows[:, 0]
        return self.rows[(onset >= bar.start) & (last | (onset < bar.end))]

    def pedal_within(self, bar: Bar, *, last: bool) -> IntArray:
        """The positions (n, 2) of the pedal that stay in a bar, likewise."""
        if not len(self.pedal):
            return self.pedal
        tick = self.pedal[:, 0]
        return self.pedal[(tick >= bar.start) & (last | (tick < bar.end))]


def kept_of(song: Song, lattice: Lattice, options: Options, drum_map: DrumMap, kit: Kit) -> KeptDrums:
    """What stays of a song's own drums.

    A note belongs to the bar it sounds in, but for those that come early on the downbeat after the last bar that is
    played: they stay, too.

    Raises:
        OptionError: something of them should stay, but there are none, or there is no such bar.
    """
    # 1. The song's own drums, if any of them should stay.
    own = [song.parts[index] for index in theory.drum_parts(song)]
    rows = np.concatenate([np.empty((0, 4), np.int64), *(part.rows for part in own)])
    if not (options.prime or options.bars):
        nothing = encode(Part.of(rows[:0]), lattice, FULL)
        return KeptDrums(rows[:0], NO_PEDAL, {}, {}, frozenset(), 0, len(lattice.bars), 0, song.end, nothing)
    pitch = np.concatenate([drum_map.meant(part) for part in own] or [rows[:, 2]])
    pedal = np.concatenate([NO_PEDAL, *(part.pedal for part in own)])
    known = (pitch >= 0) & (FULL.voice_of[pitch] >= 0)
    if not known.any():
        raise OptionError(
            "the song has no drums of its own that could stay; give a file of them (drums), or leave out prime and bars"
        )
    # 2. The bars that are played, and the notes that stay outside them.
    number = np.array([bar.index for bar in lattice.bars])  # a long bar is several of the lattice
    step, _ = lattice.nearest(rows[:, 0])
    bar = lattice.bar_of[step]
    stop, low, high = len(lattice.bars), song.end, song.end
    if options.bars is None:
        first = int(np.searchsorted(number, number[bar[known].min()] + options.prime))
        low = lattice.bars[first].start if first < stop else song.end
        stays = known & (rows[:, 0] < low)
    else:
        begin, end = options.bars
        if end > len(song.bars()):
            raise OptionError(f"the bars are {begin}:{end}, but the song has {len(song.bars())}")
        first, stop = (int(np.searchsorted(number, edge)) for edge in (begin - 1, end))
        low, high = lattice.bars[first].start, lattice.bars[stop - 1].end
        stays = (rows[:, 0] < low) | (rows[:, 0] >= high) | (bar >= stop)
    pedal = pedal[(pedal[:, 0] < low) | (pedal[:, 0] >= high)]
    # 3. The bars that stay, on the lattice, and those before as the model remembers them.
    standard = np.column_stack([rows[:, :2], pitch, rows[:, 3]])
    hits = encode(Part.of(standard[known & ((bar < first) | (bar >= stop))]), lattice, FULL)
    remembered = encode(Part.of(standard[known & (bar < first)]), lattice, kit)
    given = {index: remembered.between(*lattice.first[index : index + 2].tolist()) for index in range(first)}
    # 4. What sounds together with what is played.
    inside = stays & known
    voice = kit.voice_of[pitch[inside]]
    struck: dict[int, list[int]] = {}
    for tick, piece in zip(rows[inside, 0].tolist(), voice.tolist(), strict=True):
        struck.setdefault(tick, []).append(piece)
    downbeat = voice[step[inside] == lattice.first[first]].tolist()
    return KeptDrums(
        rows[stays], pedal, given, struck, frozenset(downbeat), first, stop, low, min(high, song.end), hits
    )


def grooves_of(kept: KeptDrums, form: Form, passages: Sequence[Section]) -> dict[str, Groove]:
    """The typical groove of what stays in each section, by its letter, and of `WHOLE` that of all that stays.

    Sections of which nothing stays have none; where nothing stays at all, there is no groove.
    """
    grid, bars = kept.hits, len(form.steps)
    if not len(grid.step):
        return {}
    grooves, struck = {WHOLE: typical(grid, form)}, set(form.bar_of(grid.step).tolist())
    for letter, own in bars_of(passages, bars).items():
        if struck.intersection(own):
            grooves[letter] = typical(grid, form, own)
    return grooves


class DrumMerger:
    """Joins what is played, bar after bar, to what stays of a song: notes that one drummer can play beside it."""

    def __init__(self, kept: KeptDrums, lattice: Lattice, kit: Kit, song: Song) -> None:
        self._kept, self._lattice, self._kit, self._song = kept, lattice, kit, song
        self._limbs = Limbs(kit)
        self._struck = {tick: list(voices) for tick, voices in kept.struck.items()}
        self._strokes = Strokes(self._limbs)
        for tick in sorted(tick for tick in kept.struck if tick < kept.low):
            for voice in kept.struck[tick]:
                self._strokes.strike(voice, song.seconds(tick))

    def aside(self) -> DrumMerger:
        """A copy, by which a bar is joined that later ones do not go on from."""
        other = DrumMerger(self._kept._replace(struck=self._struck), self._lattice, self._kit, self._song)
        other._strokes = self._strokes.copy()
        return other

    def fitted(self, index: int, hits: Grid, program: int, *, is_xg: bool) -> Part:
        """The notes of a bar of the lattice, as General MIDI has them, by its hits, which count from its barline.

        program, is_xg: the kit that they are played on.
        """
        kept, kit = self._kept, self._kit
        if index == kept.first:
            hits = hits.select((hits.step > 0) | ~np.isin(hits.key, list(kept.downbeat)))
        rows = notes_of(hits.shift(self._lattice.first[index]), self._lattice, kit)
        rows = rows[rows[:, 0] < kept.high]
        rows[:, 0] = np.maximum(rows[:, 0], kept.low)
        rows = self._playable(rows, kit.voice_of[rows[:, 2]])
        rows[:, 1] = np.minimum(rows[:, 1], self._song.end - rows[:, 0])
        return Part.of(rows, program=program, is_drums=True, is_xg=is_xg)

    def _playable(self, rows: IntArray, voices: IntArray) -> IntArray:
        """The notes (n, 4) that can be struck beside those struck before at the same ticks.

        A drummer's limits hold for each step. But late and early hits of neighbouring steps can meet in one tick, and
        where a quarter has few ticks, steps do; also across a barline. A note that comes too soon for its limb is as
        late as that is, or left out if that is later than LATE.
        """
        if len(rows):
            for tick in [tick for tick in self._struck if tick < rows[0, 0]]:
                del self._struck[tick]
        order, stop = np.lexsort((voices, rows[:, 0])), min(self._kept.high, self._song.end)
        seconds = self._song.elapsed(rows[order, 0]) / self._song.ticks_per_quarter / 1e6
        playable = []
        for index, voice, moment in zip(order.tolist(), voices[order].tolist(), seconds.tolist(), strict=True):
            tick = int(rows[index, 0])
            if wait := self._strokes.wait(voice, moment):
                late = math.ceil(wait * 1e6 * self._song.ticks_per_quarter / self._song.tempo_at(tick).microseconds)
                ready = self._song.seconds(tick + late)
                if ready - moment >= LATE:
                    continue
                tick, moment = tick + late, ready
            if tick >= stop or not self._limbs.can_add(voice, together := self._struck.setdefault(tick, [])):
                continue
            together.append(voice)
            self._strokes.strike(voice, moment)
            rows[index, 0] = tick
            playable.append(index)
        rows = rows[playable]
        return rows[np.lexsort((rows[:, 2], rows[:, 0]))]
