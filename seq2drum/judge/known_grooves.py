"""Grooves as players: the typical ones of a song's own drums, and those that are chosen for its guitar, looped.

What is looped has neither fills nor variants: it tells how good the choice of the groove is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

import numpy as np

from seq2drum.data.prepared import Prepared
from seq2drum.judge.measures import f1, judged_bars
from seq2drum.lattice.drums import drums_of
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves import Groove, typical
from seq2drum.lattice.listening import Heard
from seq2drum.lattice.sections import Section, sections
from seq2drum.play import choosing
from seq2drum.play.asked import WHOLE
from seq2drum.play.options import Options
from seq2drum.play.plan import Plan
from seq2drum.workers import results_of

_KEPT = 4  # songs of which it is kept what all players of an evaluation ask for


@lru_cache(_KEPT)
def passages(heard: Heard) -> Sequence[Section]:
    """The sections of a guitar."""
    return sections(heard)


@lru_cache(_KEPT)
def safest(heard: Heard) -> Mapping[str, Groove]:
    """The grooves that are chosen for a guitar where nothing is asked for, by the letters of its sections."""
    return choosing.chosen(heard, passages(heard), Options())


def of_song(song: Prepared, *, by_section: bool = False) -> dict[str, Groove]:
    """The typical bars of a song's drums, or of the drums in each section as well, by its letter.

    Raises:
        OptionError: the drummer never plays.
    """
    form = song.heard.form
    grooves = {WHOLE: typical(song.drums, form)}
    if by_section:
        letters = np.array(Plan.of_sections(len(form.steps), passages(song.heard)).letter)
        struck = np.unique(form.bar_of(song.drums.step))
        for letter in dict.fromkeys(letters[struck].tolist()):
            grooves[letter] = typical(song.drums, form, struck[letters[struck] == letter])
    return grooves


def looped(heard: Heard, grooves: Mapping[str, Groove]) -> Grid:
    """The grooves of the sections by their letters, or of `WHOLE`, again and again where the guitar sounds."""
    form = heard.form
    plan = Plan.of_sections(len(form.steps), passages(heard))
    pieces = []
    for bar in range(*heard.sounding):
        groove = grooves.get(plan.letter[bar], grooves.get(WHOLE))
        if groove is not None:
            fits = _fitted(groove, int(form.numerator[bar]), int(form.denominator[bar])).bar(int(plan.number[bar]))
            pieces.append(fits.select(fits.step < form.steps[bar]).shift(int(form.first[bar])))
    return Grid.join(pieces)


@cache
def _fitted(groove: Groove, numerator: int, denominator: int) -> Groove:
    return groove.fitted(numerator, denominator)


def chosen(song: Prepared, take: int) -> Grid:
    """The grooves that the default take is played on, looped."""
    return looped(song.heard, safest(song.heard))


def best_offered(song: Prepared, take: int) -> Grid:
    """Of the grooves on offer for a song, looped, the one that has most in common with the real drums."""
    form = song.heard.form
    real = drums_of(song.drums, form)
    counted = np.repeat(judged_bars(real), form.steps)
    hits = real.velocity[counted] > 0

    def in_common(grid: Grid) -> float:
        made = drums_of(grid, form).velocity[counted] > 0
        return f1(float((made & hits).sum()), float(made.sum()), float(hits.sum()))

    offered = choosing.offered(song.heard, passages(song.heard), Options())
    takes = [looped(song.heard, {WHOLE: groove}) for groove, _ in offered]
    return max(takes, key=in_common, default=song.drums.select(np.zeros(0, dtype=np.int64)))


def count(songs: Sequence[Prepared], workers: int = 1) -> tuple[int, str, int]:
    """How many grooves lead the default takes of some songs, which of them leads most often, and how often.

    A groove leads that has most bars of a song; songs in whose metres no groove is known are left out.
    """
    leading = Counter(name for name in results_of(_leading, [song.heard for song in songs], workers) if name)
    (most, times), *_ = leading.most_common(1) or [("none", 0)]
    return len(leading), most, times


def _leading(heard: Heard) -> str:
    """The name of the groove that leads the default take to a guitar, or "" where none is known."""
    plan = Plan.of_sections(len(heard.form.steps), passages(heard), safest(heard))
    names = Counter(groove.name for groove in plan.grooves if groove is not None)
    return names.most_common(1)[0][0] if names else ""
