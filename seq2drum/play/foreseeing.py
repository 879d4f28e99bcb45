"""What a drummer decides of the next bar without knowing what comes after it: the passage, a fill, a crash.

`plan` decides the same of a whole song at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2drum.lattice.sections import Section
from seq2drum.play.plan import CRASHES, FILL_GAP, PHRASE, PLANNED_PER_FILL, SOFT_CRASHES, USUAL_FILLS

FIRST = "A"
OWED = 0.5  # fills that drummers would have played more since the last, from which one may come
PEAK = 0.8  # of the likeliest bar of the last ones, that a bar must be likely to be a fill
LOOKED_BACK = 8  # bars that are compared with in this
_NOISE = 0.2  # of the logits of fills


@dataclass
class Fills:
    """Decides bar after bar which are fills: as many as drummers play, where they are likeliest.

    level: 0..1, as the control `fills`; None is 0.5. owed: how many more drummers would have played by now.
    """

    level: float | None = None
    owed: float = 0.0
    since: int = FILL_GAP
    likely: tuple[float, ...] = ()

    def next(self, logit: float, rng: np.random.Generator) -> bool:
        """Whether the next bar is a fill; logit: of drummers playing one."""
        chance = float(1 / (1 + np.exp(-logit)))
        self.owed += PLANNED_PER_FILL * chance * (USUAL_FILLS if self.level is None else self.level) / USUAL_FILLS
        seen = float(1 / (1 + np.exp(-(logit + _NOISE * rng.gumbel()))))
        is_fill = self.since >= FILL_GAP and self.owed >= OWED and seen >= PEAK * max(self.likely, default=0.0)
        self.likely = (*self.likely, chance)[-LOOKED_BACK:]
        self.played(is_fill)
        return is_fill

    def played(self, is_fill: bool) -> None:
        """Count a bar that is a fill or none, whoever wanted it."""
        self.since = 0 if is_fill else self.since + 1
        self.owed = max(self.owed - is_fill, 0.0)


def crashes(place: int, *, begins: bool, after_fill: bool, soft: bool, rng: np.random.Generator) -> bool:
    """Whether a cymbal crashes on the first beat of a bar: as often as `plan.plan_crashes` lets it.

    place: the bar's number in its section. begins: the section, as far as that is known.
    """
    share = CRASHES["phrase" if place % PHRASE == 0 else "other"]
    if begins or after_fill:
        share = CRASHES["section after fill" if begins and after_fill else "section" if begins else "fill"]
    return bool(rng.random() < share * (SOFT_CRASHES if soft else 1))


def passage(found: Sequence[Section], letters: Sequence[str]) -> Section:
    """The passage that is being played, as it is found anew after each bar, under the letter that it has been given.

    found: what `sections` finds in the bars heard; at least one. letters: what each of these bars was played as. A
    passage that is like an earlier one has its letter; what is new has a new letter.
    """
    *earlier, last = found
    stops = [section.bar for section in found[1:]]
    before = [letters[section.bar : stop] for section, stop in zip(earlier, stops, strict=True)]
    same = [
        letter for section, own in zip(earlier, before, strict=True) if section.letter == last.letter for letter in own
    ]
    if same:
        return last._replace(letter=Counter(same).most_common(1)[0][0])
    now = letters[-1] if letters else FIRST
    if not before or now != Counter(before[-1]).most_common(1)[0][0]:
        return last._replace(letter=now)
    return last._replace(letter=new_letter(letters))


def new_letter(letters: Sequence[str]) -> str:
    """A letter that none of the bars has."""
    taken, number = set(letters), 0
    while (name := _letter(number)) in taken:
        number += 1
    return name


def _letter(number: int) -> str:
    return chr(ord(FIRST) + number) if number < 26 else f"{FIRST}{number}"
