"""Drums without a guitar: beats of folders, audio loops, and loops combined."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.drums import beats
from seq2drum.data.drums.beats import SIDES, Beats
from seq2drum.data.drums.loops import (
    LEVELS,
    LINES,
    PEAK,
    SHOT,
    bars_of,
    combined,
    joined,
    loops_of,
    mixed,
    read_loops,
    tempo_in,
)
from seq2drum.errors import CorpusError, RecordingError
from seq2drum.formats.midi import midi
from seq2drum.lattice.patterns import FRAMES, RATE, SLICE, SLICES, TICKS, Samples, respaced, spacing
from seq2drum.music.choices import GENRES
from seq2drum.music.kit import NINE
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

# --- folders of drums as bars to learn from ---------------------------------------------------------------------------


def _loop(path: Path, *, bars: int = 2, rest: int = 0, metre: tuple[int, int] = (4, 4), bpm: float = 100) -> None:
    """A file of kicks and snares in quarters, behind so many empty bars."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onsets = range(4 * rest, 4 * (rest + bars))
    part = Part.of([Note(TICKS * at, 60, 38 if at % 2 else 36, 100) for at in onsets], is_drums=True)
    song = Song(TICKS, (part,), (Tempo(0, round(6e7 / bpm)),), (Metre(0, *metre),), TICKS * 4 * (rest + bars))
    path.write_bytes(midi.serialise(song))


def test_folders_say_the_genre_and_files_the_tempo(tmp_path: Path) -> None:
    _loop(tmp_path / "Funk" / "one.mid", bars=3, rest=2, bpm=96)
    _loop(tmp_path / "Hip-Hop" / "a fill.mid", bars=1)
    _loop(tmp_path / "odd.mid", metre=(7, 8))
    read = beats.read([tmp_path])
    assert read.names == (f"{tmp_path.name}/Funk/one.mid", f"{tmp_path.name}/Hip-Hop/a fill.mid")
    assert [GENRES[genre] for genre in read.genre] == ["funk"] * 3 + ["hiphop"]
    assert read.bpm[:3] == pytest.approx(96, abs=0.01)
    assert read.fill.tolist() == [False] * 3 + [True]
    assert read.number.tolist() == [0, 1, 2, 0]
    assert np.array_equal(read.velocity[0], read.velocity[2])


def test_windows_stay_inside_a_performance_and_leave_fills_out(tmp_path: Path) -> None:
    for name in ("a.mid", "b.mid", "a fill.mid"):
        _loop(tmp_path / name, bars=5)
    read = beats.read([tmp_path])
    rows = read.windows(4)
    assert len(rows) == 4
    assert all(read.performance[row] == read.performance[row + 3] and not read.fill[row] for row in rows)
    assert len(read.windows(4, hop=4)) == 2


def test_a_folder_without_drums_is_refused(tmp_path: Path) -> None:
    _loop(tmp_path / "odd.mid", metre=(7, 8))
    with pytest.raises(CorpusError, match="no drums in 4/4"):
        beats.read([tmp_path])


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "info.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match=r"info\.csv"):
        beats.read([tmp_path])


# --- loops ------------------------------------------------------------------------------------------------------------

KICK, SNARE, OPEN, CLOSED = 0, 1, 7, 8


def clicks() -> np.ndarray:
    """A kit whose pieces sound for as many hundred frames as their voice's number and one; the open hat for all."""
    shots = np.zeros((9, len(LEVELS), SHOT), dtype=np.float32)
    for voice in range(9):
        shots[voice, :, : 100 * (voice + 1)] = np.array(LEVELS)[:, None] / 127
    shots[OPEN, :] = 0.5
    return shots


def bar_of(*hits: tuple[int, int, float]) -> np.ndarray:
    velocity = np.zeros((24, 9), dtype=np.float32)
    for place, voice, loud in hits:
        velocity[place, voice] = loud
    return velocity


def noise_bars(bars: int = 2, seed: int = 0) -> Samples:
    """Loops of bursts of noise on some sixteenths, (bars, FRAMES)."""
    rng = np.random.default_rng(seed)
    slices = rng.standard_normal((bars, SLICES, SLICE)) * np.exp(-np.arange(SLICE) / 300) * 0.2
    slices[..., :8] = 0
    slices *= (rng.random((bars, SLICES, 1)) < 0.6) | (np.arange(SLICES) % 4 == 0)[:, None]
    return slices.reshape(bars, FRAMES).astype(np.float32)


def wav(sound: Samples, rate: int = RATE) -> bytes:
    data = (sound * 32767).astype("<i2").tobytes()
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form
    return head + b"data" + struct.pack("<I", len(data)) + data


def test_hits_sound_at_their_places_and_as_loud_as_they_were_struck() -> None:
    sound = mixed(bar_of((0, KICK, 120 / 127), (6, SNARE, 60 / 127)), clicks())
    assert sound[0] == pytest.approx(120 / 127)
    assert not sound[100 : 4 * SLICE].any()
    assert sound[4 * SLICE] == pytest.approx(45 / 127 * (60 / 45) ** 1.2)


def test_what_rings_on_after_the_bar_sounds_at_its_start() -> None:
    sound = mixed(bar_of((23, OPEN, 1.0)), clicks())
    assert sound[0] > 0 and sound[-1] > 0 and not sound[SHOT + 1]


def test_the_open_hat_ends_where_the_closed_one_is_struck_also_in_the_next_bar() -> None:
    sound = mixed(bar_of((6, OPEN, 1.0), (7, CLOSED, 0.5)), clicks())
    closed = round(FRAMES * (480 + 120) / 1920)
    assert sound[closed - 1] and not sound[closed + 900]
    wrapped = mixed(bar_of((18, OPEN, 1.0), (0, CLOSED, 0.5)), clicks())
    assert wrapped[FRAMES - 1] and not wrapped[900]


def test_bars_of_few_hits_are_left_out_and_all_loops_have_one_peak() -> None:
    full = bar_of(*((place, CLOSED, 0.5) for place in range(0, 24, 3)))
    velocity = np.stack([full, bar_of((0, KICK, 1.0)), full])
    column = np.zeros(3, dtype=np.int64)
    beats = Beats(velocity, column, column, column, np.full(3, 100.0), column > 0, np.array([0, 0, 1]), ("a",))
    loops = loops_of(beats, np.stack([clicks(), clicks()]), ["one", "two"])
    assert loops.sound.shape == (2, FRAMES) and set(loops.kit) <= {0, 1}
    np.testing.assert_allclose(np.abs(loops.sound).max(axis=1), PEAK, rtol=1e-3)
    assert len(loops.of_side("validation").kit) == 1
    with pytest.raises(CorpusError, match="5 hits"):
        loops_of(beats.select(np.array([1])), clicks()[None], ["one"])


@pytest.mark.parametrize("shift", [0, 160, -320])
@pytest.mark.parametrize("bpm", [117.1875, 90.0])
def test_a_recorded_loop_is_cut_into_bars_whose_onsets_lie_on_the_sixteenths(bpm: float, shift: int) -> None:
    bars = noise_bars()
    played = respaced(bars.reshape(2, SLICES, SLICE), spacing(bpm)).reshape(-1)
    found, tempo = bars_of(np.roll(played, shift))
    assert tempo == pytest.approx(bpm, rel=1e-3) and found.shape == bars.shape
    for one, other in zip(found, bars, strict=True):
        other = other * PEAK / np.abs(other).max()
        assert ((one - other) ** 2).sum() < 0.05 * (other**2).sum()


def test_a_name_may_say_the_tempo() -> None:
    assert tempo_in("funk_124bpm_loop") == 124 and tempo_in("BPM 93.5") == 93.5
    assert tempo_in("loop 3") is None and tempo_in("999bpm") is None


@pytest.mark.parametrize(
    ("sound", "bpm", "says"),
    [
        (np.zeros(3 * RATE, np.float32), None, "silent"),
        (np.zeros(0, np.float32), None, "silent"),
        (np.ones(RATE, np.float32), 60.0, "wanted a bar"),
        (np.ones(50, np.float32), None, "wanted a bar"),
    ],
)
def test_what_is_no_loop_is_refused_in_a_line(sound: Samples, bpm: float | None, says: str) -> None:
    with pytest.raises(RecordingError, match=says) as refused:
        bars_of(sound, bpm)
    assert "\n" not in str(refused.value)


def test_a_folder_of_loops_is_read_and_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    folder = tmp_path / "mine"
    folder.mkdir()
    with pytest.raises(CorpusError, match="no sound file"):
        read_loops([folder])
    with pytest.raises(CorpusError, match="no folder"):
        read_loops([tmp_path / "other"])
    (folder / "silence.wav").write_bytes(wav(np.zeros(2 * RATE, np.float32)))
    with pytest.raises(CorpusError, match=r"silence\.wav is left out: it is silent"):
        read_loops([folder])
    (folder / "odd.wav").write_bytes(wav(noise_bars(1)[0], rate=1234))
    (folder / "funk 117.1875bpm.wav").write_bytes(wav(noise_bars(2).reshape(-1)))
    said: list[str] = []
    loops = read_loops([folder], said.append)
    assert len(loops.kit) == 2 and loops.kits == ("mine",) and loops.genre.tolist() == [3, 3]
    assert len(said) == 2 and any("1234 samples a second" in line for line in said)
    assert set(loops.side) <= set(range(len(SIDES)))


# --- loops combined: whose lines they have, and copies counted --------------------------------------------------------


def loops(*lines: tuple[str, int], bpm: float = 85.0, bars: int = 2) -> Beats:
    """Loops of one voice each, struck at one place."""
    made = []
    for number, (name, place) in enumerate(lines):
        velocity = np.zeros((bars, 24, 9), dtype=np.float32)
        velocity[:, place, NINE.names.index(name)] = (number + 1) / 10
        about = np.zeros(bars, dtype=np.int64)
        none = about.astype(bool)
        made.append(
            Beats(velocity, about, np.arange(bars), about, np.full(bars, bpm), none, about, (f"{number}_{name}.mid",))
        )
    return joined(*made)


def test_kick_snare_and_hats_of_loops_are_put_together() -> None:
    beats = loops(("kick", 0), ("kick", 3), ("snare", 6), ("closed hat", 2), ("closed hat", 5))
    made = combined(beats, 50, np.random.default_rng(0))
    assert made.loops == 4  # two kicks, one snare, two hats
    assert made.tried == made.copies + made.loops
    for number in range(4):
        bar = made.beats.velocity[made.beats.performance == number][0]
        assert (bar > 0).sum(axis=0)[NINE.voices_named(["kick", "snare", "closed hat"])].tolist() == [1, 1, 1]
    assert set(np.unique(made.beats.velocity).round(1)) <= {np.float32(value / 10) for value in range(6)}


def test_loops_of_another_tempo_do_not_go_together() -> None:
    beats = joined(loops(("kick", 0), ("snare", 6)), loops(("kick", 3), ("snare", 9), bpm=120.0))
    made = combined(beats, 20, np.random.default_rng(0)).beats
    placed = {tuple(np.flatnonzero(bar.any(axis=1)).tolist()) for bar in made.velocity}
    assert placed == {(0, 6), (3, 9)}
    assert {float(bpm) for bpm in made.bpm} == {85.0, 120.0}


def test_what_is_made_is_as_long_as_the_shortest_and_is_no_copy() -> None:
    beats = joined(loops(("kick", 0), bars=4), loops(("snare", 6), bars=2))
    made = combined(beats, 5, np.random.default_rng(0))
    assert (made.loops, len(made.beats.number)) == (1, 2)
    alone = combined(loops(("kick", 0)), 5, np.random.default_rng(0))
    assert (alone.loops, alone.copies, alone.tried) == (0, 20, 20)


def test_only_the_train_side_and_no_fills_are_taken() -> None:
    beats = loops(("kick", 0), ("snare", 6))
    assert combined(beats._replace(side=beats.side + 1), 5, np.random.default_rng(0)).tried == 0
    assert combined(beats._replace(fill=~beats.fill), 5, np.random.default_rng(0)).loops == 0


def test_the_same_draws_make_the_same_loops() -> None:
    beats = loops(*((name, place) for name in ("kick", "snare", "closed hat") for place in range(6)))
    first, again, other = (combined(beats, 30, np.random.default_rng(seed)).beats.velocity for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_every_voice_is_of_one_line() -> None:
    assert sorted(name for names in LINES.values() for name in names) == sorted(NINE.names)


def test_bars_are_joined_with_their_own_names() -> None:
    one, two = loops(("kick", 0), ("snare", 6)), loops(("kick", 3))
    both = joined(one, two)
    assert both.names == (*one.names, *two.names)
    assert [both.names[index] for index in both.performance] == [
        *(one.names[index] for index in one.performance),
        *(two.names[index] for index in two.performance),
    ]
