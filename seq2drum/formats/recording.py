"""A recording of a guitar to a `Song` that lies on it: its notes, on beats that are given or found."""

from __future__ import annotations

import numpy as np

from seq2drum.errors import RecordingError
from seq2drum.formats import soundfiles, transcription
from seq2drum.lattice.beats import Beats, Timing
from seq2drum.lattice.performance import Performance
from seq2drum.lattice.placing import placed
from seq2drum.lattice.pulse import Found, beats_of
from seq2drum.music.notes import Song

ANY = placed(
    Performance.of(np.zeros(1), np.full(1, 0.1), np.full(1, 40), np.ones(1), 1.0), Beats.steady(120, 0.0, (4, 4))
)
"""A recording of one note: it has the parts that every recording has."""


def read(data: bytes, timing: Timing | None = None) -> tuple[Song, Found]:
    """The song of a recording, and what was found of its beats; tick 0 is the recording's 0:00.

    data: the bytes of a WAV, FLAC, Ogg, MP3 or AIFF file. timing: what is known of its beats.

    Raises:
        RecordingError: it cannot be read, lies beyond `RECORDING_LIMITS`, or no notes are heard in it.
        MissingExtraError: what is needed is not installed.
    """
    performance = heard(data)
    found = beats_of(performance, timing or Timing())
    return placed(performance, found.beats), found


def heard(data: bytes) -> Performance:
    """The notes of a recording in seconds.

    Raises:
        RecordingError, MissingExtraError: as `read`.
    """
    performance = transcription.transcribed(soundfiles.mono(data, transcription.RATE))
    if not len(performance):
        raise RecordingError("no notes were heard in the recording; wanted is a guitar, loud enough and nearly alone")
    return performance
