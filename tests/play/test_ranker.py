"""The shipped ranker: shares of each section's grooves, the safest, ten to choose from, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import CheckpointError
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.grooves import hits_of
from seq2drum.lattice.sections import Section, sections
from seq2drum.play.checkpoint.folder import CONFIG, available
from seq2drum.play.grooves.book import Book
from seq2drum.play.grooves.ranker import SAME, SHIPPED, Fit, Ranker, Shelf
from tests.backbeats import changing, song_of

HEARD = song_of(1).guitar_grid
WHOLE = (Section(0, "A"),)


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    return Ranker.load()


@pytest.fixture(scope="module")
def fit(ranker: Ranker) -> Fit:
    return ranker.fit(HEARD, WHOLE, Book.load())["A"]


def test_the_ranker_is_no_model_that_plays() -> None:
    assert SHIPPED.name not in available()
    assert "default" in available()


def test_a_section_has_shares_of_all_grooves_of_its_metre(fit: Fit) -> None:
    assert fit.grooves == Book.load().of_metre(4, 4)
    assert fit.shares.shape == (len(fit.grooves),)
    assert (fit.shares > 0).all() and fit.shares.sum() == pytest.approx(1)


def test_the_same_guitar_has_the_same_shares(ranker: Ranker, fit: Fit) -> None:
    assert np.array_equal(ranker.fit(HEARD, WHOLE, Book.load())["A"].shares, fit.shares)
    assert Ranker.load() is ranker


def test_another_guitar_and_a_bass_change_the_shares(ranker: Ranker, fit: Fit) -> None:
    for other in (song_of(2).guitar_grid, replace(HEARD, bass=HEARD.guitar)):
        assert np.abs(ranker.fit(other, WHOLE, Book.load())["A"].shares - fit.shares).sum() > 0.01


def test_the_safest_groove_has_most_in_common_with_what_is_drawn(fit: Fit) -> None:
    hits = hits_of(fit.grooves, 24)
    expected = likeness(hits, hits) @ fit.shares
    assert expected[fit.safest()] == expected.max()
    assert fit.best(1) == (fit.safest(),)


def test_ten_to_choose_from_are_ten_and_cover_more_than_the_ten_likeliest(fit: Fit) -> None:
    best = list(fit.best(10))
    assert len(set(best)) == 10
    assert fit.shelf.likeness[np.ix_(best, best)][~np.eye(10, dtype=bool)].max() < SAME
    likeliest = np.argsort(-fit.shares)[:10]
    covered = [fit.shelf.likeness[:, some].max(axis=1) @ fit.shares for some in (best, likeliest)]
    assert covered[0] > covered[1]
    assert len(fit.best(10_000)) == len(fit.grooves)


def test_each_section_is_ranked_in_the_metre_of_most_of_its_bars(ranker: Ranker) -> None:
    fits = ranker.fit(changing().guitar_grid, (Section(0, "A"), Section(6, "B")), Book.load())
    assert [fits[letter].grooves[0].metre for letter in "AB"] in (["4/4", "7/8"], ["4/4", "3/4"])


def test_a_metre_that_was_hardly_learnt_goes_by_popularity_and_tempo(ranker: Ranker) -> None:
    guitar_grid = song_of(8, metre=(7, 8)).guitar_grid
    fit = ranker.fit(guitar_grid, WHOLE, Book.load())["A"]
    assert fit.grooves and {groove.metre for groove in fit.grooves} == {"7/8"}
    assert np.array_equal(fit.shares, Fit.of(fit.shelf, fit.shelf.prior(120)).shares)


def test_two_halves_are_ranked_as_four_quarters(ranker: Ranker, fit: Fit) -> None:
    form = HEARD.form
    halves = replace(HEARD, form=form._replace(numerator=form.numerator // 2, denominator=form.denominator // 2))
    found = ranker.fit(halves, WHOLE, Book.load())["A"]
    assert found.grooves[0].metre == "2/2"
    assert not np.array_equal(found.shares, Fit.of(found.shelf, found.shelf.prior(120)).shares)


def test_an_idiom_is_less_likely_the_farther_the_tempo_is_from_its_own() -> None:
    grooves = Book.load().of_metre(4, 4)[:1]
    slow, fast = grooves[0].tempo
    shelf = Shelf(grooves, np.zeros(1), np.zeros((1, 1), np.float32))
    inside, beyond, far = (float(shelf.prior(bpm)[0]) for bpm in (slow, 2 * fast, 4 * fast))
    assert inside > beyond > far
    found = replace(shelf, popularity=np.array([7.0]))
    assert found.prior(slow) == found.prior(4 * fast) == pytest.approx(np.log(7))


def test_a_guitar_that_never_plays_has_no_sections(ranker: Ranker) -> None:
    silent = replace(HEARD, guitar=Grid.join([]))
    assert ranker.fit(silent, sections(silent), Book.load()) == {}
    assert ranker.fit(silent, WHOLE, Book.load()) == {}


@pytest.mark.parametrize("change", ["kind", "format", "inputs", "metres", "digest", "graph", "gone"])
def test_a_folder_that_is_damaged_or_of_another_kind_is_refused(change: str, tmp_path: Path) -> None:
    folder = tmp_path / "ranker"
    shutil.copytree(SHIPPED, folder)
    about = json.loads((folder / CONFIG).read_text())
    if change in about:
        (folder / CONFIG).write_text(json.dumps({**about, change: {"kind": "feel"}.get(change, 99)}))
    elif change == "digest":
        (folder / CONFIG).write_text(json.dumps({**about, "seed": 99}))
    elif change == "graph":
        (folder / "groove.onnx").write_bytes(b"no graph")
    else:
        (folder / CONFIG).unlink()
    with pytest.raises(CheckpointError, match=str(folder)):
        Ranker.load(folder)
