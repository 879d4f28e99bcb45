"""A duet as sound, rendered by FluidSynth with a General MIDI soundfont.

Guitars and drums are rendered apart, brought to equal loudness, and mixed. It knows nothing of loudspeakers: a WAV file
comes out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.duet import Duet
from seq2drum.music.notes import Part
from seq2drum.show import fluidsynth, loudness
from seq2drum.show.limiter import CEILING, limited
from seq2drum.show.samples import RATE, Sound, factor, peak, wav_file

MOST_SECONDS = 600.0
"""Longer songs are cut here: ten minutes are 106 MB of WAV, and need 0.7 GB of memory while they are made."""
LOUDNESS = -16.0
"""How loud the mix is, in LUFS, as music for listening at a desk commonly is."""
DRUMS_OVER_GUITAR = 0.0
"""How much louder the drums are than the guitars, in LU."""

_FADE = 0.3  # seconds, at the very end
_SILENCE = 10 ** (-66 / 20)  # what ends in less than this has ended


def check(soundfont: str | os.PathLike[str] | None = None) -> None:
    """Refuse what `wav` would refuse for want of a synthesiser; see `fluidsynth.find`."""
    fluidsynth.find(soundfont)


def seconds(duet: Duet, span: tuple[int, int] | None = None) -> float:
    """How long a duet lasts until its last note ends: all of it, or from one tick on what begins before another."""
    first, last = span or (0, duet.song.end + 1)
    ends = [
        int((part.onset + part.duration)[(part.onset >= first) & (part.onset < last)].max(initial=first))
        for part in (*duet.guitars, duet.drums)
    ]
    return duet.song.seconds(max(ends)) - duet.song.seconds(first)


def clock(seconds: float) -> str:
    """Minutes and seconds, as players show them."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def wav(
    duet: Duet,
    *,
    soundfont: str | os.PathLike[str] | None = None,
    span: tuple[int, int] | None = None,
    beside: Sequence[Part] = (),
    recording: Sound | None = None,
    most_seconds: float = MOST_SECONDS,
    show: Callable[[float], None] = lambda share: None,
) -> bytes:
    """A WAV file, 16 bits, stereo: guitars and drums by the song's tempo map, until the last of them has rung out.

    The same duet with the same FluidSynth and soundfont gives the same bytes.

    Args:
        duet: What is to be heard.
        soundfont: A General MIDI soundfont; by default see `fluidsynth.find`.
        span: Only what begins between two ticks.
        beside: What is heard with the drums, and as loud: a click.
        recording: What is heard in place of the guitars, from the song's start on.
        most_seconds: What begins later is left out, and what still sounds then is ended.
        show: Is called from time to time with the share that has been rendered, from 0 to 1.

    Raises:
        MissingExtraError, OptionError: see `fluidsynth.find`.
        OutputError: FluidSynth failed.
    """
    if recording is not None:
        duet = duet._replace(guitars=())
    guitars, drums = stems(duet, soundfont=soundfont, span=span, beside=beside, most_seconds=most_seconds, show=show)
    if recording is not None:
        return wav_file(_finished(over(recording[: round(most_seconds * RATE)], drums)))
    return wav_file(_finished(mix(guitars, drums)))


def lasts(data: bytes) -> float:
    """How many seconds of sound there are in a file of `wav`."""
    return len(data) / 4 / RATE


def stems(
    duet: Duet,
    *,
    soundfont: str | os.PathLike[str] | None = None,
    span: tuple[int, int] | None = None,
    beside: Sequence[Part] = (),
    most_seconds: float = MOST_SECONDS,
    show: Callable[[float], None] = lambda share: None,
) -> tuple[Sound, Sound]:
    """Guitars and drums as FluidSynth renders them, not balanced; see `wav`."""
    synthesiser = fluidsynth.find(soundfont)
    songs = [fluidsynth.timed(duet.song, parts, span, most_seconds) for parts in (duet.guitars, (duet.drums, *beside))]
    guitars, drums = fluidsynth.render(synthesiser, songs, show)
    return guitars, drums


# --- balance ----------------------------------------------------------------------------------------------------------


_MOST_LIFT = 12.0  # dB that one side is raised over the other: brushes stay softer than a strummed guitar
_MOST_SQUEEZE = 9.0  # dB that the tallest peak may be lowered; what would need more stays softer


def lift(guitars: Sound, drums: Sound) -> float:
    """How much the drums are to be raised, in dB, to be as loud as the guitars (`DRUMS_OVER_GUITAR`).

    Soundfonts do not agree how loud drums are: those of FluidR3 are 7 LU below its guitars (median of 24 songs), and
    from song to song it is anything between 1 LU above and 18 below. Measured loudness makes up for that, up to 12 dB.
    """
    wanted = loudness.integrated(guitars) + DRUMS_OVER_GUITAR - loudness.integrated(drums)
    return min(max(wanted, -_MOST_LIFT), _MOST_LIFT) if math.isfinite(wanted) else 0.0


def mix(guitars: Sound, drums: Sound) -> Sound:
    """Guitars and drums as one, balanced by `lift`, and together as loud as `LOUDNESS`.

    Peaks may be above full scale: see `limiter`.
    """
    mixed = balanced(guitars, drums)
    mixed *= np.float32(level(mixed))
    return mixed


def over(recording: Sound, drums: Sound) -> Sound:
    """A recording and drums as one: the drums as loud as the recording, and both together no louder than it was.

    Drums are lifted by `lift`, so by no more than that. Peaks may be above full scale: see `limiter`.
    """
    mixed = balanced(recording, drums)
    mixed *= np.float32(level_over(recording, mixed))
    return mixed


def balanced(guitars: Sound, drums: Sound) -> Sound:
    """Guitars, and drums brought to them by `lift`, as one."""
    mixed = np.zeros((max(len(guitars), len(drums)), 2), np.float32)
    mixed[: len(drums)] = drums
    mixed *= np.float32(factor(lift(guitars, drums)))
    mixed[: len(guitars)] += guitars
    return mixed


def level(mixed: Sound) -> float:
    """By what a mix is multiplied to be as loud as `LOUDNESS`, or less where its peaks are too high for that."""
    loud, highest = loudness.integrated(mixed), peak(mixed)
    if not (math.isfinite(loud) and highest > 0):
        return 1.0
    return min(factor(LOUDNESS - loud), factor(CEILING + _MOST_SQUEEZE) / highest)


def level_over(recording: Sound, mixed: Sound) -> float:
    """By what a mix with a recording is multiplied to be no louder than the recording."""
    wanted, loud = loudness.integrated(recording), loudness.integrated(mixed)
    return factor(wanted - loud) if math.isfinite(wanted) and loud > wanted else 1.0


# --- the end ----------------------------------------------------------------------------------------------------------


def ending(sound: Sound) -> NDArray[np.float32]:
    """(frames,): by what each frame is multiplied so that a sound ends softly where it has rung out."""
    heard = np.flatnonzero(np.abs(sound).max(axis=1, initial=0) > _SILENCE)
    frames = int(heard[-1]) + 1 if len(heard) else 0
    fade = min(round(_FADE * RATE), len(sound))
    shape = np.ones(min(frames + fade, len(sound)), np.float32)
    shape[len(shape) - fade :] = np.linspace(1, 0, fade, dtype=np.float32)
    return shape


def _finished(sound: Sound) -> NDArray[np.int16]:
    """Sound that ends where it has rung out, softly, with no sample above the ceiling."""
    shape = ending(sound)
    sound = sound[: len(shape)]
    sound *= shape[:, None]
    return limited(sound)
