"""What a take costs: about how much of a processor it takes."""

from __future__ import annotations

from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.gestures import rests, stopped
from seq2drum.lattice.grid import STEPS_PER_QUARTER
from seq2drum.music.notes import Song

# Milliseconds of one take on one core of a small server; measured, and right within a factor of two or three.
_MS_A_CALL, _MS_A_QUARTER, _MS_A_STILL_QUARTER = 10.0, 1.2, 0.15


def estimated_ms(song: Song) -> float:
    """About how long one take lasts on an idle server, in milliseconds; bars of a long rest cost next to nothing."""
    lattice = lattice_of(song)
    quarters = lattice.counts / STEPS_PER_QUARTER
    played = float(quarters[~stopped(rests(song, lattice))].sum())
    return _MS_A_CALL + _MS_A_QUARTER * played + _MS_A_STILL_QUARTER * (float(quarters.sum()) - played)
