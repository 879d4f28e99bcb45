"""Wishes for places: each acts on its bars, as it says, and on no other: those are byte for byte as without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum import Drummer, Options, Take
from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import drums_of, pattern_syncopation
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.grid import encode
from seq2drum.lattice.grooves.fitting import BACKBEAT
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part
from seq2drum.play.listen import Guitar
from tests.conftest import LONG, ROOT
from tests.play.ways import QUICK, SONGS, WAYS, each_song

each_song_and_way = pytest.mark.parametrize(
    ("song", "options"),
    [
        pytest.param(path, options, id=f"{path.stem}-{way}", marks=[] if is_quick else pytest.mark.slow)
        for song, path in enumerate(SONGS)
        for number, (way, options) in enumerate(WAYS.items())
        for is_quick in [path.stem in QUICK and number < 2]
        if LONG or (song + number) % 2 == 0
    ],
)
HIGH = {"ride", "bell", "closed hat", "open hat"}


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def bars(drummer: Drummer, song: Path, options: Options) -> list[Part]:
    return [bar.part for bar in drummer.stream(song, options)]


def changed(one: list[Part], other: list[Part]) -> set[int]:
    """The numbers of the bars, from 1, in which two takes differ."""
    return {number for number, (here, there) in enumerate(zip(one, other, strict=True), 1) if here != there}


def sections_of(drummer: Drummer, song: Path, options: Options) -> dict[str, set[int]]:
    """The numbers of the bars of each section, by its letter."""
    guitar, _ = drummer.listen(song, options)
    letters: dict[str, set[int]] = {}
    for letter, number in zip(guitar.letters, guitar.song_grid.numbers.tolist(), strict=True):
        letters.setdefault(letter, set()).add(number)
    return letters


def with_wish(options: Options, name: str, value: object) -> Options:
    changes: dict[str, Any] = {name: value}
    return replace(options, **changes)


def beside(options: Options, name: str, places: Mapping[str, Any]) -> Options:
    """The options with values for places, beside the value that they have."""
    value = getattr(options, name)
    return with_wish(options, name, places if value in (None, "auto") else {"": value, **places})


def struck(take: Take, *names: str) -> list[list[tuple[int, int]]]:
    """The steps of each bar with hits of some pieces, and their velocities."""
    song_grid = SongGrid.of(take.song, take.guitar.parts)
    grid, form = encode(take.standard_part, song_grid.lattice, FULL), song_grid.form
    grid = grid.select(np.isin(grid.key, [FULL.places[name] for name in names]))
    found: list[list[tuple[int, int]]] = [[] for _ in form.steps]
    rows = (form.bar_of(grid.step), form.place_of(grid.step), grid.velocity)
    for bar, step, velocity in zip(*(each.tolist() for each in rows), strict=True):
        found[bar].append((step, velocity))
    return found


@each_song_and_way
def test_a_wish_changes_the_bars_of_its_place_alone(drummer: Drummer, song: Path, options: Options) -> None:
    plain, letters = bars(drummer, song, options), sections_of(drummer, song, options)
    last = list(letters)[-1]
    for place, own in ((last.casefold(), letters[last]), ("5-10", set(range(5, 11)))):
        for name in ("intensity", "complexity", "fills"):
            for value in (0.1, 0.9):
                assert changed(plain, bars(drummer, song, beside(options, name, {place: value}))) <= own
        for wish in ({"time": {place: "ride"}}, {"time": {place: "hat"}}, {"half_time": place}):
            for name, asked in wish.items():
                assert changed(plain, bars(drummer, song, with_wish(options, name, asked))) <= own
        wished = bars(drummer, song, beside(options, "intensity", {place: 0.05}))
        assert len(changed(plain, wished)) > len(own) / 2, "the wish is heard"


@each_song_and_way
def test_wishes_for_places_do_not_change_each_other(drummer: Drummer, song: Path, options: Options) -> None:
    letters = sections_of(drummer, song, options)
    last = list(letters)[-1]
    loud, ridden = beside(options, "intensity", {last: 0.9}), replace(options, time={"3-12": "ride"})
    both = replace(loud, time={"3-12": "ride"})
    slow = replace(both, half_time=f"7-9,{last}")
    plays = bars(drummer, song, both)
    assert changed(plays, bars(drummer, song, loud)) <= set(range(3, 13))
    assert changed(plays, bars(drummer, song, ridden)) <= letters[last]
    assert changed(plays, bars(drummer, song, slow)) <= {7, 8, 9} | letters[last]
    assert changed(plays, bars(drummer, song, replace(both, enter=5))) <= {1, 2, 3, 4, 5}
    ended = bars(drummer, song, replace(both, ending="ritard"))
    assert changed(plays, ended) <= {len(plays) - 1, len(plays)}


@each_song
def test_the_more_intense_the_fuller_and_louder_on_the_same_groove(drummer: Drummer, song: Path) -> None:
    for letter, own in sections_of(drummer, song, Options()).items():
        counts, loud = [], []
        for level in (0.1, 0.5, 0.9):
            played = bars(drummer, song, Options(intensity={letter: level, "1": 0.45}))  # else one section is all
            parts = [part for number, part in enumerate(played, 1) if number in own - {1}]
            counts.append(sum(map(len, parts)))
            loud.append(float(np.concatenate([part.velocity for part in parts]).mean()))
        assert counts[0] < counts[1] < counts[2] and counts[2] >= 1.5 * counts[0]
        assert loud[0] + 5 < loud[1] < loud[2] - 5
    takes = [drummer.accompany(song, Options(intensity={"2-9": level})) for level in (0.1, 0.9)]
    assert takes[0].grooves == takes[1].grooves


def test_half_way_is_as_without(drummer: Drummer) -> None:
    plain = bars(drummer, SONGS[0], Options(seed=2))
    half = bars(drummer, SONGS[0], Options(seed=2, intensity={"5-12": 0.5}))
    counts = [sum(len(part) for part in each[4:12]) for each in (plain, half)]
    assert counts[1] == pytest.approx(counts[0], rel=0.1)
    assert changed(plain, half) <= set(range(5, 13))


@each_song
def test_fills_and_time_are_those_of_the_place(drummer: Drummer, song: Path) -> None:
    plain = bars(drummer, song, Options())
    none, many = (bars(drummer, song, Options(fills={"3-14": level})) for level in (0.0, 1.0))
    assert changed(none, many) or changed(plain, many)
    for line, other in (("ride", {"closed hat", "open hat"}), ("hat", {"ride", "bell"})):
        take = drummer.accompany(song, Options(time={"4-9": line}))
        assert not any(struck(take, *other)[3:9])
    both = drummer.accompany(song, Options(time="ride,4-9=hat"))
    assert not any(struck(both, "ride", "bell")[3:9])


@each_song
def test_half_time_has_half_the_backbeats_and_keeps_the_rate_of_the_cymbal(drummer: Drummer, song: Path) -> None:
    letters = sections_of(drummer, song, Options())
    last = list(letters)[-1]
    own = sorted(letters[last])[:-1]
    takes = [drummer.accompany(song, Options(half_time=place)) for place in (None, last, "all")]
    backs = [struck(take, *BACKBEAT) for take in takes]
    loud = [[sum(velocity >= 70 for _, velocity in each[bar - 1]) for bar in own] for each in backs]
    cymbals = [sum(len(struck(take, *HIGH, "crash")[bar - 1]) for bar in own) for take in takes]
    for counts, strokes in zip(loud[1:], cymbals[1:], strict=True):
        assert np.mean(counts) < 1.2
        assert strokes == pytest.approx(cymbals[0], rel=0.35)
    if takes[0].song.metre_map[0][1:] == (4, 4):
        for each in backs[1:]:
            steps = [step for bar in own for step, velocity in each[bar - 1] if velocity >= 70]
            assert steps.count(12) >= 0.8 * len(own), "the backbeat is on three"


@each_song
def test_a_higher_complexity_of_a_section_leans_no_less_on_the_same_groove(drummer: Drummer, song: Path) -> None:
    letters = drummer.listen(song, Options())[0].letters
    own, plain = np.array(letters) == letters[-1], drummer.accompany(song, Options())
    takes = [drummer.accompany(song, Options(complexity={letters[-1]: level})) for level in (0.1, 0.3, 0.5, 0.7, 0.9)]
    song_grid = SongGrid.of(plain.song, plain.guitar.parts)
    grids = [encode(take.standard_part, song_grid.lattice, FULL) for take in takes]
    leaning = [float(pattern_syncopation(drums_of(grid, song_grid.form))[own].mean()) for grid in grids]
    assert all(less <= more for less, more in pairwise(leaning)) and leaning[-1] > leaning[0]
    assert {take.grooves for take in takes} == {plain.grooves}


def test_the_same_value_in_all_sections_is_that_of_the_song(drummer: Drummer) -> None:
    song = SONGS[0]
    letters = sections_of(drummer, song, Options())
    for name, value in (("intensity", 0.8), ("fills", 0.9), ("time", "ride"), ("complexity", 0.2)):
        whole = drummer.accompany(song, with_wish(Options(), name, value))
        placed = drummer.accompany(song, with_wish(Options(), name, dict.fromkeys(letters, value)))
        assert whole.to_bytes() == placed.to_bytes()
    everywhere = drummer.accompany(song, Options(half_time="all"))
    assert everywhere.to_bytes() == drummer.accompany(song, Options(half_time=",".join(letters))).to_bytes()


def test_the_later_of_two_places_wins(drummer: Drummer) -> None:
    song = SONGS[0]
    first = next(iter(sections_of(drummer, song, Options())))
    one = bars(drummer, song, Options(intensity=f"{first}=0.9,3-4=0.1"))
    other = bars(drummer, song, Options(intensity=f"3-4=0.1,{first}=0.9"))
    assert changed(one, other) <= {3, 4} and changed(one, other)
    assert other == bars(drummer, song, Options(intensity={first: 0.9}))


def test_a_groove_may_have_bars_for_its_place(drummer: Drummer) -> None:
    plain = bars(drummer, SONGS[0], Options())
    wished = bars(drummer, SONGS[0], Options(groove={"5-8": "one drop, hat"}))
    assert changed(plain, wished) <= {5, 6, 7, 8} and changed(plain, wished)


def test_levels_of_places_act_beside_a_plan_that_is_given_back(drummer: Drummer) -> None:
    song, options = SONGS[0], Options(seed=1, intensity={"B": 0.9}, time={"A": "ride"}, half_time="5-8")
    take = drummer.accompany(song, options)
    assert drummer.accompany(song, options, plan=take.plan).to_bytes() == take.to_bytes()


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"intensity": {"chorus": 1.5}}, "intensity in 'chorus' is 1.5, wanted 0 to 1"),
        ({"intensity": {"chorus": None}}, "intensity in 'chorus' is None, wanted 0 to 1"),
        ({"intensity": "chorus=loud"}, "intensity is 'chorus=loud', wanted 0 to 1"),
        ({"fills": {"": -1, "A": 0.1}}, "fills is -1, wanted 0 to 1"),
        ({"time": {"A": "gong"}}, "there is no piece to keep time on 'gong'"),
        ({"complexity": {"8-1": 0.5}}, "the bars are 8:1"),
        ({"complexity": {"A,B": 0.5}}, "complexity is requested in 'A,B', wanted a section"),
        ({"half_time": "chorus,,A"}, "a place is missing"),
    ],
)
def test_a_wrong_value_or_place_is_refused(wish: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(**wish)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"intensity": {"Z": 0.5}}, "the song has no section 'Z'; it has A, B"),
        ({"half_time": "A,Z"}, "the song has no section 'Z'; it has A, B"),
        ({"time": {"90-95": "ride"}}, "time is requested in bars 90-95, but the song has 24"),
        ({"half_time": "1-4,90-95"}, "half time is requested in bars 90-95, but the song has 24"),
        ({"fills": {"A": 0.1, "a": 0.2}}, "two values of fills are requested in 'A'; wanted one"),
        ({"out": "5-8", "fill_at": (6,)}, "a fill is requested in bar 6, and no drums there"),
        ({"enter": 9, "fill_at": (6,)}, "a fill is requested in bar 6, and no drums there"),
    ],
)
def test_what_the_song_has_not_is_refused(drummer: Drummer, wish: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        drummer.listen(SONGS[0], Options(**wish))


def test_bars_are_those_of_a_section_or_from_number_to_number(drummer: Drummer) -> None:
    guitar, _ = drummer.listen(SONGS[0])
    assert isinstance(guitar, Guitar)
    assert np.flatnonzero(guitar.bars_in((3, 5))).tolist() == [2, 3, 4]
    assert sum(guitar.bars_in(letter).sum() for letter in set(guitar.letters)) == len(guitar.letters)


def test_more_fills_in_a_place_hold_their_distance_to_those_beside_it() -> None:
    from seq2drum.lattice.sections import Section
    from seq2drum.play.arrange.fills import FILL_GAP, at_level, with_fills
    from seq2drum.play.decode.plan import Plan
    from seq2drum.play.decode.sampling import Sampling

    likely = np.full(64, -1.0)
    plan = replace(Plan.of_sections(64, [Section(0, "A")]), likely=likely)
    fill = np.arange(64) % 8 == 7
    plan = with_fills(plan, fill, Sampling(0))
    place = (np.arange(64) >= 16) & (np.arange(64) < 40)
    counts = []
    for level in (0.0, 0.25, 0.5, 1.0):
        wished = at_level(plan, level, place, Sampling(0)).level
        assert wished is not None and np.array_equal(wished[~place], fill[~place])
        assert np.diff(np.flatnonzero(wished)).min() >= FILL_GAP
        counts.append(int(wished[place].sum()))
    assert counts[0] == 0 and all(one <= other for one, other in pairwise(counts)) and counts[-1] > counts[1]


TRAINING = ROOT / "examples" / "training" / "funk_1.mid"


@pytest.mark.parametrize(
    ("kept", "out", "silent"),
    [
        ({"prime": 4}, {"out": "1-2,7"}, {1, 2, 7}),
        ({"bars": (5, 8)}, {"out": "1-4,6"}, {1, 2, 3, 4, 6}),
        ({"bars": (9, 12)}, {"enter": 3}, {1, 2}),
    ],
)
def test_drums_that_stay_are_out_as_well(
    drummer: Drummer, kept: dict[str, Any], out: dict[str, Any], silent: set[int]
) -> None:
    plain, rested = (drummer.accompany(TRAINING, Options(**kept, **more)) for more in ({}, out))
    both = [struck(take, *FULL.names) for take in (plain, rested)]
    differ = {bar for bar, (one, other) in enumerate(zip(*both, strict=True), 1) if one != other}
    assert differ == silent and not any(both[1][bar - 1] for bar in silent)


def test_a_section_in_which_the_guitar_rests_has_half_time_on_the_groove_of_the_song(drummer: Drummer) -> None:
    from tests.play.test_wishes import STRUM, song

    played = song([[]] * 16, [STRUM] * 8 + [[]] * 4 + [STRUM] * 4)
    options = Options(sections="verse 1-8, solo 9-12, verse 13-16", seed=1)
    take = drummer.accompany(played, replace(options, half_time="solo"))
    loud = [[step for step, velocity in bar if velocity >= 70] for bar in struck(take, *BACKBEAT)]
    assert sum(12 in bar for bar in loud[8:12]) >= 3


def test_the_ghost_notes_of_a_busier_section_are_softer_than_its_backbeats(drummer: Drummer) -> None:
    take = drummer.accompany(ROOT / "examples" / "rock_riff.mid", Options(intensity={"B": 0.9, "1": 0.4}))
    snares = [hit for bar in struck(take, "snare")[18:32] for hit in bar]
    ghosts = [velocity for step, velocity in snares if step % 6 in (1, 5)]
    backbeats = [velocity for step, velocity in snares if step in (6, 18)]
    assert len(ghosts) > 10 and np.mean(ghosts) < 0.7 * np.mean(backbeats)
