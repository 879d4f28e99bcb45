"""The plan of a take: fills, cues, pieces, and the places where wishes act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum import Drummer, Options, Take
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import FloatArray, Form, lattice_of
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section, sections
from seq2drum.music.choices import FAMILIES
from seq2drum.music.kit import FULL, NINE, Kit
from seq2drum.music.notes import Metre, Note, Part, Song
from seq2drum.play.arrange.arrange import is_soft, make_plan
from seq2drum.play.arrange.cues import gestures_of
from seq2drum.play.arrange.fills import FILL_GAP, plan_crashes, plan_fills, with_fills, with_requests
from seq2drum.play.decode.memory import Pieces, pieces_for
from seq2drum.play.decode.plan import (
    CERTAIN,
    Cue,
    Fills,
    Gestures,
    Plan,
)
from seq2drum.play.decode.sampling import Sampling
from tests.conftest import LONG
from tests.lattice.test_gestures import form, notes, riff
from tests.play.ways import QUICK, SONGS, WAYS, each_song
from tests.players import faults, save_player

# --- what is decided before a note is played --------------------------------------------------------------------------

GROOVE = Groove("rest", "rest", 4, 4, (Grid.join([]),), None, (60.0, 120.0))


def test_as_many_fills_are_planned_as_are_likely_times_the_level_asked_for() -> None:
    logits = np.full(200, np.log(0.05 / 0.95))
    asked = (0, 0.25, 0.5, None, 0.75, 1)
    counts = [plan_fills(logits, fills, np.random.default_rng(1)).sum() for fills in asked]
    assert counts == pytest.approx([0, 6, 12, 12, 18, 24], abs=1)  # a fifth more than are to be heard


def test_fills_are_planned_where_they_are_likely_and_never_close_together() -> None:
    logits = np.full(64, -9.0)
    logits[7::8] = 1.0
    fill = plan_fills(logits, None, np.random.default_rng(0))
    assert set(np.flatnonzero(fill)) <= set(range(7, 64, 8)) and fill.sum() >= 6
    often = np.flatnonzero(plan_fills(np.full(40, 5.0), 1.0, np.random.default_rng(0)))
    assert np.diff(often).min() >= FILL_GAP


def test_each_bar_belongs_to_a_section_and_has_its_groove() -> None:
    plan = Plan.of_sections(8, [Section(1, "A"), Section(4, "B")], {"B": GROOVE})
    assert plan.letter == ("A", "A", "A", "A", "B", "B", "B", "B")
    assert plan.number.tolist() == [-1, 0, 1, 2, 0, 1, 2, 3]
    assert np.flatnonzero(plan.begins).tolist() == [1, 4]
    assert plan.grooves == (None,) * 4 + (GROOVE,) * 4


def crashes_of(seeds: Sequence[int], *, soft: bool = False) -> np.ndarray:
    """(seeds, 4, 16): the crashes of songs of four sections, A B A B, with a fill in the twelfth bar of each."""
    plan = Plan.of_sections(64, [Section(bar, "AB"[bar // 16 % 2]) for bar in range(0, 64, 16)])
    plan = replace(plan, gestures=Gestures(soft=soft))
    fill = np.arange(64) % 16 == 11
    return np.stack([plan_crashes(plan, fill, np.random.default_rng(seed)).reshape(4, 16) for seed in seeds])


def test_cymbals_crash_where_sections_begin_and_after_fills_and_seldom_else() -> None:
    crash = crashes_of(range(600)).mean(axis=(0, 1))
    assert 0.3 < crash[0] < 0.5 and 0.4 < crash[12] < 0.6 and 0.15 < crash[8] < 0.35
    assert np.delete(crash, [0, 4, 8, 12]).max() < 0.05 and crash[4] < 0.2
    assert np.all(crashes_of(range(600), soft=True).mean(axis=(0, 1))[[0, 8, 12]] < 0.5 * crash[[0, 8, 12]])


def test_a_song_has_many_crashes_or_few_and_a_section_that_returns_has_them_where_it_had_them() -> None:
    crash = crashes_of(range(600))
    own = crash[..., :-1]  # the last bar gives way to a section that begins with one
    assert np.array_equal(own[:, :2], own[:, 2:])
    in_songs = crash.reshape(600, 64)
    assert not (in_songs[:, 1:] & in_songs[:, :-1]).any(), "not in two bars in a row"
    marks = crash[:, 0, [0, 12]].sum(axis=1), crash[:, 1, [0, 8, 12]].sum(axis=1)
    assert np.corrcoef(*marks)[0, 1] > 0.25


NONE = np.zeros((24, len(FULL)), dtype=np.float32)


def voice(name: str) -> int:
    return FULL.names.index(name)


def hits(*struck: tuple[int, str]) -> FloatArray:
    """(S, V): a bar of 4/4 with hits (step, piece)."""
    bar = NONE.copy()
    for step, name in struck:
        bar[step, voice(name)] = 1
    return bar


def test_no_fill_is_planned_where_there_is_to_be_none() -> None:
    never = np.arange(40) >= 10
    for seed in range(5):
        fill = plan_fills(np.full(40, 2.0), 1.0, np.random.default_rng(seed), never)
        assert fill[:10].any() and not fill[10:].any()


def test_fills_are_where_they_are_asked_for_and_those_of_all_other_bars_stay() -> None:
    plan = with_fills(Plan.of_sections(40, [Section(0, "A")]), np.arange(40) % 8 == 7, Sampling(3))
    asked, never = np.zeros((2, 40), dtype=bool)
    asked[[4, 7]], never[8:24] = True, True
    wished = with_requests(replace(plan, fills=Fills(asked, never)), Sampling(3))
    assert np.flatnonzero(wished.fill).tolist() == [4, 7, 31, 39]
    differ = np.flatnonzero(wished.crash != plan.crash)
    assert set(differ.tolist()) <= {5, 16, 24}, "a crash goes with its fill"


def test_a_fill_that_is_asked_for_has_more_toms_and_snare_late_in_the_bar() -> None:
    asked = np.array([True, False])
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), fills=Fills(asked, ~asked), fill=asked)
    tilt = plan.tilt(0, 0, NONE, FULL)
    assert (tilt[12:, voice("mid tom")] > 0).all() and (tilt[12:, voice("closed hat")] < 0).all()
    assert not tilt[:12].any() and not plan.tilt(1, 24, NONE, FULL).any()


def test_what_is_forbidden_is_never_played_not_even_where_a_cue_has_it() -> None:
    pieces = pieces_for(FULL, without=["crash"])
    gestures = Gestures({0: Cue(("crash", "kick"))}, heavy=frozenset({0}), crashed=frozenset({0}))
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), pieces=pieces, gestures=gestures)
    tilt = plan.tilt(0, 0, NONE, FULL)
    assert (tilt[:, voice("crash")] == -CERTAIN).all()
    assert tilt[0, voice("kick")] == CERTAIN


def test_a_crash_comes_with_a_kick_and_only_where_it_is_planned_and_leaves_time_to_the_other_hand() -> None:
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), crash=np.array([True, False]), fill=np.zeros(2, dtype=bool))
    here, there = plan.tilt(0, 0, NONE, FULL), plan.tilt(1, 24, NONE, FULL)
    assert here[0, voice("crash")] == CERTAIN and 2 < here[0, voice("kick")] < CERTAIN
    assert not here[:, [voice("closed hat"), voice("ride"), voice("open hat")]].any()
    assert there[0, voice("crash")] < there[1, voice("crash")] < 0


def test_a_groove_that_keeps_time_on_crashes_keeps_them() -> None:
    plan = replace(Plan.of_sections(1, [Section(0, "A")]), crash=np.zeros(1, dtype=bool), fill=np.zeros(1, dtype=bool))
    ridden = hits(*((step, "crash") for step in range(0, 24, 6)))
    assert not plan.tilt(0, 0, ridden, FULL).any()
    assert plan.tilt(0, 0, hits((0, "crash")), FULL)[0, voice("crash")] < 0


def test_time_is_kept_straight_or_in_triplets_but_not_in_both() -> None:
    plan = Plan.of_sections(1, [Section(0, "A")])
    straight = plan.tilt(0, 0, hits((0, "closed hat"), (3, "closed hat")), FULL)
    swung = plan.tilt(0, 0, hits((0, "ride"), (4, "ride")), FULL)
    for at in range(24):
        assert (straight[at, voice("ride")] < -2) == (at % 6 in (2, 4))
        assert (swung[at, voice("closed hat")] < -2) == (at % 6 in (1, 3, 5))
        assert not straight[at, voice("kick")] and not swung[at, voice("low tom")]
    # Quarters leave both free.
    assert not (plan.tilt(0, 0, hits((0, "ride"), (6, "ride")), FULL)[[2, 3], voice("ride")] < -1).any()


def test_a_groove_without_a_backbeat_gets_none() -> None:
    plan = Plan.of_sections(1, [Section(0, "A")])
    one_drop = plan.tilt(0, 0, hits((0, "closed hat"), (12, "kick"), (12, "side stick")), FULL)
    assert one_drop[6, voice("snare")] < -2 and one_drop[18, voice("clap")] < -2
    assert one_drop[6, voice("side stick")] < -2 and not one_drop[12, voice("snare")]
    backbeat = hits((0, "closed hat"), (6, "snare"))
    assert not plan.tilt(0, 0, backbeat, FULL)[18, voice("snare")]  # 4 may follow 2
    bossa = plan.tilt(0, 0, hits((0, "closed hat"), (18, "side stick")), FULL)
    assert bossa[6, voice("side stick")] < -2 and bossa[18, voice("side stick")] > 0  # a stick keeps its own place
    assert not plan.tilt(0, 0, hits((12, "snare")), FULL)[6, voice("snare")]  # nothing keeps time


def test_the_kick_on_the_one_and_the_backbeat_stay_where_the_groove_has_them() -> None:
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), fill=np.array([False, True]))
    groove = hits((0, "kick"), (9, "kick"), (6, "snare"), (18, "side stick"), (12, "snare"))
    kept = plan.tilt(0, 0, groove, FULL)
    assert kept[0, voice("kick")] > 1 and kept[6, voice("snare")] > 1 and kept[18, voice("side stick")] > 1
    assert not kept[9, voice("kick")] and not kept[12, voice("snare")] and not kept[18, voice("snare")]
    assert not plan.tilt(1, 24, groove, FULL).any()  # a fill is free


def test_a_fill_on_the_hat_does_not_go_to_the_ride() -> None:
    plan = replace(Plan.of_sections(1, [Section(0, "A")]), fill=np.array([True]))
    hat, ride = ([(step, name) for step in range(0, 24, 3)] for name in ("closed hat", "ride"))
    assert (plan.tilt(0, 0, hits(*hat), FULL)[:, voice("ride")] < -2).all()
    assert (plan.tilt(0, 0, hits(*ride), FULL)[:, voice("closed hat")] < -2).all()
    assert not plan.tilt(0, 0, hits(*hat, *ride), FULL).any()
    assert not plan.tilt(0, 0, hits(*hat[:2]), FULL).any()  # nothing keeps time


def test_time_is_kept_as_in_the_groove_but_in_fills_and_the_first_bar_is_played_as_it_is() -> None:
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), fill=np.array([False, True]))
    groove = hits((0, "kick"), (0, "closed hat"), (12, "ride"))
    kept = plan.tilt(0, 0, groove, FULL)
    assert kept[0, voice("closed hat")] > 0 and kept[12, voice("ride")] > 0
    assert kept[0, voice("ride")] < 0 and not kept[0, voice("pedal hat")]  # one hand keeps time, and a foot may, too
    assert not np.delete(kept, [0, 6, 12, 18], axis=0).any() and not kept[0, voice("snare")]
    assert not plan.tilt(1, 24, groove, FULL).any()
    full = replace(plan, gestures=Gestures(full=frozenset({0}))).tilt(0, 0, groove, FULL)
    assert (full[groove > 0] > kept[groove > 0]).all() and (full[groove == 0] <= 0).all()


def test_a_cue_is_struck_alone_and_as_hard_as_it_says() -> None:
    gestures = Gestures({24: Cue(("kick", "crash"), 0.8), 25: Cue()})
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), gestures=gestures)
    tilt, velocity = plan.tilt(1, 24, NONE, FULL), plan.velocities(24, 24, FULL)
    assert np.flatnonzero(tilt[0] == CERTAIN).tolist() == sorted([voice("kick"), voice("crash")])
    assert (np.delete(tilt[0], [voice("kick"), voice("crash")]) == -CERTAIN).all() and (tilt[1] == -CERTAIN).all()
    assert not tilt[2:].any()
    assert velocity is not None and velocity[0, voice("crash")] == np.float32(0.8) and np.count_nonzero(velocity) == 2


# --- what of a take is certain before it is drawn holds in the take, by a model of random weights, too ----------------

BAR = 1920
VOICE = {name: index for index, name in enumerate(FULL.names)}


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    return Drummer.load(save_player(tmp_path_factory.mktemp("player")))


def ended(first: int = 0) -> Song:
    """Eight bars of eighths from a tick on, a bar's rest after the sixth bar's first chord, and a chord that rings."""
    eighths = [at for at in range(first, 7 * BAR, 240) if not 5 * BAR < at < 6 * BAR]
    notes = [Note(at, 200, pitch, 90) for at in eighths for pitch in (52, 59)]
    notes += [Note(5 * BAR, 200, 64, 100), *(Note(7 * BAR, BAR - 10, pitch, 100) for pitch in (52, 59, 64))]
    return Song(480, (Part.of(notes, program=29),), metres=(Metre(0, 4, 4),), length=8 * BAR)


def hits_of_takes(take: Take, tick: int) -> set[str]:
    """The pieces that are struck within a 32nd of a tick."""
    part = take.standard_part
    near = np.abs(part.onset - tick) <= 60
    return {FULL.names[voice] for voice in FULL.voice_of[part.pitch[near]]}


def between(take: Take, begin: int, end: int) -> int:
    """How many hits there are from a tick to another, without those that come a little early on the latter."""
    onset = take.part.onset
    return int(np.sum((onset > begin + 60) & (onset < end - 60)))


def test_a_take_begins_on_the_one_stops_with_the_guitar_and_ends_with_it(player: Drummer) -> None:
    for seed in range(4):
        take = player.accompany(ended(), Options(seed=seed))
        assert faults(take.part, take.song) == []
        assert "kick" in hits_of_takes(take, 0)
        assert hits_of_takes(take, 5 * BAR) == {"kick", "snare"} and between(take, 5 * BAR, 5 * BAR + 1440) == 0
        assert {"kick", "crash"} <= hits_of_takes(take, 6 * BAR)
        assert hits_of_takes(take, 7 * BAR) == {"kick", "crash"} and between(take, 7 * BAR, 9 * BAR) == 0


def test_a_pickup_of_the_guitar_is_one_of_the_drums(player: Drummer) -> None:
    take = player.accompany(ended(1440), Options())
    assert between(take, -BAR, 1440) == 0 and between(take, 1380, BAR) > 0
    assert {"kick", "crash"} <= hits_of_takes(take, BAR)


@pytest.mark.parametrize("temperature", [None, 0.0, 2.0])
def test_a_piece_that_is_not_wanted_is_not_played_in_an_ending_either(player: Drummer, temperature) -> None:
    options = Options(temperature=temperature, ending="ritard", without=("crash", "snare"))
    take = player.accompany(ended(1440), options)
    struck = {FULL.names[voice] for voice in FULL.voice_of[take.standard_part.pitch]}
    assert not struck & {"crash", "snare"}
    assert hits_of_takes(take, 7 * BAR) == {"kick", "ride"}


def test_time_on_the_ride_takes_a_groove_there_too(player: Drummer) -> None:
    hats = Grid(3 * np.arange(8), np.full(8, VOICE["closed hat"]), *(np.full(8, n) for n in (90, 0, 3)))
    groove = Groove("hats", "hats", 4, 4, (hats,), None, (60.0, 200.0))
    song_grid = SongGrid.of(ended(), [0])
    passages = sections(song_grid.guitar_grid)
    grooves = {section.letter: groove for section in passages}
    options = Options(time="ride")
    plan = make_plan(song_grid.guitar_grid, passages, grooves, options, FULL)
    assert plan.pieces is not None
    assert set(plan.pieces.hits(hats).key.tolist()) == {VOICE["ride"]}
    take = player.accompany(ended(), replace(options, groove={"A": groove}))
    assert not {"closed hat", "open hat"} & {FULL.names[voice] for voice in FULL.voice_of[take.standard_part.pitch]}


def test_fills_are_asked_for_by_the_bars_of_the_song_whatever_their_length() -> None:
    song = replace(ended(), metres=(Metre(0, 16, 4), Metre(4 * BAR, 4, 4)))
    song_grid = SongGrid.of(song, [0])
    assert [bar.index for bar in lattice_of(song).bars] == [0, 0, 0, 0, 1, 2, 3, 4]
    options = Options(fill_at=(1, 3), no_fills_in=((4, 9),))
    plan = make_plan(song_grid.guitar_grid, [], {}, options, FULL, numbers=song_grid.numbers)
    assert plan.fills is not None
    assert np.flatnonzero(plan.fills.requested).tolist() == [3, 5]
    assert np.flatnonzero(plan.fills.never).tolist() == [6, 7]


def test_a_groove_is_soft_by_its_velocity_or_style_unless_something_else_is_asked_for() -> None:
    def groove(velocity: int, style: str | None = None) -> Groove:
        one = np.ones(1, dtype=np.int64)
        return Groove(
            "one", "one", 4, 4, (Grid(0 * one, 0 * one, velocity * one, 0 * one, 3 * one),), style, (60.0, 90.0)
        )

    plain = Options()
    assert [is_soft(plain, one) for one in (None, groove(100), groove(40), groove(100, "jazz"))] == [
        False,
        False,
        True,
        True,
    ]
    assert is_soft(Options(intensity=0.1), groove(100)) and not is_soft(Options(intensity=0.9), groove(40))
    assert is_soft(Options(style="jazz"), groove(100)) and not is_soft(Options(style="metal"), groove(40))


def test_bars_that_stay_are_as_they_were_where_a_take_would_begin_stop_or_end(player: Drummer, tmp_path: Path) -> None:
    snares = [Note(at, 60, 38, 90) for at in range(0, 8 * BAR, 480)]
    song = replace(ended(), parts=(*ended().parts, Part.of(snares, is_drums=True)))
    take = player.accompany(song, Options(bars=(3, 4)))
    kept = [(note.onset, note.pitch) for note in take.part if not 2 * BAR - 60 <= note.onset < 4 * BAR - 60]
    assert kept == [(at, 38) for at in range(0, 8 * BAR, 480) if not 2 * BAR <= at < 4 * BAR]
    take = player.accompany(song, Options(prime=2))
    assert [note.onset for note in take.part if note.onset < 2 * BAR - 60] == list(range(0, 2 * BAR, 480))
    assert hits_of_takes(take, 7 * BAR) == {"kick", "crash"}


# --- what drums do where the band comes in, stops and ends ------------------------------------------------------------

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


# --- which pieces a take may be played on, by what is wished ----------------------------------------------------------

PERCUSSION = {voice.name for voice in FULL.voices if voice.limb == "percussion"}


def played(wished: Pieces, kit: Kit = FULL) -> set[str]:
    """The voices that can be drawn where all are equally likely."""
    logits = wished.logits(np.zeros((2, len(kit)), dtype=np.float32))
    assert (logits[0] == logits[1]).all()
    return {kit.names[voice] for voice in np.flatnonzero(np.isfinite(logits[0]))}


def grid(*hits: tuple[int, str, int]) -> Grid:
    """(step, voice, velocity)."""
    rows = np.array([(step, FULL.names.index(name), velocity, 0, 3) for step, name, velocity in hits], dtype=np.int64)
    return Grid(*rows.reshape(-1, 5).T)


def pieces_hit(grid: Grid) -> list[tuple[int, str, int]]:
    return [
        (step, FULL.names[key], velocity)
        for step, key, velocity in zip(grid.step.tolist(), grid.key.tolist(), grid.velocity.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("wish", "percussion"),
    [
        ({}, set()),
        ({"groove": [FULL.names.index("shaker"), FULL.names.index("kick")]}, {"shaker"}),
        ({"style": "latin"}, PERCUSSION),
        ({"style": "rock"}, set()),
        ({"pieces": "all"}, PERCUSSION),
        ({"pieces": "kit", "style": "latin", "groove": [FULL.names.index("shaker")]}, set()),
        ({"pieces": "all", "without": FAMILIES["percussion"]}, set()),
    ],
)
def test_hand_percussion_is_played_where_the_groove_or_the_style_has_it_or_it_is_wished(
    wish: dict[str, Any], percussion: set[str]
) -> None:
    assert played(pieces_for(FULL, **wish)) & PERCUSSION == percussion


def test_of_what_is_forbidden_none_is_played() -> None:
    wished = pieces_for(FULL, without={"crash", "clap"}, pieces="all")
    assert played(wished) == set(FULL.names) - {"crash", "clap"}
    assert pieces_hit(wished.hits(grid((0, "crash", 100), (0, "kick", 90), (6, "snare", 80)))) == [
        (0, "kick", 90),
        (6, "snare", 80),
    ]


def test_time_on_the_ride_moves_the_hat_of_the_hand_and_not_that_of_the_foot() -> None:
    wished = pieces_for(FULL, time="ride")
    assert set(FULL.names) - played(wished) - PERCUSSION == {"closed hat", "open hat"}
    groove = grid((0, "kick", 90), (0, "closed hat", 70), (3, "open hat", 60), (3, "ride", 65), (6, "pedal hat", 50))
    assert pieces_hit(wished.hits(groove)) == [(0, "kick", 90), (0, "ride", 70), (3, "ride", 65), (6, "pedal hat", 50)]
    logits = np.full(len(FULL), -5.0)
    logits[FULL.names.index("closed hat")] = 2.0
    assert wished.logits(logits)[FULL.names.index("ride")] == 2.0


def test_time_on_the_hat_moves_ride_and_bell() -> None:
    wished = pieces_for(FULL, time="hat")
    assert set(FULL.names) - played(wished) - PERCUSSION == {"ride", "bell"}
    assert pieces_hit(wished.hits(grid((0, "ride", 70), (3, "bell", 60)))) == [
        (0, "closed hat", 70),
        (3, "closed hat", 60),
    ]


def test_time_on_the_open_hat_moves_the_closed_one_and_the_ride() -> None:
    wished = pieces_for(FULL, time="open")
    assert set(FULL.names) - played(wished) - PERCUSSION == {"closed hat", "ride", "bell"}
    assert pieces_hit(wished.hits(grid((0, "ride", 70), (3, "closed hat", 60), (6, "pedal hat", 50)))) == [
        (0, "open hat", 70),
        (3, "open hat", 60),
        (6, "pedal hat", 50),
    ]
    forbidden = pieces_for(FULL, time="open", without={"open hat"})
    assert played(forbidden) == played(pieces_for(FULL, without={"open hat"}))


def test_where_a_line_is_forbidden_time_is_kept_on_the_other() -> None:
    without_hats = pieces_for(FULL, without=FAMILIES["hats"])
    assert pieces_hit(without_hats.hits(grid((0, "closed hat", 70), (6, "pedal hat", 50)))) == [(0, "ride", 70)]
    without_cymbals = pieces_for(FULL, without=FAMILIES["cymbals"])
    assert pieces_hit(without_cymbals.hits(grid((0, "ride", 70), (0, "crash", 90)))) == [(0, "closed hat", 70)]
    neither = pieces_for(FULL, without={"closed hat", "open hat", "ride", "bell"})
    assert pieces_hit(neither.hits(grid((0, "ride", 70), (0, "closed hat", 90), (0, "kick", 90)))) == [(0, "kick", 90)]


def test_without_wishes_a_kit_without_percussion_is_played_as_it_comes() -> None:
    assert pieces_for(NINE).are_all
    assert pieces_for(FULL, pieces="all").are_all
    assert not pieces_for(FULL).are_all
    assert not pieces_for(NINE, time="ride").are_all
    assert played(pieces_for(NINE, time="ride"), NINE) == set(NINE.names) - {"closed hat", "open hat"}


# --- A wish acts where it is asked and nowhere else: bars outside it are byte for byte those of the take without ------

CYMBALS = {49, 57, 42, 44, 46, 51, 53, 70}  # what crashes on a first beat, and what a hand leaves for it: hats, shaker

# Every song in two of the ways, every way with half of the songs; all of both in a long run.
each_song_and_way = pytest.mark.parametrize(
    ("song", "options"),
    [
        pytest.param(path, options, id=f"{path.stem}-{way}", marks=[] if is_quick and is_sampled else pytest.mark.slow)
        for song, path in enumerate(SONGS)
        for number, (way, options) in enumerate(WAYS.items())
        for is_quick, is_sampled in [(path.stem in QUICK, (song + number) % 2 == 0)]
        if LONG or is_quick or is_sampled
    ],
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


@each_song_and_way
def test_a_fill_changes_its_bar_and_at_most_the_crash_after_it(drummer: Drummer, song: Path, options: Options) -> None:
    plain = bars(drummer, song, options)
    found = set()
    for number in (2, 8, 9):
        wished = bars(drummer, song, replace(options, fill_at=(number,)))
        found |= (here := changed(plain, wished))
        assert here <= {number, number + 1}
        assert but_cymbals(plain[number]) == but_cymbals(wished[number]), "only what crashes there"
    assert found & {2, 8, 9}


@each_song_and_way
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


@each_song_and_way
def test_the_level_of_fills_changes_bars_that_fill_and_no_other(drummer: Drummer, song: Path, options: Options) -> None:
    usual, none, many = (bars(drummer, song, replace(options, fills=level)) for level in (None, 0.0, 1.0))
    assert len(changed(usual, none)) <= 2 * len(usual) / 4, "a fill in four bars at most, and the crash after it"
    assert len(changed(usual, many)) <= 2 * len(usual) / 4
    assert changed(usual, none) or changed(usual, many)


@each_song
def test_without_fills_no_bar_is_fuller_than_the_fill_or_the_groove_it_was(drummer: Drummer, song: Path) -> None:
    usual, none = (bars(drummer, song, Options(seed=3, fills=level)) for level in (None, 0.0))
    assert sum(map(len, none)) <= 1.05 * sum(map(len, usual))


@each_song_and_way
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
@pytest.mark.parametrize("options", [Options(seed=0), Options(seed=3, humanize=0.7, intensity=0.6)])
def test_bars_without_drums_are_empty_and_no_other_changes(drummer: Drummer, song: Path, options: Options) -> None:
    plain, letters = bars(drummer, song, options), sections_of(drummer, song, options)
    first = next(iter(letters))
    places = ["2-3, 6", f"{first.casefold()},1"][: len(letters)]
    for place, own in zip(places, ({2, 3, 6}, letters[first] | {1}), strict=False):
        rested = bars(drummer, song, replace(options, out=place))
        assert changed(plain, rested) == {number for number in own if len(plain[number - 1])}
        assert not any(len(rested[number - 1]) for number in own)


@each_song
@pytest.mark.parametrize("options", [Options(seed=0), Options(seed=3, humanize=0.7, intensity=0.6)])
def test_an_entry_changes_its_bar_and_those_before_it(drummer: Drummer, song: Path, options: Options) -> None:
    plain, entered = (bars(drummer, song, replace(options, enter=enter)) for enter in (None, 4))
    assert changed(plain, entered) <= {1, 2, 3, 4}
    assert not any(map(len, entered[:3])) and len(entered[3])


def test_a_take_rests_and_says_so_where_a_wish_for_its_section_is_too_and_beside_fills(drummer: Drummer) -> None:
    wished = Options(groove={"B": "one drop, hat"}, fill_at=(11, 14))
    plain, rested = (bars(drummer, SONGS[0], replace(wished, out=out)) for out in (None, "12-13"))
    assert changed(plain, rested) == {12, 13}
    explained = drummer.accompany(SONGS[0], replace(wished, out="12-13")).explain()
    assert [(one.first, one.last) for one in explained if one.text == "rests, as requested"] == [(12, 13)]


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
