"""Marks of genres: what is measured of beats, and that the default keeps them."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.evaluate import genres
from seq2drum.judge import genres as marks
from seq2drum.music.choices import GENRES
from seq2drum.music.notes import Part
from seq2drum.play.generators.composer import Brief, Composer


@pytest.fixture(scope="module")
def found() -> dict[str, genres.Figures]:
    return genres.figures(Composer.load(), seeds=4)


def test_the_default_keeps_the_marks_of_every_genre(found: dict[str, genres.Figures]) -> None:
    for genre in GENRES:
        first, *others = (mark.__name__ for mark in marks.MARKS[genre])
        assert found[genre][first] >= 0.9, genre
        assert all(found[genre][name] >= 0.4 for name in others), genre


def test_a_genre_is_heard_more_than_a_seed_and_bars_come_back(found: dict[str, genres.Figures]) -> None:
    every = found[genres.ALL]
    assert every["likeness, same genre and other seed"] > 0.6
    assert every["likeness, same seed and other genre"] < 0.45
    assert every["broken first bars"] == 0
    assert 0.45 < every["commonest kick and snare"] < 0.75
    assert 2 <= every["distinct bars"] <= 4


@pytest.mark.parametrize("model", ["step", "words", "bar", "phrase"])
def test_no_beat_of_a_laboratory_begins_with_a_broken_bar(model: str) -> None:
    composer = Composer.load(model)
    for seed, genre in enumerate(("rock", "jazz", "reggae", "dance", "funk", "latin")):
        beat = composer.compose(Brief(genre, bars=1), seed)
        assert not marks.is_broken(marks.bars_of(beat.part, 1)[0], genre)


def test_a_table_has_a_row_for_each_mark_and_the_drummers_beside_it() -> None:
    made = {"book": {"rock": {"backbeat": 1.0}, genres.ALL: {"distinct bars": 3.0}}}
    table = genres.table(made, {"rock": {"backbeat": 0.65}})
    assert table.body == [["rock: backbeat", "1.00", "0.65"], ["all: distinct bars", "3.00", ""]]


def test_marks_hear_moments_and_not_places() -> None:
    def bar(**strokes: list[float]) -> marks.Heard:
        notes = {"kick": 36, "snare": 38, "hat": 42}
        rows = [[round(at * 480), 10, notes[name], 90] for name, times in strokes.items() for at in times]
        return marks.bars_of(Part.of(np.array(rows), is_drums=True), 1)[0]

    assert marks.backbeat(bar(snare=[0.97, 3.04])) and not marks.backbeat(bar(snare=[1, 2.5]))
    assert marks.rolled_hat(bar(hat=[3, 3.125, 3.25, 3.375])) and not marks.rolled_hat(bar(hat=[3, 3.25, 3.5, 3.75]))
    assert marks.double_kick(bar(kick=[place / 4 for place in range(16)]))
    assert marks.one_drop(bar(kick=[2])) and not marks.one_drop(bar(kick=[0, 2]))
    straight = [place / 4 for place in range(16)]
    swung = [beat + part for beat in range(4) for part in (0.0, 2 / 3)]
    assert marks.skip_note(bar(hat=swung)) and not marks.skip_note(bar(hat=straight))
    assert marks.shuffle(bar(hat=swung)) and not marks.shuffle(bar(hat=straight))
    assert marks.sixteenths(bar(kick=[0, 0.75])) and not marks.sixteenths(bar(kick=[0, 2 / 3, 4 / 3]))
    assert marks.is_broken(bar(kick=[0]), "rock") and not marks.is_broken(bar(kick=[0], hat=[0, 0.5]), "rock")
