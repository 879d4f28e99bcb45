"""How the hits of a take are struck where that is not left to the model: intensity, variation, human feel, swing."""

from __future__ import annotations

import copy

import numpy as np

from seq2drum.lattice.grid import Grid
from seq2drum.lattice.listening import Heard
from seq2drum.music.kit import Kit
from seq2drum.music.notes import IntArray
from seq2drum.play import loudness
from seq2drum.play.feel import Feel
from seq2drum.play.humanise import Performance
from seq2drum.play.options import Options
from seq2drum.play.sampling import random_of
from seq2drum.play.swing import swing

AT_ONCE = 8  # bars whose random numbers are begun at once: after each graph caches have to fill anew
_TAG = 0x700C  # in the seeds of these draws only


class Touch:
    """Strikes the hits of a take, bar after bar; those of bars that are given, too, as later ones go on from them.

    What is drawn for a bar comes from (seed, bar). The take of temperature 0 does not vary.
    """

    def __init__(self, options: Options, heard: Heard, kit: Kit) -> None:
        self._form, self._options, self._performance = heard.form, options, None
        self._total, self._count = 0.0, 0
        self._before: dict[tuple[int, int], int] = {}
        self._begun: dict[int, np.random.Generator] = {}
        if options.humanize is None:
            return
        feel = Feel.load()
        style = options.style if feel.knows(options.style) else None
        self._performance = Performance(
            feel, heard.form, kit=kit, amount=options.humanize, seed=options.seed, style=style, heard=heard
        )

    def change(self, options: Options) -> None:
        """Strike the next bars as other options ask for; who performs stays the same."""
        self._options, self._total, self._count = options, 0.0, 0
        self._begun.clear()

    def strike_both(self, bar: int, hits: Grid, unwished: Grid) -> tuple[Grid, Grid]:
        """The hits of the next bar as they are struck, and those that it has without wishes.

        Later bars go on from these. Where only the first beat is another one, all that is in both is struck alike.
        """
        aside = copy.copy(self)
        aside._begun, aside._performance = {}, copy.copy(self._performance)
        struck, plain = aside.strike(bar, hits), self.strike(bar, unwished)
        first, begun = hits.step == 0, unwished.step == 0
        if all(map(np.array_equal, hits.select(~first), unwished.select(~begun))):
            gone, new = set(unwished.key[begun]) - set(hits.key[first]), set(hits.key[first]) - set(unwished.key[begun])
            stays = plain.select((plain.step > 0) | ~np.isin(plain.key, list(gone)))
            struck = Grid.join([struck.select((struck.step == 0) & np.isin(struck.key, list(new))), stays])
        return struck, plain

    def strike(self, bar: int, hits: Grid) -> Grid:
        """The hits of the next bar as they are struck."""
        rng = self._random(bar)
        velocity = hits.velocity.astype(np.float64)
        if self._performance is not None:
            # A bar stays as loud as it is: how loud the feel would play it says nothing of this song.
            velocity = self._loud(velocity)
            mean = float(np.mean(velocity)) if len(velocity) else 0.0
            hits = self._performance.play(hits)
            velocity = loudness.as_loud_as(hits.velocity.astype(np.float64), mean)
        else:
            velocity = self._loud(loudness.varied(velocity, hits.step, rng) if self._share else velocity)
        hits = hits._replace(velocity=self._repeated(hits, np.rint(velocity).astype(np.int64), rng))
        if self._options.swing is not None:
            hits = swing(hits, self._form.between(bar, bar + 1), self._options.swing)
        return hits

    def _random(self, bar: int) -> np.random.Generator:
        if bar not in self._begun:
            self._begun = {each: random_of(_TAG, self._options.seed, each) for each in range(bar, bar + AT_ONCE)}
        return self._begun.pop(bar)

    @property
    def _share(self) -> float:
        """How much of a drummer's variation there is, 0 to 1."""
        if self._options.temperature == 0:
            return 0.0
        return 1.0 if self._options.humanize is None else self._options.humanize

    def _loud(self, velocity: loudness.Array) -> loudness.Array:
        """Velocities (N,) as loud as the intensity asks for, and not clipped."""
        if (level := self._options.intensity) is None:
            return loudness.limited(velocity)
        self._total, self._count = self._total + float(np.sum(velocity)), self._count + len(velocity)
        return loudness.at_level(velocity, self._total / max(self._count, 1), level)

    def _repeated(self, hits: Grid, velocity: IntArray, rng: np.random.Generator) -> IntArray:
        """Velocities (N,) that now and then are those of the same places in the bar before."""
        places = list(zip(hits.step.tolist(), hits.key.tolist(), strict=True))
        again = rng.random(len(places)) < loudness.REPEATED * self._share
        for index in np.flatnonzero(again).tolist():
            velocity[index] = self._before.get(places[index], int(velocity[index]))
        self._before = dict(zip(places, velocity.tolist(), strict=True))
        return velocity
