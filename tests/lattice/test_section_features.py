"""What a ranker hears of a section and sees of a groove: the same in every key, a row a section, nothing lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from seq2drum.lattice.form import MAX_STEPS
from seq2drum.lattice.grooves.grooves import GROOVE, Groove, grid_of, groove_features, hits_of
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.section_features import BASS, SECTION, commonest_metre, letters_of, section_features
from seq2drum.lattice.sections import Section, sections
from seq2drum.music.kit import FULL, NINE
from tests.backbeats import changing, song_of

KICK, SNARE, STICK = (FULL.names.index(name) for name in ("kick", "snare", "side stick"))


def test_each_letter_has_the_letter_s_bars_wherever_they_lie() -> None:
    guitar_grid = song_of(1, bars=12).guitar_grid
    passages = (Section(0, "A"), Section(4, "B"), Section(8, "A"))
    assert letters_of(passages[1:], 10).tolist() == [""] * 4 + ["B"] * 4 + ["A"] * 2
    rows = section_features(guitar_grid, passages)
    assert list(rows) == ["A", "B"]
    onsets = guitar_grid.form.by_bar((np.bincount(guitar_grid.guitar.step, minlength=12 * 24) * 0.3).astype(np.float32))
    steps = rows["B"].row[SECTION["guitar"]].reshape(MAX_STEPS, -1)
    assert_allclose(steps[:24, 0], onsets[4:8].mean(axis=0), rtol=1e-5)
    assert not steps[24:].any()


def test_nothing_heard_depends_on_the_key() -> None:
    guitar_grid = replace(song_of(2).guitar_grid, bass=song_of(3).guitar_grid.guitar)
    higher = [grid._replace(key=grid.key + 3) for grid in (guitar_grid.guitar, guitar_grid.bass)]
    up = replace(guitar_grid, guitar=higher[0], bass=higher[1])
    passages = sections(guitar_grid)
    for letter, (_, bpm, row) in section_features(guitar_grid, passages).items():
        assert bpm == 120
        moved = section_features(up, passages)[letter].row
        assert_array_equal(moved[BASS], row[BASS])
        assert_allclose(moved[SECTION["bars"]], row[SECTION["bars"]], atol=1e-6)
        steps, others = (one[SECTION["guitar"]].reshape(MAX_STEPS, -1) for one in (moved, row))
        rhythm = [0, 1, 2, 5]  # onsets, loudness, sounding, played; how high the guitar plays is no key
        assert_array_equal(steps[:, rhythm], others[:, rhythm])


def test_where_there_is_no_bass_nothing_is_known_of_it() -> None:
    guitar_grid = song_of(4).guitar_grid
    ((*_, alone),) = list(section_features(guitar_grid, (Section(0, "A"),)).values())
    ((*_, both),) = list(section_features(replace(guitar_grid, bass=guitar_grid.guitar), (Section(0, "A"),)).values())
    assert not alone[BASS].any()
    assert both[SECTION["has_bass"]] == 1 and both[SECTION["bass"]].any()
    assert_array_equal(alone[: BASS.start], both[: BASS.start])


def test_of_bars_in_several_metres_the_commonest_is_the_section_s() -> None:
    guitar_grid = changing().guitar_grid
    metre, bars = commonest_metre(guitar_grid.form, np.arange(3, len(guitar_grid.form.steps)))
    assert metre == (7, 8) or metre == (3, 4)
    assert set(guitar_grid.form.steps[bars].tolist()) == {21 if metre == (7, 8) else 18}


def groove(*bars: list[tuple[int, int, int]]) -> Groove:
    return Groove.of_bars([grid_of(bar) for bar in bars], 4, 4, (80, 120))


def test_a_groove_of_two_bars_is_seen_as_the_share_of_its_bars_that_strike() -> None:
    two = groove([(0, KICK, 100), (6, SNARE, 90)], [(0, KICK, 100)])
    (row,) = groove_features([two])
    hits = row[GROOVE["hits"]].reshape(MAX_STEPS, len(FULL))
    assert (hits[0, KICK], hits[6, SNARE], hits.sum()) == (1, 0.5, 1.5)


def test_grooves_are_as_alike_as_the_f1_of_their_hits_on_nine_voices() -> None:
    one, other = groove([(0, KICK, 100), (6, SNARE, 90)]), groove([(0, KICK, 100), (6, STICK, 90)], [(0, KICK, 90)])
    hits = hits_of([one, other], 24)
    assert hits.shape == (2, 2, 24, len(NINE))
    assert_allclose(likeness(hits, hits), [[1, 6 / 7], [6 / 7, 1]], rtol=1e-6)
