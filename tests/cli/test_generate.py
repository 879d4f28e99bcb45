from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from seq2drum import Brief, Composer, Drummer, Groove, Options, Take
from seq2drum.cli import live_beat
from seq2drum.cli.live_beat import Desk, bars_of_sound
from seq2drum.evaluate import beats
from seq2drum.formats import opening
from seq2drum.formats.drum_picture import write_drum_picture
from seq2drum.formats.midi import midi
from seq2drum.lattice import patterns
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import encode
from seq2drum.lattice.patterns import FRAMES, RATE, SLICE
from seq2drum.music import drum_maps
from seq2drum.music.choices import LEARNT
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Song
from seq2drum.play.grooves.book import read_groove
from seq2drum.show import draw, sound
from tests.commands import called

ROOT = Path(__file__).parents[2]


@pytest.fixture
def generate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        return called(["--mode", "generate", *map(str, words)], capsys)

    return run


def _drums(path: Path) -> tuple[Song, int]:
    song = midi.read(path)
    return song, len(drum_maps.joined(song))


def test_a_beat_is_a_midi_file_on_the_drum_channel_at_its_tempo(generate, tmp_path: Path) -> None:
    code, out, _ = generate("--genre", "funk", "--bpm", 96, "--bars", 2, "--seed", 3)
    assert code == 0 and "funk-96.mid: 2 bars" in out
    song, hits = _drums(tmp_path / "funk-96.mid")
    assert hits and all(part.is_drums for part in song.parts)
    assert round(song.tempo_at(0).bpm) == 96 and len(song.bars()) == 2
    beat = Composer.load().compose(Brief(genre="funk", bpm=96, bars=2), seed=3)
    assert (tmp_path / "funk-96.mid").read_bytes() == beat.to_bytes()


def test_takes_have_seeds_of_their_own_and_are_told_in_json(generate, tmp_path: Path) -> None:
    words = ("--genre", "rock:2,pop", "--bars", 1, "--track-nums", 2, "--weights", "step", "-o", "beats/", "--json")
    code, out, _ = generate(*words)
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [one["seed"] for one in told] == [0, 1]
    assert [Path(one["output"]).name for one in told] == ["rock-pop-115.1.mid", "rock-pop-115.2.mid"]
    assert told[0]["genres"] == pytest.approx({"rock": 2 / 3, "pop": 1 / 3})
    assert len({Path(one["output"]).read_bytes() for one in told}) == 2


def test_pictures_sound_scores_and_projects_lie_beside_it(generate, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(draw, "picture", lambda duet, kind, **given: b"picture")
    monkeypatch.setattr(sound, "check", lambda soundfont: None)
    monkeypatch.setattr(sound, "wav", lambda duet, **given: b"RIFF")
    code, out, _ = generate("--bars", 1, "-o", "one.mid", "--picture", "--wav", "--score", "--rpp", "--split")
    assert code == 0 and "one.png, one.wav" in out
    assert {path.name for path in tmp_path.iterdir()} == {"one.mid", "one.png", "one.wav", "one.musicxml", "one.rpp"}
    assert len(midi.read(tmp_path / "one.mid").parts) > 1


def test_a_drum_map_moves_the_notes(generate, tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text('{"kick": 60, "snare": 61, "closed hat": 62}')
    generate("--bars", 1, "--genre", "rock", "-o", "plain.mid")
    generate("--bars", 1, "--genre", "rock", "-o", "moved.mid", "--drum-map", "map.json")
    plain, moved = (set(midi.read(tmp_path / name).parts[0].pitch.tolist()) for name in ("plain.mid", "moved.mid"))
    assert 36 in plain and 60 in moved and 36 not in moved


def test_another_metre_has_as_many_bars(generate, tmp_path: Path) -> None:
    assert generate("--bars", 3, "--metre", "7/8", "-o", "odd.mid")[0] == 0
    song, hits = _drums(tmp_path / "odd.mid")
    assert [(bar.numerator, bar.denominator) for bar in song.bars()] == [(7, 8)] * 3 and hits


def test_it_goes_on_from_a_file_at_its_tempo(generate, tmp_path: Path) -> None:
    generate("--genre", "funk", "--bpm", 90, "--bars", 2, "-o", "first.mid")
    assert generate("--prime", "first.mid", "--genre", "funk", "--bars", 2, "-o", "next.mid")[0] == 0
    assert round(midi.read(tmp_path / "next.mid").tempo_at(0).bpm) == 90
    assert generate("--bpm", 90, "--genre", "funk", "--bars", 2, "-o", "alone.mid")[0] == 0
    assert (tmp_path / "next.mid").read_bytes() != (tmp_path / "alone.mid").read_bytes()


def test_the_words_of_a_beat_are_read_again_as_the_same_hits(generate, tmp_path: Path) -> None:
    assert generate("--model", "step", "--bars", 2, "--genre", "jazz", "-o", "one.mid", "--text")[0] == 0
    text, notes = (opening.open_song(tmp_path / name).song for name in ("one.txt", "one.mid"))
    assert drum_maps.joined(text).rows[:, [0, 2]].tolist() == drum_maps.joined(notes).rows[:, [0, 2]].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("groove", ["one.mid", "one.txt", "one.mid:2", "A=one.mid,B=one.txt", "drawn.png"])
def test_what_was_made_is_the_groove_of_a_song(generate, groove: str, tmp_path: Path, capsys) -> None:
    assert generate("--bars", 4, "--genre", "rock", "-o", "one.mid", "--text")[0] == 0
    pattern = Composer.load("step").compose(Brief(genre="rock", bars=8)).pattern
    (tmp_path / "drawn.png").write_bytes(write_drum_picture(next(patterns.pictures_of(pattern))))
    song = ROOT / "examples" / "training" / "rock_riff_1.mid"
    plain, on_it = Drummer.load().accompany(song), Drummer.load().accompany(song, Options(groove=groove))
    wanted = [read_groove(word.split("=")[-1]) for word in groove.split(",")]
    likeness = [max(_likeness(take, one) for one in wanted) for take in (plain, on_it)]
    assert likeness[1] > max(likeness[0], 0.6)


def _likeness(take: Take, groove: Groove) -> float:
    """The mean F1 of a take's bars with the nearest bar of a groove."""
    hits = [set(zip(bar.step.tolist(), bar.key.tolist(), strict=True)) for bar in groove.bars]
    lattice = lattice_of(take.song)
    grid = encode(take.standard_part, lattice, FULL)
    scores = []
    for bar in range(len(take.song.bars())):
        inside = grid.step // 24 == bar
        own = set(zip((grid.step[inside] % 24).tolist(), grid.key[inside].tolist(), strict=True))
        scores.append(max(2 * len(own & one) / max(len(own) + len(one), 1) for one in hits))
    return float(np.mean(scores))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--genre", "polka"], "there is no genre 'polka'; there are afrobeat"),
        (["--genre", "funk:0"], "the weights of the genres are 0 together"),
        (["--bpm", "10"], "the tempo is 10.0, wanted 20 to 400"),
        (["--bars", "0"], "the number of bars is 0"),
        (["--bars", "100000"], "wanted 1 to 1024"),
        (["--metre", "7/9"], "wanted one such as 7/8"),
        (["--grid", "20"], "wanted 16, 24 or 32"),
        (["--takes", "0"], "--takes"),
        (["--model", "nobody"], "there is no generator 'nobody'"),
        (["--prime", "nix.mid"], "--prime nix.mid does not exist"),
        (["--prime", str(ROOT / "README.md")], "README.md: "),
        (["--prime", str(ROOT / "examples" / "ballad.mid")], "the drums are in 6/8, wanted 4/4"),
        (["-o", "beat.wav"], "-o names a MIDI file or a folder"),
        (["-o", "-", "--picture"], "standard output has no room for other files"),
        (["--text", "--metre", "3/4"], "--text has bars in 4/4"),
        (["--fill", "1"], "a fill every is 1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(generate, words: list[str], said: str, tmp_path: Path) -> None:
    code, out, err = generate(*words)
    assert code == 2 and said in err and not out
    assert err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_nothing_is_written_over_without_force(generate, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"mine")
    code, _, err = generate("--bars", 1, "-o", "one.mid", "--picture")
    assert code == 2 and "one.png exists already" in err and not (tmp_path / "one.mid").exists()
    (tmp_path / "one.png").unlink()
    assert generate("--bars", 1, "-o", "one.mid")[0] == 0
    assert generate("--bars", 1, "-o", "one.mid")[0] == 2
    assert generate("--bars", 1, "-o", "one.mid", "--force")[0] == 0


# --- while it is heard ------------------------------------------------------------------------------------------------


def test_keys_change_what_is_asked_for_within_its_ranges() -> None:
    desk = Desk(Brief(genre="funk", bpm=398))
    for key in "++vgf?":
        desk.press(key)
    assert (desk.brief.bpm, desk.brief.genre, desk.fill) == (400, "hiphop", True)
    assert desk.brief.variability == pytest.approx(0.25)
    for key in "-VG":
        desk.press(key)
    assert desk.words() == "funk, 395 bpm, variability 0.2"
    desk.press("q")
    assert desk.stopped


def test_bars_are_streamed_in_their_length_and_what_rings_on_is_added_to_the_next() -> None:
    laboratory = Desk(Brief(genre="soul"), LEARNT)
    laboratory.press("g")  # the last that it has learnt
    assert laboratory.brief.genre is None
    desk, asked = Desk(Brief(bpm=240, genre="rock")), []

    def render(song: Song) -> np.ndarray:
        asked.append(song)
        return np.full((live_beat.RATE + 10, 2), 0.5, dtype=np.float32)

    sounds = bars_of_sound(Composer.load("step"), desk, 0, None, render)
    first, second = (np.frombuffer(sound, dtype="<i2").reshape(-1, 2) for sound in islice(sounds, 2))
    assert len(first) == len(second) == live_beat.RATE
    assert second[0, 0] > first[0, 0] == second[-1, 0]
    desk.press("f")
    desk.press("-")
    third = next(sounds)
    assert len(third) == 4 * round(4 * 60 / 235 * live_beat.RATE) and not desk.fill


def test_a_machine_that_plays_nothing_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(Exception, match="write a file with -o"):
        live_beat.streamer()


# --- how good they are ------------------------------------------------------------------------------------------------


def test_the_panel_of_generators_is_printed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def judged(models, folders, sides, windows, seed, say) -> dict[str, dict[str, float]]:
        assert (models, sides, windows, seed) == (["step", "bar"], ("test",), 50, 0)
        return {name: {"hits": 18.0, "hits real": 19.0} for name in models}

    monkeypatch.setattr(beats, "judged", judged)
    words = ["--mode", "eval", "--model", "step", "bar", "--data", str(tmp_path), "--songs", "50"]
    code, out, _ = called([*words, "--json", str(tmp_path / "all.json")], capsys)
    assert code == 0 and "| hits | 18.000 (19.000) | 18.000 (19.000) |" in out
    assert json.loads((tmp_path / "all.json").read_text())["bar"]["hits"] == 18


@pytest.mark.slow
def test_figures_of_audio_loops_are_printed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs the extra audio")
    rng = np.random.default_rng(0)
    folders = [tmp_path / kit for kit in ("a", "b", "c", "d")]
    for folder in folders:
        folder.mkdir()
        for number in range(60):
            loop = np.zeros(FRAMES, dtype=np.float32)
            for place in rng.permutation(16)[:8]:
                loop[place * SLICE :][:800] = rng.standard_normal(800) * 0.1
            soundfile.write(folder / f"{folder.name}{number}.wav", loop, RATE)
    words = ["--mode", "eval", "--model", "loop", "--json", str(tmp_path / "all.json"), "--data"]
    code, _, err = called([*words, str(folders[0])], capsys)
    assert code == 2 and "the loops are on 1 kits, and the maker has 4" in err
    code, out, _ = called([*words, *map(str, folders)], capsys)
    assert code == 0
    figures = json.loads((tmp_path / "all.json").read_text())
    assert f"Frechet distance         {figures['Frechet distance']:.4g}" in out
    assert 0 < figures["of real halves"] < figures["of white noise"]
    assert 0 <= figures["copies"] <= 1 and figures["novelty"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "step", "loop", "--data", "x"], "name loop alone"),
        (["--model", "step"], "wants --data DIR, folders of drums"),
        (["--model", "step", "default", "--data", "x"], "'default' is not a generator"),
        (["--model", "step", "--data", "x", "--metre", "3/4"], "measured without --metre"),
        (["--model", "step", "--data", "x", "--split", "train"], "on --split test, validation, all"),
        (["--model", "step", "--data", "x"], "'x'"),
    ],
)
def test_a_panel_that_cannot_be_is_refused_in_a_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = called(["--mode", "eval", *words], capsys)
    assert code == 2 and said in err and err.count("\n") == 1


def test_audio_loops_are_wav_files_as_long_as_their_bars(generate, tmp_path: Path) -> None:
    code, out, _ = generate("--model", "loop", "--genre", "funk", "--bpm", 120, "--bars", 4, "--form", "abab", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["form"] == "ABAB" and told["output"] == "funk-120-ABAB.wav"
    data = (tmp_path / told["output"]).read_bytes()
    samples = np.frombuffer(data[44:], "<i2").reshape(-1, 2)
    assert abs(len(samples) / 44_100 - 8) < 0.01
    assert 10_000 < np.abs(samples.astype(int)).max() < 32_000
    again = generate("--model", "loop", "--genre", "funk", "--bpm", 120, "--bars", 4, "--form", "ABAB", "-o", "b.wav")
    assert again[0] == 0 and (tmp_path / "b.wav").read_bytes() == data


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--model", "loop", "--text"), "--text wants hits"),
        (("--model", "loop", "--form", "AXB"), "AAAB"),
        (("--model", "loop", "--kit", "tin"), "there are standard"),
        (("--model", "loop", "--metre", "7/8"), "4/4"),
        (("--model", "loop", "-o", "loop.mid"), "WAV file"),
        (("--form", "AAAB"), "--model loop"),
    ],
)
def test_what_audio_loops_cannot_be_is_told_in_a_line(
    generate, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    code, _, err = generate(*words)
    assert code == 2 and says in err and len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
