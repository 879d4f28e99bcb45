"""The command line: what it writes where, what it prints, and how it reports errors."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnxruntime
import pytest

from seq2drum import Options, cli
from seq2drum.cli import infer
from seq2drum.console import shared, terminal
from seq2drum.deliver import export
from seq2drum.formats.midi import midi
from seq2drum.formats.notation import reading as notation
from seq2drum.formats.opening import open_song
from seq2drum.music import drum_maps
from seq2drum.music.notes import Note, Part, Song
from seq2drum.play import asked
from seq2drum.show import draw, loudness, sound
from tests import tabs
from tests.commands import called
from tests.conftest import ROOT
from tests.players import faults, save_player, strummed

PIANO = Part.of([Note(at, 200, 60, 90) for at in range(0, 7000, 960)], program=0, name="Piano")
DRUMS = Part.of([Note(at, 60, 38, 90) for at in range(0, 7000, 480)], name="Old Kit", is_drums=True)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"))


@pytest.fixture
def run(player: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `--mode infer` with the tiny model: exit code, standard output, standard error."""

    def run(*arguments: object, mode: str = "infer", model: object = player) -> tuple[int, str, str]:
        words = ["--mode", mode, *map(str, arguments), *(["--model", str(model)] if model else [])]
        return called(words, capsys)

    return run


def program(*arguments: object, **keywords: Any) -> subprocess.CompletedProcess[bytes]:
    """The command line as its own process."""
    words = [sys.executable, str(ROOT / "main.py"), "--mode", "infer", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, timeout=120, check=False, **keywords)


def put(path: Path, song: Song | None = None) -> Path:
    path.write_bytes(midi.serialise(song or strummed()))
    return path


def refused(result: tuple[int, str, str], *phrases: str) -> str:
    """Exit code 2 and one line that contains each phrase."""
    code, out, err = result
    assert code == 2
    assert out == ""
    assert err.startswith("seq2drum: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    for phrase in phrases:
        assert phrase in err
    return err


# --- what is written --------------------------------------------------------------------------------------------------


def test_drums_are_written_beside_the_song_and_named_in_the_output(run: Run, tmp_path: Path) -> None:
    song = put(tmp_path / "my song.mid")
    before = song.read_bytes()
    code, out, err = run(song)
    assert (code, err) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my song.drums.mid", "my song.mid"]
    assert out.startswith(str(tmp_path / "my song.drums.mid"))
    assert "8 bars" in out
    assert "part 1 (General MIDI guitar program)" in out
    (drums,) = midi.read(tmp_path / "my song.drums.mid").parts
    assert faults(drums, strummed()) == []
    assert song.read_bytes() == before


def test_bars_of_the_drums_that_were_written_are_played_anew_beside_the_guitar(run: Run, tmp_path: Path) -> None:
    song, drums, again = put(tmp_path / "song.mid"), tmp_path / "drums.mid", tmp_path / "again.mid"
    assert run(song, "-o", drums)[0] == 0
    for bars in ("3-4", "3:4"):
        code, _, err = run(song, "--drums", drums, "--bars", bars, "--seed", 5, "-o", again, "--force")
        assert (code, err) == (0, "")
        old, new = (midi.read(path) for path in (drums, again))
        edges = [old.bars()[bar].start for bar in (2, 4)]
        here = [[row for row in song.parts[0].rows.tolist() if edges[0] <= row[0] < edges[1]] for song in (old, new)]
        there = [
            [row for row in song.parts[0].rows.tolist() if row not in own]
            for song, own in zip((old, new), here, strict=True)
        ]
        assert there[0] == there[1]
        assert here[0] != here[1]
    refused(run(song, "--drums", drums, "-o", again, "--force"), "--drums", "--bars A:B")
    refused(run(song, put(tmp_path / "other.mid"), "--drums", drums, "--bars", "3-4"), "--drums", "2 songs")
    refused(run(song, "--drums", tmp_path / "none.mid", "--bars", "3-4", "-o", again, "--force"), "none.mid")
    refused(run(song, "--bars", "3-4", "-o", again, "--force"), "no drums to keep", "drums")


@pytest.mark.parametrize(("words", "value"), [("9-12", (9, 12)), ("9:12", (9, 12)), ("9", (9, 9))])
def test_bars_are_said_with_a_dash_or_a_colon(words: str, value: tuple[int, int]) -> None:
    assert shared.bar_numbers(words) == value
    assert shared.bar_ranges(f"1-2,{words}") == ((1, 2), value)
    assert asked.reference(f"drums.mid:{words}").bars == value


def test_the_printed_line_counts_the_bars_and_the_hits(run: Run, tmp_path: Path) -> None:
    _, out, _ = run(put(tmp_path / "a.mid"))
    drums = midi.read(tmp_path / "a.drums.mid")
    assert f": {len(drums.bars())} bars, {sum(map(len, drums.parts))} hits in " in out


def test_o_names_the_output_and_its_bytes_are_those_of_the_python_interface(
    run: Run, player: Path, tmp_path: Path
) -> None:
    from seq2drum import Drummer

    song = put(tmp_path / "a.mid")
    options = ["--seed", 5, "--temperature", 1.2, "--top-p", 0.8, "--track", "guitar"]
    assert run(song, "-o", tmp_path / "x.mid", *options)[0] == 0
    take = Drummer.load(player).accompany(song, Options(5, 1.2, 0.8, "guitar"))
    assert (tmp_path / "x.mid").read_bytes() == take.to_bytes()


@pytest.mark.parametrize("option", [("--seed", 1), ("--temperature", 0), ("--top-p", 0.6), ("--track", "Piano")])
def test_every_option_changes_the_take(run: Run, tmp_path: Path, option: tuple[object, ...]) -> None:
    song = put(tmp_path / "a.mid", replace(strummed(), parts=(*strummed().parts, PIANO)))
    assert run(song, "-o", tmp_path / "plain.mid")[0] == 0
    assert run(song, "-o", tmp_path / "other.mid", *option)[0] == 0
    assert (tmp_path / "plain.mid").read_bytes() != (tmp_path / "other.mid").read_bytes()


def test_options_may_stand_before_between_and_after_songs(run: Run, tmp_path: Path) -> None:
    a, b = put(tmp_path / "a.mid"), put(tmp_path / "b.mid")
    assert run("--seed", 2, a, "--force", b, "-o", tmp_path / "out")[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.drums.mid", "b.drums.mid"]


@pytest.mark.parametrize("words", [["--", "-a.mid"], ["--seed", "3", "--", "-a.mid"], ["./-a.mid"]])
def test_a_song_whose_name_begins_with_a_dash_is_played(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "-a.mid")
    code = run("--model", save_player(tmp_path / "player"), *words, model=None)[0]
    assert code == 0
    assert (tmp_path / "-a.drums.mid").exists()


def test_words_behind_two_dashes_are_no_options(run: Run, tmp_path: Path) -> None:
    refused(run("--force", "--", "--seed", model=None), "--seed does not exist")


def test_a_folder_of_songs_gives_a_folder_of_drums_and_earlier_drums_in_it_are_skipped(
    run: Run, tmp_path: Path
) -> None:
    songs = tmp_path / "songs"
    songs.mkdir()
    put(songs / "one.mid")
    put(songs / "two.MIDI")
    put(songs / "one.drums.mid")
    (songs / "notes.txt").write_text("nothing")
    code, out, _ = run(songs, "-o", tmp_path / "new" / "drums")
    assert code == 0
    assert len(out.splitlines()) == 2
    made = tmp_path / "new" / "drums"
    assert sorted(path.name for path in made.iterdir()) == ["one.drums.mid", "two.drums.mid"]


def test_without_an_output_the_songs_of_a_folder_get_their_drums_beside_them(run: Run, tmp_path: Path) -> None:
    put(tmp_path / "one.mid")
    put(tmp_path / "two.mid")
    assert run(tmp_path)[0] == 0
    assert (tmp_path / "one.drums.mid").exists()
    assert (tmp_path / "two.drums.mid").exists()


def test_one_song_can_be_written_into_an_existing_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "drums").mkdir()
    assert run(put(tmp_path / "a.mid"), "-o", tmp_path / "drums")[0] == 0
    assert (tmp_path / "drums" / "a.drums.mid").exists()


def test_an_output_that_ends_in_a_slash_is_a_folder_even_if_it_does_not_exist_yet(run: Run, tmp_path: Path) -> None:
    assert run(put(tmp_path / "a.mid"), "-o", f"{tmp_path / 'new'}/")[0] == 0
    assert (tmp_path / "new" / "a.drums.mid").is_file()


def test_an_unusable_song_is_reported_and_the_others_are_played(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.mid").write_bytes(b"no midi")
    good = [put(tmp_path / "a.mid"), put(tmp_path / "z.mid")]
    code, out, err = run(good[0], tmp_path / "bad.mid", tmp_path / "none.mid", good[1], "-o", tmp_path / "out")
    assert code == 2
    assert len(out.splitlines()) == 2
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        str(tmp_path / "bad.mid"),
        f"{tmp_path / 'none.mid'} does not exist; give the path of a MIDI file",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.drums.mid", "z.drums.mid"]


def test_a_dash_reads_standard_input_and_writes_standard_output(player: Path, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    done = program("-", "--model", player, "--json", input=song.read_bytes())
    assert done.returncode == 0
    (drums,) = midi.parse(done.stdout).parts  # nothing but the take
    assert drums.is_drums
    line = json.loads(done.stderr)
    assert (line["input"], line["output"]) == ("-", "-")
    to_file = program("-", "-o", tmp_path / "b.mid", "--model", player, input=song.read_bytes())
    assert to_file.returncode == 0
    assert (tmp_path / "b.mid").read_bytes() == done.stdout
    assert program(song, "-o", "-", "--model", player).stdout == done.stdout


def test_json_prints_one_line_per_take(run: Run, tmp_path: Path) -> None:
    put(tmp_path / "a.mid")
    put(tmp_path / "b.mid", replace(strummed(), parts=(PIANO, *strummed().parts)))
    code, out, _ = run(tmp_path, "--json", "--seed", 9)
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [Path(line["output"]).name for line in lines] == ["a.drums.mid", "b.drums.mid"]
    assert lines[1]["input"] == str(tmp_path / "b.mid")
    assert lines[1]["bars"] == 8
    assert lines[1]["seed"] == 9
    assert lines[1]["hits"] == len(midi.read(tmp_path / "b.drums.mid").parts[0])
    assert 0 < lines[1]["seconds"] < 60
    assert lines[1]["guitar"] == ["2 Guitar"]
    assert lines[1]["why"] == "General MIDI guitar program"


def test_with_guitar_writes_the_song_with_these_drums_instead_of_its_own(run: Run, tmp_path: Path) -> None:
    song = replace(strummed(), parts=(*strummed().parts, PIANO, DRUMS))
    path = put(tmp_path / "a.mid", song)
    assert run(path, "--with-guitar", "-o", tmp_path / "both.mid")[0] == 0
    assert run(path, "-o", tmp_path / "drums.mid")[0] == 0
    both = midi.read(tmp_path / "both.mid")
    assert [part for part in both.parts if not part.is_drums] == list(song.parts[:2])
    assert [part for part in both.parts if part.is_drums] == list(midi.read(tmp_path / "drums.mid").parts)
    assert (both.tempos, both.metres, both.length) == (song.tempos, song.metres, song.length)


def test_a_score_is_written_too_and_can_be_read(run: Run, tmp_path: Path) -> None:
    score = tmp_path / "drums.musicxml"
    assert run(put(tmp_path / "a.mid"), "--score", score)[0] == 0
    assert (tmp_path / "a.drums.mid").exists()
    read = notation.read_musicxml(score)
    assert len(read.bars()) == 8
    assert "<sign>percussion</sign>" in score.read_text(encoding="utf-8")


def test_existing_files_are_overwritten_only_with_force(run: Run, tmp_path: Path) -> None:
    song, score = put(tmp_path / "a.mid"), tmp_path / "s.musicxml"
    (tmp_path / "a.drums.mid").write_bytes(b"mine")
    refused(run(song), "a.drums.mid exists already", "--force")
    assert (tmp_path / "a.drums.mid").read_bytes() == b"mine"
    score.write_bytes(b"mine")
    refused(run(song, "-o", tmp_path / "b.mid", "--score", score), "s.musicxml exists already")
    assert not (tmp_path / "b.mid").exists()  # both or none
    assert run(song, "--force", "--score", score)[0] == 0
    assert midi.read(tmp_path / "a.drums.mid").parts
    assert score.read_bytes() != b"mine"


def test_an_export_that_fails_is_reported_and_the_take_and_other_exports_are_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw, "FORMATS", ())
    song, score, project = put(tmp_path / "a.mid"), tmp_path / "s.musicxml", tmp_path / "p.rpp"
    code, out, err = run(song, "--score", score, "--picture", tmp_path / "p.png", "--rpp", project)
    assert code == 2
    assert out.startswith(str(tmp_path / "a.drums.mid"))
    (said,) = (line for line in err.splitlines() if "hits are not in the score" not in line)
    assert said.startswith(f"seq2drum: {song}: no --picture: a picture is written as")
    assert all(path.exists() for path in (tmp_path / "a.drums.mid", score, project))
    assert not (tmp_path / "p.png").exists()


@pytest.mark.parametrize("stopped_at", ["rendering", "the second stem"])
def test_who_stops_a_run_before_all_is_made_finds_nothing_and_can_run_it_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: str
) -> None:
    sounds = {name: np.zeros((10, 2), np.float32) for name in ("guitar", "kick", "mix")}
    wavs: list[bytes] = []

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    def wav(stem: object) -> bytes:
        wavs.append(b"wav")
        return wavs[-1] if len(wavs) != 2 else stop()

    monkeypatch.setattr(sound, "check", lambda soundfont: None)
    monkeypatch.setattr(loudness, "stereo_wav", wav)
    monkeypatch.setattr(export, "stems", stop if stopped_at == "rendering" else lambda played: sounds)
    song = put(tmp_path / "a.mid")
    words = [song, "--score", tmp_path / "a.musicxml", "--stems", tmp_path / "stems"]
    assert run(*words)[0] == 130
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [song]
    monkeypatch.setattr(export, "stems", lambda played: sounds)
    monkeypatch.setattr(loudness, "stereo_wav", lambda stem: b"wav")
    assert run(*words)[0] == 0
    made = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {"a.mid", "a.drums.mid", "a.musicxml", "guitar.wav", "kick.wav", "mix.wav"}


@pytest.mark.parametrize(
    ("flag", "name"), [("-o", "x.mid"), ("--score", "x.musicxml"), ("--picture", "x.png"), ("--rpp", "x.rpp")]
)
def test_a_missing_folder_is_reported_before_anything_is_played(run: Run, tmp_path: Path, flag: str, name: str) -> None:
    song = put(tmp_path / "a.mid")
    refused(run(song, flag, tmp_path / "nowhere" / name), f"{tmp_path / 'nowhere'} does not exist")
    assert list(tmp_path.iterdir()) == [song]


def with_drums() -> Song:
    return replace(strummed(), parts=(*strummed().parts, DRUMS))


def test_the_options_of_a_musician_reach_the_drummer(run: Run, player: Path, tmp_path: Path) -> None:
    from seq2drum import Drummer

    song = put(tmp_path / "a.mid", with_drums())
    levels = ("--intensity", 0.9, "--complexity", 0.1, "--fills", 1, "--humanize", 0.5, "--swing", 0.3)
    code, _, err = run(song, "-o", tmp_path / "x.mid", "--style", "funk", *levels, "--drum-map", "avl-drumkits")
    assert (code, err) == (0, "")
    options = Options(
        style="funk", intensity=0.9, complexity=0.1, fills=1, humanize=0.5, swing=0.3, drum_map="avl-drumkits"
    )
    assert (tmp_path / "x.mid").read_bytes() == Drummer.load(player).accompany(song, options).to_bytes()
    for flag, value, other in (("--prime", 2, Options(prime=2)), ("--bars", "3:4", Options(bars=(3, 4)))):
        assert run(song, "-o", tmp_path / "y.mid", "--force", flag, value)[0] == 0
        assert (tmp_path / "y.mid").read_bytes() == Drummer.load(player).accompany(song, other).to_bytes()
    assert run(song, "-o", tmp_path / "one.mid", "--bars", "3")[0] == 0
    assert run(song, "-o", tmp_path / "auto.mid", "--style", "auto")[0] == 0
    assert (tmp_path / "auto.mid").read_bytes() == Drummer.load(player).accompany(song).to_bytes()


def test_the_wishes_of_a_musician_are_read_from_words() -> None:
    words = ["--groove", "verse=half-time rock, ride,chorus=b.mid:5-8", "--like", "song.mid", "--daring", "0.5"]
    words += ["--ending", "choke", "--fill-at", "8, 16", "--no-fills-in", "1-4,9-12,20", "--pieces", "all"]
    words += ["--time", "ride", "--without", "crash,clap", "--out", "intro", "--out", "1-8,A", "--enter", "9"]
    words += ["--intensity", ".5,chorus=.9", "--intensity", "9-16=0.2", "--complexity", "0.3", "--complexity", "0.4"]
    words += ["--fills", "chorus=1", "--time", "chorus=Hat", "--half-time", "chorus", "--half-time", "9"]
    chosen = shared.chosen(cli.parser_of("infer").parse(["song.mid", *words]))
    assert Options(**chosen) == Options(
        groove="verse=half-time rock, ride,chorus=b.mid:5-8",
        like="song.mid",
        daring=0.5,
        ending="choke",
        fill_at=(8, 16),
        no_fills_in=((1, 4), (9, 12), (20, 20)),
        pieces="all",
        time={"": "ride", "chorus": "hat"},
        intensity={"": 0.5, "chorus": 0.9, "9-16": 0.2},
        complexity=0.4,
        fills={"chorus": 1.0},
        half_time="chorus,9",
        without=("crash", "clap"),
        out="intro,1-8,A",
        enter=9,
    )
    assert Options(**shared.chosen(cli.parser_of("infer").parse(["song.mid"]))) == Options()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--fill-at", "8,x"), "wanted numbers such as 8,16, found '8,x'"),
        (("--no-fills-in", "1-x"), "wanted A-B such as 9-16, found '1-x'"),
        (("--without", "gong"), "there is no piece 'gong'; there are kick"),
        (("--groove", ""), "the groove has no name"),
        (("--intensity", "chorus=loud"), "argument --intensity: invalid float value: 'chorus=loud'"),
        (("--intensity", "chorus=2"), "intensity in 'chorus' is 2.0, wanted 0 to 1"),
        (("--time", "chorus=gong"), "there is no piece to keep time on 'gong'"),
        (("--half-time", "Z"), "no section 'Z'; it has A"),
    ],
)
def test_a_wish_that_cannot_be_read_is_said(run: Run, tmp_path: Path, words: tuple[str, str], message: str) -> None:
    code, _, err = run(put(tmp_path / "a.mid"), *words)
    assert code == 2
    assert message in err
    assert not (tmp_path / "a.drums.mid").exists()


def test_the_sections_that_names_stand_for_are_said_unless_the_file_names_them(run: Run, tmp_path: Path) -> None:
    code, _, err = run(put(tmp_path / "a.mid"), "--intensity", "refrain=0.9")
    assert code == 0 and "refrain is section A, bars 1-" in err
    assert "refrain is section" not in run(tmp_path / "a.mid", "--force", "--intensity", "a=0.9")[2]
    named = ("--sections", "refrain 1-2", "--intensity", "Refrain=0.9")
    assert "is section" not in run(tmp_path / "a.mid", "--force", *named)[2]


def test_a_drum_map_may_be_a_file_of_ones_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"kick": 24, "snare": null}')
    assert run(put(tmp_path / "a.mid"), "--drum-map", tmp_path / "mine.json")[0] == 0
    pitches = set(midi.read(tmp_path / "a.drums.mid").parts[0].pitch.tolist())
    assert 24 in pitches
    assert not pitches & {36, 38}


def test_the_drum_maps_are_listed_with_what_they_are_for_and_whether_they_were_tried(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for mode in ("infer", "show", "grooves"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["--mode", mode, "--drum-map", "list"])
        out, err = capsys.readouterr()
        assert (ended.value.code, err) == (0, "")
        heads, sources = out.splitlines()[::2], out.splitlines()[1::2]
        assert [head.split(": ")[0] for head in heads] == list(drum_maps.names())
        assert "superior-drummer-3: Toontrack Superior Drummer 3, its core library" in heads
        assert all(source.endswith("; not tried in the product") for source in sources[1:])


def test_pieces_that_the_kit_of_a_drum_map_lacks_are_told(run: Run, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    (tmp_path / "mine.json").write_text('{"kick": null, "closed hat": null}')
    _, out, _ = run(song, "--json", "--drum-map", tmp_path / "mine.json")
    (swaps,) = (json.loads(line)["swaps"] for line in out.splitlines())
    kick, hat = ({swap["piece"]: swap for swap in swaps}[piece] for piece in ("kick", "closed hat"))
    assert (kick["instead"], hat["instead"]) == ("", "pedal hat")
    _, out, _ = run(song, "--force", "--drum-map", tmp_path / "mine.json")
    hits = f"{kick['hits']} hit{'s' if kick['hits'] > 1 else ''}"
    assert f"  the kit of this drum map has no kick: {hits} left out\n" in out
    assert "has no closed hat: " in out and " on its pedal hat\n" in out


def test_the_score_of_a_take_for_a_sampler_is_of_the_kit(run: Run, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    (tmp_path / "mine.json").write_text('{"kick": 24}')
    assert run(song, "-o", tmp_path / "x.mid", "--score", tmp_path / "x.musicxml")[0] == 0
    mapped = ("--drum-map", tmp_path / "mine.json", "-o", tmp_path / "y.mid", "--score", tmp_path / "y.musicxml")
    assert run(song, *mapped)[0] == 0
    assert (tmp_path / "x.musicxml").read_bytes() == (tmp_path / "y.musicxml").read_bytes()


def test_several_takes_are_written_by_rank_and_can_be_made_again(run: Run, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    code, out, _ = run(song, "--takes", 3, "--json", "--score", tmp_path / "best.musicxml")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [Path(line["output"]).name for line in lines] == [f"a.drums.{rank}.mid" for rank in (1, 2, 3)]
    scores = [line["score"] for line in lines]
    assert scores == sorted(scores, reverse=True)
    for line in lines:
        grooves = ",".join(f"{groove['section']}={groove['name']}" for groove in line["grooves"])
        words = ("--seed", line["seed"], "--groove", grooves, "--temperature", 1)
        assert run(song, "-o", tmp_path / "again.mid", "--force", *words, "--score", tmp_path / "x.musicxml")[0] == 0
        assert (tmp_path / "again.mid").read_bytes() == Path(line["output"]).read_bytes()
        if line["take"] == 1:
            assert (tmp_path / "best.musicxml").read_bytes() == (tmp_path / "x.musicxml").read_bytes()


def test_one_take_keeps_its_name_and_takes_are_no_songs(run: Run, tmp_path: Path) -> None:
    put(tmp_path / "a.mid")
    assert run(tmp_path, "--takes", 1)[0] == 0
    assert (tmp_path / "a.drums.mid").exists()
    assert run(tmp_path, "--takes", 2)[0] == 0
    code, out, _ = run(tmp_path, "--force")
    assert (code, len(out.splitlines())) == (0, 1)


def test_explain_lists_passages_of_bars_below_the_take_and_breaks_lines_between_words(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = put(tmp_path / "a.mid")
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run(song, "--explain")
    first, *rest = out.splitlines()
    assert first.startswith(str(tmp_path / "a.drums.mid"))
    assert max(map(len, rest)) <= 80
    lines = [line for line in rest if not line.startswith("    ")]
    assert lines
    assert all(line.startswith(("  bar ", "  bars ")) for line in lines)
    _, out, _ = run(song, "--explain", "--json", "--force")
    explanations = json.loads(out)["explain"]
    assert [set(said) for said in explanations] == [{"first", "last", "text"}] * len(explanations)
    assert len(explanations) == len(lines)
    said = " ".join(word for line in rest for word in line.split())
    assert all(explanation["text"] in said for explanation in explanations), "no word is cut in two"


def test_explain_leaves_standard_output_to_the_take(player: Path, tmp_path: Path) -> None:
    done = program(put(tmp_path / "a.mid"), "-o", "-", "--explain", "--model", player)
    assert midi.parse(done.stdout).parts
    assert b"  bar" in done.stderr


def test_help_names_all_styles(run: Run) -> None:
    from seq2drum.music.choices import STYLES

    help_text = " ".join(run("--help", model=None)[1].split())
    assert f"--style NAME {', '.join(STYLES)}, or auto" in help_text


def test_humanize_changes_the_drums_of_a_file_and_nothing_else(run: Run, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid", replace(with_drums(), parts=(*with_drums().parts, PIANO)))
    before = song.read_bytes()
    code, out, err = run(song, mode="humanize", model=None)
    assert (code, out, err) == (0, f"{tmp_path / 'a.human.mid'}\n", "")
    human = midi.read(tmp_path / "a.human.mid")
    (drums,) = [part for part in human.parts if part.is_drums]
    assert drums.pitch.tolist() == DRUMS.pitch.tolist()
    assert drums.onset.tolist() != DRUMS.onset.tolist()
    assert len(set(drums.velocity.tolist())) > 3
    assert [part for part in human.parts if not part.is_drums] == [*strummed().parts, PIANO]
    assert song.read_bytes() == before
    run(song, "-o", tmp_path / "b.mid", "--seed", 0, "--humanize", 1, mode="humanize", model=None)
    assert (tmp_path / "b.mid").read_bytes() == (tmp_path / "a.human.mid").read_bytes()
    run(song, "-o", tmp_path / "c.mid", "--humanize", 0, mode="humanize", model=None)
    (stiff,) = [part for part in midi.read(tmp_path / "c.mid").parts if part.is_drums]
    assert stiff.rows.tolist() == DRUMS.rows.tolist()


def test_humanize_leaves_each_hat_the_position_of_its_pedal(run: Run, tmp_path: Path) -> None:
    hats = Part.of([Note(at, 60, 42, 90) for at in range(0, 3840, 240)], name="Kit", is_drums=True)
    hats = replace(hats, pedal=np.array([[tick, tick % 100] for tick in range(0, 3840, 480)]))
    (tmp_path / "a.mid").write_bytes(midi.serialise(Song(480, (hats,), length=3840)))
    assert run(tmp_path / "a.mid", "-o", tmp_path / "b.mid", mode="humanize", model=None)[0] == 0
    (human,) = midi.read(tmp_path / "b.mid").parts
    assert human.pedal[:, 1].tolist() == hats.pedal[:, 1].tolist()
    positions = [
        part.pedal[np.searchsorted(part.pedal[:, 0], part.onset, side="right") - 1, 1].tolist()
        for part in (hats, human)
    ]
    assert positions[0] == positions[1]
    assert human.velocity.tolist() != hats.velocity.tolist()


def test_humanize_takes_seed_swing_and_style(run: Run, tmp_path: Path) -> None:
    offbeat = Part.of([Note(at, 60, 42, 90) for at in range(0, 7000, 240)], name="Kit", is_drums=True)
    song = put(tmp_path / "a.mid", replace(strummed(), parts=(*strummed().parts, offbeat)))
    made = set()
    for number, flags in enumerate(((), ("--seed", 1), ("--swing", 1), ("--style", "jazz"))):
        assert run(song, "-o", tmp_path / f"{number}.mid", *flags, mode="humanize", model=None)[0] == 0
        made.add((tmp_path / f"{number}.mid").read_bytes())
    assert len(made) == 4


def test_a_tab_with_drums_is_humanised_and_played_like(run: Run, tmp_path: Path) -> None:
    beats = [tabs.beat((1, 36)), tabs.beat((1, 42)), tabs.beat((2, 38)), tabs.beat((1, 42))] * 2
    drums = tabs.track([beats] * 4, name="Drums", isPercussionTrack=True)
    guitar = tabs.track([[tabs.beat((6, 3), length=2), tabs.beat((5, 2), length=2)]] * 4)
    (tmp_path / "song.gp5").write_bytes(tabs.written(tabs.song(guitar, drums)))
    assert run(tmp_path / "song.gp5", mode="humanize", model=None)[0] == 0
    stiff, human = open_song(tmp_path / "song.gp5").song, midi.read(tmp_path / "song.human.mid")
    assert [part.is_drums for part in human.parts] == [False, True]
    assert human.parts[0].rows.tolist() == stiff.parts[0].rows.tolist()
    assert human.parts[1].pitch.tolist() == stiff.parts[1].pitch.tolist()
    assert len(set(human.parts[1].velocity.tolist())) > 5
    song = put(tmp_path / "a.mid")
    assert run(song, "--like", tmp_path / "song.gp5", "-o", tmp_path / "like.mid")[0] == 0
    refused(run(song, "--like", put(tmp_path / "b.mid"), "-o", tmp_path / "c.mid"), "play like: there are no drums in")


def test_humanize_refuses_options_that_it_cannot_use(run: Run, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    refused(run(song, mode="humanize", model=None), "no drums in it", "channel 10")
    refused(run(mode="humanize", model=None), "--mode humanize wants a file")
    refused(run(song, "--humanize", 2, mode="humanize", model=None), "wanted 0 (stiff) to 1")
    refused(run(song, "--swing", -1, mode="humanize", model=None), "swing is -1")
    refused(run(song, "--style", "polka", mode="humanize", model=None), "'polka'")
    refused(run(song, "--prime", 1, mode="humanize", model=None), "does not take --prime", "--mode infer")
    drums = put(tmp_path / "d.mid", with_drums())
    refused(run(drums, "-o", drums, "--force", mode="humanize", model=None), "would be written over")
    (tmp_path / "e.human.mid").write_bytes(b"mine")
    put(tmp_path / "e.mid", with_drums())
    refused(run(tmp_path / "e.mid", mode="humanize", model=None), "exists already", "--force")
    assert (tmp_path / "e.human.mid").read_bytes() == b"mine"


def test_a_folder_is_humanised_and_earlier_results_are_skipped(run: Run, tmp_path: Path) -> None:
    for name in ("a.mid", "b.mid", "a.human.mid", "c.drums.mid", "c.drums.2.mid"):
        put(tmp_path / name, with_drums())
    code, out, _ = run(tmp_path, "-o", tmp_path / "out", mode="humanize", model=None)
    assert code == 0
    assert len(out.splitlines()) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.human.mid", "b.human.mid"]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_an_input_song_is_never_overwritten(run: Run, tmp_path: Path) -> None:
    a, b = put(tmp_path / "a.mid"), put(tmp_path / "a.drums.mid")
    (tmp_path / "link.mid").hardlink_to(a)
    before = a.read_bytes()
    refused(run(a, "-o", a, "--force"), "would be written over")
    refused(run(a, "-o", tmp_path / "link.mid", "--force"), "would be written over")
    (tmp_path / "link.musicxml").hardlink_to(a)
    refused(run(a, "-o", tmp_path / "x.mid", "--score", tmp_path / "link.musicxml", "--force"), "would be written over")
    code, _, err = run(a, b, "--force")
    assert code == 2
    assert "a.drums.mid is a song that was given" in err
    assert a.read_bytes() == before
    assert b.read_bytes() == before
    assert not (tmp_path / "x.mid").exists()


@pytest.mark.parametrize(
    ("flags", "phrases"),
    [
        (["--minutes", "3"], ["--minutes", "--mode adapt or train"]),
        (["--minut", "3"], ["--minutes", "--mode adapt or train"]),
        (["--rep=x.html"], ["does not take --report", "--mode eval"]),
        (["--resume"], ["--resume", "--mode train"]),
        (["--data", "x"], ["--data", "name the songs"]),
        (["--cache", "x"], ["--cache"]),
        (["--device", "cpu"], ["--device"]),
        (["--score", "-"], ["--score needs a separate file"]),
        (["--seed", "-1"], ["seed is -1", "0 or more"]),
        (["--seed", "x"], ["--seed", "'x'", "--help"]),
        (["--temperature", "3"], ["temperature is 3.0", "0", "2"]),
        (["--temperature", "nan"], ["temperature is nan"]),
        (["--top-p", "0.4"], ["top-p is 0.4", "0.5"]),
        (["--track", "Banjo"], ["--track 'Banjo'", "1 'Guitar'"]),
        (["--track", "2"], ["--track '2'", "1 'Guitar'"]),
        (["--style", "polka"], ["'polka'", "jazz"]),
        (["--intensity", "2"], ["intensity is 2.0", "0 to 1"]),
        (["--fills", "x"], ["--fills", "'x'", "--help"]),
        (["--bars", "x"], ["--bars", "9:16", "'x'"]),
        (["--bars", "1:"], ["--bars", "9:16"]),
        (["--bars", "4:2"], ["4:2", "counted from 1"]),
        (["--bars", "1:2"], ["no drums to keep"]),
        (["--prime", "1"], ["no drums to keep"]),
        (["--prime", "-1"], ["prime is -1"]),
        (["--takes", "0"], ["--takes is 0", "1 to"]),
        (["--takes", "2", "-o", "-"], ["standard output", "-o FILE"]),
        (["--drum-map", "nobody"], ["'nobody'", "gm"]),
        (["--nonsense"], ["--nonsense", "--help"]),
    ],
)
def test_an_invalid_option_is_reported_in_one_line(
    run: Run, tmp_path: Path, flags: list[str], phrases: list[str]
) -> None:
    refused(run(put(tmp_path / "a.mid"), *flags), *phrases)
    assert not (tmp_path / "a.drums.mid").exists()


@pytest.mark.parametrize("mode", ["train", "prepare"])
@pytest.mark.parametrize(
    ("flags", "phrase"),
    [(["a.mid"], "a song"), (["--temperature", "0"], "--temperature"), (["--with-guitar"], "--with-guitar")],
)
def test_train_and_prepare_refuse_options_of_infer(run: Run, mode: str, flags: list[str], phrase: str) -> None:
    refused(run(*flags, mode=mode, model=None), f"--mode {mode} does not take {phrase}", "--mode infer")


@pytest.mark.parametrize(
    ("flags", "phrase"),
    [
        (["--model", "lstm"], "does not take --model"),
        (["--seed", "3"], "does not take --seed"),
        (["--device", "cpu"], "does not take --device"),
        (["--workers", "0"], "--workers is 0, wanted 1 or more"),
    ],
)
def test_prepare_refuses_options_of_train_and_zero_workers(run: Run, flags: list[str], phrase: str) -> None:
    refused(run("--data", ".", *flags, mode="prepare", model=None), phrase)


@pytest.mark.parametrize(
    ("flags", "phrase"),
    [
        (["--minutes", "nan"], "--minutes is nan"),
        (["--rate", "inf"], "--rate is inf"),
        (["--epochs", "0"], "--epochs is 0"),
        (["--threads", "-1"], "--threads is -1, wanted 0 or more"),
        (["--size", "hidden=nan"], "hidden=nan"),
        (["--seed", "-1"], "the seed is -1, wanted 0 or more"),
        (["--seed", str(1 << 64)], "less than 2^64"),
    ],
)
def test_train_refuses_invalid_numbers(run: Run, flags: list[str], phrase: str) -> None:
    pytest.importorskip("torch")
    refused(run(*flags, mode="train", model=None), phrase)


def test_a_run_that_cannot_begin_is_refused_before_any_song_is_read(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "run" / "last").mkdir(parents=True)
    data = ("--data", tmp_path / "no songs here")
    refused(run(*data, "--out", tmp_path / "run", mode="train", model=None), "holds a run already")
    refused(run(*data, "--out", tmp_path / "new", "--resume", mode="train", model=None), "no run to resume")
    refused(run(*data, "--out", tmp_path / ("x" * 300), mode="train", model=None), "cannot be kept in")


def test_a_file_in_a_folder_that_may_not_be_looked_into_is_reported_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exists = Path.exists

    def locked(path: Path, **options: bool) -> bool:
        if path.parent.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path, **options)

    monkeypatch.setattr(Path, "exists", locked)
    flags = ("--data", tmp_path, "--cache", "locked/songs.s2d", "--out", tmp_path / "run")
    refused(run(*flags, mode="train", model=None), "locked/songs.s2d cannot be used (Permission denied)")


def test_a_cache_that_cannot_be_written_is_refused_before_any_song_is_read(run: Run, tmp_path: Path) -> None:
    put(tmp_path / "a.mid")
    cache = tmp_path / "a.mid" / "x.s2d"
    refused(run("--data", tmp_path, "--cache", cache, mode="prepare", model=None), "cannot be written", "--cache")


@pytest.mark.parametrize(
    ("words", "phrases"),
    [
        (["--force"], ["say what to do: seq2drum alone opens the page, seq2drum --mode demo", "--help"]),
        (["infr", "song.mid"], ["no mode and no song 'infr'; did you mean infer?"]),
        (["beats", "--bpm", "90"], ["no mode and no song 'beats'; did you mean generate?"]),
        (["infer", "none.mid"], ["none.mid does not exist"]),
        (["infer", "--mode", "show", "none.mid"], ["none.mid does not exist"]),
        (["infer"], ["--mode infer wants songs"]),
        (["show", "song.mid", "--seed", "1"], ["--mode show does not take --seed"]),
        (["--mode"], ["--mode wants one of demo, infer", "--help"]),
        (["--mode", "--seed", "3"], ["--mode wants one of demo, infer"]),
        (["--mode=", "song.mid"], ["--mode wants one of demo, infer"]),
        (["--mode", "dance"], ["there is no --mode 'dance'", "demo, infer"]),
        (["--mode", "infr"], ["there is no --mode 'infr'; did you mean infer?"]),
        (["--mod", "infer", "song.mid"], ["whole names", "--mode infer"]),
    ],
)
def test_a_missing_or_unknown_mode_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], phrases: list[str]
) -> None:
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    for phrase in phrases:
        assert phrase in err


def test_each_kind_of_bad_song_has_a_message_of_its_own(run: Run, tmp_path: Path) -> None:
    cases: dict[str, tuple[Song | bytes, str]] = {
        "empty.mid": (b"", "not a MIDI file"),
        "text.mid": (b"<html>" * 50, "not a MIDI file"),
        "cut.mid": (midi.serialise(strummed())[:200], "cut off or damaged"),
        "silent.mid": (Song(480, (), strummed().tempos, (), 4000), "no notes"),
        "drums.mid": (Song(480, (DRUMS,), length=8000), "all notes are drums"),
        "pianos.mid": (Song(480, (PIANO, replace(PIANO, name="Organ")), length=8000), "--track N or NAME"),
        "large.mid": (midi.serialise(strummed()) + bytes(1 << 20), "1048576"),
    }
    messages = set()
    for name, (content, words) in cases.items():
        path = tmp_path / name
        data = content if isinstance(content, bytes) else midi.serialise(content)
        path.write_bytes(data)
        messages.add(refused(run(path), name, words).split(name)[1])
        assert path.read_bytes() == data
    messages.add(refused(run(tmp_path / "none.mid"), "none.mid does not exist"))
    messages.add(refused(run("x" * 300 + ".mid"), "File name too long"))
    assert len(messages) == len(cases) + 2
    assert not list(tmp_path.glob("*.drums.mid"))


def test_a_folder_without_music_is_reported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x")
    refused(run(tmp_path), "there is no song in the folder", str(tmp_path), "MIDI files, tabs, scores or recordings")


def test_an_empty_name_is_refused_and_no_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = put(tmp_path / "a.mid")
    monkeypatch.chdir(tmp_path)
    refused(run(""), "the name of a song is empty")
    refused(run("", song), "the name of a song is empty")
    assert list(tmp_path.iterdir()) == [song]


def test_outputs_that_cannot_be_written_are_reported_and_leave_no_file(run: Run, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    refused(run(song, "-o", tmp_path / "no" / "b.mid"), "does not exist", "make it first")
    refused(run(song, "-o", tmp_path / ("x" * 300)), "File name too long")
    refused(run(song, "-o", os.devnull, "--force"), "is a device")
    refused(run(song, song, "-o", tmp_path / "out"), "would both become")
    other = put(tmp_path / "b.mid")
    refused(run(song, other, "-o", song), "is a file", "folder")
    refused(run(song, other, "-o", song / "x"), "cannot be made")
    refused(run(song, other, "-o", "-"), "standard output", "-o DIR")
    refused(run(song, other, "--score", tmp_path / "s.musicxml"), "--score names one file", "2 songs")
    refused(run(song, "--score", tmp_path / "s.svg", "--picture", tmp_path / "s.svg"), "needs a separate file")
    refused(run(), "wants songs")
    left = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert left == ["a.mid", "b.mid"]
    assert Path(os.devnull).is_char_device()


def test_songs_that_differ_in_their_suffix_alone_get_drums_named_apart_the_same_every_time(
    run: Run, tmp_path: Path
) -> None:
    for name in ("a.mid", "a.midi", "a.mid.kar", "b.mid"):
        put(tmp_path / name)
    wanted = ["a.mid.drums.mid", "a.mid.kar.drums.mid", "a.midi.drums.mid", "b.drums.mid"]
    for words in ((tmp_path,), (tmp_path, "--force"), (tmp_path, "-o", tmp_path / "new")):
        code, out, _ = run(*words)
        assert code == 0
        folder = tmp_path / "new" if "-o" in words else tmp_path
        assert [line.partition(":")[0] for line in out.splitlines()] == [str(folder / name) for name in wanted]
    shown = run(tmp_path / "a.midi.drums.mid", "-o", tmp_path / "a.txt", mode="show", model=None)
    assert f"the guitar is that of {tmp_path / 'a.midi'}\n" in shown[2]


def test_songs_of_one_name_in_two_folders_do_not_go_to_one_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    songs = put(tmp_path / "a.mid"), put(tmp_path / "other" / "a.mid")
    refused(run(*songs, "-o", tmp_path / "out", "--force"), "would both become", "a.mid.drums.mid")
    assert not list((tmp_path / "out").iterdir())


def test_a_missing_or_damaged_model_is_reported(run: Run, player: Path, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    refused(run(song, model="nobody"), "no model 'nobody'", "wanted one of", "--mode train")
    refused(run(song, model="x" * 5000), "no model")
    for name in ("config.json", "weights.safetensors", "bar.onnx"):
        for damage in ("cut", "gone", "swapped"):
            folder = tmp_path / f"{name}-{damage}"
            folder.mkdir()
            for path in player.iterdir():
                (folder / path.name).write_bytes(path.read_bytes())
            if damage == "cut":
                (folder / name).write_bytes((player / name).read_bytes()[:100])
            elif damage == "swapped":
                (folder / name).write_bytes((player / "feel.onnx").read_bytes())
            else:
                (folder / name).unlink()
            words = "no model" if (name, damage) == ("config.json", "gone") else name.split(".")[0]
            refused(run(song, model=folder), words, str(folder))
    assert not (tmp_path / "a.drums.mid").exists()


@pytest.mark.parametrize("what", ["input", "operator"])
def test_a_graph_with_an_unreadable_name_is_reported_and_nothing_goes_to_standard_output(
    run: Run, player: Path, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in player.iterdir():
        data = path.read_bytes()
        if path.name == "decode_bar.onnx":
            inputs = onnxruntime.InferenceSession(str(path)).get_inputs()
            name = inputs[0].name.encode() if what == "input" else b"MatMul"
            assert name in data
            data = data.replace(name, b"\xff" * len(name))
        if path.name != "SHA256SUMS":
            (folder / path.name).write_bytes(data)
    refused(run(put(tmp_path / "a.mid"), "-o", "-", model=folder), "decode_bar.onnx", "cannot be used")


@pytest.mark.parametrize("text", ["3", "null", "[]", '"kind"'])
def test_a_config_that_is_no_object_is_reported(run: Run, player: Path, tmp_path: Path, text: str) -> None:
    for path in player.iterdir():
        if path.name != "SHA256SUMS":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "config.json").write_text(text)
    refused(run(put(tmp_path / "a.mid"), model=tmp_path), "config.json holds no object")


def test_an_empty_name_of_a_model_is_the_default_model(run: Run, tmp_path: Path) -> None:
    code, _, err = run(put(tmp_path / "a.mid"), "--model", "", model=None)
    assert (code, err) == (0, "")


def test_a_full_disk_leaves_the_earlier_file_unchanged(player: Path, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    old = tmp_path / "a.drums.mid"
    old.write_bytes(b"mine")

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    # A limit on the size of files stands for a full disk; Python ignores its signal and raises OSError.
    done = program(song, "--force", "--model", player, preexec_fn=no_room)
    assert done.returncode == 2
    assert done.stderr.startswith(b"seq2drum: ")
    assert b"could not be written" in done.stderr
    assert b"untouched" in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert old.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.drums.mid", "a.mid"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_reported_in_one_line(player: Path, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    for output in ("-", tmp_path / "b.mid"):
        words = [sys.executable, str(ROOT / "main.py"), "--mode", "infer", str(song), "-o", str(output)]
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*words, "--model", str(player)], stdout=full, stderr=subprocess.PIPE, timeout=120, check=False
            )
        assert done.returncode == 2
        assert done.stderr == b"seq2drum: standard output cannot be written (No space left on device)\n"


def test_a_closed_pipe_ends_the_program_without_a_message(player: Path, tmp_path: Path) -> None:
    song = put(tmp_path / "a.mid")
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, str(ROOT / "main.py"), "--mode", "infer", str(song), "-o", "-", "--model", str(player)]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, timeout=120, check=False)
    os.close(writing)
    assert done.returncode == 2
    assert done.stderr == b""


_ENDING = """
import atexit, sys, threading, time
from seq2drum import cli

class Kept:
    def __del__(self):
        print("freed")

def late():
    time.sleep(0.2)
    print("thread")

kept = Kept()
cli.main = lambda: 2
atexit.register(print, "registered before")
code = cli.program()
threading.Thread(target=late).start()
print("printed")
sys.exit(code)
"""


def test_the_program_ends_with_its_code_after_threads_and_exit_functions_without_freeing_objects() -> None:
    done = subprocess.run([sys.executable, "-c", _ENDING], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.splitlines() == ["printed", "thread", "registered before"]


def test_the_program_ends_as_python_does_if_something_else_waits_for_its_end_after_it() -> None:
    script = _ENDING.replace("sys.exit(code)", "atexit.register(print, 'registered after')\nsys.exit(code)")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.splitlines() == ["printed", "thread", "registered after", "registered before", "freed"]


_THREADS_OF_BLAS = """
import os, sys
from seq2drum import cli
cli.main = lambda: print("numpy" in sys.modules, os.environ.get("OPENBLAS_NUM_THREADS")) or 0
cli.program()
"""


@pytest.mark.parametrize(
    ("words", "given", "printed"),
    [
        (["song.mid"], None, "False 1"),
        (["--mode", "jam"], None, "False 1"),
        (["--mode", "train"], None, "False None"),
        (["--mode=eval"], None, "False None"),
        (["song.mid"], "3", "False 3"),
    ],
)
def test_the_program_plays_with_one_thread_of_blas_unless_told_and_learns_with_all(
    words: list[str], given: str | None, printed: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if given:
        environment["OPENBLAS_NUM_THREADS"] = given
    command = [sys.executable, "-c", _THREADS_OF_BLAS, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert (done.stdout, done.stderr) == (printed + "\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_what_cannot_be_written_at_the_end_of_the_program_is_told_by_python() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-E", "-c", _ENDING], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False
        )
    assert done.returncode == 120
    assert b"No space left on device" in done.stderr


def test_standard_input_is_checked_like_a_file(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for data, words in ((b"", "not a MIDI file"), (bytes((1 << 20) + 1), "1048576")):
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(data)))
        refused(run("-", "-o", tmp_path / "x.mid"), "standard input", words)


@pytest.mark.parametrize("elsewhere", [True, False], ids=["standard output to a file", "all to a terminal"])
def test_the_progress_bar_writes_nothing_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, elsewhere: bool
) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(terminal, "PATIENCE", 0.0)
    screen = Terminal()
    out = StringIO() if elsewhere else screen
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", out)
    with terminal.bar(2, "songs") as advance:
        deadline = time.monotonic() + 20
        while "songs" not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
        advance(1, "one")
        sys.stdout.write("a line of JSON\n")
    assert "songs" in screen.getvalue()
    assert out.getvalue().count("a line of JSON\n") == 1
    assert ("a line of JSON" in screen.getvalue()) is not elsewhere
    assert sys.stdout is out


def test_ctrl_c_stops_with_one_line_and_exit_code_130(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(infer, "read_given", stopped)
    assert run(put(tmp_path / "a.mid")) == (130, "", "seq2drum: stopped\n")


def test_main_py_the_module_and_the_installed_command_are_the_same_program(tmp_path: Path) -> None:
    versions = set()
    for start in ([str(ROOT / "main.py")], ["-m", "seq2drum"]):
        done = subprocess.run(
            [sys.executable, *start, "--version"], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
        )
        versions.add(done.stdout)
    assert len(versions) == 1
    assert versions.pop().startswith("seq2drum ")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'seq2drum = "seq2drum.cli:program"' in project


def test_help_does_not_import_numpy() -> None:
    script = (
        "import sys, seq2drum.cli\n"
        "for words in ([], *(['--mode', mode] for mode in seq2drum.cli.MODES)):\n"
        "    try:\n        seq2drum.cli.main([*words, '--help'])\n    except SystemExit:\n        pass\n"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
    for flag in ("--seed", "--temperature", "--top-p", "--track", "--with-guitar", "--score", "--force", "--json"):
        assert flag in done.stdout
