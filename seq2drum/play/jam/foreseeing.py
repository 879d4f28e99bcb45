"""Decisions for the next bar of a jam without knowing the bars after it: the section, a fill, a crash.

`plan` makes the same decisions for a whole song.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section, sections
from seq2drum.play.arrange.fills import CRASHES, FILL_GAP, PLANNED_PER_FILL, SOFT_CRASHES, USUAL_FILLS, occasion
from seq2drum.play.grooves import choosing
from seq2drum.play.options import Options

FIRST = "A"
OWED = 0.5  # fills owed to the usual rate, from which one may come
PEAK = 0.8  # share of the likeliest of the last bars that a bar must reach to be a fill
LOOKED_BACK = 8  # bars for this comparison
_NOISE = 0.2  # of the logits of fills


@dataclass
class Fills:
    """Decides bar after bar which are fills: as many as drummers play, where they are likeliest.

    level: 0..1, as the control `fills`; None is 0.5. owed: how many more fills drummers would have played by now.
    """

    level: float | None = None
    owed: float = 0.0
    since: int = FILL_GAP
    likely: tuple[float, ...] = ()

    def next(self, logit: float, rng: np.random.Generator) -> bool:
        """Return True if the next bar is a fill; logit: of drummers playing one."""
        chance = float(1 / (1 + np.exp(-logit)))
        self.owed += PLANNED_PER_FILL * chance * (USUAL_FILLS if self.level is None else self.level) / USUAL_FILLS
        seen = float(1 / (1 + np.exp(-(logit + _NOISE * rng.gumbel()))))
        is_fill = self.since >= FILL_GAP and self.owed >= OWED and seen >= PEAK * max(self.likely, default=0.0)
        self.likely = (*self.likely, chance)[-LOOKED_BACK:]
        self.played(is_fill)
        return is_fill

    def played(self, is_fill: bool) -> None:
        """Count a bar as a fill or not, whatever the reason."""
        self.since = 0 if is_fill else self.since + 1
        self.owed = max(self.owed - is_fill, 0.0)


def crashes(place: int, *, begins: bool, after_fill: bool, soft: bool, rng: np.random.Generator) -> bool:
    """Return True if a cymbal crashes on the first beat of a bar: as often as in `fills.plan_crashes`.

    place: the bar's number in its section. begins: the bar begins a section, as far as is known.
    """
    share = CRASHES[occasion(place, begins=begins, after_fill=after_fill)]
    return bool(rng.random() < share * (SOFT_CRASHES if soft else 1))


def passage(found: Sequence[Section], letters: Sequence[str]) -> Section:
    """The current passage under its letter, detected after each bar.

    found: the result of `sections` for the bars heard; at least one. letters: those under which these bars were played.
    A passage similar to an earlier one has its letter; a new one has a new letter.
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
    while (name := chr(ord(FIRST) + number) if number < 26 else f"{FIRST}{number}") in taken:
        number += 1
    return name


EARLY = (4, 8, 16)  # bars of the first passage after which its groove may change: the first choice is blind
SPAN = 4  # bars of a passage after which it may turn out to be another


class Passages:
    """The passages of a jam. letter: that of the current one; begun: the number of its first bar.

    letters: those of the remembered bars. grooves: by letter; None if the metre has none.

    Args:
        options: The request; its grooves are values.
        form: The first bar.
    """

    def __init__(self, options: Options, form: Form) -> None:
        self.options = options
        self.letter, self.begun, self.letters = FIRST, 0, list[str]()
        self.grooves = dict[str, Groove | None]()
        self._settled: Groove | None = None  # with the next bar, that of the first passage
        self._changed, self._is_led = 0, False  # the first bar on it; whether signs mark the beginnings
        self._choose(FIRST, None, form)

    @property
    def groove(self) -> Groove | None:
        """The current groove."""
        return self.grooves[self.letter]

    def turn(self, number: int, letter: str | None, guitar_grid: GuitarGrid, here: Form) -> bool:
        """Begin a passage with a bar, because of a sign; return True if it is another one. letter: None for a new one.

        guitar_grid: the bars before it; here: the bar itself.
        """
        playing = self.grooves[self.letters[-1]] if self.letters else None
        wanted = new_letter([*self.letters, *self.grooves]) if letter is None else letter
        is_new = wanted != self.letter
        self.letter, self.begun, self._is_led, self._settled = wanted, number, True, None
        if wanted not in self.grooves:
            self._choose(wanted, guitar_grid, here, other=playing)
        return is_new

    def follow(self, number: int, guitar_grid: GuitarGrid, here: Form) -> bool:
        """Detect the passage of a bar, and choose its groove; return True if it begins with this bar.

        It does where the guitar has played something else for a phrase, and the last passage has lasted as long.
        """
        at = len(self.letters)
        found = sections(guitar_grid) if at and not self._is_led else ()
        if not found:
            return number == 0
        now = passage(found, self.letters)
        if now.letter != self.letter and (at - now.bar) % SPAN == 0 and number - self._changed >= SPAN:
            self.letter, self.begun, self._changed = now.letter, number - at + now.bar, number
            if now.letter not in self.grooves:
                self._choose(now.letter, guitar_grid, here, found)
            return True
        self._settle(number, guitar_grid, found)
        return False

    @property
    def leads_on(self) -> bool:
        """True if a groove of another kind begins with the next bar."""
        settled, playing = self._settled, self.groove
        if settled is None or playing is None or self.letter != FIRST:
            return False
        return not choosing.is_of_kind(settled, playing)

    def _settle(self, number: int, guitar_grid: GuitarGrid, found: Sequence[Section]) -> None:
        """Choose the groove of the first passage again, a bar before it is played."""
        playing, is_blind = self.groove, choosing.asked(self.options, FIRST) is None
        if self._settled is not None:
            self.grooves[FIRST], self._settled = self._settled, None
        elif number + 1 in EARLY and self.letter == FIRST and playing and is_blind and len(guitar_grid.guitar.step):
            passages = [*found[:-1], found[-1]._replace(letter=FIRST)]
            self._settled = choosing.groove_to_keep(guitar_grid, passages, self.options, FIRST, playing)

    def _choose(
        self,
        letter: str,
        guitar_grid: GuitarGrid | None,
        here: Form,
        found: Sequence[Section] = (),
        *,
        other: Groove | None = None,
    ) -> None:
        """Choose the groove of the last detected passage; without any guitar, by the request.

        other: an excluded groove.
        """
        options = self.options
        passages = [*found[:-1], (found[-1] if found else Section(0, letter))._replace(letter=letter)]
        asked = choosing.asked(options, letter)
        if asked is not None:
            self.grooves[letter] = asked
        elif guitar_grid is None or not len(guitar_grid.guitar.step):
            kind = int(here.numerator[0]), int(here.denominator[0])
            self.grooves[letter] = choosing.unheard(kind, float(here.bpm[0]), options)
        elif other is not None:
            self.grooves[letter] = choosing.another(guitar_grid, passages, options, other)
        elif (playing := self.grooves.get(self.letters[-1])) is not None:
            self.grooves[letter] = choosing.better(guitar_grid, passages, options, letter, playing)
        else:
            self.grooves.setdefault(letter, None)
