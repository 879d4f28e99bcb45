"""The drummer of a rule book: rock backbeat, or shuffle or swing ride where the guitar swings, in any metre.

It looks at metre, tempo and the guitar's offbeats, and at no training song. Beside it the guitar's accents.

Letters of shapes: T steps of all bars, V nine voices.
"""

from __future__ import annotations

import numpy as np

from seq2drum.judge.measures import VOICE, BoolArray
from seq2drum.lattice.features import GUITAR, features
from seq2drum.lattice.form import CLOCK, FloatArray, Form, clock_of
from seq2drum.lattice.grid import PLACES
from seq2drum.lattice.listening import Heard
from seq2drum.music.kit import NINE
from seq2drum.music.notes import IntArray

SWUNG_RIDE = 110  # quarters a minute: a swung song as fast as this gets a ride, a slower one a shuffle
ACCENTED = 0.7  # share of a song's onsets that an accent must stand above
_EIGHTH, _TRIPLET = PLACES.tolist().index(6), PLACES.tolist().index(8)


def rule(heard: Heard) -> BoolArray:
    """(T, V): what a pattern player gives: rock backbeat, or shuffle or swing ride where the guitar swings.

    Kick on the first beat and every other, snare on the rest, where beats are the accent groups of a metre in eighths
    and the units of any other; in a metre of unequal quarters (5/4 = 3 + 2) kicks are on the heads of its groups.
    """
    form = heard.form
    clock = clock_of(form)
    place = np.argmax(clock[:, CLOCK["subdivision"]], axis=1)
    kick, snare = _beats(form, clock, place)
    quarter = place == 0
    hits = np.zeros((len(place), len(NINE)), dtype=bool)
    hits[:, VOICE["kick"]] = kick
    bar = form.bar_of(np.arange(len(place)))
    if not _swings(heard, place):
        fast = form.bpm[bar] * np.where(form.denominator[bar] >= 8, 2 / 3, 1) > 200
        hits[:, VOICE["closed hat"]] = quarter | ((place == _EIGHTH) & ~fast)
        hits[:, VOICE["snare"]] = snare
        return hits
    offbeat = place == _TRIPLET
    if median_bpm(heard) < SWUNG_RIDE:
        hits[:, VOICE["closed hat"]] = quarter | offbeat
        hits[:, VOICE["snare"]] = snare
        return hits
    # Ding, ding-a-ding: the skip note follows the beats on which the foot closes the hi-hat.
    after = np.zeros(len(place), dtype=bool)
    at = np.flatnonzero(snare & quarter) + _TRIPLET
    after[at[at < len(after)]] = True
    hits[:, VOICE["ride"]] = quarter | (after & offbeat)
    hits[:, VOICE["closed hat"]] = snare
    return hits


def _beats(form: Form, clock: FloatArray, place: IntArray) -> tuple[BoolArray, BoolArray]:
    """(T,), (T,): the steps of kick and of snare."""
    kick, snare = np.zeros(len(clock), dtype=bool), np.zeros(len(clock), dtype=bool)
    first = form.first.tolist()
    heads, units = (clock[:, CLOCK.at(name)] > 0 for name in ("group_start", "unit_start"))
    for bar, denominator in enumerate(form.denominator.tolist()):
        here = slice(first[bar], first[bar + 1])
        head = np.flatnonzero(heads[here]) + here.start
        beat = head if denominator != 4 else np.flatnonzero(units[here]) + here.start
        if denominator > 8 and len(beat) > 2 * np.count_nonzero(place[here] == 0):  # too short to be beats
            head = beat = np.flatnonzero(place[here] == 0) + here.start
        if len(head) < len(beat):
            strong = np.isin(beat, head)
        else:
            strong = np.arange(len(beat)) % 2 == 0
            strong[-1:] &= len(beat) % 2 == 0 or len(beat) == 1  # boom, chick, chick: an odd last beat is weak
        kick[beat[strong]], snare[beat[~strong]] = True, True
    return kick, snare


def _swings(heard: Heard, place: IntArray) -> bool:
    """Whether the guitar plays its offbeats late, on the triplet, more often than straight."""
    played = place[np.unique(heard.guitar.step)]
    quarters = heard.form.denominator[heard.form.bar_of(np.unique(heard.guitar.step))] == 4
    late, straight = np.count_nonzero(played[quarters] == _TRIPLET), np.count_nonzero(played[quarters] == _EIGHTH)
    return int(late) > int(straight)


def accents_of(heard: Heard) -> BoolArray:
    """(T,): the guitar's accents: loud, low or of many notes, and more so than seven of ten of its onsets."""
    guitar = features(heard).guitar
    at = np.flatnonzero(guitar[:, GUITAR.at("played")] > 0)
    accents = np.zeros(len(guitar), dtype=bool)
    if len(at):
        columns = guitar[at][:, GUITAR.pick("onsets", "loudness", "lowest")] * np.array([1, 1, -1])
        strength = ((columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-6)).sum(axis=1)
        accents[at[strength > np.quantile(strength, ACCENTED) + 1e-6]] = True
        accents[at[strength == strength.max()]] |= strength.max() > strength.min() + 1e-6
    return accents


def median_bpm(heard: Heard) -> float:
    """Quarters a minute of the bars in which the guitar plays."""
    begin, stop = heard.sounding
    return float(np.median(heard.form.bpm[begin : max(stop, begin + 1)]))
