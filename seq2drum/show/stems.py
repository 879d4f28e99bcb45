"""A duet as stems: the guitar and each track of the drums as a sound of its own, which together are the mix.

All are rendered apart, and what is done to the mix (balance, loudness, limiter, the end) is done to each of them with
the same numbers. So they add up.
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
    """Each stem by its name, and the mix: all of one length, and the stems add up to the mix.

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
        rendered = {GUITAR: recording[: round(sound.MOST_SECONDS * RATE)], **rendered}
    # 2. The balance of guitar and drums, and how loud they are together.
    guitar = rendered.get(GUITAR, np.zeros((0, 2), np.float32))
    drums = _sum([one for name, one in rendered.items() if name != GUITAR])
    mixed = sound.balanced(guitar, drums)
    level = sound.level(mixed) if recording is None else sound.level_over(guitar, mixed)
    raised = level * factor(sound.lift(guitar, drums))
    apart = {name: _as_long(one, len(mixed)) for name, one in rendered.items()}
    for name, one in apart.items():
        one *= np.float32(level if name == GUITAR else raised)
    # 3. The end, and the peaks.
    mixed = _sum(list(apart.values()))
    shape = sound.ending(mixed)
    shape *= limiter.gains(mixed[: len(shape)] * shape[:, None])
    finished = {name: one[: len(shape)] * shape[:, None] for name, one in apart.items()}
    return {**finished, MIX: _sum(list(finished.values()))}


def _as_long(one: Sound, frames: int) -> Sound:
    longer = np.zeros((frames, 2), np.float32)
    longer[: len(one)] = one
    return longer


def _sum(sounds: Sequence[Sound]) -> Sound:
    total = np.zeros((max(map(len, sounds), default=0), 2), np.float32)
    for one in sounds:
        total[: len(one)] += one
    return total
