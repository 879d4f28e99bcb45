"""Beats that are found: steady ones, drifting ones, bars; and songs that lie on them."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.errors import InputError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.lattice.beats import placing
from seq2drum.lattice.beats.performance import Beats, Performance, Timing
from seq2drum.lattice.beats.placing import placed
from seq2drum.lattice.beats.pulse import beats_of
from seq2drum.lattice.beats.tracking import FITS, steadiest
from seq2drum.music import theory
from seq2drum.music.notes import Metre
from tests.conftest import ROOT

EXAMPLES = (
    "ballad",
    "blues_shuffle",
    "five_four",
    "funk",
    "jazz_swing",
    "metal_gallop",
    "rock_riff",
    "seven_eight",
    "waltz",
)


def performed(name: str, warp=lambda seconds: seconds) -> tuple[Performance, np.ndarray, np.ndarray]:
    """(an example as it is played, the seconds of its quarters, those of its bars), its time changed by `warp`."""
    song = midi.read(ROOT / "examples" / f"{name}.mid")
    notes = np.concatenate([part.rows for part in song.parts if not part.is_drums])
    seconds = np.vectorize(song.seconds)
    onset, end = warp(seconds(notes[:, 0])), warp(seconds(notes[:, 0] + notes[:, 1]))
    quarters = np.arange(0, notes[:, 0].max(), song.ticks_per_quarter)
    bars = np.array([bar.start for bar in song.bars()])
    performance = Performance.of(onset, end, notes[:, 2], notes[:, 3] / 127, float(end.max()) + 1)
    return performance, warp(seconds(quarters)), warp(seconds(bars))


def drifting(seconds: np.ndarray) -> np.ndarray:
    """Seconds as hands that hurry and drag have them: the tempo swings by 6 % in 20 seconds and by 3 % in 7."""
    return seconds + 0.06 * 20 / 6.28 * np.sin(6.28 * seconds / 20) + 0.03 * 7 / 6.28 * np.sin(6.28 * seconds / 7)


def errors(found: Beats, truth: np.ndarray) -> np.ndarray:
    """The distance of each tracked quarter to the nearest true one, in seconds."""
    first, last = np.ceil(found.place(truth[[0, -1]] + [-0.05, 0.05])).astype(int)
    beats = found.at(np.arange(first, last, dtype=float))
    return np.abs(beats[:, None] - truth).min(axis=1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_the_tempo_the_metre_and_the_bars_that_it_was_written_in(name) -> None:
    performance, _, bars = performed(name)
    song = midi.read(ROOT / "examples" / f"{name}.mid")
    found = beats_of(performance, Timing())
    assert found.steady
    assert found.bpm == pytest.approx(song.tempos[0].bpm, abs=0.05)
    assert found.beats.metre == song.metres[0][1:]
    bar = 4 * found.beats.metre[0] / found.beats.metre[1]
    assert np.abs(bars[:, None] - found.beats.at(np.arange(99.0) * bar)).min(axis=1).max() < 0.02


@pytest.mark.parametrize("scale", [0.5, 2])
def test_the_scale_makes_beats_of_half_or_twice_the_tempo_that_is_found(scale) -> None:
    performance, quarters, _ = performed("waltz")
    halves = np.interp(np.arange(0, len(quarters) - 0.5, 0.5), np.arange(len(quarters)), quarters)
    found = beats_of(performance, Timing(scale=scale, metre=(3, 4)))
    assert found.bpm == pytest.approx(148 * scale, abs=0.1)
    assert errors(found.beats, quarters if scale < 1 else halves).max() < 0.02


@pytest.mark.parametrize("period", [0.31, 0.5, 0.87])
def test_a_steady_tempo_is_found_to_a_thousandth_among_strikes_that_miss_it_by_hundredths_of_a_second(period) -> None:
    rng = np.random.default_rng(0)
    struck = np.flatnonzero(rng.random(400) < 0.7)
    times = 0.4 + period / 2 * struck + rng.normal(0, 0.012, len(struck))
    found = steadiest(times, np.ones(len(times)))
    assert found.fit > FITS
    assert min(abs(found.period / period / ratio - 1) for ratio in (0.5, 1, 1.5, 2, 3)) < 1e-3
    assert steadiest(drifting(times), np.ones(len(times))).fit < FITS


def test_beats_that_go_in_two_and_in_three_are_told_to_be_unsure_until_the_metre_is_said() -> None:
    performance, _, _ = performed("ballad")
    free, said = (beats_of(performance, Timing(metre=metre)) for metre in (None, (6, 8)))
    assert 0.2 < free.tempo_sure < 0.8
    assert said.tempo_sure > free.tempo_sure
    assert said.metre_sure == 1
    assert "6/8 (as said)" in str(said)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rock_riff", "blues_shuffle", "metal_gallop"])
def test_beats_that_drift_are_followed(name) -> None:
    performance, quarters, _ = performed(name, drifting)
    found = beats_of(performance, Timing())
    off = errors(found.beats, quarters)
    assert not found.steady
    assert np.median(off) < 0.015
    assert np.percentile(off, 95) < 0.04


def test_a_file_that_was_played_without_a_click_misses_its_grid_and_is_followed() -> None:
    performance, quarters, _ = performed("rock_riff", drifting)
    song = placed(performance, Beats.steady(120, 0.0, (4, 4)))
    stray = placing.missed(song, [0])
    assert stray.is_free
    assert stray.share > 0.4
    assert 0.02 < stray.by < 0.08
    again = placing.performed(song, [0])
    follower = placing.followed(song, beats_of(again, Timing()).beats)
    assert placing.missed(follower, [0]).share < 0.05
    seconds = [[one.seconds(int(tick)) for tick in one.parts[0].onset] for one in (song, follower)]
    assert np.abs(np.sort(seconds[0]) - np.sort(seconds[1])).max() < 2e-3
    ticks = range(follower.bars()[1].start, follower.end, follower.ticks_per_quarter)
    beats = np.array([follower.seconds(tick) for tick in ticks])
    assert np.median(np.abs(beats[:, None] - quarters).min(axis=1)) < 0.015


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_file_that_was_played_to_a_click_heeds_its_grid(name) -> None:
    song = midi.read(ROOT / "examples" / f"{name}.mid")
    heeded = placing.missed(song, theory.guitar_parts(song).parts)
    assert heeded.share < 0.1
    assert heeded.fit > placing.LEAST_FIT + 0.5


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_file_of_the_right_tempo_whose_notes_drift_does_not_fit_its_beats(name) -> None:
    performance, _, _ = performed(name, drifting)
    bpm = midi.read(ROOT / "examples" / f"{name}.mid").tempos[0].bpm
    song = placed(performance, Beats.steady(bpm, 0.0, (4, 4)))
    assert placing.missed(song, [0]).is_free


@pytest.mark.slow
def test_few_real_songs_are_told_to_miss_their_grid(sample) -> None:
    told = []
    for path in sample:
        try:
            song = midi.read(path)
            told.append(placing.missed(song, theory.guitar_parts(song).parts).fit < placing.LEAST_FIT)
        except InputError:  # no guitar, or no MIDI
            continue
    assert len(told) > 20
    assert np.mean(told) < 0.1


def test_what_is_said_is_kept_exactly() -> None:
    performance, _, _ = performed("rock_riff")
    found = beats_of(performance, Timing(bpm=97.5, metre=(5, 8), downbeat=1.2345))
    assert found.beats.downbeat == pytest.approx(1.2345, abs=1e-9)
    assert found.bpm == pytest.approx(97.5)
    assert found.beats.metre == (5, 8)
    assert (found.metre_sure, found.downbeat_sure) == (1.0, 1.0)


@pytest.mark.parametrize("notes", [1, 2, 5])
def test_few_notes_have_beats_all_the_same(notes) -> None:
    onset = 0.7 + 0.5 * np.arange(notes)
    performance = Performance.of(onset, onset + 0.1, np.full(notes, 52), np.ones(notes), 4.0)
    song = placed(performance, beats_of(performance, Timing()).beats)
    assert len(song.parts[0]) == notes
    assert song.seconds(song.length) == pytest.approx(4.0, abs=0.01)


@pytest.mark.parametrize("downbeat", [0.0, 0.004, 0.06, 0.3, 0.52, 1.97, 7.77])
@pytest.mark.parametrize("metre", [(4, 4), (7, 8)])
def test_a_song_begins_at_the_performances_first_second_and_its_bars_at_the_downbeat(downbeat, metre) -> None:
    performance, _, _ = performed("rock_riff")
    song = placed(performance, Beats.steady(132, downbeat, metre))
    assert midi.parse(midi.serialise(song)).parts == song.parts
    starts = [song.seconds(bar.start) for bar in song.bars()]
    off = 0.0 if downbeat > 0.057 else downbeat  # less than half a sixteenth joins the first beat
    assert min(abs(start - downbeat) for start in starts) == pytest.approx(off, abs=2e-3)
    onsets = [song.seconds(int(tick)) for tick in song.parts[0].onset]
    assert np.abs(np.sort(onsets) - performance.onset[: len(onsets)]).max() < 0.03
    assert all(20 < tempo.bpm < 500 for tempo in song.tempos)
    assert song.metres[-1] == Metre(song.metres[-1].tick, *metre)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bpm": 1000}, "1000 BPM, wanted 30 to 300"),
        ({"bpm": float("nan")}, "nan BPM"),
        ({"metre": (4, 3)}, "4/3, wanted one such as"),
        ({"downbeat": -1.0}, "-1 s, wanted"),
        ({"scale": 3.0}, "3, wanted 0.5 or 2"),
    ],
)
def test_what_no_music_has_is_refused(wrong, message) -> None:
    with pytest.raises(OptionError, match=message):
        Timing(**wrong)
