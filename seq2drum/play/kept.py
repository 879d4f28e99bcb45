"""Drums of the song that stay in a take: their notes, and the bars that a model remembers of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid, Lattice, encode
from seq2drum.lattice.grooves.grooves import Groove, typical
from seq2drum.lattice.sections import Section, bars_of
from seq2drum.music import theory
from seq2drum.music.choices import WHOLE
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.kit import FULL, Kit
from seq2drum.music.notes import NO_PEDAL, Bar, IntArray, Part, Song
from seq2drum.play.options import Options


class KeptDrums(NamedTuple):
    """Drums of the song that stay. The take is played in bars [first, stop) of the lattice, ticks [low, high).

    rows (n, 4): the kept notes of the file; pedal (positions, 2): the pedal of their hats. given: the bars before
    `first`, as a model remembers them. struck: the voices struck at each tick. downbeat: voices already struck on the
    first played step, just before its barline. hits: the kept hits outside the played bars, as voices of the full kit.
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

    def within(self, bar: Bar, *, last: bool) -> tuple[IntArray, IntArray]:
        """The notes (n, 4) and pedal positions (n, 2) kept in a bar; in the last bar also those after it."""
        if not len(self.rows) and not len(self.pedal):
            return self.rows, self.pedal
        onset, tick = self.rows[:, 0], self.pedal[:, 0]
        return (
            self.rows[(onset >= bar.start) & (last | (onset < bar.end))],
            self.pedal[(tick >= bar.start) & (last | (tick < bar.end))],
        )


def kept_of(
    song: Song, lattice: Lattice, options: Options, drum_map: DrumMap, kit: Kit, out: NDArray[np.bool_] | None = None
) -> KeptDrums:
    """Return the drums of a song that stay. out (B,): bars without drums by request, their own too; None for none.

    A note belongs to the bar that it sounds in, except early notes on the downbeat after the last played bar: they
    stay, too.

    Raises:
        OptionError: the options keep drums, and the song has none or lacks the bar.
    """
    # 1. The song's own drums, if any should stay.
    own = [song.parts[index] for index in theory.drum_parts(song)]
    rows = np.concatenate([np.empty((0, 4), np.int64), *(part.rows for part in own)])
    if not (options.prime or options.bars):
        nothing = encode(Part.of(rows[:0]), lattice, FULL)
        return KeptDrums(rows[:0], NO_PEDAL, {}, {}, frozenset(), 0, len(lattice.bars), 0, song.end, nothing)
    pitch = np.concatenate([drum_map.meant(part) for part in own] or [rows[:, 2]])
    pedal = np.concatenate([NO_PEDAL, *(part.pedal for part in own)])
    known = (pitch >= 0) & (FULL.voice_of[pitch] >= 0)
    if not known.any():
        raise OptionError("the song has no drums to keep; give a file of them (drums), or leave out prime and bars")
    # 2. The bars to play, and the notes that stay outside them.
    number = np.array([bar.index for bar in lattice.bars])  # a long bar spans several of the lattice
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
    heard = stays if out is None else stays & ~out[bar]
    # 3. The kept bars on the lattice, and the earlier ones as the model remembers them.
    standard = np.column_stack([rows[:, :2], pitch, rows[:, 3]])
    hits = encode(Part.of(standard[known & ((bar < first) | (bar >= stop))]), lattice, FULL)
    remembered = encode(Part.of(standard[known & (bar < first)]), lattice, kit)
    given = {index: remembered.between(*lattice.first[index : index + 2].tolist()) for index in range(first)}
    # 4. The voices struck together with the played bars.
    inside = heard & known
    voice = kit.voice_of[pitch[inside]]
    struck: dict[int, list[int]] = {}
    for tick, piece in zip(rows[inside, 0].tolist(), voice.tolist(), strict=True):
        struck.setdefault(tick, []).append(piece)
    downbeat = voice[step[inside] == lattice.first[first]].tolist()
    return KeptDrums(
        rows[heard], pedal, given, struck, frozenset(downbeat), first, stop, low, min(high, song.end), hits
    )


def grooves_of(kept: KeptDrums, form: Form, passages: Sequence[Section]) -> dict[str, Groove]:
    """The typical groove of the kept drums in each section, by its letter; under `WHOLE`, of all of them.

    A section without kept drums is left out; without any, the result is empty.
    """
    grid, bars = kept.hits, len(form.steps)
    if not len(grid.step):
        return {}
    grooves, struck = {WHOLE: typical(grid, form)}, set(form.bar_of(grid.step).tolist())
    for letter, own in bars_of(passages, bars).items():
        if struck.intersection(own):
            grooves[letter] = typical(grid, form, own)
    return grooves
