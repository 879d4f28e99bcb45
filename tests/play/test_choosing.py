"""Which grooves a take is played on, with the book and the ranker that come with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.formats.midi import midi
from seq2drum.lattice.features import GuitarGrid, SongGrid
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.styles import idiom_of, is_extreme
from seq2drum.lattice.sections import Section, sections
from seq2drum.music import theory
from seq2drum.music.notes import Note, Part, Song
from seq2drum.play.asked import WHOLE
from seq2drum.play.grooves import choosing
from seq2drum.play.grooves.book import Book
from seq2drum.play.grooves.choosing import chosen, offered, worths
from seq2drum.play.grooves.ranker import Fit, Ranker
from seq2drum.play.options import Options
from tests.conftest import run_script

EXAMPLES = Path(__file__).parents[2] / "examples"


def heard_of(name: str) -> tuple[GuitarGrid, tuple[Section, ...]]:
    return heard_in(midi.read(EXAMPLES / f"{name}.mid"))


def heard_in(song: Song) -> tuple[GuitarGrid, tuple[Section, ...]]:
    guitar_grid = SongGrid.of(song, theory.guitar_parts(song).parts).guitar_grid
    return guitar_grid, sections(guitar_grid)


@pytest.fixture(scope="module", params=["rock_riff", "seven_eight"])
def guitar(request: pytest.FixtureRequest) -> tuple[GuitarGrid, tuple[Section, ...]]:
    return heard_of(request.param)


def names(grooves: choosing.BySection) -> dict[str, str]:
    return {letter: groove.name for letter, groove in grooves.items()}


def test_every_section_has_a_groove_of_its_metre(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    guitar_grid, passages = guitar
    grooves = chosen(guitar_grid, passages, Options())
    assert set(grooves) == {section.letter for section in passages}
    assert {groove.metre for groove in grooves.values()} == {guitar_grid.form.metre}


def test_the_safest_groove_is_the_same_for_each_seed(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    assert len({tuple(names(chosen(*guitar, Options(seed=seed))).items()) for seed in range(6)}) == 1


def test_who_dares_plays_other_grooves_by_the_seed(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    def different(daring: float) -> int:
        return len({tuple(names(chosen(*guitar, Options(seed=seed, daring=daring))).items()) for seed in range(20)})

    assert different(0.05) <= different(0.5) and different(0.5) > 4
    assert names(chosen(*guitar, Options(seed=3, daring=0.5))) == names(chosen(*guitar, Options(seed=3, daring=0.5)))


def test_several_takes_are_on_several_grooves(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    first = {next(iter(names(chosen(*guitar, Options(), take)).values())) for take in range(5)}
    assert len(first) >= 4


def test_a_groove_that_is_asked_for_is_played(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    guitar_grid, passages = guitar
    one, other = Book.load().grooves[:2]
    assert set(chosen(guitar_grid, passages, Options(groove={WHOLE: one})).values()) == {one}
    letter = passages[0].letter
    assert chosen(guitar_grid, passages, Options(groove={WHOLE: one, letter: other}))[letter] == other


def test_ten_different_grooves_are_offered_the_chosen_one_first(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    offers = offered(*guitar, Options())
    assert len(offers) == choosing.OFFERED == len({groove.name for groove, _ in offers})
    assert offers[0][0] in chosen(*guitar, Options()).values()
    assert all(0 < fit <= 1 for _, fit in offers)


def test_a_style_that_is_asked_for_chooses_grooves_of_it() -> None:
    guitar_grid, passages = heard_of("rock_riff")
    for style in ("reggae", "latin", "jazz", "metal", "funk"):
        assert {groove.style for groove in chosen(guitar_grid, passages, Options(style=style)).values()} == {style}


def test_a_quiet_bossa_is_a_bossa_and_a_loud_swing_a_swing() -> None:
    for name, idiom in (("bossa_nova", "latin"), ("jazz_swing", "jazz")):
        guitar_grid, passages = heard_of(name)
        for level in (0.0, 0.3, 0.7, 1.0):
            grooves = chosen(guitar_grid, passages, Options(intensity=level)).values()
            assert {idiom_of(groove) for groove in grooves} == {idiom}


@pytest.mark.parametrize(("name", "idiom"), [("disco", "dance"), ("bossa_minor", "latin")])
def test_much_percussion_is_latin_only_where_dance_and_funk_are_less_likely(name: str, idiom: str) -> None:
    grooves = chosen(*heard_in(dict(run_script(EXAMPLES / "other_pieces.py")["pieces"]())[name]), Options()).values()
    assert {idiom_of(groove) for groove in grooves} == {idiom}


def without_click(song: Song) -> Song:
    """Its first guitar at a tempo that drifts, in a file of another tempo."""
    part, rng = song.parts[theory.guitar_parts(song).parts[0]], np.random.default_rng(0)
    beats = np.arange(song.end // song.ticks_per_quarter + 3)
    lengths = 0.73 * np.exp(np.cumsum(rng.normal(0, 0.03, len(beats))))
    places = np.interp(part.onset / song.ticks_per_quarter, beats, np.cumsum(lengths)) * 480
    notes = [Note(int(at), 200, int(row[2]), int(row[3])) for at, row in zip(places, part.rows, strict=True)]
    return Song(480, (Part.of(notes, program=25),))


@pytest.mark.parametrize("name", ["rock_riff", "blues_shuffle", "funk", "metal_gallop"])
def test_who_plays_without_a_click_gets_no_extreme_groove_unless_it_is_asked_for(name: str) -> None:
    guitar_grid, passages = heard_in(without_click(midi.read(EXAMPLES / f"{name}.mid")))
    assert not any(is_extreme(groove) for groove in chosen(guitar_grid, passages, Options()).values())
    blast = Book.load()["metal-blast"]
    assert set(chosen(guitar_grid, passages, Options(groove={WHOLE: blast})).values()) == {blast}


def test_an_extreme_groove_that_is_hardly_likelier_than_another_is_not_chosen() -> None:
    shelf = Ranker.load().shelf(Book.load(), 4, 4)
    names = [groove.name for groove in shelf.grooves]
    blast, eighths = names.index("metal-blast-together"), names.index("metal-eighth-kick")

    def safest(share: float) -> Groove:
        shares = np.full(len(names), 1e-9)
        shares[[blast, eighths]] = share, 1 - share
        return shelf.grooves[choosing._safest(Fit(shelf, shares / shares.sum()))]

    assert safest(0.51).name == "metal-eighth-kick" and safest(0.9).name == "metal-blast-together"


def test_crash_upon_crash_is_worth_less_than_the_groove(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    guitar_grid, passages = guitar
    groove, first = next(iter(chosen(guitar_grid, passages, Options()).values())), guitar_grid.form.first
    played = Grid.join(groove.bar(0).shift(first[bar]) for bar in range(*guitar_grid.sounding))
    crashes = Grid(*(np.full(int(first[-1]), value) for value in (0, 3, 120, 0, 3)))._replace(step=np.arange(first[-1]))
    good, bad = worths([played, crashes], guitar_grid, passages, Options())
    assert good > 0.4 > bad
    assert worths([played], guitar_grid, passages, Options(groove={WHOLE: groove})) == [pytest.approx(1)]
