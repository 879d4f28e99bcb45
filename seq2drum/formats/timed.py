"""A file of music with a given timing: its beats are detected, or those of its grid are put right."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import NamedTuple

from seq2drum.formats import opening
from seq2drum.lattice.beats import correcting, placing, pulse
from seq2drum.lattice.beats.performance import Timing
from seq2drum.lattice.beats.pulse import Found
from seq2drum.music import theory
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import Song

_ALIKE = 0.04  # by how much two tempos may differ and be the same


class Timed(NamedTuple):
    """A song on its beats. found: how they were detected; None: they are those of the file's grid, put right.

    recording: the bytes of the file, if it is a recording.
    """

    song: Song
    found: Found | None
    recording: bytes | None = None

    def __str__(self) -> str:
        if self.found is not None:
            return str(self.found)
        bar = next(bar for bar in self.song.bars() if bar.length >= self.song.bars()[-1].length or bar.index)
        bpm, second = self.song.tempo_at(bar.start).bpm, self.song.seconds(bar.start)
        return f"{bpm:.2f} BPM, {bar.numerator}/{bar.denominator}, and a bar begins at {second:.2f} s"


def open_timed(
    source: str | os.PathLike[str] | bytes,
    timing: Timing,
    *,
    follow: bool = False,
    track: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Timed:
    """Return the song of a file of any kind with the given timing.

    The beats of a recording are detected, as far as they are not given; so are those of a file whose tempo is given, or
    that is followed: of a tempo and its double, the one that is written counts. The grid of any other file is put right
    by the scale, the metre and the downbeat.

    Args:
        source: The file or its bytes.
        timing: What is known of its beats.
        follow: The file was played without a click: what its grid says is ignored.
        track: The guitar whose beats are detected, as in `theory.choose_parts`.
        limits: The limits of a MIDI file.

    Raises:
        InputError, MissingExtraError: as `opening.open_song`.
        OptionError: the timing does not fit the song.
    """
    kind, data = opening.recognised(source, limits=limits)
    if kind is opening.RECORDING:
        from seq2drum.formats.audio import recording  # loaded for recordings alone

        return Timed(*recording.read(data, timing), data)
    song = kind.read(data, limits)
    if not follow and timing.bpm is None:
        return Timed(correcting.corrected(song, timing), None)
    if not follow and timing.metre is None:  # only the tempo is wrong
        timing = replace(timing, metre=song.metre_map[0][1:])
    played = placing.performed(song, theory.choose_parts(song, track).parts)
    found = pulse.beats_of(played, timing)
    if timing.bpm is None and timing.scale == 1 and (scale := _doubled(song, found)) != 1:
        found = pulse.beats_of(played, replace(timing, scale=scale))
    return Timed(placing.followed(song, found.beats), found)


def _doubled(song: Song, found: Found) -> float:
    """Return the factor that brings a tempo that was found to that of the file, if it is half or twice as fast."""
    seconds = song.seconds(song.end)
    written = 60 * song.end / song.ticks_per_quarter / seconds if seconds else 0.0
    return next((scale for scale in (0.5, 2.0) if abs(found.bpm * scale - written) < _ALIKE * written), 1.0)
