"""Velocity and timing: the feel, how hits are struck, and how loud."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from seq2drum.errors import CheckpointError, CorpusError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.lattice.features import GuitarGrid, SongGrid
from seq2drum.lattice.form import Form, form_of, lattice_of
from seq2drum.lattice.grid import HALF_GAP, OFFSET_UNITS, Grid, Lattice, decode
from seq2drum.learn.feel import feel as feel_network
from seq2drum.learn.feel import judging
from seq2drum.learn.feel import recordings as feel_shares
from seq2drum.learn.feel.feel import FeelTask, Recipe, train
from seq2drum.learn.feel.recordings import Recording, recordings
from seq2drum.learn.run import loop
from seq2drum.learn.run.runs import STATE
from seq2drum.learn.run.task import Progress
from seq2drum.music.kit import FULL, NINE
from seq2drum.music.notes import IntArray, Metre, Note, Part, Song, Tempo
from seq2drum.play.checkpoint.folder import SUMS, available
from seq2drum.play.feel import feel as module
from seq2drum.play.feel import humanise as striking
from seq2drum.play.feel.feel import SET, Expected, Feel, Shares, realise
from seq2drum.play.feel.humanise import Copula, Dynamics, Performance, humanise_song, swing, swing_of
from seq2drum.play.grooves.book import Book
from seq2drum.play.options import Options
from tests.made import made_song
from tests.players import strummed

# --- velocity and timing: what a feel may change, what it may not, and what is known of the draws and of swing by -----

KICK, SNARE, HAT = 0, 1, 10


@pytest.fixture(scope="module")
def feel() -> Feel:
    return Feel.load()


def form(bars: int, numerator: int = 4, denominator: int = 4, bpm: float = 120.0, steps: int | None = None) -> Form:
    count = 24 * numerator // denominator if steps is None else steps
    return Form._make([*(np.full(bars, value) for value in (count, numerator, denominator)), np.full(bars, bpm)])


def grid(rows: list[tuple[int, int]], velocity: int = 100, offset: int = 0) -> Grid:
    """Hits at (step, voice), stiff."""
    step, voice = np.array(sorted(rows), dtype=np.int64).reshape(-1, 2).T
    return Grid(step, voice, np.full_like(step, velocity), np.full_like(step, offset), np.full_like(step, 3))


def rock(bars: int, ghosts: bool = False) -> Grid:
    """Eighths on the hi-hat, kick on 1 and 3, snare on 2 and 4, and if asked soft notes between them."""
    rows = []
    for bar in range(0, 24 * bars, 24):
        rows += [(bar + at, HAT) for at in range(0, 24, 3)]
        rows += [(bar, KICK), (bar + 12, KICK), (bar + 6, SNARE), (bar + 18, SNARE)]
        rows += [(bar + at, SNARE) for at in (5, 10, 13, 23) if ghosts]
    return grid(rows)


def guitar_grid(bars: Form, at: list[tuple[int, int, int]]) -> GuitarGrid:
    """A guitar of notes at (step, velocity, offset)."""
    step, velocity, offset = np.array(at, dtype=np.int64).reshape(-1, 3).T
    return GuitarGrid(
        bars, Grid(step, np.full_like(step, 52), velocity, offset, np.full_like(step, 12)), np.zeros(9, np.int64), 1
    )


def shares(**known: float) -> Shares:
    values = dict.fromkeys(("song", "place", "bar", "step", "drift"), 0.0) | known
    voice, habit = (np.full(SET, values.pop(name, 0.0)) for name in ("voice", "habit"))
    return Shares(**values, voice=voice, habit=habit, spread=np.ones(SET))


def humanise(feel: Feel, hits: Grid, bars: Form, **how: Any) -> Grid:
    """A whole part, struck in one performance."""
    return Performance(feel, bars, **how).play_all(hits)


# --- what a feel may change -------------------------------------------------------------------------------------------


def test_at_amount_0_hits_lie_on_the_lattice_with_the_velocities_given(feel: Feel) -> None:
    given = grid([(0, KICK), (6, SNARE)], velocity=93, offset=40)
    stiff = humanise(feel, given, form(1), amount=0)
    assert stiff.velocity.tolist() == [93, 93] and stiff.offset.tolist() == [0, 0]


def test_only_velocity_and_offset_change_and_stay_in_their_ranges(feel: Feel) -> None:
    given = grid([(step, voice) for step in range(96) for voice in range(len(FULL))])
    felt = humanise(feel, given, form(4))
    for name in ("step", "key", "length"):
        assert np.array_equal(getattr(felt, name), getattr(given, name))
    assert felt.velocity.min() >= 1 and felt.velocity.max() <= 127
    assert np.abs(felt.offset).max() <= HALF_GAP


def test_at_amount_1_a_beat_has_many_velocities_and_moments(feel: Feel) -> None:
    felt = humanise(feel, rock(32), form(32))
    assert len(np.unique(felt.velocity)) >= 20
    assert len(np.unique(felt.offset)) >= 20


@pytest.mark.parametrize("seed", range(3))
def test_spread_grows_with_the_amount(feel: Feel, seed: int) -> None:
    played = [humanise(feel, rock(16), form(16), amount=amount, seed=seed) for amount in (0, 0.25, 0.5, 0.75, 1)]
    for values in ([one.velocity.std() for one in played], [one.offset.std() for one in played]):
        assert np.all(np.diff(values) > 0)


def test_between_0_and_1_a_hit_is_its_share_of_the_way(feel: Feel) -> None:
    half, whole = (humanise(feel, rock(4), form(4), amount=amount, seed=7) for amount in (0.5, 1))
    assert np.abs(half.velocity - (100 + whole.velocity) / 2).max() <= 1
    assert np.abs(half.offset - whole.offset / 2).max() <= 1


@pytest.mark.parametrize(
    "title", ["half-time, quarter crash, kick 1 2 4&", "side stick, quarter hat, open 2 4, kick 1 3 4&"]
)
@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_what_is_straight_stays_straight(feel: Feel, title: str, amount: float) -> None:
    groove = Book.load()[title]
    for seed, bpm in [(0, 110.0), (1, 110.0), (2, 75.0), (3, 60.0)]:
        bars = form(16, bpm=bpm)
        hits = Grid.join(groove.bar(bar).shift(first) for bar, first in enumerate(bars.first[:-1].tolist()))
        struck = Performance(feel, bars, amount=amount, seed=seed).play_all(hits)
        beat, second = (struck.select(hits.step % 6 == place) for place in (0, 3))
        # A sixteenth lies before and after a beat, a sixth of a quarter before and after its second eighth.
        apart = (np.mean(second.offset) / 6 - np.mean(beat.offset) / 4) / OFFSET_UNITS
        assert abs(apart) < 0.02, "a quarter is halved, as near as a drummer halves it"


def test_snares_between_the_beats_are_softer_than_the_backbeat(feel: Feel) -> None:
    given = rock(16, ghosts=True)
    felt = humanise(feel, given, form(16), style="funk")
    beat = np.isin(given.step % 24, (6, 18))
    snare = given.key == SNARE
    assert felt.velocity[snare & beat].mean() > felt.velocity[snare & ~beat].mean() + 20
    assert (felt.velocity[snare & ~beat] < 45).any()


def test_the_same_seed_plays_the_same_and_another_does_not(feel: Feel) -> None:
    one, again, other = (humanise(feel, rock(4), form(4), seed=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(left, right) for left, right in zip(one, again, strict=True))
    assert not np.array_equal(one.velocity, other.velocity)


def test_what_is_played_in_a_bar_does_not_change_the_bars_before_it(feel: Feel) -> None:
    given = rock(12)
    changed = given.select((given.step < 9 * 24) | (given.key != HAT))
    one, other = humanise(feel, given, form(12)), humanise(feel, changed, form(12))
    for left, right in zip(one.select(one.step < 9 * 24), other.select(other.step < 9 * 24), strict=True):
        assert np.array_equal(left, right)


def test_a_piece_of_a_song_is_drawn_as_in_the_song() -> None:
    given, some = rock(12), shares(song=0.2, place=0.1, bar=0.3, step=0.1, drift=0.8, voice=0.1, habit=0.1)
    whole = Copula(5, some, some).draws(given.step, given.key, form(12), 0)
    late = given.step >= 8 * 24
    piece = Copula(5, some, some).draws(given.step[late] - 8 * 24, given.key[late], form(4), 8)
    assert np.allclose(whole[:, late], piece)


def test_bar_by_bar_is_the_same_performance(feel: Feel) -> None:
    given, bars = rock(6, ghosts=True), form(6)
    guitar = guitar_grid(bars, [(step, 60 + step % 50, 0) for step in range(0, 6 * 24, 7)])
    whole = humanise(feel, given, bars, seed=4, amount=0.8, style="jazz", guitar_grid=guitar)
    performance = Performance(feel, bars, seed=4, amount=0.8, style="jazz", guitar_grid=guitar)
    for bar in range(6):
        hits = given.select(given.step // 24 == bar)
        played = performance.play(hits.shift(-24 * bar))
        for left, right in zip(played[1:], whole.select(given.step // 24 == bar)[1:], strict=True):
            assert np.array_equal(left, right)


def test_the_order_in_which_hits_are_given_changes_nothing(feel: Feel) -> None:
    given = rock(4)
    mixed = np.random.default_rng(0).permutation(len(given.step))
    for left, right in zip(
        humanise(feel, given, form(4)).select(mixed), humanise(feel, given.select(mixed), form(4)), strict=True
    ):
        assert np.array_equal(left, right)


@pytest.mark.parametrize(
    "bars", [form(1), form(3, 7, 8), form(2, 12, 8), form(2, 5, 4), form(1, 32, 4), form(2, 1, 16, steps=2)]
)
def test_any_metre_can_be_felt(feel: Feel, bars: Form) -> None:
    count = int(bars.first[-1])
    felt = humanise(feel, grid([(step, KICK) for step in range(count)]), bars)
    assert len(felt.step) == count


def test_no_hits_are_no_hits(feel: Feel) -> None:
    assert len(humanise(feel, grid([]), form(2)).step) == 0
    assert len(swing(grid([]), form(2), 0.5).step) == 0


def test_a_voice_of_nine_is_felt_as_the_same_voice_of_the_full_kit(feel: Feel) -> None:
    names = [voice.name for voice in FULL.voices]
    for index, voice in enumerate(NINE.voices):
        nine = humanise(feel, grid([(6, index)]), form(1), kit=NINE)
        full = humanise(feel, grid([(6, names.index(voice.name))]), form(1))
        assert nine.velocity.tolist() == full.velocity.tolist()


def test_every_voice_of_the_full_kit_is_struck_like_one_of_the_drum_set() -> None:
    like = module.in_set()
    assert like[:SET].tolist() == list(range(SET))
    assert np.all(like < SET) and set(module.STAND_INS) == {voice.name for voice in FULL.voices[SET:]}


def test_hits_with_the_guitars_accents_are_louder_and_without_are_softer(feel: Feel) -> None:
    bars = form(16)
    given = grid([(step, KICK) for step in range(0, 16 * 24, 6)])
    loud = np.arange(64) % 2 == 0
    guitar = guitar_grid(
        bars, [(int(step), 120 if high else 60, 0) for step, high in zip(given.step, loud, strict=True)]
    )
    change = humanise(feel, given, bars, guitar_grid=guitar).velocity - humanise(feel, given, bars).velocity
    assert change[loud].mean() > 0 > change[~loud].mean()
    flat = guitar_grid(bars, [(int(step), 90, 0) for step in given.step])
    assert np.array_equal(humanise(feel, given, bars, guitar_grid=flat).velocity, humanise(feel, given, bars).velocity)


@pytest.mark.parametrize("wrong", [{"amount": 1.1}, {"amount": -0.1}, {"seed": -1}, {"style": "polka"}])
def test_what_makes_no_sense_is_refused(feel: Feel, wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        humanise(feel, rock(1), form(1), **wrong)


# --- draws ------------------------------------------------------------------------------------------------------------


def test_numbers_drawn_are_standard_normal_and_share_what_they_are_said_to() -> None:
    some = shares(song=0.2, place=0.1, bar=0.2, step=0.1, drift=0.5, voice=0.1, habit=0.2)
    # In the first bar: two voices at one step; one of them again at another place; and again four bars later.
    given = grid([(0, KICK), (0, SNARE), (9, KICK), (96, KICK)])
    draws = np.stack([Copula(seed, some, some).draws(given.step, given.key, form(5), 0) for seed in range(4000)])
    assert np.abs(draws.mean(axis=0)).max() < 0.06 and np.abs(draws.var(axis=0) - 1).max() < 0.08
    for kind in range(2):
        both: Any = np.corrcoef(draws[:, kind].T)
        assert both[0, 1] == pytest.approx(0.2 + 0.1 + 0.2 + 0.1, abs=0.05)  # song, place, bar, step
        assert both[0, 3] == pytest.approx(0.2 + 0.1 + 0.1 + 0.2 + 0.2 * 0.5**4, abs=0.05)  # and drift over four bars
        # Song and voice, and of the bar, which flows, what 3/8 of the way to the next barline still knows of this one.
        flow = (5 / 8 + 0.5 * 3 / 8) / np.sqrt((5 / 8) ** 2 + (3 / 8) ** 2 + 2 * 0.5 * 3 / 8 * 5 / 8)
        assert both[0, 2] == pytest.approx(0.2 + 0.1 + 0.2 * flow, abs=0.05)
    assert abs(np.corrcoef(draws[:, 0, 0], draws[:, 1, 0])[0, 1]) < 0.06


def test_realising_a_half_gives_the_middle_of_what_is_expected() -> None:
    velocity = np.array([[0.0, 64 / 127, 0.9, 0.01, 0.1], [1.0, 0.2, 100 / 127, 0.1, 0.01]])
    moment = np.array([[0.0, 0.3, 9.0, 0.05, 1.0], [0.0, 0.0, 9.0, 0.2, 1.0]])
    expected = Expected(velocity, moment, np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    struck, late = realise(expected, np.full((2, 2), 0.5))
    assert struck.tolist() == [64, 100]
    assert late == pytest.approx([0.3, 0.0], abs=1e-3)


def test_realised_moments_stay_within_their_step() -> None:
    expected = Expected(
        np.array([[0.5, 0.1, 0.9, 0.1, 0.1]] * 2),
        np.array([[0.0, 3.0, 0, 2.0, 1.0]] * 2),
        np.full(2, -0.4),
        np.full(2, 0.1),
    )
    struck, late = realise(expected, np.array([[1e-6, 1 - 1e-6], [1e-6, 1 - 1e-6]]))
    assert struck.tolist() == [1, 127]
    assert realise(expected, np.array([[1e-6, 1 - 1e-6], [0.5, 0.5]]), softest=9)[0].tolist() == [9, 127]
    assert late == pytest.approx([-0.4, 0.1], abs=1e-3)


def test_the_probabilities_of_all_velocities_and_of_all_moments_are_1() -> None:
    mixture = torch.tensor([[0.3, 0.2, 0.9, 0.05, 0.2]]).double()
    velocity = torch.arange(1, 128).double()
    nats = feel_network.velocity_nats(mixture.expand(127, -1), velocity)
    assert float(torch.exp(-nats).sum()) == pytest.approx(1, abs=1e-4)
    moment = torch.linspace(-1.2, 0.7, 20001).double()
    edge = torch.ones_like(moment)
    dense = torch.exp(-feel_network.moment_nats(mixture.expand(20001, -1), moment, -1.2 * edge, 0.7 * edge))
    assert float(torch.trapezoid(dense, moment)) == pytest.approx(1, abs=1e-3)


# --- swing ------------------------------------------------------------------------------------------------------------


def twelfths(given: Grid, bars: Form) -> list[float]:
    """Where in its quarter each note begins, in twelfths."""
    quarter = 12 * 480
    onset = decode(given, lattice_of(Song(quarter, length=4 * quarter * len(bars.steps))), FULL).onset
    return (onset % quarter / 480).round(1).tolist()


@pytest.mark.parametrize(("amount", "place"), [(0, 6), (0.25, 6.5), (0.5, 7), (0.75, 7.5), (1, 8)])
@pytest.mark.parametrize("step", [3, 4])
def test_the_second_eighth_of_a_quarter_is_moved_to_where_the_swing_says(
    step: int, amount: float, place: float
) -> None:
    bars = form(1)
    moved = swing(grid([(0, HAT), (step, HAT)]), bars, amount)
    assert moved.step.tolist() == [0, 3 if amount <= 0.5 else 4]
    assert twelfths(moved, bars) == [0, place]


def test_a_swung_eighth_keeps_what_it_was_late_by() -> None:
    moved = swing(grid([(3, HAT)], offset=64), form(1), 1)
    assert moved.step.tolist() == [4] and twelfths(moved, form(1)) == [8.5]


@pytest.mark.parametrize(
    "rows",
    [
        [(1, HAT), (5, HAT)],  # sixteenths
        [(0, HAT), (2, HAT), (4, HAT)],  # a triplet
        [(3, HAT), (4, HAT)],  # a voice on both
        [(2, SNARE), (3, HAT)],  # beside a triplet of another voice
    ],
)
def test_what_is_no_offbeat_eighth_does_not_swing(rows: list[tuple[int, int]]) -> None:
    for amount in (0, 1):
        moved = swing(grid(rows), form(1), amount)
        assert moved.step.tolist() == sorted(step for step, _ in rows) and not moved.offset.any()


@pytest.mark.parametrize("metre", [(6, 8), (12, 8), (7, 8)])
def test_metres_that_count_eighths_do_not_swing(metre: tuple[int, int]) -> None:
    given = grid([(3, HAT), (10, HAT)])
    assert swing(given, form(1, *metre), 1).step.tolist() == [3, 10]


def test_swing_loses_no_hit_and_keeps_the_order_of_each_voice() -> None:
    rng = np.random.default_rng(0)
    rows = [(step, voice) for step in range(96) for voice in range(4) if rng.random() < 0.3]
    for amount in (0, 0.3, 0.6, 1):
        given = grid(rows)
        moved = swing(given, form(4), amount)
        assert np.bincount(moved.key).tolist() == np.bincount(given.key).tolist()
        assert len(np.unique(moved.step * 128 + moved.key)) == len(rows)
        assert np.all(np.diff(moved.step * 128 + moved.key) > 0)


def test_swing_is_refused_beyond_triplets() -> None:
    with pytest.raises(OptionError, match="0 \\(straight\\) to 1"):
        swing(grid([(3, HAT)]), form(1), 1.5)


def test_the_swing_of_a_part_is_where_its_offbeat_eighths_lie() -> None:
    bars = form(2)
    assert swing_of(guitar_grid(bars, [(0, 90, 0), (6, 90, 0)]).guitar, bars) is None
    assert swing_of(guitar_grid(bars, [(0, 90, 0), (3, 90, 0), (9, 90, 0)]).guitar, bars) == 0
    assert swing_of(guitar_grid(bars, [(0, 90, 0), (4, 90, 0), (10, 90, 0)]).guitar, bars) == 1
    assert swing_of(guitar_grid(bars, [(3, 90, 0), (10, 90, 0)]).guitar, bars) == pytest.approx(0.5)
    assert swing_of(guitar_grid(bars, [(3, 90, 127)]).guitar, bars) == pytest.approx(0.5)
    assert swing_of(guitar_grid(form(2, 6, 8), [(3, 90, 0)]).guitar, form(2, 6, 8)) is None


# --- songs ------------------------------------------------------------------------------------------------------------


def stiff_song() -> Song:
    """Two drum parts and a bass in 4/4 and 7/8 with a change of tempo; a flam, a roll of 32nds, and a whistle."""
    beat = [Note(bar * 1920 + at, 60, 42, 100) for bar in range(6) for at in range(0, 1920, 240)]
    beat += [Note(bar * 1920 + 480, 60, 38, 100) for bar in range(6)] + [Note(450, 30, 38, 50)]
    beat += [Note(5 * 1920 + 960 + at, 30, 40, 90) for at in range(0, 960, 60)]
    other = [Note(bar * 1920, 100, 36, 100) for bar in range(6)] + [Note(1000, 50, 34, 77)]
    odd = [Note(6 * 1920 + at, 60, 36, 100) for at in range(0, 3 * 1680, 240)]
    parts = (
        Part.of(beat, name="one", is_drums=True),
        Part.of([Note(0, 480, 40, 90), Note(6 * 1920, 480, 43, 90)], program=33, name="bass"),
        Part.of(other + odd, name="two", is_drums=True),
    )
    return Song(480, parts, (Tempo(0, 500_000), Tempo(1920, 400_000)), (Metre(0, 4, 4), Metre(6 * 1920, 7, 8)), 16560)


def test_a_stiff_song_at_amount_0_is_as_it_was(feel: Feel) -> None:
    song = stiff_song()
    assert humanise_song(feel, song, amount=0) == song


def test_of_a_song_only_onsets_and_velocities_of_drums_change(feel: Feel) -> None:
    song = stiff_song()
    felt = humanise_song(feel, song, swing=1, seed=2)
    assert felt.parts[1] == song.parts[1]
    assert (felt.tempos, felt.metres, felt.length, felt.ticks_per_quarter) == (song.tempos, song.metres, song.end, 480)
    for index in (0, 2):
        part, before = felt.parts[index], song.parts[index]
        assert (part.name, part.is_drums) == (before.name, True)
        assert sorted(zip(part.pitch, part.duration, strict=True)) == sorted(
            zip(before.pitch, before.duration, strict=True)
        )
        assert part.onset.min() >= 0 and part.end <= song.end
    assert len(np.unique(felt.parts[0].velocity)) > 10
    assert midi.parse(midi.serialise(felt)).parts[1] == song.parts[1]


def test_notes_outside_the_kit_stay_as_they_are(feel: Feel) -> None:
    felt = humanise_song(feel, stiff_song()).parts[2]
    assert Note(1000, 50, 34, 77) in list(felt)


def test_a_flam_keeps_its_distance_from_the_beat(feel: Feel) -> None:
    song = Song(480, (Part.of([Note(450, 30, 38, 50), Note(480, 60, 38, 100)], is_drums=True),), length=1920)
    for seed in range(5):
        grace, main = humanise_song(feel, song, seed=seed).parts[0]
        assert main.onset - grace.onset == 30
        assert grace.velocity == pytest.approx(main.velocity / 2, abs=0.51) or grace.velocity == 1


def test_swing_carries_what_is_outside_the_kit(feel: Feel) -> None:
    part = Part.of([Note(0, 50, 42, 90), Note(240, 50, 42, 90), Note(240, 50, 34, 77)], is_drums=True)
    song = Song(480, (part,), length=1920)
    assert [note.onset for note in humanise_song(feel, song, amount=0, swing=1).parts[0]] == [0, 320, 320]


def test_each_hat_finds_the_pedal_as_it_was(feel: Feel) -> None:
    hats = Part.of([Note(at, 60, 46, 90) for at in range(0, 8 * 1920, 240)], is_drums=True)
    pedal = np.array([(at, at // 240 % 3 * 60) for at in range(0, 8 * 1920, 240)])  # at the very tick of each hat
    song = Song(480, (replace(hats, pedal=pedal),), length=8 * 1920)

    def found(part: Part) -> list[int]:
        return part.pedal[np.searchsorted(part.pedal[:, 0], part.onset, side="right") - 1, 1].tolist()

    for seed in range(5):
        felt = humanise_song(feel, song, seed=seed, swing=0.5).parts[0]
        assert felt.onset.tolist() != hats.onset.tolist()
        assert found(felt) == found(song.parts[0])
        assert np.array_equal(midi.parse(midi.serialise(Song(480, (felt,)))).parts[0].pedal, felt.pedal)
    still = np.array([(at + 120, at // 240 % 3 * 60) for at in range(0, 1920, 480)])  # half way between two
    felt = humanise_song(feel, Song(480, (replace(hats, pedal=still),), length=8 * 1920)).parts[0]
    assert np.array_equal(felt.pedal, still)


def test_a_song_without_drums_is_as_it_was(feel: Feel) -> None:
    song = Song(480, (Part.of([Note(0, 480, 40, 90)], program=27),), length=1920)
    assert humanise_song(feel, song) == song


def test_notes_at_the_edges_of_a_song_stay_inside_it(feel: Feel) -> None:
    part = Part.of([Note(0, 10, 36, 100), Note(1910, 10, 38, 100)], is_drums=True)
    for seed in range(10):
        felt = humanise_song(feel, Song(480, (part,), length=1920), seed=seed)
        assert felt.parts[0].onset.min() >= 0 and felt.end == 1920


# --- the folder -------------------------------------------------------------------------------------------------------


def test_the_feel_is_no_model_that_plays_and_is_small() -> None:
    assert "feel" not in available()
    assert sum(path.stat().st_size for path in module.SHIPPED.iterdir()) < 1_000_000
    assert "CC BY 4.0" in (module.SHIPPED / "card.md").read_text(encoding="utf-8")


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no usable feel"):
        Feel.load(tmp_path)
    shutil.copytree(module.SHIPPED, tmp_path / "cut")
    (tmp_path / "cut" / module.GRAPH).write_bytes(b"\x00\x01")
    with pytest.raises(CheckpointError, match="is not the file that the checkpoint was made with"):
        Feel.load(tmp_path / "cut")
    (tmp_path / "cut" / SUMS).unlink()
    with pytest.raises(CheckpointError, match="cannot be used"):
        Feel.load(tmp_path / "cut")
    shutil.copytree(module.SHIPPED, tmp_path / "other")
    about = json.loads((tmp_path / "other" / module.ABOUT).read_text())
    (tmp_path / "other" / module.ABOUT).write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(CheckpointError, match="99"):
        Feel.load(tmp_path / "other")


def test_feeling_needs_no_torch() -> None:
    code = "import sys, seq2drum.play.feel.feel as f; f.Feel.load(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- learning ---------------------------------------------------------------------------------------------------------


def made_groove(folder: Path) -> Path:
    """A data set in Groove's form: loud late backbeats and soft early hats, in three recordings a side."""
    rng = np.random.default_rng(0)
    lines = ["drummer,session,id,style,bpm,beat_type,time_signature,midi_filename,audio_filename,duration,split"]
    for index in range(12):
        split = ("train", "train", "validation", "test")[index % 4]
        notes = []
        for at in range(0, 6 * 1920, 240):
            notes.append(Note(at + int(rng.integers(0, 5)), 40, 42, int(rng.integers(30, 50))))
            if at % 960 == 480:
                notes.append(Note(at + int(rng.integers(10, 20)), 40, 38, int(rng.integers(100, 120))))
        notes.append(Note(1920, 40, 58, 90))
        song = Song(480, (Part.of(notes, is_drums=True),), (Tempo(0, 500_000),), (Metre(0, 4, 4),))
        (folder / f"{index}.mid").write_bytes(midi.serialise(song))
        lines.append(f"d,s,{index},rock/x,120,beat,4-4,{index}.mid,,1,{split}")
    (folder / "info.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_recordings_have_the_drummers_velocities_moments_and_toms(tmp_path: Path) -> None:
    recorded = recordings(made_groove(tmp_path))
    assert [one.split for one in recorded[:4]] == ["train", "train", "validation", "test"]
    snare = recorded[0].hits.key == SNARE
    assert recorded[0].hits.velocity[snare].min() >= 100
    assert 10 / 480 * 500 - 1 < recorded[0].moments[snare].min() < recorded[0].moments[snare].max() < 20 / 480 * 500 + 1
    assert np.sum(recorded[0].hits.key == [voice.name for voice in FULL.voices].index("low tom")) == 1
    with pytest.raises(CorpusError, match=r"info\.csv"):
        recordings(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_feel_learns_who_is_loud_and_who_is_late(tmp_path: Path) -> None:
    # Steps, not minutes: how much is learnt must not depend on what else the machine does.
    recipe = Recipe(steps=200, seed=1)
    learnt = train(made_groove(tmp_path), tmp_path / "out", recipe, corpus=[made_song(0)])
    felt = humanise(learnt, rock(4), form(4), style="rock")
    assert felt.velocity[felt.key == SNARE].mean() > felt.velocity[felt.key == HAT].mean() + 20
    assert felt.offset[felt.key == SNARE].mean() > felt.offset[felt.key == HAT].mean()
    about = json.loads((tmp_path / "out" / module.ABOUT).read_text())
    assert about["data"]["train"]["recordings"] == 6 and about["styles"] == ["rock"]
    assert "Groove MIDI Dataset" in (tmp_path / "out" / "card.md").read_text()


@pytest.mark.slow
def test_a_feels_training_that_is_stopped_and_resumed_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    def stop(share: float, progress: Progress) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    every = recordings(made_groove(tmp_path))
    sides = {split: [one for one in every if one.split == split] for split in ("train", "validation")}
    recipe = Recipe(steps=9, seed=1)
    whole = loop.train(FeelTask(sides, recipe, list[str]().append), tmp_path / "whole")
    assert loop.train(FeelTask(sides, recipe, list[str]().append), tmp_path / "broken", show=stop).stopped
    resumed = loop.train(FeelTask(sides, recipe, list[str]().append), tmp_path / "broken", resume=True)
    assert resumed.progress.validation == whole.progress.validation and resumed.progress.epoch > 1
    one, other = (load_file(tmp_path / name / "last" / STATE) for name in ("whole", "broken"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert module.Feel.load(tmp_path / "broken" / "last").styles == ("rock",)


def test_torch_and_the_exported_graph_expect_the_same(tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(0)
    size = module.input_size(1)
    network = feel_network.Network(size, 6, 5, 7).eval()
    feel_network.export(network, tmp_path / "f.onnx", size)
    session = onnxruntime.InferenceSession(str(tmp_path / "f.onnx"), providers=["CPUExecutionProvider"])
    rows, steps = torch.randn(1, 4, 21, size), torch.tensor([[21, 1, 12, 20]])
    state = torch.randn(1, 5)
    with torch.no_grad():
        wanted = network(rows, steps, state)
    outputs = session.run(None, {"rows": rows.numpy(), "steps": steps.numpy(), "state": state.numpy()})
    for left, right in zip(wanted, outputs, strict=True):
        assert np.allclose(left.numpy(), right, atol=1e-5)


def test_shares_are_found_again_in_what_was_drawn_by_them() -> None:
    some = shares(song=0.2, place=0.1, bar=0.15, step=0.1, drift=0.6, voice=0.15, habit=0.1)
    given = rock(24, ghosts=True)
    one = Recording("", "", "train", form(24), given)
    numbers = [Copula(seed, some, some).draws(given.step, given.key, form(24), 0)[0] for seed in range(60)]
    fitted = feel_shares.shares(numbers, [one] * len(numbers))
    assert fitted.song == pytest.approx(0.2, abs=0.1)
    assert fitted.step == pytest.approx(0.1, abs=0.06)
    assert fitted.voice[[KICK, SNARE, HAT]].mean() == pytest.approx(0.15, abs=0.08)
    assert fitted.habit[[KICK, SNARE, HAT]].mean() == pytest.approx(0.1, abs=0.08)
    assert np.all(fitted.own > 0)
    wide = feel_shares.shares([2 * number for number in numbers], [one] * len(numbers))
    assert np.allclose(wide.spread[[KICK, SNARE, HAT]], 2 * fitted.spread[[KICK, SNARE, HAT]], rtol=0.05)
    assert wide.spread[3] == 1  # never played


def test_accents_are_shared_where_drums_follow_the_guitars_loudness() -> None:
    song = made_song(0, bars=40)
    rng = np.random.default_rng(0)
    guitar = song.guitar_grid.guitar
    loudness = module.guitar_accents(song.guitar_grid)[song.drums.step]
    follows = np.clip(80 + 15 * loudness + rng.normal(0, 5, len(loudness)), 1, 127).astype(np.int64)
    deaf = np.clip(80 + rng.normal(0, 15, len(loudness)), 1, 127).astype(np.int64)
    assert len(np.unique(guitar.velocity)) >= 20
    correlations = [
        feel_shares.accents([song.__class__(**{**song.__dict__, "drums": song.drums._replace(velocity=velocity)})])
        for velocity in (follows, deaf)
    ]
    assert correlations[0]["closed hat"] > 0.4 > abs(correlations[1]["closed hat"])


def test_no_hit_of_a_song_is_moved_to_another_step(feel: Feel) -> None:
    song = stiff_song()
    lattice = Lattice(song.bars(), 480)
    felt = humanise_song(feel, song, seed=1)
    step, _ = lattice.nearest(felt.parts[2].onset[felt.parts[2].pitch == 36])
    before, _ = lattice.nearest(song.parts[2].onset[song.parts[2].pitch == 36])
    assert np.array_equal(step, before)


# --- how the hits of a take are struck, whatever model has chosen them ------------------------------------------------

BARS = 40
STEPS = np.repeat(np.arange(8) * 3, 2)
VOICES = np.tile([FULL.names.index("snare"), FULL.names.index("closed hat")], 8)
PLAIN = np.where(STEPS % 12 == 6, 110, 80) + 10 * (VOICES == 1)


def struck(velocity: IntArray = PLAIN, **options: Any) -> IntArray:
    """(BARS, N): the velocities of one bar of hits, played over and over."""
    song = strummed(BARS)
    guitar_grid = SongGrid.of(song, [0]).guitar_grid
    assert len(form_of(song, lattice_of(song)).steps) == BARS
    touch = Dynamics(Options(**options), guitar_grid, FULL)
    hits = Grid(STEPS, VOICES, velocity, np.zeros_like(STEPS), np.full_like(STEPS, 3))
    return np.array([touch.strike(bar, hits).velocity for bar in range(BARS)])


def test_velocities_change_from_bar_to_bar_as_drummers_change_them_and_some_repeat() -> None:
    change = np.abs(np.diff(struck(), axis=0))
    assert 7 < np.mean(change) < 15
    assert 0.1 < np.mean(change == 0) < 0.27


def test_nothing_is_clipped_however_loud() -> None:
    loud = np.full_like(PLAIN, 127)
    for options in ({}, {"humanize": 1.0}, {"intensity": 1.0}, {"humanize": 1.0, "intensity": 1.0}):
        velocity = struck(loud, **options)
        assert velocity.max() < 127
        assert velocity.min() >= 1


def test_a_human_feel_is_as_loud_as_what_it_strikes() -> None:
    stiff, human = struck(humanize=0.0), struck(humanize=1.0)
    assert abs(np.mean(stiff) - np.mean(human)) < 2
    assert np.array_equal(stiff[0], stiff[1])
    assert np.std(human[:, 3]) > 3


def test_intensity_moves_loudness_in_one_direction() -> None:
    means = [np.mean(struck(intensity=level)) for level in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert (np.diff(means) > 4).all()


def test_a_bar_is_struck_alike_whatever_follows_and_another_seed_strikes_otherwise() -> None:
    assert np.array_equal(struck(seed=3), struck(seed=3))
    assert not np.array_equal(struck(seed=3), struck(seed=4))


def test_the_most_likely_take_does_not_vary() -> None:
    assert np.array_equal(struck(temperature=0.0, seed=1), struck(temperature=0.0, seed=2))
    assert (struck(temperature=0.0)[0] == struck(temperature=0.0)[-1]).all()


def test_a_humanised_file_has_no_more_than_its_drummers_accents() -> None:
    rows = [
        (bar * 1920 + step * 120, 60, note, 127) for bar in range(40) for step in range(16) for note in (36, 38, 42)
    ]
    part = Part.of(np.array(rows), is_drums=True)
    human = humanise_song(Feel.load(), Song(480, (part,), length=40 * 1920)).parts[0]
    assert human.velocity.max() < 127
    assert np.std(human.velocity) > 10


# --- how loud hits are: a limit that clips nothing, levels, and variation ---------------------------------------------


def test_the_limit_leaves_what_is_below_its_knee_and_keeps_the_order_above() -> None:
    velocity = np.arange(1.0, 400.0, 0.5)
    limited = striking.limited(velocity)
    assert np.array_equal(limited[velocity <= striking.KNEE], velocity[velocity <= striking.KNEE])
    assert (np.diff(limited[velocity < 200]) > 0).all()
    assert np.rint(limited).max() == 126
    assert striking.limited(np.array([-5.0])).tolist() == [1]


@given(st.lists(st.integers(1, 127), min_size=1, max_size=30), st.floats(20, 105))
def test_hits_are_moved_alike_to_a_mean(velocity: list[int], mean: float) -> None:
    given = np.array(velocity, dtype=np.float64)
    moved = striking.as_loud_as(given, mean)
    assert ((moved >= 1) & (moved < 126.5)).all()
    assert np.mean(moved) == pytest.approx(mean, abs=0.5)
    assert (np.diff(moved[np.argsort(given)]) >= 0).all()


def test_no_hits_are_as_loud_as_any() -> None:
    assert len(striking.as_loud_as(np.zeros(0), 90.0)) == 0


def test_a_level_asks_for_a_mean_and_keeps_the_ratio_of_ghosts_and_accents() -> None:
    velocity = np.array([30.0, 60.0, 100.0])
    levels = [striking.at_level(velocity, 80.0, level) for level in (0.0, 0.3, 0.5, 0.8, 1.0)]
    assert (np.diff([np.mean(each) for each in levels]) > 3).all()
    for each in levels[:3]:
        assert each[2] / each[0] == pytest.approx(100 / 30, rel=1e-3)
    assert max(each.max() for each in levels) < 126.5
    soft, loud = (np.mean(striking.at_level(velocity * gain, 80.0 * gain, 0.5)) for gain in (0.7, 1.2))
    assert 0 < loud - soft < 0.2 * np.mean(velocity * 0.5)  # a soft song stays a little softer, no more
    assert striking.at_level(velocity, 90.0, 0.5) == pytest.approx(velocity, rel=1e-3)


def test_a_drummer_varies_each_hit_and_what_falls_on_one_step_together() -> None:
    step = np.tile([0, 0, 6], 2000) + np.repeat(np.arange(2000) * 12, 3)
    varied = striking.varied(np.full(len(step), 80.0), step, np.random.default_rng(0)).reshape(-1, 3)
    assert np.std(varied) == pytest.approx(80 * 0.1, rel=0.2)
    together, apart = (np.corrcoef(varied[:, 0], varied[:, other])[0, 1] for other in (1, 2))
    assert together > 0.15 > abs(apart)


def test_the_shipped_feel_is_judged_beside_drummers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert judging.main([str(made_groove(tmp_path))]) == 0
    printed = capsys.readouterr().out
    assert "3 recordings, " in printed and "nats a hit: velocity: " in printed
    assert "| 0 | 0.0 | 0.0 | 1 |" in printed  # at an amount of 0 hits stay as they were


def test_a_folder_that_is_not_the_data_set_is_refused_by_the_judging(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    assert judging.main([str(tmp_path)]) == 2
    assert "is not the Groove MIDI Dataset" in capsys.readouterr().err
