"""Which songs are played, and which baselines may know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seq2drum.errors import CorpusError
from seq2drum.evaluate.auditions import choose, reference, split_hash
from tests.backbeats import played_songs, song_of, training


def test_nothing_of_a_song_that_is_played_is_known_to_baselines() -> None:
    played = song_of(1)
    twin, copy = replace(song_of(2, split="train"), group=played.group), replace(played, group="other", split="train")
    free = song_of(3, split="train")
    assert reference([played, twin, copy, free], [played]) == [free]
    assert reference([played, twin, free, song_of(4)], [played], all_of=True)[0] == free


def test_where_no_song_is_on_the_side_the_message_says_what_there_is_and_the_way_out() -> None:
    with pytest.raises(CorpusError, match=r"22 train.*--split all"):
        choose(training(), split="test")
    assert len(choose(training(), split="all")) == len(training())


def test_a_tag_or_metre_that_no_song_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CorpusError, match="there are t"):
        choose(played_songs(), tag="jazz")
    with pytest.raises(CorpusError, match="3/4, 4/4, 7/8, changing"):
        choose(played_songs(), metre="5/4")
    assert [song.sha256 for song in choose(played_songs(), metre="7/8")] == [played_songs()[5].sha256]


def test_the_same_songs_are_drawn_in_whatever_order_they_come() -> None:
    some = choose(played_songs(), most=3, seed=4)
    assert len(some) == 3
    assert choose(played_songs()[::-1], most=3, seed=4) == some
    assert split_hash(some) == split_hash(some[::-1]) != split_hash(some[:2])


def test_a_song_is_cut_to_bars_from_where_both_play() -> None:
    song = song_of(1)
    late = replace(song, drums=song.drums.select(song.drums.step >= 3 * 24))
    (cut,) = choose([late], bars=4)
    assert cut.guitar_grid.form.steps.tolist() == [24] * 4
    assert cut.drums.step.min() == late.drums.step.min() - 72
    assert len(cut.guitar_grid.guitar.step) == 4 * 8
