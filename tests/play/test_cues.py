"""What drums do where the band comes in, stops and ends."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.music.kit import FULL
from seq2drum.play.arrange.cues import gestures_of
from seq2drum.play.decode.plan import Cue
from tests.lattice.test_gestures import form, notes, riff

ALL = frozenset(FULL.names)
ENDED = notes(*riff(range(7)), (168, 4))


def struck(song: Grid, bars: Form, ending: str = "auto", *, soft: bool = False, seed: int = 0) -> dict[int, set[str]]:
    """The pieces that cues strike, by step."""
    cues = gestures_of(song, bars, ending, soft=soft, seed=seed).cues
    return {step: set(cue.pieces) for step, cue in cues.items() if cue.pieces}


def rests(song: Grid, bars: Form, ending: str = "auto") -> set[int]:
    cues = gestures_of(song, bars, ending, soft=False, seed=0).cues
    return {step for step, cue in cues.items() if not cue.pieces}


@pytest.mark.parametrize(
    ("ending", "soft", "pieces"),
    [
        ("auto", False, {"kick", "crash"}),
        ("auto", True, {"kick", "ride"}),
        ("ring", False, {"kick", "crash"}),
        ("choke", False, {"kick", "snare"}),
    ],
)
def test_the_last_chord_is_struck_once_and_nothing_follows(ending, soft, pieces) -> None:
    bars = form(*[24] * 9)
    assert struck(ENDED, bars, ending, soft=soft) == {168: pieces}
    assert rests(ENDED, bars, ending) == set(range(169, 216))


def test_a_short_last_chord_is_choked_and_a_loop_goes_on() -> None:
    bars = form(*[24] * 8)
    assert struck(notes(*riff(range(7)), (168, 0.3)), bars) == {168: {"kick", "snare"}}
    assert struck(notes(*riff(range(8))), bars) == {}
    assert struck(notes(*riff(range(8))), bars, "ring") == {189: {"kick", "crash"}}
    assert struck(ENDED, bars, "none") == {}


def test_a_ritardando_thins_out_to_quarters_under_a_cymbal_that_swells() -> None:
    bars = form(*[24] * 8)
    cues = gestures_of(ENDED, bars, "ritard", soft=False, seed=0).cues
    swell = [(step, cue.velocity) for step, cue in sorted(cues.items()) if cue.pieces == ("crash",)]
    assert [step for step, _ in swell] == [156, 159, 162, 163, 165, 167]
    assert np.all(np.diff([velocity for _, velocity in swell]) > 0)
    assert set(cues) & set(range(144, 156)) == set(range(144, 156)) - {144, 150}
    assert set(cues[168].pieces) == {"kick", "crash"}


def test_without_an_ending_the_last_bar_is_played_in_full_as_the_first_is() -> None:
    bars = form(*[24] * 8)
    assert gestures_of(notes(*riff(range(8))), bars, "auto", soft=False, seed=0).full == {0, 7}
    assert gestures_of(ENDED, bars, "none", soft=False, seed=0).full == {0, 7}
    assert gestures_of(ENDED, bars, "auto", soft=False, seed=0).full == {0}


def test_the_bar_before_the_last_chord_may_be_a_fill_and_the_last_one_not() -> None:
    said = gestures_of(ENDED, form(*[24] * 8), "auto", soft=False, seed=0)
    assert said.builds == {6}
    assert 7 in said.still and 6 not in said.still


def test_drums_lead_into_the_downbeat_after_a_pickup_and_crash_on_it() -> None:
    song, bars = notes((18, 0.4), (21, 0.4), *riff(range(1, 8))), form(*[24] * 8)
    for seed in range(8):
        said = gestures_of(song, bars, "auto", soft=False, seed=seed)
        assert set(said.cues) == set(range(24))
        led = [step for step, cue in said.cues.items() if cue.pieces]
        assert led and min(led) >= 18
        assert said.heavy == said.crashed == {1}
        assert said.still == {0, 1}
    assert len({str(struck(song, bars, seed=seed)) for seed in range(8)}) > 1


def test_a_pickup_bar_that_is_shorter_than_what_leads_has_what_fits() -> None:
    led = struck(notes((0, 0.4), *[(3 + step, 0.4) for step in range(0, 24, 3)]), form(3, 24))
    assert led and set(led) <= {0, 1, 2}


def test_a_song_that_begins_on_the_one_has_a_kick_there() -> None:
    said = gestures_of(notes(*riff(range(8))), form(*[24] * 8), "auto", soft=False, seed=0)
    assert (said.heavy, said.crashed, dict(said.cues)) == ({0}, set(), {})


def test_drums_stop_with_the_band_and_lead_back_after_a_bar() -> None:
    song, bars = notes(*riff(range(16)), (384, 0.5), *riff(range(17, 32))), form(*[24] * 32)
    hit = struck(song, bars)
    assert hit[384] == {"kick", "snare"}
    assert len(hit) > 1 and min(set(hit) - {384}) >= 402
    assert rests(song, bars) | set(hit) == set(range(384, 408))
    said = gestures_of(song, bars, "auto", soft=False, seed=0)
    assert said.crashed == {17} and {16, 17} & said.still == {16}


def test_other_pieces_stand_in_for_those_that_are_not_played() -> None:
    final = Cue(("kick", "crash"), 0.8)
    assert final.of(ALL) == final
    assert final.of(ALL - {"crash"}) == Cue(("kick", "ride"), 0.8)
    assert final.of(ALL - {"crash", "ride", "open hat"}) == Cue(("kick", "snare"), 0.8)
    assert final.of(frozenset()) == Cue((), 0.8)
