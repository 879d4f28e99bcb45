"""The groove book of a corpus: what several songs have in common, once each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.corpus.cache import save
from seq2drum.lattice.grooves.grooves import Groove, grid_of, of_json
from seq2drum.learn.grooves.book import Example, as_json, book_of, clusters, examples, main
from seq2drum.music.kit import FULL
from tests.backbeats import song_of, training

KICK, SNARE, HAT, TOM = (FULL.names.index(name) for name in ("kick", "snare", "closed hat", "low tom"))
ROCK = (*((step, HAT, 80) for step in range(0, 24, 3)), (0, KICK, 100), (12, KICK, 100))
BACKBEAT = (*ROCK, (6, SNARE, 110), (18, SNARE, 110))


def example(group: str, *hits: tuple[int, ...], bpm: float = 120, style: str = "rock") -> Example:
    groove = Groove.of_bars([grid_of(hits)], 4, 4, (100, 140), style)
    return Example(group, group, "A", np.zeros(1, dtype=np.float16), groove, np.arange(4), bpm, style)


def test_grooves_that_differ_by_a_hit_are_one_cluster_led_by_the_commonest() -> None:
    more = (*BACKBEAT, (15, KICK, 90))
    other = [(step, TOM, 90) for step in range(24)]
    found = clusters([example("a", *more), example("b", *BACKBEAT), example("c", *BACKBEAT), example("d", *other)])
    assert [[one.group for one in members] for members in found] == [["b", "c", "a"], ["d"]]


def test_only_what_several_groups_play_is_in_the_book() -> None:
    toms = [(step, TOM, 90) for step in range(0, 24, 2)] + [(0, KICK, 90), (0, HAT, 90), (12, SNARE, 90)]
    book, left = book_of([example("a", *BACKBEAT), example("b", *BACKBEAT), *[example("c", *toms)] * 3])
    assert [(one.groove.bars[0].key.tolist(), one.groups) for one in book] == [(grid_of(BACKBEAT).key.tolist(), 2)]
    assert left == ((1, 2), (2, 5), (2, 3))
    assert str(left) == "kept: 1 of 2 clusters, 2 of 5 sections, 2 of 3 groups"


@pytest.mark.parametrize(("groups", "kept"), [(4, 0), (5, 1)])
def test_a_groove_without_a_snare_is_in_the_book_if_many_play_it(groups: int, kept: int) -> None:
    book, _ = book_of([example(str(group), *ROCK) for group in range(groups)])
    assert len(book) == kept


def test_a_groove_of_the_book_has_the_velocities_tempos_and_style_that_its_songs_have() -> None:
    played = [
        example(str(place), *((step, key, loud) for step, key, _ in BACKBEAT), bpm=bpm, style=style)
        for place, (loud, bpm, style) in enumerate([(60, 80, "pop"), (90, 100, "rock"), (100, 120, "rock")])
    ]
    (found,), _ = book_of(played)
    assert set(found.groove.bars[0].velocity.tolist()) == {90}
    assert (found.groove.tempo, found.groove.style, found.groups) == ((84, 116), "rock", 3)


def test_sections_of_songs_are_examples_and_their_grooves_a_file_that_is_read_again(tmp_path: Path) -> None:
    songs = [replace(song_of(seed, split="train"), group=str(seed)) for seed in range(6)]
    found = examples(songs)
    assert {one.song for one in found} == {song.sha256 for song in songs}
    assert all(one.groove.metre == "4/4" and len(one.bars) >= 2 for one in found)
    save([*songs, *training()], tmp_path / "cache")
    assert main(["--cache", str(tmp_path / "cache"), "-o", str(tmp_path / "book.json")]) == 0
    text = (tmp_path / "book.json").read_text()
    held = json.loads(text)["grooves"]
    assert held and all(one["popularity"] >= 2 for one in held)
    assert len({of_json(one).name for one in held}) == len(held)
    book, _ = book_of(examples([*songs, *training()]))
    assert as_json(book) == text


def test_a_cache_that_is_none_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cache", str(tmp_path / "none"), "-o", str(tmp_path / "book.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "book.json").exists()
