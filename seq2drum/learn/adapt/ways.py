"""How a band's drummer builds songs, counted in its songs, against what drummers usually do.

Each figure is the usual one moved towards the band's by how many songs there are: SONGS of the usual count as many as
the band's own.

Letters of shapes: B bars, n parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.conditions import bars_of, drums_of, is_silent, measure
from seq2drum.lattice.grooves.grooves import Groove, typical
from seq2drum.lattice.grooves.variation import timekeeper
from seq2drum.lattice.sections import bars_of as bars_by_letter
from seq2drum.lattice.sections import sections
from seq2drum.music.kit import FULL
from seq2drum.play.arrange.arranger import states_before
from seq2drum.play.arrange.fills import PHRASE
from seq2drum.play.arrange.sections import LIFTING, outlook_of, spans_in
from seq2drum.play.checkpoint.band import Ways
from seq2drum.play.wishes import FILLS_A_BAR, humanity

SONGS = 4.0
LEAST_BARS = 2  # of a part
USUAL_CHANGES = 0.4  # share of songs with a second cymbal
# Shares of bars with a crash on the first beat, of drummers: see `play.arrange.fills.CRASHES`.
CRASHES = {"section": 0.42, "fill": 0.5, "section after fill": 0.65, "phrase": 0.24, "other": 0.11}
USUAL_CRASHES = 14.0  # of a song
USUAL_SQUARES = 0.25  # of a song's predicted levels; and a twentieth of it of its loudness
SURPRISES = 1.5  # logits: the spread of `waits` between bands
HUMAN = 0.2  # humanity from which a song's drums were played by hand
STEPS = 20  # of Newton's method
_CRASH = FULL.places["crash"]


class Parts(NamedTuple):
    """The parts of songs: whether the drums rest (n,), how likely that was (n,), and levels and loudness.

    said, done (2, m): level and loudness as predicted and as played, of the m parts with drums.
    """

    rests: NDArray[np.float64]
    likely: NDArray[np.float64]
    said: NDArray[np.float64]
    done: NDArray[np.float64]


def ways_of(songs: Sequence[Prepared]) -> Ways:
    """Return the ways of a band."""
    count = len(songs)
    # 1. Fills and crashes.
    breaks, played, struck, usual = (sum(column) for column in zip(*map(_accents, songs), strict=True))
    fills = float(np.clip(breaks / max(played, 1) / FILLS_A_BAR / 2, 0, 1))
    crashes = (struck + SONGS * USUAL_CRASHES) / (usual + SONGS * USUAL_CRASHES)
    # 2. Where the drums rest, and how far sections differ.
    parts = [each for song in songs if (each := parts_of(song)) is not None]
    waits, level, loudness = 0.0, 1.0, 1.0
    if parts:
        rests, likely, said, done = (np.concatenate(column, axis=-1) for column in zip(*parts, strict=True))
        waits = shift_of(rests, likely)
        level, loudness = (
            float(np.clip((one @ other + weight) / (one @ one + weight), 0, 2))
            for one, other, weight in zip(said, done, SONGS * USUAL_SQUARES * np.array([1, 0.05]), strict=True)
        )
    # 3. The cymbals that keep time.
    times = [_times(song) for song in songs]
    changed = sum(len(set(each)) > 1 for each in times)
    changes = (changed + SONGS * USUAL_CHANGES) / (count + SONGS) / USUAL_CHANGES
    second = Counter(name for each in times for name in {*each[1:]} - {each[0]} if name in LIFTING)
    # 4. The hand of a player.
    human = [value for song in songs if (value := humanity(song.drums, song.guitar_grid.form)) >= HUMAN]
    return Ways(
        waits=round(waits, 3),
        level=round(level, 3),
        loudness=round(loudness, 3),
        changes=round(float(changes), 3),
        cymbals={name: float(number) for name, number in sorted(second.items())},
        crashes=round(float(np.clip(crashes, 0.25, 2.5)), 3),
        fills=round((SONGS * 0.5 + count * fills) / (SONGS + count), 3),
        humanize=round(float(np.median(human)), 3) if 2 * len(human) > count else None,
    )


def shift_of(rests: NDArray[np.float64], likely: NDArray[np.float64]) -> float:
    """Return the likeliest shift, in logits, of predictions (n,) of something that happened or not (n,), 0 or 1."""
    logit = np.log(likely / (1 - likely))
    shift = 0.0
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-logit - shift))
        slope = float((rests - chance).sum()) - shift / SURPRISES**2
        shift += slope / (float((chance * (1 - chance)).sum()) + 1 / SURPRISES**2)
    return shift


def parts_of(song: Prepared) -> Parts | None:
    """Return the parts of a song; None if they are too few or the drums play in none."""
    guitar_grid = song.guitar_grid
    passages = sections(guitar_grid)
    if not passages:
        return None
    parts, outlook = outlook_of(guitar_grid, spans_in(guitar_grid, passages))
    drums = drums_of(song.drums, guitar_grid.form)
    struck = bars_of(drums).sum(axis=(1, 2))
    loud = guitar_grid.form.by_bar((drums.velocity / 127).astype(np.float32)).sum(axis=(1, 2))
    bars = np.array([part.stop - part.first for part in parts])
    rests = np.array([is_silent(struck[part.first : max(part.stop - 1, part.first + 1)]) for part in parts])
    if len(parts) < 2 or rests.all():
        return None
    rested, came = states_before(rests)
    state = np.where(~rested, 2, np.where(came, 1, 0))
    said = [column[state, np.arange(len(parts))] for column in outlook]
    count, strength = (np.array([row[part.first : part.stop].sum() for part in parts]) for row in (struck, loud))
    live = ~rests
    level = np.log((count / bars + 0.5) / (count[live].sum() / bars[live].sum() + 0.5))
    loudness = strength / np.maximum(count, 1) - strength[live].sum() / count[live].sum()
    long = bars >= LEAST_BARS
    both = long & live
    likely = said[0][long].clip(1e-4, 1 - 1e-4)
    return Parts(
        rests[long].astype(np.float64), likely, np.stack(said[1:])[:, both], np.stack([level, loudness])[:, both]
    )


def _accents(song: Prepared) -> tuple[float, float, float, float]:
    """Return the breaks of a song, its bars with drums, its crashes on first beats, and how many were usual."""
    form, drums = song.guitar_grid.form, song.drums
    played = np.bincount(form.bar_of(drums.step), minlength=len(form.steps)) > 0
    fill = np.asarray(measure(drums, form).fill, dtype=bool) & played
    struck = np.zeros(len(form.steps), dtype=bool)
    crash = drums.step[drums.key == _CRASH]
    struck[form.bar_of(crash[form.place_of(crash) == 0])] = True
    begins, number = np.zeros(len(form.steps), dtype=bool), np.arange(len(form.steps))
    for section in sections(song.guitar_grid):
        begins[section.bar] = True
        number[section.bar :] = np.arange(len(form.steps) - section.bar)
    after = np.append(False, fill[:-1])
    share = np.full(len(form.steps), CRASHES["other"])
    share[number % PHRASE == 0] = CRASHES["phrase"]
    share[after], share[begins] = CRASHES["fill"], CRASHES["section"]
    share[begins & after] = CRASHES["section after fill"]
    return float(fill.sum()), float(played.sum()), float((struck & played).sum()), float(share[played].sum())


def _times(song: Prepared) -> list[str]:
    """Return the pieces that keep time in the sections of a song, that of most bars first."""
    form = song.guitar_grid.form
    played = np.bincount(form.bar_of(song.drums.step), minlength=len(form.steps)) > 0
    weights = Counter[str]()
    for bars in bars_by_letter(sections(song.guitar_grid), len(form.steps)).values():
        own = [bar for bar in bars if played[bar]]
        if len(own) >= LEAST_BARS and (piece := _time(typical(song.drums, form, own))) is not None:
            weights[piece] += len(own)
    return [piece for piece, _ in weights.most_common()] or ["closed hat"]


def _time(groove: Groove) -> str | None:
    """Return the piece that keeps time on a groove, an open hat apart from a closed one; None if none does."""
    piece = timekeeper(groove)
    if piece != "closed hat":
        return piece
    keys = np.concatenate([bar.key for bar in groove.bars])
    return max((piece, "open hat"), key=lambda name: int((keys == FULL.places[name]).sum()))
