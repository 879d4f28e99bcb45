"""What must never happen in a drum part: notes and hits that no drummer could play."""

from __future__ import annotations

import numpy as np

from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.music.kit import Kit
from seq2drum.music.limbs import HANDS, Limbs
from seq2drum.music.notes import IntArray, Part


def faults_of_part(part: Part, song_end: int, kit: Kit) -> dict[str, int]:
    """How many notes of a drum part there are, and how many faults: all but `notes` must be 0 in what is made.

    A note begins before tick 0, or at or after the song's end; has no length; sounds on after the end; is no piece of
    the kit; begins while the same note sounds; is doubled at its tick. And ticks at which more than two hands,
    hand percussion included, or two states of the hi-hat are wanted.
    """
    return _faults(part.onset, part.duration, part.pitch, kit.voice_of[part.pitch], song_end, kit)


def faults_of_grid(grid: Grid, form: Form, kit: Kit) -> dict[str, int]:
    """The same of hits whose keys are voices of the kit; steps stand for ticks, and a hit lasts one step at most."""
    within = (grid.key >= 0) & (grid.key < len(kit))
    voice = np.where(within, grid.key, -1)
    return _faults(grid.step, np.minimum(grid.length, 1), grid.key, voice, int(form.first[-1]), kit)


def _faults(onset: IntArray, duration: IntArray, key: IntArray, voice: IntArray, end: int, kit: Kit) -> dict[str, int]:
    order = np.lexsort((duration, onset, key))
    onset, duration, key, voice = onset[order], duration[order], key[order], voice[order]
    same = np.diff(key) == 0
    # A long note can sound beyond several that follow it: what counts is the latest end of all before.
    latest = np.zeros(len(onset), dtype=np.int64)
    for here in np.unique(key):
        latest[key == here] = np.maximum.accumulate((onset + duration)[key == here])
    doubled = same & (np.diff(onset) == 0)
    overlapping = same & ~doubled & (onset[1:] < latest[:-1])
    limbs = Limbs(kit)
    is_hat = np.isin(np.arange(len(kit)), list(limbs.hats))
    tick, piece = np.unique(np.stack([onset, voice])[:, voice >= 0], axis=1)  # what is struck at once, each piece once
    at = np.unique(tick, return_inverse=True)[1]
    hands, hats = np.bincount(at, np.array(limbs.hand)[piece]), np.bincount(at, is_hat[piece])
    return {
        "notes": len(onset),
        "before the start": int((onset < 0).sum()),
        "after the end": int((onset >= end).sum()),
        "without length": int((duration <= 0).sum()),
        "stuck": int(((onset < end) & (onset + duration > end)).sum()),
        "outside the kit": int((voice < 0).sum()),
        "overlapping": int(overlapping.sum()),
        "doubled": int(doubled.sum()),
        "more than two hands": int((hands > HANDS).sum()),
        "two hi-hats": int((hats > 1).sum()),
    }
