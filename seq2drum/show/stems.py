"""A duet as stems: the guitar and each track of the drums as a sound of its own, which together are the mix.

All are rendered apart, and what is done to the mix (balance, loudness, limiter, the end) is done to each of them with
the same numbers. So they add up. It is done in place: ten minutes of one stem are 212 MB.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from seq2drum.music.notes import Part, Song
from seq2drum.show import fluidsynth, limiter, sound
from seq2drum.show.samples import RATE, Sound, factor

GUITAR, MIX = "guitar", "mix"


def stems(
    song: Song,
    guitars: Sequence[Part],
    others: Mapping[str, Sequence[Part]],
    *,
    soundfont: str | os.PathLike[str] | None = None,
    recording: Sound | None = None,
) -> dict[str, Sound]:
    """Each stem by its name, and the mix: all of one length, none above full scale, and the stems add up to the mix.

    song: has the tempos. guitars: sound together. others: the drums, and what is heard with them, by name. recording:
    what is heard in place of the guitars, from the song's start on; the mix is then as `sound.over` has it.

    Raises:
        MissingExtraError, OptionError: see `fluidsynth.find`.
        OutputError: FluidSynth failed.
    """
    # 1. Each of them by itself.
    groups = dict(others) if recording is not None or not guitars else {GUITAR: guitars, **others}
    songs = [fluidsynth.timed(song, parts, None, sound.MOST_SECONDS) for parts in groups.values()]
    rendered = dict(zip(groups, fluidsynth.render(fluidsynth.find(soundfont), songs, lambda share: None), strict=True))
    if recording is not None:
        rendered = {GUITAR: recording[: round(sound.MOST_SECONDS * RATE)].astype(np.float32), **rendered}  # a copy
    # 2. The balance of guitar and drums, and how loud they are together.
    guitar = rendered.get(GUITAR, np.zeros((0, 2), np.float32))
    drums = _sum([one for name, one in rendered.items() if name != GUITAR])
    mixed = sound.balanced(guitar, drums)
    level = sound.level(mixed) if recording is None else sound.level_over(guitar, mixed)
    raised = level * factor(sound.lift(guitar, drums))
    del guitar, drums, mixed
    for name, one in rendered.items():
        one *= np.float32(level if name == GUITAR else raised)
    # 3. The end, and the peaks: those of a stem may be higher than those of the mix.
    mixed = _sum(list(rendered.values()))
    shape = sound.ending(mixed)
    peaks = np.abs(mixed[: len(shape)])
    del mixed
    for one in rendered.values():
        np.maximum(peaks[: len(one)], np.abs(one[: len(peaks)]), out=peaks[: len(one)])
    peaks *= shape[:, None]
    shape *= limiter.gains(peaks)
    del peaks
    for name, one in rendered.items():
        one = one[: len(shape)]
        one *= shape[: len(one), None]
        rendered[name] = _as_long(one, len(shape))
    return {**rendered, MIX: _sum(list(rendered.values()))}


def _as_long(one: Sound, frames: int) -> Sound:
    """The sound, with silence behind it until it has so many frames."""
    return one if len(one) == frames else np.pad(one, ((0, frames - len(one)), (0, 0)))


def _sum(sounds: Sequence[Sound]) -> Sound:
    total = np.zeros((max(map(len, sounds), default=0), 2), np.float32)
    for one in sounds:
        total[: len(one)] += one
    return total
