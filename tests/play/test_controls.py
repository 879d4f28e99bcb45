"""What a musician asks for moves what it should, and little else: over songs, with the shipped model."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum import Drummer
from seq2drum.errors import NoGuitarError
from seq2drum.evaluate import wishes
from seq2drum.evaluate.wishes import Counted, Moved
from seq2drum.formats.midi import midi
from seq2drum.music import theory
from seq2drum.music.notes import Note, Part, Song
from seq2drum.play.checkpoint.folder import available
from tests.conftest import LONG, ROOT, corpus_files

FRAME = Song(480, (), length=4 * 1920)


def counted(notes: list[tuple[int, int, int]]) -> Counted:
    """What is counted of hits (tick, pitch, velocity) in four bars of 4/4 at 120."""
    return wishes.count(Part.of([Note(at, 10, *rest) for at, *rest in notes], is_drums=True), FRAME)


def test_rank_correlation_is_that_of_the_ranks() -> None:
    def spearman(*values: float) -> float:
        return wishes.spearman(np.arange(float(len(values))), np.array(values))

    assert spearman(1, 2, 3, 40, 500) == pytest.approx(1)
    assert spearman(5, 4, 3, 2, 1) == pytest.approx(-1)
    assert spearman(1, 3, 2, 4, 5) == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert spearman(1, 1, 2, 2) == pytest.approx(2 / np.sqrt(5))  # ties share their ranks
    assert spearman(7, 7, 7) == 0


def test_intensity_is_strength_a_quarter() -> None:
    quarters = [(480 * beat, 36, 127) for beat in range(16)]
    assert counted(quarters).intensity == pytest.approx(1)
    assert counted([(at, pitch, 63) for at, pitch, _ in quarters]).intensity == pytest.approx(63 / 127)
    assert counted([*quarters, *((at, 42, 127) for at, *_ in quarters)]).intensity == pytest.approx(2)


def test_complexity_is_what_leans_against_the_beat() -> None:
    straight = [(480 * beat, 36, 90) for beat in range(16)]
    leaning = [(480 * beat + 360, 36, 90) for beat in range(16)]
    hats = [(480 * beat + 360, 42, 90) for beat in range(16)]
    assert counted(straight).complexity == 0
    assert counted(leaning).complexity > 1
    assert counted(straight + hats).complexity == 0


def test_distance_from_the_place_is_in_milliseconds() -> None:
    # 480 ticks are half a second: 24 ticks are 25 ms.
    late = [(480 * beat + 24 * (beat % 2), 36, 90) for beat in range(16)]
    assert counted(late).humanize == pytest.approx(12.5, rel=0.02)
    assert counted([(480 * beat, 36, 90) for beat in range(16)]).humanize == 0


@pytest.mark.parametrize(("tick", "swing"), [(240, 0.0), (280, 0.5), (320, 1.0)])
def test_swing_is_where_the_second_eighth_lies(tick: int, swing: float) -> None:
    eighths = [(480 * beat + at, 42, 90) for beat in range(16) for at in (0, tick)]
    assert counted(eighths).swing == pytest.approx(swing, abs=0.02)
    assert np.isnan(counted([(480 * beat, 42, 90) for beat in range(16)]).swing)


def test_a_bar_that_stands_out_is_counted_as_a_fill() -> None:
    frame = Song(480, (), length=8 * 1920)
    beat = [Note(1920 * bar + 480 * at, 10, 36 + 2 * (at % 2), 90) for bar in range(8) for at in range(4)]
    broken = [note for note in beat if note.onset // 1920 != 5]
    toms = [Note(5 * 1920 + 120 * at, 10, 45, 90) for at in range(16)]
    assert wishes.count(Part.of(beat, is_drums=True), frame).fills == 0
    assert wishes.count(Part.of(broken + toms, is_drums=True), frame).fills == pytest.approx(1 / 8)


def test_a_silent_take_is_counted_as_such() -> None:
    assert counted([]).intensity == 0
    assert np.isnan(counted([]).swing)


def test_a_control_that_moves_another_statistic_is_seen() -> None:
    values = np.zeros((2, 5, 5))
    values[:, :, 0] = np.arange(5)
    values[:, :, 1] = -np.arange(5)
    moved = Moved("intensity", wishes.CONTROLS["intensity"], values)
    assert moved.rank == pytest.approx(1)
    assert moved.rank_in_a_song == pytest.approx(1)
    assert moved.gain.tolist() == [4, -4, 0, 0, 0]
    assert Moved("complexity", wishes.CONTROLS["complexity"], values).rank == pytest.approx(-1)
    values = np.zeros((2, 5, 5))
    values[:, :, 1] = 2 * np.arange(5)
    other = Moved("complexity", wishes.CONTROLS["complexity"], values)
    assert wishes.crosstalk([moved, other]).tolist() == [[1, -0.5], [0, 1]]
    table = wishes.controls_tables([moved, other])
    assert table[2] == "| `--intensity` | 0.00, 1.00, 2.00, 3.00, 4.00 | 1.00 | 1.00 |"
    assert table[-2:] == ["| `--intensity` | +1.00 | -0.50 |", "| `--complexity` | +0.00 | +1.00 |"]


def has_guitar(song: Song) -> bool:
    try:
        return bool(theory.guitar_parts(song).parts)
    except NoGuitarError:
        return False


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    if "default" not in available():
        pytest.skip("needs the default model in seq2drum/checkpoints")
    return Drummer.load()


@pytest.mark.slow
def test_every_control_moves_its_own_statistic_monotonically_and_the_others_little(drummer: Drummer) -> None:
    """Over the examples with two seeds; in a long run over songs of the corpus as well."""
    paths = [*sorted((ROOT / "examples").glob("*.mid")), *(corpus_files("sample")[:4] if LONG else ())]
    songs = [song for path in paths if has_guitar(song := midi.read(path))]
    moved = wishes.move(drummer, songs, seeds=range(2), bars=24)
    for one in moved:
        assert one.rank >= 0.9, (one.control, np.nanmean(one.own, axis=0))
        assert one.rank_in_a_song > 0.3, one.control
    # As a share of what each gains by its own control: louder bars have more in them that leans against the beat.
    names, shares = [one.control for one in moved], np.abs(wishes.crosstalk(moved))
    np.fill_diagonal(shares, 0)
    assert np.all(shares < 0.45), (names, shares)
