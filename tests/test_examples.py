"""The example pieces: what the script writes is what lies there, and it is music that the project can use."""

from pathlib import Path

import numpy as np
import pytest

from bench import same
from bench.outputs import probed
from seq2drum.data.corpus import build
from seq2drum.formats.midi import midi
from seq2drum.music import kit, theory
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Note, Part, Song
from seq2drum.show import chart
from tests.conftest import ROOT, run_script

EXAMPLES = ROOT / "examples"
MADE = ("README.md", "docs/example.png", "docs/score.svg")
ALONE = sorted(path for path in EXAMPLES.glob("*.mid") if not path.name.endswith(".drums.mid"))
PAIRS = sorted((EXAMPLES / "training").glob("*.mid"))
UNSEEN = {"reggae_skank.mid", "folk_pop.mid"}
METRES = {"waltz": (3, 4), "seven_eight": (7, 8), "ballad": (6, 8), "five_four": (5, 4)}


def named(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


def test_the_script_writes_the_same_bytes_as_the_files_kept(tmp_path):
    run_script(EXAMPLES / "make_examples.py")["main"](tmp_path)
    written = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.mid")}
    assert written.keys() == {named(path) for path in [*ALONE, *PAIRS]}
    assert [name for name, data in written.items() if data != (EXAMPLES / name).read_bytes()] == []


@pytest.mark.slow
def test_the_pictures_of_the_documentation_and_their_caption_are_those_of_todays_take(tmp_path):
    recorded, _ = same.recorded()
    here = probed(["playing", "drawing"])
    if strange := [name for name in here if here[name] != recorded[name]]:
        pytest.skip(f"this machine computes otherwise than the one that made the pictures ({', '.join(strange)})")
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_bytes((ROOT / "README.md").read_bytes())
    run_script(EXAMPLES / "make_pictures.py")["main"](str(tmp_path))
    other = [name for name in MADE if (tmp_path / name).read_bytes() != (ROOT / name).read_bytes()]
    assert other == [], "run python examples/make_pictures.py"


def test_a_caption_says_what_is_struck_and_nothing_else():
    caption = run_script(EXAMPLES / "make_pictures.py")["caption"]

    def of(*crashes: int) -> str:
        drums = [Note(480 * at, 60, 36 if at % 2 == 0 else 38, 90) for at in range(8 * 4)]
        drums += [Note(1920 * bar, 60, 49, 100) for bar in crashes]
        part = Part.of(drums, is_drums=True)
        return caption(chart.of(Duet(Song(480, (), length=8 * 1920), (), part)), "rock, hat")

    assert " ".join(of().split()) == (
        "*The first 8 bars of a blues, and its drums, played on rock, hat. Made by `python examples/make_pictures.py`.*"
    )
    assert "rock, hat: a crash in bar 1. Made" in " ".join(of(0).split())
    assert "crashes in bars 1, 3 and 8. Made" in " ".join(of(0, 2, 7).split())


def test_there_are_ten_pieces_and_two_versions_of_each_with_drums():
    assert len(ALONE) == 10
    versions = [f"{path.stem}_{i}.mid" for path in ALONE for i in (1, 2)]
    assert [path.name for path in PAIRS] == sorted([*versions, *UNSEEN])


def test_two_pieces_are_none_of_the_others_and_on_the_validation_side():
    songs, _ = build.prepare([EXAMPLES / "training"])
    sides = {Path(song.path).name: song.split for song in songs}
    assert {name for name, side in sides.items() if side == "validation"} == UNSEEN
    assert sum(side == "train" for side in sides.values()) >= 16


@pytest.mark.parametrize("path", ALONE, ids=named)
def test_a_piece_is_guitar_alone_in_16_to_40_bars_of_its_metre(path):
    song = midi.read(path)
    assert theory.guitar_parts(song).parts == tuple(range(len(song.parts)))
    assert all(part.name for part in song.parts)
    assert 16 <= len(song.bars()) <= 40
    assert {(bar.numerator, bar.denominator) for bar in song.bars()} == {METRES.get(path.stem, (4, 4))}
    assert len({bar.length for bar in song.bars()}) == 1


@pytest.mark.parametrize("path", PAIRS, ids=named)
def test_a_pair_has_drums_of_the_kit_under_every_bar_of_its_guitar(path):
    song = midi.read(path)
    (drums,) = [song.parts[index] for index in theory.drum_parts(song)]
    assert theory.guitar_parts(song).parts
    voices = kit.FULL.voice_of[drums.pitch]
    assert (voices >= 0).all()
    names = {kit.FULL.voices[voice].name for voice in voices}
    assert "kick" in names
    assert names & {"snare", "side stick"}
    assert names & {"closed hat", "ride"}
    assert {"crash", "low tom"} <= names
    starts = [bar.start for bar in song.bars()]
    played = np.unique(np.searchsorted(starts, drums.onset + 8, side="right") - 1)
    assert played.tolist() == list(range(len(starts)))


@pytest.mark.parametrize("path", [*ALONE, *PAIRS], ids=named)
def test_velocities_vary_and_onsets_are_off_the_grid(path):
    song = midi.read(path)
    for part in song.parts:
        assert len(np.unique(part.velocity)) > 12
        assert part.velocity.min() >= 20
        assert part.velocity.max() < 127
        assert len(np.unique(part.onset % song.ticks_per_quarter)) > 12  # not on the grid
        assert (part.duration > 0).all()


@pytest.mark.parametrize("path", PAIRS, ids=named)
def test_nothing_is_struck_twice_at_once(path):
    song = midi.read(path)
    for index in theory.drum_parts(song):
        drums = song.parts[index]
        for pitch in np.unique(drums.pitch):
            assert np.diff(drums.onset[drums.pitch == pitch]).min(initial=1000) > song.ticks_per_quarter / 16


def test_the_first_version_is_the_piece_itself_with_drums():
    for path in ALONE:
        alone, pair = midi.read(path), midi.read(EXAMPLES / "training" / f"{path.stem}_1.mid")
        assert pair.parts[: len(alone.parts)] == alone.parts


def test_the_second_version_is_in_another_tempo():
    for path in ALONE:
        first, second = (midi.read(EXAMPLES / "training" / f"{path.stem}_{i}.mid") for i in (1, 2))
        assert first.tempos != second.tempos


@pytest.mark.parametrize("path", [*ALONE, *PAIRS], ids=named)
def test_a_guitar_string_never_sounds_twice_at_once(path):
    song = midi.read(path)
    for part in song.parts:
        for pitch in [] if part.is_drums else np.unique(part.pitch):
            here = part.pitch == pitch
            assert (part.onset[here][1:] >= (part.onset + part.duration)[here][:-1]).all()
