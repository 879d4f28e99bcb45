"""Audio loops without a guitar: bars as sound, at a tempo, in a form such as AAAB.

A net makes the 16 slices of a bar from noise, a kit and a request; see `learn.generators.loops`. It is not a
`composer.Generator`, as it has no hits. It makes sound at 117 quarters a minute; for another tempo, slices move closer
or apart (`lattice.patterns.respaced`). All is resampled to 44,100 frames a second.

Letters of shapes: n different bars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from seq2drum.errors import CheckpointError, OptionError
from seq2drum.lattice.patterns import SLICE, SLICES, Samples, resampled, respaced, spacing
from seq2drum.music.choices import LEARNT
from seq2drum.play.checkpoint.folder import CONFIG, place_in, upgraded, verify
from seq2drum.play.checkpoint.runtime import UNUSABLE, LoadedGraph, read_json, session
from seq2drum.play.generators.composer import Brief, there, wish

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "loop"
KIND = "loop"
FORMAT = 1
GRAPH = "loop.onnx"
FILES = (CONFIG, GRAPH)

FORMS = ("AAAA", "AAAB", "AABB", "ABAB")
"""The forms on offer. Other forms of up to 16 bars with the letters A to D work, too."""
FORM = "AAAB"
RATE = 44_100
"""The sample rate of the loops."""
MOST_SECONDS = 600.0
METRE = "4/4"

KITS_OF = MappingProxyType(
    {
        **dict.fromkeys(("dance", "hiphop"), ("808", "electronic")),
        **dict.fromkeys(("rock", "pop"), ("power", "standard")),
        **dict.fromkeys(
            ("afrobeat", "afrocuban", "funk", "jazz", "latin", "neworleans", "reggae", "soul"), ("standard",)
        ),
    }
)
"""The kits that fit a genre, by the names of General MIDI's; of other kits, any is drawn."""

_LETTERS, _MOST_FORM = "ABCD", 16
_PEAK = 0.89  # of the loops: 1 dB below full scale
_JOINT = 220  # frames of a crossfade from one bar to the next


@dataclass(frozen=True, eq=False)
class Loop:
    """Some bars as sound, and the data to reproduce them.

    sound (frames,): mono, RATE frames a second, no sample beyond full scale; it loops.
    """

    sound: Samples = field(repr=False)
    brief: Brief
    seed: int
    form: str
    kit: str


@dataclass(frozen=True, eq=False)
class LoopMaker:
    """A net that makes loops. noise: the size of a bar's noise. tempos: the lowest and the highest of its training."""

    graph: LoadedGraph = field(repr=False)
    noise: int
    kits: tuple[str, ...]
    tempos: tuple[float, float]

    @staticmethod
    def load(folder: Path | None = None) -> LoopMaker:
        """Load the net of a folder, by default the shipped one.

        Raises:
            CheckpointError: the folder is damaged, or of another kind or version.
            UnknownModelError: the shipped one is not installed.
        """
        folder = there(SHIPPED) if folder in (None, SHIPPED) else folder
        try:
            about: dict[str, Any] = read_json(folder / CONFIG)
            about = upgraded(about, KIND, FORMAT, {})
            noise, kits = int(about["noise"]), tuple(map(str, about["kits"]))
            least, highest = map(float, about["tempos"])
        except UNUSABLE as error:
            raise CheckpointError(f"{str(folder)!r} holds no maker of loops that can be used: {error}") from None
        verify(folder, FILES)
        return LoopMaker(session(folder / GRAPH, 1), noise, kits, (least, highest))

    def make(self, brief: Brief | None = None, seed: int = 0, *, form: str = FORM, kit: str | None = None) -> Loop:
        """Bars as sound. The same brief, seed, form and kit give the same samples.

        Bars with the same letter are equal. B differs from A by the brief's variability: at 0 not at all. A fill varies
        its bar's letter. A change starts the letters again. kit: one of `kits`; by default it is drawn among those
        that fit the genre.

        Raises:
            OptionError: there is no such form or kit, a genre was not learnt, the brief is not in 4/4, or the loop
                would exceed MOST_SECONDS.
        """
        request = Brief() if brief is None else brief
        if request.metre != METRE:
            raise OptionError(f"loops are in {METRE}, not in {request.metre}; leave out --metre")
        if unknown := [name for name in request.genres if name not in LEARNT]:
            raise OptionError(f"loops of {', '.join(unknown)} were not learnt; there are {', '.join(LEARNT)}")
        # 1. The noise of each bar; equal bars are made once.
        kit = self._kit(kit, seed, request.genres)
        seconds = 240 * request.bars / request.bpm
        if seconds > MOST_SECONDS:
            raise OptionError(
                f"{request.bars} bars at {request.bpm:g} last {seconds:.0f} seconds, and at most {MOST_SECONDS:.0f}"
                " become sound; request fewer bars"
            )
        letters = letters_of(form)
        plans = [
            (request.passage(bar), letters[bar % len(letters)], request.is_fill(bar)) for bar in range(request.bars)
        ]
        different = sorted(set(plans))
        # 2. Their sound, at the tempo.
        sounds = self._bars(request, seed, different, kit)
        sounds = resampled(sounds, round(RATE * 240 / request.bpm))
        sounds *= np.float32(_PEAK / max(float(np.abs(sounds).max()), 1e-3))
        # 3. Join them.
        sound = joined([sounds[different.index(plan)] for plan in plans])
        return Loop(sound.clip(-1, 1), request, seed, form.upper(), kit)

    def _kit(self, kit: str | None, seed: int, shares: Mapping[str, float]) -> str:
        if kit is None:
            fitting = KITS_OF[max(shares, key=shares.__getitem__)] if shares else ()
            able = [name for name in self.kits if name in fitting] or self.kits
            return able[int(np.random.default_rng([seed, 11]).integers(len(able)))]
        if kit not in self.kits:
            raise OptionError(
                f"there is no kit {kit[:40]!r} for loops; there are {', '.join(self.kits)}. Loops of another soundfont"
                " are learnt by `python -m seq2drum.learn.generators.loops --kit FILE.sf2`"
            )
        return kit

    def _bars(self, brief: Brief, seed: int, plans: Sequence[tuple[int, int, bool]], kit: str) -> Samples:
        """(n, 16 * frames of a slice): the sound of bars of (passage, letter, fill), at the brief's tempo."""
        bpm = float(np.clip(brief.bpm, *self.tempos))
        shares = brief.genres
        mixed = sum((share * wish(genre, bpm, fill=False) for genre, share in shares.items()), np.float32(0))
        requests = np.stack([wish(None, bpm, fill=fill) if not shares else mixed for _, _, fill in plans])
        requests = np.asarray(requests, dtype=np.float32)
        requests[:, -1] = [fill for _, _, fill in plans]
        noise = np.stack([self._noise(brief.variability, seed, passage, letter) for passage, letter, _ in plans])
        kits = np.tile(np.eye(len(self.kits), dtype=np.float32)[self.kits.index(kit)], (len(plans), 1))
        noise = (noise * brief.temperature).astype(np.float32)
        (slices,) = self.graph.run({"noise": noise, "kit": kits, "wish": requests})
        return respaced(slices.reshape(-1, SLICES, SLICE), spacing(brief.bpm))

    def _noise(self, variability: float, seed: int, passage: int, letter: int) -> Samples:
        """(noise,): the noise of a letter. A has that of its passage; other letters share part of it."""
        own, common = (
            np.random.default_rng([seed, 10, passage, which]).standard_normal(self.noise) for which in (letter, 0)
        )
        return np.asarray(np.sqrt(1 - variability) * common + np.sqrt(variability) * own if letter else common)


def folder_of(model: str) -> Path | None:
    """The checkpoint of a maker of loops: the shipped one by name, or one in a folder; None if there is none."""
    place = SHIPPED if model == KIND else place_in(model)
    try:
        about = read_json(place / CONFIG) if place else None
    except (OSError, ValueError):
        return place if place == SHIPPED else None
    return place if isinstance(about, dict) and about.get("kind") == KIND else None


def letters_of(form: str) -> tuple[int, ...]:
    """The letters of a form, A as 0.

    Raises:
        OptionError: it is not a form.
    """
    found = tuple(_LETTERS.find(letter) for letter in form.upper())
    if not found or min(found) < 0 or len(found) > _MOST_FORM:
        raise OptionError(
            f"the form is {form[:20]!r}, wanted one such as {', '.join(FORMS)}: up to {_MOST_FORM} bars,"
            f" of the letters {_LETTERS[0]} to {_LETTERS[-1]}"
        )
    return found


def joined(bars: Sequence[Samples]) -> Samples:
    """Bars joined into a loop.

    A bar before a different one crossfades into the sound that leads to that one's start: the end of that bar. The last
    bar is followed by the first.
    """
    pieces = [bar.copy() for bar in bars]
    fade = np.linspace(0, 1, _JOINT, dtype=np.float32)
    for piece, own, after in zip(pieces, bars, [*bars[1:], bars[0]], strict=True):
        if own is not after:
            piece[-_JOINT:] = own[-_JOINT:] * (1 - fade) + after[-_JOINT:] * fade
    return np.concatenate(pieces)
