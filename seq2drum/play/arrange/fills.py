"""Fills and crashes: where the model expects drummers to break the pattern, and where the request wants it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.features import Features
from seq2drum.lattice.form import Form
from seq2drum.play.decode.engine import Computation, Playable
from seq2drum.play.decode.plan import BoolArray, Fills, Plan, Version
from seq2drum.play.decode.sampling import Sampling

USUAL_FILLS = 0.5  # value of the control `fills` that gives as many as drummers play
PLANNED_PER_FILL = 1.2  # planned fills for each audible one: some do not stand out
FILL_GAP = 4  # bars from a fill to the next: on validation songs closer ones are more often wrong than right
# How much the model's own logit of a fill counts, and what a bar's place adds: drummers fill .30 of the bars before a
# section and .16 of those before a phrase inside one, where the model says .18 and .11, and fewer of most others.
OWN_FILL, ANY_FILL = 0.9, -0.4
INTO_SECTION, INTO_PHRASE, SECTION_START = 1.2, 0.7, -0.8  # the first, also before the last chord
# Shares of bars with a crash on the first beat, in a song with as many as most have. Drummers of 1,753 songs have .33
# where a section begins, .44 after a fill, .62 where both, .20 to .23 at every fourth bar of a section, and .09 else.
# Here a crash should more often mean something.
CRASHES = {"section": 0.4, "fill": 0.5, "section after fill": 0.8, "phrase": 0.2, "half": 0.06, "other": 0.01}
PHRASE = 8  # bars
# One drummer marks every phrase and another none: the shares of a song go up and down together (.72 is the correlation
# of sections and phrases). Their logits are moved by a normal number with this deviation, within bounds.
MANNER, MOST_MANNER = 1.4, 1.5
SOFT_CRASHES = 0.4  # factor of these shares in a soft groove


def add_fills(
    model: Playable, guitar: Features, form: Form, plan: Plan, level: float | None, sampling: Sampling
) -> Computation[Plan]:
    """Return the plan with as many fills and crashes as drummers play, where they are likely.

    level: the control `fills`, 0..1; fills at this level are a second plan, see `with_requests`.
    """
    logits = yield from model.fill_logits(guitar, form)
    if logits is None:
        return plan
    into, still = np.append(plan.begins[1:], False), np.zeros(len(logits), dtype=bool)
    into[list(plan.gestures.builds)], still[list(plan.gestures.still)] = True, True
    phrase = (plan.number % PHRASE == PHRASE - 1) & ~into
    places = INTO_SECTION * into + INTO_PHRASE * phrase + SECTION_START * plan.begins
    logits = OWN_FILL * logits + ANY_FILL + places
    key = [sampling.seed if sampling.temperature else 0, len(logits), 1]
    if level is not None:
        plan = replace(plan, level=plan_fills(logits, level, np.random.default_rng(key), still))
    plan = replace(plan, likely=logits)
    return with_fills(plan, plan_fills(logits, None, np.random.default_rng(key), still), sampling)


def at_level(plan: Plan, level: float, bars: BoolArray, sampling: Sampling) -> Plan:
    """Return a plan of `add_fills` with fills at another level in some bars (B,); all others keep theirs.

    sampling: that of the take. FILL_GAP holds between these bars and the others, too.
    """
    if plan.likely is None or plan.fill is None:
        return plan
    usual, never = plan.fill if plan.level is None else plan.level, np.zeros(len(bars), dtype=np.bool_)
    never[list(plan.gestures.still)] = True
    for bar in np.flatnonzero(usual & ~bars).tolist():
        never[max(bar - FILL_GAP + 1, 0) : bar + FILL_GAP] = True
    likely = np.where(bars, plan.likely, -np.inf)
    key = [sampling.seed if sampling.temperature else 0, len(likely), 1]
    return replace(plan, level=np.where(bars, plan_fills(likely, level, np.random.default_rng(key), never), usual))


def with_fills(plan: Plan, fill: BoolArray, sampling: Sampling) -> Plan:
    """Return the plan with fills in some bars (B,), and the crashes that they cause."""
    seed = sampling.seed if sampling.temperature else 0  # the most likely take is the same for every seed
    key = [seed, len(fill), int(np.flatnonzero(plan.begins).sum()), 2]
    return replace(plan, fill=fill, crash=plan_crashes(plan, fill, np.random.default_rng(key)))


def with_requests(plan: Plan, sampling: Sampling) -> Plan:
    """Return the plan with the requested fills: at the requested level, and with or without one in given bars."""
    fills, fill = plan.fills or Fills.free(len(plan.letter)), plan.fill if plan.level is None else plan.level
    fill = (fills.requested if fill is None else fill | fills.requested) & ~fills.never
    return replace(plan, fill=fill) if plan.crash is None else with_fills(plan, fill, sampling)


def version_of(plan: Plan, bars: BoolArray, sampling: Sampling, fill_sampling: Sampling, controls: Controls) -> Version:
    """Return some bars (B,) on a plan, without and with the fills requested in single bars.

    fill_sampling: that of the take, so that no wish moves another fill or crash. controls: of these bars.
    """
    none = np.zeros(len(bars), dtype=np.bool_)
    requested, refilled, recrashed = plan, none, none
    if plan.fills is not None or plan.level is not None:
        requested = with_requests(plan, fill_sampling)
        before, after = (none if each.fill is None else each.fill for each in (plan, requested))
        refilled = bars & ((none if plan.fills is None else plan.fills.requested) | (before != after))
        if requested.crash is not None and plan.crash is not None:
            recrashed = bars & (requested.crash != plan.crash)
    if any(groove is not None for groove in plan.grooves):  # these lean as requested, and tell the model so
        controls = replace(controls, complexity=None)
    return Version(bars, replace(plan, fills=None), requested, refilled, recrashed, sampling, controls)


def wished_version(
    wish: Plan, bars: BoolArray, sampling: Sampling, take: Plan, fill_sampling: Sampling, controls: Controls
) -> Version:
    """Return some bars (B,) on the plan of a wish, with the take's fills except where that plan is still."""
    if take.fill is not None:
        able = np.ones(len(bars), dtype=np.bool_)
        able[list(wish.gestures.still)] = False
        wish = replace(wish, level=None if take.level is None else take.level & able)
        wish = with_fills(wish, take.fill & able, fill_sampling)
    return version_of(wish, bars, sampling, fill_sampling, controls)


def entered(version: Version, bar: int) -> Version:
    """Return the version whose bar begins with kick and crash, if it plays that bar; later bars do not remember it."""
    if not version.bars[bar]:
        return version
    gestures, refilled = version.requested.gestures, version.refilled.copy()
    gestures = replace(gestures, heavy=gestures.heavy | {bar}, crashed=gestures.crashed | {bar})
    refilled[bar] = True
    return replace(version, requested=replace(version.requested, gestures=gestures), refilled=refilled)


def plan_fills(
    logits: NDArray[np.floating], level: float | None, rng: np.random.Generator, never: BoolArray | None = None
) -> BoolArray:
    """Return the bars (B,) to break the pattern in, given the logits (B,) of drummers doing so.

    Their number is that of drummers times twice the level (0..1). They are the likeliest bars after some noise, each at
    least FILL_GAP bars from the next. never (B,): bars without fills.
    """
    likely = 1 / (1 + np.exp(-logits.astype(np.float64)))
    many = PLANNED_PER_FILL * likely.sum() * (USUAL_FILLS if level is None else level) / USUAL_FILLS
    count = int(many + rng.random())
    fill = np.zeros(len(logits), dtype=bool)
    never = np.zeros(len(logits), dtype=bool) if never is None else never
    for bar in np.argsort(-(logits + 0.2 * rng.gumbel(size=len(logits))), kind="stable").tolist():
        if fill.sum() >= count:
            break
        if not never[bar] and not fill[max(bar - FILL_GAP + 1, 0) : bar + FILL_GAP].any():
            fill[bar] = True
    return fill


def plan_crashes(plan: Plan, fill: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Return the bars (B,) with a crash on the first beat: mostly where a section begins and after fills.

    A song has many or few of them throughout, and a section that returns has them where it had them.
    """
    # 1. The share of each bar, in the manner of this song.
    after = np.append(False, fill[:-1])
    drawn = MANNER * rng.standard_normal()
    manner = float(np.clip(drawn, -MOST_MANNER, MOST_MANNER)) if plan.crashes == 1 else 0.0  # that of a band is known
    bars = zip(plan.number.tolist(), plan.begins.tolist(), after.tolist(), strict=True)
    odds = np.array([CRASHES[occasion(place, begins=begins, after_fill=filled)] for place, begins, filled in bars])
    odds = odds / (1 - odds) * np.exp(manner)
    share = odds / (1 + odds)
    still = [bar for bar in plan.gestures.still if not plan.begins[bar]]
    share[still] = 0
    share *= plan.crashes * (SOFT_CRASHES if plan.gestures.soft else 1)
    # 2. One draw for all bars at a place of a letter.
    first = dict[tuple[str, int], int]()
    places = zip(plan.letter, plan.number.tolist(), strict=True)
    same = [first.setdefault(place, bar) for bar, place in enumerate(places)]
    crash: BoolArray = rng.random(len(fill))[same] < share
    # 3. Of two bars in a row, the likelier one.
    for bar in (np.flatnonzero(crash[:-1] & crash[1:]) + 1).tolist():
        crash[bar if share[bar] <= share[bar - 1] else bar - 1] = False
    return crash


def occasion(place: int, *, begins: bool, after_fill: bool) -> str:
    """Return the occasion of CRASHES that a bar is. place: its number in its section, which begins with it or not."""
    if begins:
        return "section after fill" if after_fill else "section"
    if after_fill:
        return "fill"
    return "other" if place % (PHRASE // 2) else "half" if place % PHRASE else "phrase"
