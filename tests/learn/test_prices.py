"""Prices of grooves: they make the choice as varied as it is to be, at the least loss."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.lattice.grooves.styles import backbeat, groove_velocities, idiom_of, swings
from seq2drum.learn.grooves.prices import HIGHEST, LOWEST, effective, main, prices_of
from seq2drum.music.kit import FULL
from seq2drum.play.grooves import choosing
from seq2drum.play.grooves.book import Book
from seq2drum.play.grooves.ranker import Fit, Ranker

CYMBALS = (("closed hat", "open hat"), ("ride", "bell"))


def test_what_is_always_the_safest_is_priced_until_it_is_chosen_as_often_as_wanted() -> None:
    rng = np.random.default_rng(0)
    expected = rng.random((400, 6)) * 0.1 + np.array([0.3, 0.2, 0.2, 0.2, 0.2, 0.2])
    assert (expected.argmax(axis=1) == 0).all()
    wanted = np.array([0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    prices = prices_of(expected, wanted)
    chosen = np.bincount((expected - prices).argmax(axis=1), minlength=6) / 400
    assert chosen == pytest.approx(wanted, abs=0.06)
    assert prices[0] > prices[1] + 0.05 and LOWEST <= prices.min() <= prices.max() <= HIGHEST


def test_a_groove_that_is_right_for_a_song_is_chosen_in_spite_of_its_price() -> None:
    expected = np.tile([0.5, 0.4, 0.4], (90, 1))
    expected[:30, 1], expected[30:60, 2] = 0.49, 0.49
    prices = prices_of(expected, np.full(3, 1 / 3))
    assert (expected - prices).argmax(axis=1).tolist() == [1] * 30 + [2] * 30 + [0] * 30


def test_styles_have_prices_too_which_make_the_rare_ones_as_frequent_as_drummers_play_them() -> None:
    prices = Ranker.load().style_prices["4/4"]
    assert set(prices) == {"rock", "pop", *choosing.IDIOMS}
    assert prices["reggae"] < prices["latin"] < prices["rock"] < prices["shuffle"]
    shelf = Ranker.load().shelf(Book.load(), 4, 4)
    style = np.array([idiom_of(groove) for groove in shelf.grooves])
    straight = np.array([not swings(groove) for groove in shelf.grooves])

    def mixed(share: float) -> Fit:
        parts = [(style == name) & straight for name in ("rock", "latin")]
        return Fit(shelf, (1 - share) * parts[0] / parts[0].sum() + share * parts[1] / parts[1].sum())

    assert choosing.style_of(mixed(0.2)) == "rock" and choosing.style_of(mixed(0.4)) == "latin"


def test_a_section_leaves_the_style_of_its_song_only_for_one_that_is_much_likelier() -> None:
    shelf = Ranker.load().shelf(Book.load(), 4, 4)
    style = np.array([idiom_of(groove) for groove in shelf.grooves])
    swung = np.array([swings(groove) for groove in shelf.grooves])

    def able(jazz: float) -> set[str]:
        parts = {name: (style == name) & swung for name in ("jazz", "shuffle")}
        shares = jazz * parts["jazz"] / parts["jazz"].sum() + (1 - jazz) * parts["shuffle"] / parts["shuffle"].sum()
        _, allowed = choosing.expected_of(Fit(shelf, shares), style="shuffle")
        return set(style[allowed])

    assert able(0.3) == {"shuffle"} == able(0.5) and able(0.95) == {"jazz"}


@pytest.mark.parametrize("style", ["rock", "pop", "dance", "funk", "metal"])
def test_what_is_chosen_unasked_has_a_backbeat_and_one_cymbal(style: str) -> None:
    shelf = Ranker.load().shelf(Book.load(), 4, 4)
    shares = np.array([idiom_of(groove) == style and not swings(groove) for groove in shelf.grooves], dtype=float)
    _, able = choosing.expected_of(Fit(shelf, shares / shares.sum()))
    assert 15 <= able.sum() < shares.sum()
    for at in np.flatnonzero(able):
        velocity = np.stack(groove_velocities(shelf.grooves[at]))
        assert style == "metal" or backbeat(velocity), shelf.grooves[at].name
        hat, ride = ((velocity[:, :, [FULL.places[each] for each in names]] > 0).sum(axis=(1, 2)) for names in CYMBALS)
        assert (np.minimum(hat, ride) < choosing.TIMES).all(), shelf.grooves[at].name


def test_the_effective_number_of_classes_is_that_of_as_many_equal_ones() -> None:
    assert effective(np.array([5, 5, 5, 5, 0])) == pytest.approx(4) and effective(np.array([7.0])) == 1


def test_the_shipped_prices_are_of_grooves_of_the_book_and_those_of_the_commonest_are_high() -> None:
    shelf = Ranker.load().shelf(Book.load(), 4, 4)
    assert set(Ranker.load().prices["4/4"]) <= {groove.name for groove in Book.load()}
    price = dict(zip((groove.name for groove in shelf.grooves), shelf.prices.tolist(), strict=True))
    assert price["rock-hat-plain"] > np.median(shelf.prices)
    assert not Ranker.load().shelf(Book.load(), 7, 8).prices.any()


def test_a_price_is_paid_among_grooves_of_one_idiom_that_are_about_as_full() -> None:
    shelf = Ranker.load().shelf(Book.load(), 4, 4)
    fit = Fit(shelf, shelf.popularity / shelf.popularity.sum())
    free, able = choosing.expected_of(fit)
    priced, still_able = choosing.expected_of(fit, 1.0)
    assert (free - priced)[able] == pytest.approx(shelf.prices[able])
    assert 10 < still_able.sum() < able.sum() and not (still_able & ~able).any()
    full = [sum(len(bar.step) for bar in groove.bars) / len(groove.bars) for groove in shelf.grooves]
    some = np.array(full)[still_able]
    assert some.max() / some.min() <= np.exp(2 * choosing.UNUSUAL) + 1e-9


def test_a_cache_that_is_missing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cache", "missing.s2d"]) == 2
    assert "missing.s2d" in capsys.readouterr().err
