"""Wishes that have a place in the song: the bars that they change, and what the song is without them.

A groove of some sections changes these, an ending the end, and a fill its bar. All else is as it is without the wish:
so a take is played without it, and the bars of the wish are played once more, see `decoding`. Fills are told there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from seq2drum.lattice.form import Form
from seq2drum.lattice.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music import choices
from seq2drum.play.asked import WHOLE
from seq2drum.play.cues import Gestures
from seq2drum.play.decoding import Wish
from seq2drum.play.options import Options
from seq2drum.play.plan import BoolArray, Plan

Arrange = Callable[[Mapping[str, Groove], Options], Plan]
"""The plan of a song on some grooves, by the letters of its sections, as some options ask for."""


def grooves(options: Options, sections: Sequence[Section]) -> dict[str, Groove]:
    """The grooves that are asked for in some sections of a song alone, by their letters; options: settled."""
    asked = _by_letter(options)
    whole = _whole(asked, sections)
    letters = dict.fromkeys(section.letter for section in sections)
    return {letter: asked[letter] for letter in letters if letter in asked and asked[letter] != whole}


def unplaced(options: Options, sections: Sequence[Section]) -> Options:
    """The options without the ending and without the grooves of some sections alone; options: settled."""
    asked = _by_letter(options)
    whole = _whole(asked, sections)
    groove = None if whole is None else {WHOLE: whole}
    return replace(options, groove=groove, ending=choices.AUTO)


def wishes(
    options: Options,
    without: Options,
    placed: Mapping[str, Groove],
    others: Mapping[str, Groove],
    form: Form,
    arrange: Arrange,
) -> list[Wish]:
    """The wishes of a take.

    Args:
        options: What is asked for.
        without: That as `unplaced` gives it.
        placed: As `grooves` gives it.
        others: What the sections are played on without these.
        form: The bars.
        arrange: Makes plans.
    """
    found, plan = list[Wish](), arrange(others, without)
    left = np.ones(len(plan.letter), dtype=np.bool_)
    for letter, groove in placed.items():
        own = replace(options, groove={letter: groove})
        if groove == others.get(letter) and own.sampling == without.sampling:
            continue  # it is played on that without being asked
        bars = np.array([each == letter for each in plan.letter])
        left &= ~bars
        found.append(Wish(bars, arrange({**others, letter: groove}, own), own.sampling))
    if options.ending != choices.AUTO:
        ended = arrange(others, replace(without, ending=options.ending))
        found.append(Wish(left & _differ(plan.gestures, ended.gestures, form), ended, without.sampling))
    return found


def _differ(one: Gestures, other: Gestures, form: Form) -> BoolArray:
    """(B,): the bars in which something else is done together with the band."""
    differ = np.zeros(len(form.steps), dtype=np.bool_)
    steps = [step for step in {*one.cues, *other.cues} if one.cues.get(step) != other.cues.get(step)]
    differ[form.bar_of(np.array(steps, dtype=np.int64))] = True
    for name in ("heavy", "crashed", "full", "still"):
        differ[list(getattr(one, name) ^ getattr(other, name))] = True
    return differ


def _by_letter(options: Options) -> Mapping[str, Groove]:
    asked = options.groove if isinstance(options.groove, Mapping) else {}
    return {letter: groove for letter, groove in asked.items() if isinstance(groove, Groove)}


def _whole(asked: Mapping[str, Groove], sections: Sequence[Section]) -> Groove | None:
    """The groove of the whole song: the one that is asked for, or that of all its sections, if that is one."""
    if WHOLE in asked:
        return asked[WHOLE]
    grooves = [asked.get(section.letter) for section in sections]
    return grooves[0] if all(groove == grooves[0] for groove in grooves) else None
