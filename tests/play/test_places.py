"""A wish acts where it is asked and nowhere else: bars outside it are byte for byte those of the take without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum import Drummer, Options
from seq2drum.music.notes import Part
from tests.conftest import ROOT
from tests.players import faults

SONGS = sorted((ROOT / "examples").glob("*.mid"))
CYMBALS = {49, 57, 42, 44, 46, 51, 53, 70}  # what crashes on a first beat, and what a hand leaves for it: hats, shaker

QUICK = {"ballad", "seven_eight"}
each_song = pytest.mark.parametrize(
    "song", [pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow) for path in SONGS]
)
each_way = pytest.mark.parametrize(
    "options",
    [
        Options(seed=0),
        Options(seed=3, humanize=0.7, intensity=0.6, swing=0.5),
        Options(seed=1, groove="half-time rock, ride", fills=0.9),
        Options(seed=2, style="rock", temperature=0),
    ],
    ids=["as it comes", "struck anew", "on a groove", "the likeliest"],
)


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def bars(drummer: Drummer, song: Path, options: Options) -> list[Part]:
    return [bar.part for bar in drummer.stream(song, options)]


def changed(one: list[Part], other: list[Part]) -> set[int]:
    """The numbers of the bars, from 1, in which two takes differ."""
    return {number for number, (here, there) in enumerate(zip(one, other, strict=True), 1) if here != there}


def but_cymbals(part: Part) -> list[list[int]]:
    return [row for row in part.rows.tolist() if row[2] not in CYMBALS]


def sections_of(drummer: Drummer, song: Path, options: Options) -> dict[str, set[int]]:
    """The numbers of the bars of each section, by its letter."""
    guitar, _ = drummer.listen(song, options)
    letters: dict[str, set[int]] = {}
    stops = [*(section.bar for section in guitar.sections[1:]), len(guitar.song.bars())]
    for section, stop in zip(guitar.sections, stops, strict=True):
        letters.setdefault(section.letter, set()).update(range(section.bar + 1, stop + 1))
    return letters


@each_way
@each_song
def test_a_fill_changes_its_bar_and_at_most_the_crash_after_it(drummer: Drummer, song: Path, options: Options) -> None:
    plain = bars(drummer, song, options)
    found = set()
    for number in (2, 8, 9):
        wished = bars(drummer, song, replace(options, fill_at=(number,)))
        found |= (here := changed(plain, wished))
        assert here <= {number, number + 1}
        assert but_cymbals(plain[number]) == but_cymbals(wished[number]), "only what crashes there"
    assert found & {2, 8, 9}


@each_way
@each_song
def test_bars_without_a_fill_were_fills_and_all_others_stay(drummer: Drummer, song: Path, options: Options) -> None:
    plain, wished = (bars(drummer, song, each) for each in (options, replace(options, no_fills_in=((1, 8),))))
    assert changed(plain, wished) <= set(range(1, 10))
    assert but_cymbals(plain[8]) == but_cymbals(wished[8])
    assert len(changed(plain, wished)) <= 4, "and those that were none stay, too"


@each_song
def test_one_wish_for_a_fill_does_not_move_another(drummer: Drummer, song: Path) -> None:
    for level in (None, 0.0):
        one, both = (bars(drummer, song, Options(fill_at=fills, fills=level)) for fills in ((4,), (4, 6)))
        assert changed(one, both) <= {6, 7}


@each_way
@each_song
def test_the_level_of_fills_changes_bars_that_fill_and_no_other(drummer: Drummer, song: Path, options: Options) -> None:
    usual, none, many = (bars(drummer, song, replace(options, fills=level)) for level in (None, 0.0, 1.0))
    assert len(changed(usual, none)) <= 2 * len(usual) / 4, "a fill in four bars at most, and the crash after it"
    assert len(changed(usual, many)) <= 2 * len(usual) / 4
    assert changed(usual, none) or changed(usual, many)


@each_song
def test_without_fills_no_bar_is_fuller_than_the_fill_or_the_groove_it_was(drummer: Drummer, song: Path) -> None:
    usual, none = (bars(drummer, song, Options(seed=3, fills=level)) for level in (None, 0.0))
    assert sum(map(len, none)) <= 1.05 * sum(map(len, usual))


@each_way
@each_song
def test_an_ending_changes_the_end(drummer: Drummer, song: Path, options: Options) -> None:
    plain = bars(drummer, song, options)
    for ending in ("none", "ring", "choke", "ritard"):
        wished = bars(drummer, song, replace(options, ending=ending))
        assert changed(plain, wished) <= {len(plain) - 1, len(plain)}


@each_song
@pytest.mark.parametrize("options", [Options(seed=0), Options(seed=3, humanize=0.7, intensity=0.6)])
def test_a_groove_of_a_section_changes_that_section(drummer: Drummer, song: Path, options: Options) -> None:
    plain = bars(drummer, song, options)
    letters = sections_of(drummer, song, options)
    if len(letters) == 1:
        pytest.skip("the piece is one section")
    alone = {letter: bars(drummer, song, replace(options, groove={letter: "one drop, hat"})) for letter in letters}
    for letter, own in letters.items():
        found = changed(plain, alone[letter])
        assert found <= own
        assert len(found) > len(own) / 2
    first, second, *_ = letters
    both = bars(drummer, song, replace(options, groove={first: "one drop, hat", second: "half-time rock, ride"}))
    assert changed(alone[first], both) <= letters[second]


@each_song
def test_wishes_with_a_place_are_added_up(drummer: Drummer, song: Path) -> None:
    letters = sections_of(drummer, song, Options())
    last = max(letters, key=lambda letter: max(letters[letter]))
    without = Options(groove={last: "one drop, hat"}, ending="none")
    inside = min(letters[last]) + 1
    plain, wished = (bars(drummer, song, replace(without, fill_at=fills)) for fills in ((), (inside,)))
    assert changed(plain, wished) <= {inside, inside + 1}
    assert inside in changed(plain, wished)
    other = bars(drummer, song, replace(without, ending="auto"))
    assert changed(plain, other) <= {len(plain) - 1, len(plain)}


@each_song
def test_what_is_wished_for_is_what_a_drummer_can_play(drummer: Drummer, song: Path) -> None:
    take = drummer.accompany(song, Options(fill_at=(3, 7, 8, 12), no_fills_in=((13, 24),), ending="choke"))
    assert not faults(take.standard_part, take.song)


def test_a_fill_that_is_asked_for_comes_a_bar_at_a_time(drummer: Drummer) -> None:
    stream = drummer.stream(SONGS[0], Options(fill_at=(2, 20)))
    first = [next(stream).part for _ in range(3)]
    assert first == bars(drummer, SONGS[0], Options(fill_at=(2, 20)))[:3]
