"""Write: the bars of a take are struck, joined to the drums that stay, mapped to a sampler, and merged to a part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from seq2drum.music import drum_maps
from seq2drum.music.explanation import SectionGroove, Swap
from seq2drum.music.kit import Kit
from seq2drum.music.notes import NO_PEDAL, IntArray, Part, in_order, merged
from seq2drum.play.choose import Grooves
from seq2drum.play.decode.decoding import PlayedBar
from seq2drum.play.decode.engine import ComputationStream, next_of
from seq2drum.play.feel.humanise import Dynamics
from seq2drum.play.kept import DrumMerger, KeptDrums
from seq2drum.play.listen import Guitar
from seq2drum.play.take import TRACK_NAME, DrumBar, Take


def write(
    guitar: Guitar, grooves: Grooves, kept: KeptDrums, played: ComputationStream[PlayedBar], kit: Kit
) -> ComputationStream[DrumBar]:
    """The bars of a take as notes of the song, each as soon as it is played.

    Args:
        guitar: The song.
        grooves: What it is played on, and what is asked for.
        kept: The song's own drums that stay.
        played: The bars as hits.
        kit: Whose voices these are.
    """
    song, options, song_grid = guitar.song, grooves.options, guitar.song_grid
    drum_map = drum_maps.load(options.drum_map)
    brushes = all("brush" in groove.title for groove in grooves.played) and bool(grooves.played)
    program, is_xg = drum_map.kit_to_play(song, brushes=brushes, stays=bool(options.prime or options.bars))
    dynamics, merger = Dynamics(options, song_grid.guitar_grid, kit), DrumMerger(kept, song_grid.lattice, kit, song)
    bars, parts, pedal, swaps = song.bars(), list[Part](), list[IntArray](), list[Swap]()
    for index, piece in enumerate(song_grid.lattice.bars):
        # 1. Strike each as it comes, and write what does not stay as it is. Nothing is asked of the bars after it.
        if index < kept.stop:
            _, hits, unwished = yield from next_of(played)
            own_merger = merger
            if unwished is None:
                struck = dynamics.strike(index, hits)
            else:
                own_merger = merger.aside()
                struck, plain = dynamics.strike_both(index, hits, unwished)
                merger.fitted(index, plain, program, is_xg=is_xg)  # what comes next goes on from it
            if kept.first <= index:
                fitted = own_merger.fitted(index, struck, program, is_xg=is_xg)
                written = drum_map.apply(fitted)
                parts.append(written)
                pedal.append(written.pedal)
                swaps += drum_map.swaps(fitted) if len(fitted) else ()
        # 2. A bar is complete with its last piece; a long one has several on the lattice.
        bar = bars[piece.index]
        if piece.end == bar.end:
            is_last = bar.index + 1 == len(bars)
            own = kept.within(bar, last=is_last)
            pedal.append(kept.pedal_within(bar, last=is_last))
            if len(parts) == 1 and not len(own):
                part = replace(parts[0], program=program, name=TRACK_NAME, is_xg=is_xg, pedal=NO_PEDAL)
            else:
                rows = np.concatenate([own, *(part.rows for part in parts)])
                part = Part.of(rows, program=program, name=TRACK_NAME, is_drums=True, is_xg=is_xg)
            positions = in_order(pedal)
            yield DrumBar(bar, replace(part, pedal=positions) if len(positions) else part, tuple(swaps))
            parts, pedal, swaps = [], [], []


def take_of(guitar: Guitar, grooves: Grooves, bars: Iterable[DrumBar]) -> Take:
    """The finished take, of all its bars."""
    played = list(bars)
    parts = [bar.part for bar in played]
    hits = Counter[tuple[str, str]]()
    for swap in (swap for bar in played for swap in bar.swaps):
        hits[swap.piece, swap.instead] += swap.hits
    letters, by_section = dict.fromkeys(section.letter for section in guitar.sections), grooves.by_section
    named = [(letter, by_section[letter]) for letter in letters if letter in by_section]
    return Take(
        guitar.song,
        merged(parts, kit=parts[0], name=TRACK_NAME),
        guitar.choice,
        grooves.options,
        guitar.source,
        grooves=tuple(SectionGroove(letter, groove.name, groove.title) for letter, groove in named),
        sections=guitar.markers,
        named=guitar.is_named,
        swaps=tuple(Swap(*pieces, count) for pieces, count in sorted(hits.items())),
    )
