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
from seq2drum.show.samples import Sound, factor

GUITAR, MIX = "guitar", "mix"


def stems(
    song: Song,
    guitars: Sequence[Part],
    others: Mapping[str, Sequence[Part]],
    *,
    soundfont: str | os.PathLike[str] | None = None,
) -> dict[str, Sound]:
    """Each stem by its name, and the mix: all of one length, and the stems add up to the mix.

    song: has the tempos. guitars: sound together. others: the drums, and what is heard with them, by name.

    Raises:
        MissingExtraError, OptionError: see `fluidsynth.find`.
        OutputError: FluidSynth failed.
    """
    # 1. Each of them by itself.
    synthesiser = fluidsynth.find(soundfont)
    groups = {GUITAR: guitars, **others} if guitars else dict(others)
    songs = [fluidsynth.timed(song, parts, None, sound.MOST_SECONDS) for parts in groups.values()]
    rendered = fluidsynth.render(synthesiser, songs, lambda share: None)
    frames = max(map(len, rendered))
    apart = {name: _as_long(one, frames) for name, one in zip(groups, rendered, strict=True)}
    # 2. The balance of guitar and drums, and how loud they are together.
    guitar = apart.get(GUITAR, np.zeros((frames, 2), np.float32))
    drums = _sum([one for name, one in apart.items() if name != GUITAR], frames)
    raised = factor(sound.lift(guitar, drums))
    level = sound.level(guitar + drums * np.float32(raised))
    for name, one in apart.items():
        one *= np.float32(level if name == GUITAR else level * raised)
    # 3. The end, and the peaks.
    mixed = _sum(list(apart.values()), frames)
    shape = sound.ending(mixed)
    shape *= limiter.gains(mixed[: len(shape)] * shape[:, None])
    finished = {name: one[: len(shape)] * shape[:, None] for name, one in apart.items()}
    return {**finished, MIX: _sum(list(finished.values()), len(shape))}


def _as_long(one: Sound, frames: int) -> Sound:
    longer = np.zeros((frames, 2), np.float32)
    longer[: len(one)] = one
    return longer


def _sum(sounds: Sequence[Sound], frames: int) -> Sound:
    total = np.zeros((frames, 2), np.float32)
    for one in sounds:
        total += one
    return total
