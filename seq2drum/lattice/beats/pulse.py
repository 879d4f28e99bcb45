"""Beat tracking: one steady tempo where the strikes fit one, else drifting beats; then metre and downbeat.

First comes a pulse that fits the strikes; it may be the beat, a multiple or a division. The beat, the metre and the
downbeat are then chosen by the evidence of `evidence`, with weights learnt from songs with known bars, so that a
stated probability is calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seq2drum.lattice.beats import evidence, tracking
from seq2drum.lattice.beats import tracking as steady
from seq2drum.lattice.beats.evidence import Strikes
from seq2drum.lattice.beats.performance import Beats, FloatArray, Performance, Timing

_COMMON = (4, 4)
_ROUND = 0.020  # seconds by which a rounder tempo may be off over the whole piece
_BEFORE = 0.02  # seconds by which the first downbeat may precede 0:00


class Found(NamedTuple):
    """The beats of a performance, and their probabilities.

    steady: whether the tempo is constant. tempo_sure, metre_sure, downbeat_sure: from 0 to 1; 1 where given. Each is
    conditional on those before it.
    """

    beats: Beats
    steady: bool
    tempo_sure: float
    metre_sure: float
    downbeat_sure: float

    @property
    def bpm(self) -> float:
        """Quarters a minute, on the whole."""
        seconds, quarters = self.beats.seconds, self.beats.quarters
        return float(60 * (quarters[-1] - quarters[0]) / (seconds[-1] - seconds[0]))

    def __str__(self) -> str:
        tempo = f"{self.bpm:.2f} BPM" if self.steady else f"about {self.bpm:.0f} BPM, which drifts"
        numerator, denominator = self.beats.metre
        return (
            f"{tempo} ({_sure(self.tempo_sure)}); {numerator}/{denominator} ({_sure(self.metre_sure)});"
            f" a bar begins at {max(self.beats.downbeat, 0.0):.2f} s ({_sure(self.downbeat_sure)})"
        )


def _sure(share: float) -> str:
    return "as said" if share == 1 else f"{share:.0%} sure"


def beats_of(performance: Performance, timing: Timing) -> Found:
    """The beats of a performance with at least one note; given timing is kept."""
    strikes = Strikes.of(performance)
    compound = timing.metre is not None and timing.metre[1] == 8 and timing.metre[0] % 3 == 0
    # 1. A pulse that fits the strikes, and the multiple or division of it that is the beat.
    first = _first_pulse(strikes, timing, 1.5 if compound else 1.0)
    is_steady = len(first.seconds) == 2
    beats, threes, tempo_sure = _beats(strikes, first, timing, compound)
    if is_steady and timing.downbeat is None:
        beats = _settled(beats, strikes, tracking.TRIPLETS if threes else tracking.STRAIGHT, timing.bpm is not None)
    # 2. The bars.
    metre, begin, metre_sure, downbeat_sure = _bars(strikes, beats, timing, compound)
    unit = 1.5 if compound or (timing.metre is None and metre == (6, 8)) else 1.0
    beats = replace(beats, quarters=(beats.quarters - begin) * unit, metre=metre)
    return Found(beats, is_steady, tempo_sure, metre_sure, downbeat_sure)


def _first_pulse(strikes: Strikes, timing: Timing, unit: float) -> Beats:
    """A pulse that fits the strikes, as beats of unknown level; two knots are one tempo.

    unit: quarters of a beat, where its tempo is given.
    """
    times, weights = strikes.times, strikes.weights
    if timing.bpm is not None:
        period = 60 / timing.bpm * unit
        phases = np.arange(0, period, 0.002)
        fits = tracking.likelihood(((times - phases[:, None]) / period) % 1, period, tracking.STRAIGHT) @ weights
        phase = float(phases[int(fits.argmax())]) if timing.downbeat is None else timing.downbeat
        return Beats.steady(60 / period, phase, _COMMON)
    found = steady.steadiest(times, weights)
    if found.fit >= steady.FITS:
        return Beats.steady(60 / found.period, found.phase, _COMMON)
    period, feel = tracking.usual_period(times, weights)
    seconds = tracking.tracked(times, weights, strikes.notes.seconds, period, feel)
    seconds = tracking.refined(seconds, times, weights, feel)
    return Beats(seconds, np.arange(len(seconds), dtype=float), _COMMON)


def _beats(strikes: Strikes, first: Beats, timing: Timing, compound: bool) -> tuple[Beats, bool, float]:
    """(beats, whether they are ternary, probability of the tempo): those of the pulse with most evidence."""
    if timing.bpm is not None and timing.downbeat is not None:
        return first, compound, 1.0
    period = float(np.median(np.diff(first.seconds)))
    ratios: Sequence[float] = (1.0,) if timing.bpm is not None else evidence.RATIOS
    pulses = evidence.pulses(strikes, first.place(strikes.times), period, ratios)
    if compound and timing.bpm is None:
        pulses = [pulse for pulse in pulses if pulse.threes] or pulses
    shares = _shares(np.array([pulse.evidence for pulse in pulses]) @ evidence.PULSE)
    best = pulses[int(shares.argmax())]
    sure = sum(share for pulse, share in zip(pulses, shares, strict=True) if pulse.period == best.period)
    quarters = (first.quarters * best.ratio - best.phase) * timing.scale
    return replace(first, quarters=quarters), best.threes, 1.0 if timing.bpm is not None else min(float(sure), 0.99)


def _settled(beats: Beats, strikes: Strikes, feel: tracking.Feel, said: bool) -> Beats:
    """Beats of one tempo, shifted to the strikes near a place of the beat; a given tempo is kept.

    The tempo becomes a whole number of beats a minute, as clicks have, where that fits as well.
    """
    start, next_beat = beats.at(np.array([0.0, 1.0])).tolist()
    slope = next_beat - start
    for _ in range(3):
        places, near = tracking.nearest_places((strikes.times - start) / slope, slope, feel)
        places, times, weights = places[near], strikes.times[near], np.sqrt(strikes.weights[near])
        if said or len(times) < 4 or np.ptp(places) < 4:
            start += float(np.average(times - start - slope * places, weights=weights)) if len(times) else 0.0
        else:
            slope, start = (float(value) for value in np.polyfit(places, times, 1, w=weights))
    whole = 60 / max(round(60 / slope), 1)
    if not said and len(times) and abs(whole - slope) * np.ptp(places) / 2 < _ROUND:
        start, slope = start + (slope - whole) * float(places.mean()), whole
    return Beats.steady(60 / slope, start, beats.metre)


def _bars(
    strikes: Strikes, beats: Beats, timing: Timing, compound: bool
) -> tuple[tuple[int, int], float, float, float]:
    """(metre, first beat of a bar, probability of the metre, probability of that beat)."""
    # 1. The evidence for each metre and place.
    if timing.metre is not None:
        lengths = {timing.metre: max(round(8 * timing.metre[0] / timing.metre[1] / (1.5 if compound else 1.0)), 1)}
    else:
        lengths = {metre: half for metre, half in evidence.METRES.items() if metre != (6, 8) or timing.bpm is None}
    places = beats.place(strikes.times)
    period = float(np.diff(beats.at(np.array([0.0, 1.0])))[0])
    rows = [evidence.bars(strikes, places, period, metre, length) for metre, length in lengths.items()]
    shares = np.split(_shares(np.concatenate(rows) @ evidence.BAR), np.cumsum(list(lengths.values()))[:-1])
    # 2. The metre with most evidence, and its best place.
    best = int(np.argmax([share.sum() for share in shares]))
    metre, mine = list(lengths)[best], shares[best]
    metre_sure = 1.0 if timing.metre is not None else min(float(mine.sum()), 0.99)
    if timing.downbeat is not None:
        place = float(beats.place(np.array([timing.downbeat]))[0])
        return metre, place if timing.bpm is not None else round(2 * place) / 2, metre_sure, 1.0
    # 3. The first such place at or after the beginning.
    bar, begin = lengths[metre] / 2, float(mine.argmax()) / 2
    earliest = float(beats.place(np.array([-_BEFORE]))[0])
    begin += bar * np.ceil((earliest - begin) / bar)
    return metre, float(begin), metre_sure, min(float(mine.max() / mine.sum()), 0.99)


def _shares(scores: FloatArray) -> FloatArray:
    """Probabilities of mutually exclusive events from the logarithms of their odds."""
    odds = np.exp(scores - scores.max())
    shares: FloatArray = odds / odds.sum()
    return shares
