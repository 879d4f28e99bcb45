"""Variations of a groove, over all grooves of the book and all cymbals."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import drums_of, pattern_syncopation
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.fitting import BACKBEAT, LOUD, playable
from seq2drum.lattice.grooves.grooves import Groove, grid_of
from seq2drum.lattice.grooves.variation import (
    MOST_KICKS,
    OFF_THE_STICK,
    STICKED,
    TIMEKEEPERS,
    halved,
    leaned,
    timekeeper,
    varied,
)
from seq2drum.music.kit import FULL
from seq2drum.play.grooves.book import Book

CYMBALS = (None, "closed hat", "open hat", "ride", "crash")
LEVELS = (-0.5, -0.3, -0.15, 0.0, 0.15, 0.3, 0.5)
BASS = (0, 15, 6, 21, 9)
SNARE = FULL.places["snare"]


@cache
def grooves() -> tuple[Groove, ...]:
    return Book.load().grooves[::3]


def hits(groove: Groove, *names: str) -> list[list[tuple[int, str]]]:
    struck = [zip(bar.step.tolist(), bar.key.tolist(), strict=True) for bar in groove.bars]
    return [[(step, FULL.names[key]) for step, key in bar if not names or FULL.names[key] in names] for bar in struck]


def count(groove: Groove) -> int:
    return sum(map(len, hits(groove)))


def rows(groove: Groove) -> list[tuple[int, int, int]]:
    bar = groove.bars[0]
    return list(zip(bar.step.tolist(), bar.key.tolist(), bar.velocity.tolist(), strict=True))


def rock() -> Groove:
    return Book.load()["rock-hat"]


@pytest.mark.parametrize("time", CYMBALS)
def test_the_higher_the_level_the_more_hits(time: str | None) -> None:
    falls, rises = 0, 0
    for groove in grooves():
        counts = [count(varied(groove, time=time, level=level, bass=BASS)) for level in LEVELS]
        falls += any(after < before for before, after in pairwise(counts))
        rises += counts[-1] > counts[0]
    assert falls == 0 and rises >= 0.9 * len(grooves())


@pytest.mark.parametrize("time", CYMBALS)
def test_a_variation_is_playable_and_keeps_name_metre_backbeat_and_first_kick(time: str | None) -> None:
    for groove in grooves():
        for level in (-0.5, 0.0, 0.5):
            made = varied(groove, time=time, level=level, bass=BASS)
            assert (made.name, made.title, made.metre) == (groove.name, groove.title, groove.metre)
            for old, new in zip(groove.bars, made.bars, strict=True):
                assert len(playable(new).step) == len(new.step)
                kept = set(zip(new.step.tolist(), new.key.tolist(), strict=True))
                loud = np.isin(old.key, [FULL.places[name] for name in BACKBEAT]) & (old.velocity >= LOUD)
                backbeat = set(zip(old.step[loud].tolist(), old.key[loud].tolist(), strict=True))
                if level >= OFF_THE_STICK and groove.style in STICKED and not any(hits(groove, "snare")):
                    backbeat = {(at, SNARE if key == FULL.places["side stick"] else key) for at, key in backbeat}
                assert backbeat <= kept
                kicks = old.step[old.key == FULL.places["kick"]]
                assert not len(kicks) or (int(kicks[0]), FULL.places["kick"]) in kept


def test_without_a_change_a_groove_is_itself() -> None:
    def is_playable(groove: Groove) -> bool:
        return all(len(playable(bar).step) == len(bar.step) for bar in groove.bars)

    assert all(hits(varied(groove)) == hits(groove) for groove in grooves() if is_playable(groove))


def test_time_goes_to_the_ride_with_the_foot_on_two_and_four() -> None:
    made = varied(rock(), time="ride")
    assert timekeeper(rock()) == "closed hat" and timekeeper(made) == "ride"
    assert [step for step, _ in hits(made, "ride")[0]] == [step for step, _ in hits(rock(), "closed hat")[0]]
    assert hits(made, "pedal hat") == [[(6, "pedal hat"), (18, "pedal hat")]]
    assert hits(made, "kick", "snare") == hits(rock(), "kick", "snare")


def test_sixteenths_stay_on_the_hat_and_a_crash_is_ridden_on_the_beats() -> None:
    sixteenths = Book.load()["rock-16th-hat"]
    assert all(step % 6 in (0, 3) for step, _ in hits(varied(sixteenths, time="ride"), "ride")[0])
    assert [step for step, _ in hits(varied(sixteenths, time="crash"), "crash")[0]] == [0, 6, 12, 18]


def test_the_foot_leaves_the_hat_that_is_played_by_hand() -> None:
    for time in ("closed hat", "open hat"):
        made = varied(varied(rock(), time="ride"), time=time)
        assert hits(made, "pedal hat") == [[]] and timekeeper(made) == "closed hat"


def test_a_sparser_groove_loses_a_foot_that_doubles_the_hand_before_the_strokes_of_the_hand() -> None:
    foot = [(step, "pedal hat") for step in range(0, 24, 3)]
    ride = Book.load()["rock-ride"]
    doubled = replace(ride, bars=(grid_of([*rows(ride), *((step, FULL.places[name], 60) for step, name in foot)]),))
    made = varied(doubled, level=-0.35)
    assert [step for step, _ in hits(made, "pedal hat")[0]] == [6, 18] and len(hits(made, "ride")[0]) == 8


@pytest.mark.parametrize(("time", "most"), [("closed hat", 16), ("open hat", 8), ("ride", 8)])
def test_only_the_closed_hat_gets_sixteenths(time: str, most: int) -> None:
    made = varied(rock(), time=time, level=0.6, bass=BASS)
    assert len(hits(made, time)[0]) == most


def test_a_full_ballad_leaves_the_side_stick_for_the_snare_and_a_bossa_does_not() -> None:
    ballad, bossa = Book.load()["ballad-side-stick"], Book.load()["bossa-side-stick"]
    for level in (-0.3, 0.0, 0.1):
        assert hits(varied(ballad, level=level), "side stick") == hits(ballad, "side stick")
    full = varied(ballad, level=0.2)
    assert hits(full, "side stick") == [[]] * len(full.bars)
    assert {step for step, _ in hits(ballad, "side stick")[0]} <= {step for step, _ in hits(full, "snare")[0]}
    assert hits(varied(bossa, level=0.3), "side stick") == hits(bossa, "side stick")


def test_a_bossa_gets_no_kick_more() -> None:
    bossa = Book.load()["bossa-side-stick"]
    assert hits(varied(bossa, level=0.3, bass=(6, 15, 18)), "kick") == hits(bossa, "kick")


def test_kicks_are_added_where_the_bass_plays_and_left_out_where_it_does_not() -> None:
    groove = rock()
    more = varied(groove, level=0.2, bass=(15, 9, 0))
    added = {step for step, _ in hits(more, "kick")[0]} - {step for step, _ in hits(groove, "kick")[0]}
    assert added <= {15, 9} and 1 <= len(added) <= MOST_KICKS


def test_a_groove_without_a_cymbal_stays_without_one() -> None:
    for groove in grooves():
        if timekeeper(groove) is None:
            assert all(varied(groove, time=time) == varied(groove) for time in TIMEKEEPERS)


@pytest.mark.parametrize(
    "name", ["rock-hat", "shuffle-hat", "bossa-brushes", "jazz-waltz-ride", "rock-7-8", "ballad-6-8"]
)
def test_any_idiom_can_be_played_with_half_as_many_hits_again(name: str) -> None:
    groove = Book.load()[name]
    assert count(varied(groove, level=0.5, bass=BASS)) >= 1.4 * count(varied(groove, level=-0.5, bass=BASS))


def test_a_fast_groove_gets_no_sixteenths_on_its_cymbal() -> None:
    slow, fast = (varied(rock(), level=0.5, bass=BASS, is_slow=is_slow) for is_slow in (True, False))
    assert len(hits(slow, "closed hat")[0]) == 16 and len(hits(fast, "closed hat")[0]) == 8


# --- as far as it is requested ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_slow", [True, False])
def test_a_requested_level_goes_as_far_as_it_says(is_slow: bool) -> None:
    ratios = []
    for groove in grooves():
        far = [count(varied(groove, level=level, bass=BASS, is_slow=is_slow, goes_far=True)) for level in (-0.6, 0.6)]
        near = [count(varied(groove, level=level, bass=BASS, is_slow=is_slow)) for level in (-0.6, 0.6)]
        assert far[0] <= near[0] and far[1] >= 0.85 * near[1], "it leaves out the kicks that lean against the beat"
        ratios.append(far[1] / far[0])
        for level in (-0.6, 0.6):
            made = varied(groove, level=level, bass=BASS, is_slow=is_slow, goes_far=True)
            assert all(len(playable(bar).step) == len(bar.step) for bar in made.bars)
            assert (made.name, made.metre) == (groove.name, groove.metre)
    assert np.mean(np.array(ratios) >= 1.5) > 0.99 and min(ratios) >= 1.2


def test_a_requested_level_changes_in_steps_of_one_direction() -> None:
    for groove in grooves():
        counts = [count(varied(groove, level=level, bass=BASS, goes_far=True)) for level in LEVELS]
        assert all(before <= after for before, after in pairwise(counts))


# --- half time --------------------------------------------------------------------------------------------------------


def test_half_time_has_its_backbeat_on_three_and_kicks_in_twice_the_time() -> None:
    made = halved(rock())
    assert (made.name, made.title, made.metre, len(made.bars)) == (rock().name, rock().title, "4/4", 2)
    assert hits(rock(), "kick", "snare") == [[(0, "kick"), (6, "snare"), (12, "kick"), (15, "kick"), (18, "snare")]]
    assert hits(made, "kick", "snare") == [[(0, "kick"), (12, "snare")], [(0, "kick"), (6, "kick"), (12, "snare")]]
    assert hits(made, "closed hat") == hits(rock(), "closed hat") * 2


@pytest.mark.parametrize(
    ("name", "backs"),
    [
        ("rock-hat", [[12], [12]]),
        ("shuffle-hat", [[12], [12]]),
        ("slow-blues-12-8", [[18], [18]]),
        ("ballad-6-8", [[], [0]]),
        ("rock-7-8", [[], [0]]),
        ("rock-5-4", [[], [0]]),
        ("jazz-waltz-ride", [[], [0]]),
    ],
)
def test_other_metres_have_one_backbeat_in_the_middle_of_a_bar_or_of_two(name: str, backs: list[list[int]]) -> None:
    made = halved(Book.load()[name])
    loud = [
        sorted(bar.step[np.isin(bar.key, [FULL.places[piece] for piece in BACKBEAT]) & (bar.velocity >= 40)].tolist())
        for bar in made.bars
    ]
    assert loud == backs


def test_any_groove_in_half_time_is_playable_has_one_backbeat_and_goes_on_in_time() -> None:
    for groove in Book.load().grooves:
        if groove.metre in ("1/4", "2/8", "3/8"):
            continue
        made = halved(groove)
        assert made.metre == groove.metre and all(len(playable(bar).step) == len(bar.step) for bar in made.bars)
        time = [name for pieces in TIMEKEEPERS.values() for name in pieces]
        before = [hits(groove, *time)[number % len(groove.bars)] for number in (0, 1)]
        for own, goes_on in zip(before, hits(made, *time), strict=True):
            assert set(goes_on) <= set(own) and len(goes_on) >= 0.7 * len(own)
        kicks = [sum(map(len, hits(each, "kick"))) / len(each.bars) for each in (groove, made)]
        assert kicks[1] <= kicks[0] + 1e-9 or kicks[1] <= 1
        loud = [
            int((np.isin(bar.key, [FULL.places[piece] for piece in BACKBEAT]) & (bar.velocity >= LOUD)).sum())
            for bar in made.bars
        ]
        assert sum(loud) <= 2


def test_a_bar_of_one_beat_has_no_half_time() -> None:
    groove = replace(rock().fitted(1, 4))
    with pytest.raises(OptionError, match="a bar of 1/4 has one"):
        halved(groove)


# --- leaning against the beat ---------------------------------------------------------------------------------------

FAR = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
PATTERN = [FULL.places[name] for name in ("kick", "snare", "side stick", "clap", "low tom", "mid tom", "high tom")]
SOME = [groove.name for groove in Book.load().grooves[::12]]


def syncopation(groove: Groove) -> float:
    """The syncopation of kick, snare and toms in the bars of a groove, played again and again."""
    form = Form(*(np.full(8, one) for one in (groove.steps, groove.numerator, groove.denominator, 120.0)))
    grid = Grid.join(groove.bar(bar).shift(first) for bar, first in enumerate(form.first[:-1].tolist()))
    return float(pattern_syncopation(drums_of(grid, form))[:4].mean())


def pattern(groove: Groove) -> int:
    """The number of its hits on these pieces."""
    return sum(int(np.isin(bar.key, PATTERN).sum()) for bar in groove.bars)


@pytest.mark.parametrize("name", [*SOME, "bossa-ride", "rock-waltz"])
def test_a_higher_level_leans_no_less_and_has_no_fewer_hits(name: str) -> None:
    groove = Book.load()[name]
    some = [leaned(groove, level, bass=(9, 21)) for level in FAR]
    leaning = [syncopation(one) for one in some]
    assert all(more >= less - 1e-6 for less, more in pairwise(leaning))
    assert all(more >= less for less, more in pairwise(map(pattern, some)))
    assert leaning[-1] > leaning[3] or len(groove.bars[0].step) > 20 or leaning[3] > 1  # there is no room
    assert some[3] == groove
    assert {(one.name, one.metre) for one in some} == {(groove.name, groove.metre)}


def test_a_straight_groove_has_kick_and_snare_on_beats_and_its_cymbal_as_before() -> None:
    groove = Book.load()["funk-hat"]
    straight = leaned(groove, 0.0)
    assert syncopation(straight) < 0.6 * syncopation(groove)
    for before, bar in zip(groove.bars, straight.bars, strict=True):
        hat = FULL.places["closed hat"]
        assert set(bar.step[bar.key == hat].tolist()) == set(before.step[before.key == hat].tolist())
        loud = bar.step[np.isin(bar.key, PATTERN) & (bar.velocity >= LOUD)] % 6
        assert (loud == 0).mean() >= 0.6


def test_the_backbeat_and_the_first_kick_stay_and_kicks_are_pushed_where_the_bass_plays() -> None:
    kick, snare, groove = FULL.places["kick"], FULL.places["snare"], Book.load()["half-time-rock-hat"]
    (bar,) = groove.bars
    groove = replace(groove, bars=(bar.select((bar.key != kick) | (bar.step == 0)),))
    for bass in (3, 9, 15):
        (far,) = leaned(groove, 0.6, bass=(bass,)).bars
        assert set(far.step[far.key == kick].tolist()) == {0, bass}
        assert set(far.step[far.key == snare].tolist()) == set(bar.step[bar.key == snare].tolist())
