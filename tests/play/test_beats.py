"""Beats from the book: a drummer who plays without a guitarist."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from seq2drum.errors import OptionError
from seq2drum.judge import genres as marks
from seq2drum.lattice.grooves.grooves import looped
from seq2drum.lattice.patterns import TICKS
from seq2drum.music.brief import USUAL_BPM
from seq2drum.music.choices import GENRES, LEARNT
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part
from seq2drum.play.beats import genres
from seq2drum.play.beats.rolls import rolled
from seq2drum.play.beats.variants import MOVES, NEW, ORDERS, order_of, variant
from seq2drum.play.generators.composer import Brief, Composer, on_nine
from seq2drum.play.grooves.book import Book

AT_DOUBLE_COUNT = {"up-swing"}  # grooves whose beats are half as long


@pytest.fixture(scope="module")
def book() -> Composer:
    return Composer.load()


def parts_of(composer: Composer, seed: int = 0, count: int | None = None, **asked: Any) -> list[Part]:
    brief = Brief(**asked)
    return list(islice(composer.parts(lambda: brief, seed), brief.length if count is None else count))


def keys(parts: list[Part]) -> list[bytes]:
    return [part.rows.tobytes() for part in parts]


def kinds(parts: list[Part]) -> list[frozenset[tuple[int, int]]]:
    """The strokes of each bar, whatever their dynamics."""
    return [marks.struck(bar) for part in parts for bar in marks.bars_of(part, 1)]


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_genre_has_grooves_of_the_book_a_tempo_and_moves() -> None:
    book = Book.load()
    assert set(genres.GENRE) == set(GENRES) == set(USUAL_BPM) == set(marks.MARKS)
    for name, genre in genres.GENRE.items():
        assert all(groove in book for groove in genre.shares), name
        assert set(genre.moves) <= set(MOVES), name
        assert any(genres.away(book[groove], USUAL_BPM[name]) <= genres.FAR for groove in genre.shares), name


@pytest.mark.parametrize("genre", GENRES)
def test_every_groove_of_a_genre_has_its_marks(genre: str) -> None:
    rolls = {"rolled_hat"}  # which are played, not written
    soft = {"no_backbeat", "sixteenths", "kick_on_one", "eighths", "stick_or_hands", "offbeat_hat"}  # of most of them
    for name in genres.GENRE[genre].shares:
        song = looped(Book.load()[name])
        found = marks.shares(marks.bars_of(song.parts[0], 4, song.ticks_per_quarter), genre)
        kept = all(share == 1 for mark, share in found.items() if mark not in rolls | soft)
        assert kept or name in AT_DOUBLE_COUNT, (name, found)


def test_grooves_of_beats_are_found_by_name_and_never_chosen_for_a_guitar() -> None:
    book = Book.load()
    assert book["trap-bounce"].name == "trap-bounce" and "son montuno" not in {groove.title for groove in book.grooves}
    chosen = {groove.name for groove in book.of_metre(4, 4)}
    assert book.beats and not chosen & {groove.name for groove in book.beats}
    assert {groove.name for groove in book.meant("trap")} == {"trap-half-time", "trap-triplets"}


def test_a_temperature_of_zero_takes_the_commonest_groove_and_a_mix_each_genre_by_its_share() -> None:
    assert {genres.drawn({"rock": 1.0}, 115, seed, 0, 0.0)[1].name for seed in range(5)} == {"rock-hat-plain"}
    drawn = [genres.drawn({"funk": 0.75, "jazz": 0.25}, 120, seed, 0, 1.0)[0] for seed in range(200)]
    assert 0.6 < drawn.count("funk") / 200 < 0.9 and {*drawn} == {"funk", "jazz"}


def test_grooves_are_those_of_the_tempo() -> None:
    fast = {genres.drawn({"jazz": 1.0}, 260, seed, 0, 1.0)[1].name for seed in range(20)}
    assert fast == {"up-swing"}
    assert genres.drawn({"reggae": 1.0}, 400, 0, 0, 1.0)[1].style == "reggae"


# --- a beat -----------------------------------------------------------------------------------------------------------


def test_the_same_brief_and_seed_give_the_same_notes_and_another_seed_others(book: Composer) -> None:
    first, again, other = (book.compose(Brief("funk"), seed).to_bytes() for seed in (3, 3, 4))
    assert first == again != other


def test_more_bars_begin_as_fewer_do_also_across_phrases(book: Composer) -> None:
    longer, shorter = parts_of(book, 1, genre="rock", bars=19), parts_of(book, 1, genre="rock", bars=9)
    assert keys(longer)[:9] == keys(shorter)


def test_a_stream_changes_with_the_brief_from_the_next_bar_on(book: Composer) -> None:
    asked = iter([Brief("rock"), Brief("rock"), Brief("reggae"), Brief("reggae")])
    parts = list(islice(book.parts(lambda: next(asked), 1), 4))
    assert keys(parts)[:2] == keys(parts_of(book, 1, genre="rock", bars=2))
    heard = [marks.bars_of(part, 1)[0] for part in parts]
    assert [marks.backbeat(bar) for bar in heard] == [True, True, False, False]
    assert [marks.one_drop(bar) for bar in heard] == [False, False, True, True]


def test_without_variability_the_bars_are_the_same_notes(book: Composer) -> None:
    for genre, seed in (("funk", 1), ("trap", 2), ("jazz", 0)):
        parts = parts_of(book, seed, genre=genre, bars=16, variability=0.0)
        assert len({*keys(parts)}) <= 2  # a groove has one bar or two
        assert keys(parts)[:2] * 8 == keys(parts)


def test_at_the_usual_variability_eight_bars_are_two_to_four_and_at_one_nearly_all_differ(book: Composer) -> None:
    usual = [len({*kinds(parts_of(book, seed, genre="rock"))}) for seed in range(12)]
    assert 2 <= np.mean(usual) <= 4 and max(usual) <= 5
    wild = [len({*kinds(parts_of(book, seed, genre="rock", variability=1.0))}) for seed in range(6)]
    assert np.mean(wild) > 6


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_a_fill_is_where_it_is_asked_for_and_the_groove_comes_back(book: Composer, temperature: float) -> None:
    parts = parts_of(book, 1, genre="rock", fill=4, temperature=temperature)
    toms = [len(marks.bars_of(part, 1)[0].times(("high tom", "mid tom", "low tom", "snare"))) for part in parts]
    assert min(toms[3], toms[7]) > max(toms[:3] + toms[4:7])


def test_a_change_begins_another_groove(book: Composer) -> None:
    before, after = parts_of(book, 1, genre="rock", change=(5,)), parts_of(book, 1, genre="rock")
    assert keys(before)[:4] == keys(after)[:4] and kinds(before)[4:] != kinds(after)[4:]


def test_a_form_has_its_sections_a_fuller_chorus_and_a_last_stroke(book: Composer) -> None:
    beat = book.compose(Brief("rock", form="intro:4 verse:8 chorus:8"), 1)
    song = beat.song
    assert [(marker.tick // (4 * TICKS), marker.text) for marker in song.markers] == [
        (0, "intro"),
        (4, "verse"),
        (12, "chorus"),
    ]
    assert len(song.bars()) == 21 and beat.brief.bars == 20
    bars = marks.bars_of(beat.part, 21)
    loud = [np.mean([bar.velocity.sum() for bar in bars[first:stop]]) for first, stop in ((4, 11), (12, 19))]
    assert loud[1] > loud[0]
    assert {FULL.names[voice] for voice in bars[20].voice} == {"kick", "crash"} and bars[20].at.max() < 0.1


@pytest.mark.parametrize(("metre", "quarters"), [("7/8", 3.5), ("3/4", 3.0), ("6/8", 3.0), ("12/8", 6.0)])
def test_other_metres_have_their_own_grooves(book: Composer, metre: str, quarters: float) -> None:
    for genre in ("rock", "jazz", "reggae"):
        beat = book.compose(Brief(genre, bars=4, metre=metre), 1)
        assert beat.song.end == 4 * quarters * TICKS and len(beat.part) > 8
        assert beat.part.onset.max() < beat.song.end


def test_it_goes_on_from_the_typical_bar_of_what_was_given(book: Composer) -> None:
    given = book.compose(Brief("reggae", bars=4), 2).pattern
    parts = list(islice(book.parts(lambda: Brief("rock"), 0, given), 3))
    assert all(marks.one_drop(marks.bars_of(part, 1)[0]) for part in parts)


def test_a_beat_as_a_pattern_has_its_claps_as_snares(book: Composer) -> None:
    for seed in range(8):
        beat = book.compose(Brief("house"), seed)
        heard = marks.bars_of(on_nine(beat.part), 8)
        assert all(bar.on(("snare",), 1, 3) for bar in heard)


@pytest.mark.parametrize("genre", ["metal", "trap"])
def test_a_learnt_generator_says_which_genres_it_does_not_know(genre: str) -> None:
    step = Composer.load("step")
    with pytest.raises(OptionError, match=f"has not learnt {genre}.*leave out --model"):
        step.compose(Brief(genre))
    with pytest.raises(OptionError, match="plays no form"):
        step.compose(Brief(form="verse:4"))
    assert genre not in LEARNT


@pytest.mark.parametrize("form", ["verse", "verse:0", "verse:x", ":4", "", "verse:2000", "a:9999"])
def test_a_malformed_form_is_refused(form: str) -> None:
    with pytest.raises(OptionError, match="wanted"):
        Brief(form=form)


def test_a_form_with_bars_of_change_is_refused() -> None:
    with pytest.raises(OptionError, match="leave out one of form and change"):
        Brief(form="verse:4", change=(2,))


# --- variants and rolls -----------------------------------------------------------------------------------------------


def test_orders_repeat_the_groove_more_than_any_variant_and_begin_with_it() -> None:
    for order in ORDERS:
        assert order[0] == 0 and order.count(0) >= max(map(order.count, order))
    assert order_of(1, 0, 0, 0.0) == [0] * 8
    assert all(number >= NEW for number in order_of(1, 0, 0, 1.0))


@pytest.mark.parametrize("genre", GENRES)
def test_variants_keep_the_marks_of_the_genre_and_are_other_bars(genre: str) -> None:
    first, differing = marks.MARKS[genre][0], 0
    for name in genres.GENRE[genre].shares:
        groove = Book.load()[name]
        for number in range(12):
            bar = variant(groove.bars[0], genres.GENRE[genre].moves, (0, number, 0, 1), 0.2)
            differing += (
                bar.step.tolist() != groove.bars[0].step.tolist() or bar.key.tolist() != groove.bars[0].key.tolist()
            )
            song = looped(replace(groove, bars=(bar,)), 1)
            assert first(marks.bars_of(song.parts[0], 1, song.ticks_per_quarter)[0]) or name in AT_DOUBLE_COUNT, (
                name,
                number,
            )
    assert differing > 6


def test_rolls_are_thirty_seconds_and_triplets_on_the_hat_and_leave_all_else() -> None:
    bars = np.array([[tick, 60, note, 90] for note, every in ((42, 240), (36, 960)) for tick in range(0, 1920, every)])
    gaps = set[int]()
    for seed in range(40):
        rows = rolled(bars, (seed,))
        assert rows[rows[:, 2] == 36].tolist() == bars[bars[:, 2] == 36].tolist()
        hat = rows[rows[:, 2] == 42, 0]
        assert (np.diff(hat) > 0).all() and hat.max() < 1920
        gaps |= set(np.diff(hat).tolist())
    assert {60, 80} <= gaps and min(gaps) >= 20
