"""Write: strike the bars of a take, join them to the kept drums, map them to a sampler, and merge them to a part."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from seq2drum.lattice.grid import Grid, Lattice, notes_of, to_full
from seq2drum.music import drum_maps
from seq2drum.music.explanation import SectionGroove, Swap
from seq2drum.music.kit import FULL, Kit, Limbs, Strokes
from seq2drum.music.notes import NO_PEDAL, IntArray, Part, Song, in_order, merge_drums
from seq2drum.music.song_plan import SongPlan
from seq2drum.play.choose import Grooves
from seq2drum.play.decode.decoding import PlayedBar
from seq2drum.play.decode.engine import ComputationStream, next_of
from seq2drum.play.decode.memory import pieces_instead
from seq2drum.play.feel.humanise import Dynamics
from seq2drum.play.kept import KeptDrums
from seq2drum.play.listen import Guitar
from seq2drum.play.take import TRACK_NAME, DrumBar, Take

LATE = 0.04  # the most seconds by which a stroke may be delayed for its limb


def write(
    guitar: Guitar,
    grooves: Grooves,
    kept: KeptDrums,
    played: ComputationStream[PlayedBar],
    kit: Kit,
    plan: SongPlan = (),
    beside: Callable[[int, Grid], Grid] | None = None,
) -> ComputationStream[DrumBar]:
    """Yield the bars of a take as notes of the song, each as soon as it is played.

    Args:
        guitar: The song.
        grooves: The grooves of the take, and the request.
        kept: The song's own drums that stay.
        played: The bars as hits.
        kit: The kit of the hits.
        plan: The plan of the sections; each goes with its first bar.
        beside: Plays percussion to the struck hits of a bar, see `arrange.percussion.Percussionist.play`.
    """
    song, options, song_grid = guitar.song, grooves.options, guitar.song_grid
    drum_map = drum_maps.load(options.drum_map)
    brushes = all("brush" in groove.title for groove in grooves.played) and bool(grooves.played)
    program, is_xg = drum_map.kit_to_play(song, brushes=brushes, stays=bool(options.prime or options.bars))
    dynamics = Dynamics(grooves.without, song_grid.guitar_grid, kit)
    merger = DrumMerger(kept, song_grid.lattice, kit, song)
    others = [pieces_instead(kit, those) if those else None for those in guitar.others(options.instead)]
    bars, parts, pedal, swaps = song.bars(), list[Part](), list[IntArray](), list[Swap]()
    for index, piece in enumerate(song_grid.lattice.bars):
        # 1. Strike each bar as it comes, without waiting for later ones, and write the kept bars unchanged.
        if index < kept.stop:
            _, hits, unwished, intensity = yield from next_of(played)
            own_merger, other = merger, others[index]
            if unwished is None:
                struck = dynamics.strike(index, hits)
            else:
                own_merger = merger.aside()
                struck, plain = dynamics.strike_both(index, hits, unwished, intensity)
                plain = plain if other is None else other.hits(plain)
                merger.fitted(index, plain, program, is_xg=is_xg)  # the next bar continues from it
            struck = struck if other is None else other.hits(struck)
            percussion = None if beside is None else beside(index, to_full(struck, kit))
            if kept.first <= index:
                fitted = own_merger.fitted(index, struck, program, is_xg=is_xg)
                if percussion is not None:
                    fitted = own_merger.joined(fitted, index, percussion)
                written = drum_map.apply(fitted)
                parts.append(written)
                pedal.append(written.pedal)
                swaps += drum_map.swaps(fitted) if len(fitted) else ()
        # 2. A bar ends with its last piece; a long one has several on the lattice.
        bar = bars[piece.index]
        if piece.end == bar.end:
            is_last = bar.index + 1 == len(bars)
            own, own_pedal = kept.within(bar, last=is_last)
            pedal.append(own_pedal)
            if len(parts) == 1 and not len(own):
                part = replace(parts[0], program=program, name=TRACK_NAME, is_xg=is_xg, pedal=NO_PEDAL)
            else:
                rows = np.concatenate([own, *(part.rows for part in parts)])
                part = Part.of(rows, program=program, name=TRACK_NAME, is_drums=True, is_xg=is_xg)
            positions = in_order(pedal)
            begun = tuple(row for row in plan if row.first == bar.index + 1)
            yield DrumBar(bar, replace(part, pedal=positions) if len(positions) else part, tuple(swaps), begun)
            parts, pedal, swaps = [], [], []


def take_of(guitar: Guitar, grooves: Grooves, bars: Iterable[DrumBar]) -> Take:
    """The finished take, from all its bars."""
    played = list(bars)
    parts = [bar.part for bar in played]
    hits = Counter[tuple[str, str]]()
    for swap in (swap for bar in played for swap in bar.swaps):
        hits[swap.piece, swap.instead] += swap.hits
    letters, by_section = dict.fromkeys(section.letter for section in guitar.sections), grooves.by_section
    named = [(letter, by_section[letter]) for letter in letters if letter in by_section]
    return Take(
        guitar.song,
        merge_drums(parts, kit=parts[0], name=TRACK_NAME),
        guitar.choice,
        grooves.options,
        guitar.source,
        grooves=tuple(SectionGroove(letter, groove.name, groove.title) for letter, groove in named),
        sections=guitar.markers,
        named=guitar.is_named,
        swaps=tuple(Swap(*pieces, count) for pieces, count in sorted(hits.items())),
        plan=tuple(row for bar in played for row in bar.plan),
    )


class DrumMerger:
    """Joins bars of a take to the drums of the song that stay, so that one drummer can play both."""

    def __init__(self, kept: KeptDrums, lattice: Lattice, kit: Kit, song: Song) -> None:
        self._kept, self._lattice, self._kit, self._song = kept, lattice, kit, song
        self._limbs = Limbs(kit)
        self._struck = {tick: list(voices) for tick, voices in kept.struck.items()}
        self._strokes = Strokes(self._limbs)
        for tick in sorted(tick for tick in kept.struck if tick < kept.low):
            for voice in kept.struck[tick]:
                self._strokes.strike(voice, song.seconds(tick))

    def aside(self) -> DrumMerger:
        """A copy that joins a bar without affecting later ones."""
        other = DrumMerger(self._kept._replace(struck=self._struck), self._lattice, self._kit, self._song)
        other._strokes = self._strokes.copy()
        return other

    def fitted(self, index: int, hits: Grid, program: int, *, is_xg: bool) -> Part:
        """The notes, in General MIDI, of a bar's hits, whose steps count from its barline. program, is_xg: the kit."""
        kept, kit = self._kept, self._kit
        if index == kept.first:
            hits = hits.select((hits.step > 0) | ~np.isin(hits.key, list(kept.downbeat)))
        rows = self._inside(hits, index, kit)
        rows = self._playable(rows, kit.voice_of[rows[:, 2]])
        rows[:, 1] = np.minimum(rows[:, 1], self._song.end - rows[:, 0])
        return Part.of(rows, program=program, is_drums=True, is_xg=is_xg)

    def joined(self, part: Part, index: int, hits: Grid) -> Part:
        """A bar's notes with those of a percussionist, whose hits of the full kit count from its barline."""
        rows = self._inside(hits, index, FULL)
        rows[:, 1] = np.minimum(rows[:, 1], self._song.end - rows[:, 0])
        return Part.of(np.concatenate([part.rows, rows]), program=part.program, is_drums=True, is_xg=part.is_xg)

    def _inside(self, hits: Grid, index: int, kit: Kit) -> IntArray:
        """The notes (n, 4) of a bar's hits that begin before the drums after it that stay."""
        rows = notes_of(hits.shift(self._lattice.first[index]), self._lattice, kit)
        rows = rows[rows[:, 0] < self._kept.high]
        if self._kept.low:
            rows[:, 0] = np.maximum(rows[:, 0], self._kept.low)
        return rows

    def _playable(self, rows: IntArray, voices: IntArray) -> IntArray:
        """The notes (n, 4), in any order, that can be struck in addition to those at the same ticks.

        Decoding checks a drummer's limits within a step. But late and early hits of neighbouring steps can meet in one
        tick, as can steps themselves at few ticks per quarter, even across a barline. A note that comes too soon for
        its limb is delayed until the limb is free, or left out if that is later than LATE.
        """
        if not len(rows):
            return rows
        order, stop = np.lexsort((voices, rows[:, 0])), min(self._kept.high, self._song.end)
        onset = rows[order, 0]
        seconds = self._song.elapsed(onset) / self._song.ticks_per_quarter / 1e6
        ticks, playable = onset.tolist(), list[int]()
        for before in [before for before in self._struck if before < ticks[0]]:
            del self._struck[before]
        for index, voice, tick, moment in zip(
            order.tolist(), voices[order].tolist(), ticks, seconds.tolist(), strict=True
        ):
            due = moment
            while moment - due < LATE and (wait := self._strokes.wait(voice, moment)):  # the tempo may rise meanwhile
                tick += math.ceil(wait * 1e6 * self._song.ticks_per_quarter / self._song.tempo_at(tick).microseconds)
                moment = self._song.seconds(tick)
                rows[index, 0] = tick
            if moment - due >= LATE:
                continue
            if tick >= stop or not self._limbs.can_add(voice, together := self._struck.setdefault(tick, [])):
                continue
            together.append(voice)
            self._strokes.strike(voice, moment)
            playable.append(index)
        playable.sort()  # the order in which most rows are sorted
        return rows[playable]
