from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.drums.beats import SIDES, Beats
from seq2drum.data.drums.loops import LEVELS, PEAK, SHOT, bars_of, loops_of, mixed, read_loops, tempo_in
from seq2drum.errors import CorpusError, RecordingError
from seq2drum.lattice.patterns import FRAMES, RATE, SLICE, SLICES, Samples, respaced, spacing

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
    beats = Beats(velocity, column, column, column, column + 100.0, column > 0, np.array([0, 0, 1]), ("a",))
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
        (np.ones(RATE, np.float32), 60.0, "wanted is a bar"),
        (np.ones(50, np.float32), None, "wanted is a bar"),
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
