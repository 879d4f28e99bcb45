"""The rules of style: music that was written in a style keeps them, drums of another style do not."""

import re
from pathlib import Path

import numpy as np
import pytest

from seq2drum.cli import main
from seq2drum.evaluate.idiom import judge, judge_part, piece_of, summary
from seq2drum.formats.midi import midi
from seq2drum.judge.styles import RULES, TakeGrid, ending, style_named
from seq2drum.music import theory
from seq2drum.music.choices import STYLES
from seq2drum.music.notes import Part, Song
from tests.conftest import run_script

EXAMPLES = Path(__file__).parents[2] / "examples"
KICK, SNARE, HAT, CLAP = 36, 38, 42, 39


def loop(song: Song, hits: dict[float, tuple[int, ...]], *, quarters: int = 4) -> Part:
    """A bar of hits, by their places in quarters, in all bars but the last: kick and crash on the one."""
    bar = quarters * song.ticks_per_quarter
    rows = [
        (start + round(place * song.ticks_per_quarter), 60, note, 90)
        for start in range(0, song.end - bar, bar)
        for place, notes in hits.items()
        for note in notes
    ]
    last = (song.end - 1) // bar * bar
    rows += [(last, 60, note, 110) for note in (KICK, 49)]
    return Part.of(np.array(sorted(rows)), is_drums=True)


def seen(name: str, hits: dict[float, tuple[int, ...]], *more: tuple[int, int, int, int]) -> TakeGrid:
    song = midi.read(EXAMPLES / f"{name}.mid")
    rows = np.concatenate([loop(song, hits).rows, np.array(more).reshape(-1, 4)])
    return TakeGrid.of(Part.of(rows, is_drums=True), song, theory.guitar_parts(song).parts)


BACKBEAT = {
    eighth / 2: (HAT, *((KICK, SNARE)[eighth % 4 // 2 :][:1] if eighth % 2 == 0 else ())) for eighth in range(8)
}


def test_drums_that_were_written_in_a_style_keep_its_rules():
    pieces = [piece_of(path.stem, midi.read(path)) for path in sorted((EXAMPLES / "training").glob("*.mid"))]
    found = {piece.title: [judge_part(piece, piece.drums)] for piece in pieces}
    assert len(found) == 22
    assert summary(found)["worst piece"] > 0.9


def test_a_rock_beat_is_a_rock_beat_and_no_bossa():
    rock, bossa = (judge(style, seen("bossa_nova", BACKBEAT)).rules for style in ("rock", "bossa"))
    assert rock["backbeat or half time"] == rock["eighths or quarters"] == 1
    assert bossa["no backbeat"] == 0


def test_claps_are_no_part_of_a_swing():
    swing = {0: (51,), 1: (51, CLAP), 5 / 3: (51,), 2: (51,), 3: (51, CLAP), 11 / 3: (51,)}
    rules = judge("swing", seen("jazz_swing", swing)).rules
    assert (rules["ride with skip note"], rules["no hand percussion"]) == (1, 0)


def test_hats_that_go_on_under_the_last_chord_are_no_ending():
    song = midi.read(EXAMPLES / "rock_riff.mid")
    last = song.end - 2 * song.ticks_per_quarter
    assert ending(seen("rock_riff", BACKBEAT)) == 1
    assert ending(seen("rock_riff", BACKBEAT, (last, 60, HAT, 80))) == 0


@pytest.mark.parametrize(
    ("name", "style"), [("my-bossa nova 3", "bossa"), ("blues_shuffle", "shuffle"), ("one_drop", "reggae")]
)
def test_the_name_of_a_piece_says_its_style(name, style):
    assert style_named(name) == style
    assert style in RULES


def test_the_other_pieces_have_a_guitar_a_style_and_a_last_chord(tmp_path) -> None:
    run_script(EXAMPLES / "other_pieces.py")["main"](tmp_path)
    pieces = [piece_of(path.stem, midi.read(path)) for path in tmp_path.glob("*.mid")]
    assert len({piece.title for piece in pieces}) == 16
    for piece in pieces:
        assert piece.guitar == (0,) and piece.drums is None
        assert len(piece.song.bars()) == 32
        assert piece.song.bars()[-1].start in piece.song.parts[0].onset


def measured(capsys, *words: str) -> tuple[int, str, str]:
    code = main(["--mode", "eval", "--measure", *words])
    return (code, *capsys.readouterr())


def test_rules_are_measured_of_takes_and_of_the_drums_of_the_files(tmp_path, capsys):
    for name, source in (("funk", "training/funk_1"), ("nameless", "funk")):
        (tmp_path / f"{name}.mid").write_bytes((EXAMPLES / f"{source}.mid").read_bytes())
    code, printed, said = measured(capsys, "rules", "--data", str(tmp_path), "--takes", "2")
    assert code == 0
    assert "nameless is left out: its name says no style" in said
    takes, own = printed.split("The drums of the files:")
    assert re.search(
        r"^\| \*\*funk\*\* \| [01]\.\d{3} \| [01]\.\d{3} \| [01]\.\d\d, [01]\.\d\d \|$", takes, re.MULTILINE
    )
    assert "| backbeat | 1.000 |" in own


def test_a_jam_is_measured_beside_a_take(tmp_path, capsys):
    code, printed, _ = measured(capsys, "jam", "--data", str(EXAMPLES / "training" / "waltz_1.mid"), "--takes", "1")
    assert code == 0
    assert re.search(r"^\| waltz_1 \| 0\.\d\d, 0\.\d\d \|", printed, re.MULTILINE)
    assert "| own drums | 1.00 |" in printed and "1 of 1 jams end with the guitar." in printed


def test_a_measure_is_played_with_the_options_that_are_asked_for(capsys):
    words = "rules", "--data", str(EXAMPLES / "funk.mid"), "--takes", "1"
    plain, asked = (measured(capsys, *words, *more)[1] for more in ((), ("--playing", "--intensity 1 --fills 1")))
    assert plain != asked


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["rules", "--data", str(EXAMPLES / "funk.mid"), "--takes", "0"], "--takes of 1 or more"),
        (["rules", "--data", str(EXAMPLES / "funk.mid"), "--json", "a.json"], "has no use for --json"),
        (["metres", "--cache", "songs.s2d", "--playing", "--style jazz"], "leave out --playing"),
        (["controls", "--cache", "songs.s2d"], "--measure controls wants --data"),
    ],
)
def test_a_measure_that_makes_no_sense_is_refused(capsys, words, phrase):
    code, _, said = measured(capsys, *words)
    assert code != 0 and phrase in said


def test_accents_are_measured_by_metre(capsys):
    some = "--data", str(EXAMPLES / "training"), "--split", "all", "--metre", "7/8", "--songs", "1"
    code, printed, _ = measured(capsys, "metres", *some)
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines()[2:]]
    assert code == 0 and [row[:1] + row[3:4] for row in rows] == [
        ["7/8", player] for player in ("real drums", "most likely", "sampled")
    ]
    assert all(int(heads.rstrip("%")) > 30 and float(again) > 0.3 for *_, heads, again in rows)


def test_styles_and_levels_are_measured_on_songs_with_drums(capsys):
    some = "--data", str(EXAMPLES / "training"), "--split", "all", "--metre", "4/4", "--songs", "1", "--bars", "4"
    code, printed, _ = measured(capsys, "styles", *some)
    assert code == 0
    assert [line.split(" | ")[0].lstrip("| ") for line in printed.splitlines()[2:-2]] == list(STYLES)
    code, printed, _ = measured(capsys, "levels", *some)
    assert code == 0 and printed.splitlines()[-1].startswith("| complexity | leaning hits | ")
