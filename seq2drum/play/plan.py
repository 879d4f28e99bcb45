"""What is decided before a note is played: the groove of each bar, where the pattern breaks, where a cymbal crashes.

Letters of shapes: B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.features import Features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music.kit import Kit
from seq2drum.music.notes import IntArray
from seq2drum.play.engine import Asking, Playable
from seq2drum.play.sampling import Sampling

BoolArray = NDArray[np.bool_]

USUAL_FILLS = 0.5  # the control that asks for as many fills as drummers play
PLANNED_PER_FILL = 1.2  # fills planned for each that is to be heard: not every one that is asked for stands out
FILL_GAP = 4  # bars from a fill to the next: on validation songs closer ones are more often wrong than right
INTO_SECTION = 1.0  # what the logit of a fill gains in the bar before a section begins
# How often drummers crash on the first beat of a bar, counted over 200 validation songs.
CRASHES = {"section": 0.45, "fill": 0.5, "section after fill": 0.7, "phrase": 0.15, "other": 0.04}
PHRASE = 8  # bars
ASKED, UNASKED = 12.0, 2.0  # logits that a crash gains where it is planned, and loses on the first beat of other bars
NEVER = -1e6  # logit of what is forbidden


@dataclass(frozen=True, eq=False)
class Plan:
    """What is decided of each bar of a song.

    letter (B,) and number (B,): the section that each bar belongs to, and how many of its bars come before it. begins
    (B,): whether a section begins. grooves (B,). fill (B,): where the pattern breaks; None if the model plans none.
    crash (B,): where the first beat is crashed; None leaves crashes to the model. forbidden: voices that are not
    played, by name. firm: grooves are held firmly, see `memory`.
    """

    letter: tuple[str, ...]
    number: IntArray
    begins: BoolArray
    grooves: tuple[Groove | None, ...]
    fill: BoolArray | None = None
    crash: BoolArray | None = None
    forbidden: frozenset[str] = frozenset()
    firm: bool = False

    @staticmethod
    def of_sections(
        bars: int, sections: Sequence[Section], grooves: Mapping[str, Groove] | None = None, *, firm: bool = False
    ) -> Plan:
        """The form of a song, and the groove of each section by its letter. The first begins with the song."""
        letter, number, begins = ["A"] * bars, np.arange(bars), np.zeros(bars, dtype=bool)
        for index, section in enumerate(sections):
            stop = sections[index + 1].bar if index + 1 < len(sections) else bars
            start = section.bar if index else 0
            letter[start:stop] = [section.letter] * (stop - start)
            number[start:stop] = np.arange(start, stop) - section.bar
            begins[section.bar] = True
        groove_of = grooves or {}
        return Plan(tuple(letter), number, begins, tuple(groove_of.get(each) for each in letter), firm=firm)

    def is_fill(self, bar: int) -> bool:
        """Whether the pattern breaks in a bar."""
        return self.fill is not None and bool(self.fill[bar])

    def tilt(self, bar: int, steps: int, kit: Kit) -> FloatArray:
        """(S, V): what is added to the logits of a bar's hits."""
        tilt = np.zeros((steps, len(kit)), dtype=np.float32)
        if self.crash is not None and "crash" in kit.names:
            tilt[0, kit.names.index("crash")] += ASKED if self.crash[bar] else -UNASKED
        tilt[:, [kit.names.index(name) for name in self.forbidden if name in kit.names]] = NEVER
        return tilt


def planned(
    model: Playable,
    guitar: Features,
    form: Form,
    plan: Plan,
    fills: float | None,
    sampling: Sampling,
) -> Asking[Plan]:
    """The plan with fills and crashes, of which there are as many as drummers play. fills: 0..1, see `plan_fills`."""
    logits = yield from model.fill_logits(guitar, form)
    if logits is None:
        return plan
    seed = sampling.seed if sampling.temperature else 0  # the most likely take is one, whatever the seed
    bars = len(form.steps)
    into = np.append(plan.begins[1:], False)
    fill = plan_fills(logits + INTO_SECTION * into, fills, np.random.default_rng([seed, bars, 1]))
    crash = plan_crashes(plan, fill, np.random.default_rng([seed, bars, 2]))
    return replace(plan, fill=fill, crash=crash)


def plan_fills(logits: NDArray[np.floating], level: float | None, rng: np.random.Generator) -> BoolArray:
    """(B,): in which bars to break the pattern, given the logits (B,) of drummers doing so.

    As many as drummers would play, times twice the level (0..1) that is asked for, in the likeliest bars but for some
    noise; each at least FILL_GAP bars from the last.
    """
    likely = 1 / (1 + np.exp(-logits.astype(np.float64)))
    many = PLANNED_PER_FILL * likely.sum() * (USUAL_FILLS if level is None else level) / USUAL_FILLS
    count = int(many + rng.random())
    fill = np.zeros(len(logits), dtype=bool)
    for bar in np.argsort(-(logits + 0.2 * rng.gumbel(size=len(logits))), kind="stable").tolist():
        if fill.sum() >= count:
            break
        fill[bar] = not fill[max(bar - FILL_GAP + 1, 0) : bar + FILL_GAP].any()
    return fill


def plan_crashes(plan: Plan, fill: BoolArray, rng: np.random.Generator) -> BoolArray:
    """(B,): on the first beat of which bars a cymbal crashes: where a section begins, after fills, and seldom else."""
    after = np.append(False, fill[:-1])
    share = np.full(len(fill), CRASHES["other"])
    share[plan.number % PHRASE == 0] = CRASHES["phrase"]
    share[after] = CRASHES["fill"]
    share[plan.begins] = CRASHES["section"]
    share[plan.begins & after] = CRASHES["section after fill"]
    crash: BoolArray = rng.random(len(fill)) < share
    return crash
