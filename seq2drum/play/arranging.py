"""The plan of a take, as far as it needs no model: from what is heard and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from seq2drum.lattice.columns import distinct
from seq2drum.lattice.features import Heard
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music.kit import FULL, Kit, to_kit
from seq2drum.music.notes import IntArray
from seq2drum.play.decode.memory import Pieces, pieces_for
from seq2drum.play.decode.plan import BoolArray, Fills, Plan, gestures_of
from seq2drum.play.options import Options

SOFT_STYLES = frozenset({"jazz", "latin"})
SOFT_VELOCITY = 68  # mean of a groove's hits, up to which it is soft
SOFT_INTENSITY = 0.3


def arranged(
    heard: Heard,
    sections: Sequence[Section],
    grooves: Mapping[str, Groove],
    options: Options,
    kit: Kit,
    *,
    notes: Grid | None = None,
    numbers: IntArray | None = None,
) -> Plan:
    """The plan of a take.

    Args:
        heard: The guitar.
        sections: Its passages.
        grooves: What is played on, by the letters of the sections.
        options: What is asked for.
        kit: The kit of the model that plays.
        notes: Everything that sounds besides the drums; by default the guitar and its bass.
        numbers: (B,) the number of each bar in the song, from 1; by default each bar is one of the song.
    """
    form = heard.form
    plan = Plan.of_sections(len(form.steps), sections, grooves, firm=options.is_plain)
    notes = Grid.join([heard.guitar, heard.bass]) if notes is None else notes
    numbers = np.arange(1, len(form.steps) + 1) if numbers is None else numbers
    pieces = pieces_of(options, grooves, kit)
    known = frozenset(name for name, allowed in zip(kit.names, pieces.allowed.tolist(), strict=True) if allowed)
    soft = is_soft(options, next((groove for groove in plan.grooves[::-1] if groove is not None), None))
    seed = options.sampling.seed if options.sampling.temperature else 0
    gestures = gestures_of(notes, form, options.ending, soft=soft, seed=seed)
    gestures = replace(gestures, cues={step: cue.of(known) for step, cue in gestures.cues.items()})
    fills = _fills(options, numbers) if options.fill_at or options.no_fills_in else None
    return replace(plan, fills=fills, gestures=gestures, pieces=pieces)


def is_soft(options: Options, groove: Groove | None) -> bool:
    """Whether a last chord is answered softly: by what is asked for, or as the groove is."""
    if options.intensity is not None:
        return options.intensity < SOFT_INTENSITY
    if options.style is not None:
        return options.style in SOFT_STYLES
    if groove is None:
        return False
    velocity = np.concatenate([bar.velocity for bar in groove.bars])
    return groove.style in SOFT_STYLES or (len(velocity) > 0 and float(velocity.mean()) <= SOFT_VELOCITY)


def pieces_of(options: Options, grooves: Mapping[str, Groove], kit: Kit) -> Pieces:
    """What may be played, by what is asked for and by the grooves of all sections."""
    keys = [bar.key for groove in grooves.values() for bar in groove.bars]
    voices = to_kit(kit, FULL)[np.concatenate([np.empty(0, dtype=np.int64), *keys])]
    return pieces_for(
        kit,
        pieces=options.pieces,
        time=options.time,
        without=options.forbidden,
        style=options.style,
        groove=distinct(voices[voices >= 0]).tolist(),
    )


def _fills(options: Options, numbers: IntArray) -> Fills:
    """Of a long bar, which is several of the lattice, the last piece is the fill that is asked for."""
    is_last: BoolArray = np.append(np.diff(numbers) > 0, True)
    never = np.zeros(len(numbers), dtype=bool)
    for first, last in options.no_fills_in:
        never |= (first <= numbers) & (numbers <= last)
    return Fills(np.isin(numbers, options.fill_at) & is_last, never)
