"""The rules of style and of wishes: music that was written in a style keeps them, drums of another style do not."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum.cli import main
from seq2drum.evaluate import report
from seq2drum.evaluate.evaluation import Estimate, Evaluation
from seq2drum.evaluate.idiom import judge, judge_part, piece_of, summary
from seq2drum.evaluate.wishes import CONTROLS, Leaning
from seq2drum.formats.midi import midi
from seq2drum.judge.styles import RULES, SIGNS, TakeGrid, ending, obeys, style_named
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import Grid, decode
from seq2drum.music import theory
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song
from seq2drum.play.grooves.book import Book
from tests.conftest import run_script
from tests.players import strummed

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
    worst: Any = summary(found)["worst piece"]
    assert worst > 0.9


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


def figures(tmp_path, capsys, *words: str) -> tuple[dict[str, dict[str, dict[str, Estimate]]], str]:
    """(estimates of each measure by row and column, as the JSON report has them; what is printed)."""
    path = tmp_path / "figures.json"
    code, printed, _ = measured(capsys, *words, "--json", str(path), "--force")
    assert code == 0
    read = Evaluation.from_json(path.read_text())
    assert read.as_json() == path.read_text() and report.as_text(read) == printed.rstrip("\n")
    for measure in read.measures:
        names = [column.name for column in measure.columns]
        assert all(set(row.figures) <= set(names) for row in measure.rows)
    return {measure.name: {row.name: row.figures for row in measure.rows} for measure in read.measures}, printed


def test_rules_are_measured_of_takes_and_of_the_drums_of_the_files(tmp_path, capsys):
    songs = tmp_path / "songs"
    songs.mkdir()
    for name, source in (("funk", "training/funk_1"), ("rock", "training/rock_riff_1"), ("nameless", "funk")):
        (songs / f"{name}.mid").write_bytes((EXAMPLES / f"{source}.mid").read_bytes())
    words = "rules", "--data", str(songs), "--takes", "2"
    found, printed = figures(tmp_path, capsys, *words)
    takes, own = found["Rules, takes"], found["Rules, drums of the files"]
    mean, worst, *each = (takes["funk"][name].value for name in ("mean", "worst", "take 1", "take 2"))
    assert mean == pytest.approx(np.mean(each)) and worst == min(each) and 0 < worst <= 1
    assert own["funk: backbeat"]["mean"].value == 1
    overall = found["All pieces"]["takes"]["mean"]
    assert overall.value == pytest.approx(np.mean([takes[name]["mean"].value for name in ("funk", "rock")]))
    assert overall.low <= overall.value <= overall.high
    assert re.search(r"^funk: backbeat +[01]\.\d{3}", printed, re.MULTILINE)
    assert "nameless is left out: its name says no style" in measured(capsys, *words)[2]


def test_a_jam_is_measured_beside_a_take(tmp_path, capsys):
    found, _ = figures(tmp_path, capsys, "jam", "--data", str(EXAMPLES / "training" / "waltz_1.mid"), "--takes", "1")
    rows = found["Jams"]
    assert list(rows) == ["waltz_1: jam", "waltz_1: take", "mean: jam", "mean: take", "own drums"]
    assert 0 < rows["waltz_1: jam"]["F1"].value < 1 and rows["own drums"]["F1"] == Estimate(1.0)
    assert rows["mean: jam"] == rows["waltz_1: jam"] and rows["waltz_1: jam"]["ends with the guitar"].value == 1


def test_a_measure_is_played_with_the_options_that_are_asked_for(capsys):
    words = "rules", "--data", str(EXAMPLES / "funk.mid"), "--takes", "1"
    plain, asked = (
        measured(capsys, *words, *more)[1].split("\nsongs")[0].partition("command")[0]
        for more in ((), ("--playing", "--style jazz --fills 1"))
    )
    assert plain != asked


def test_a_measure_is_written_as_a_page_too(tmp_path, capsys):
    words = "rules", "--data", str(EXAMPLES / "funk.mid"), "--takes", "1", "--report"
    for name in ("a.md", "a.html"):
        assert measured(capsys, *words, str(tmp_path / name))[0] == 0
    assert "## Rules, takes" in (tmp_path / "a.md").read_text()
    assert re.search(r"^\| funk \| [01]\.\d{3} \|", (tmp_path / "a.md").read_text(), re.MULTILINE)
    page = (tmp_path / "a.html").read_text()
    assert "<details open><summary>Rules, takes</summary>" in page and "Side by side" not in page


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["rules", "--data", str(EXAMPLES / "funk.mid"), "--takes", "0"], "--takes of 1 or more"),
        (["rules", "--data", str(EXAMPLES / "funk.mid"), "--listen", "a"], "does not take --listen"),
        (["rules", "--data", str(EXAMPLES / "funk.mid"), "--json", "a.txt"], "wanted one that ends in .json"),
        (["metres", "--cache", "songs.s2d", "--playing", "--style jazz"], "leave out --playing"),
        (["controls", "--cache", "songs.s2d"], "--measure controls wants --data"),
        (["jam", "--data", str(EXAMPLES / "funk.mid")], "none of these has drums"),
    ],
)
def test_a_measure_that_makes_no_sense_is_refused(capsys, words, phrase):
    code, _, said = measured(capsys, *words)
    assert code != 0 and phrase in said


def test_accents_are_measured_by_metre(tmp_path, capsys):
    some = "--data", str(EXAMPLES / "training"), "--split", "all", "--metre", "7/8", "--songs", "2"
    found, printed = figures(tmp_path, capsys, "metres", *some)
    rows = found["By metre"]
    assert list(rows) == [f"7/8: {player}" for player in ("real drums", "most likely", "sampled")]
    for row in rows.values():
        assert row["heads"].value > 0.3 and row["again"].value > 0.3
        assert row["heads"].low <= row["heads"].value <= row["heads"].high
    assert re.search(r"^7/8: sampled +2 +\d+ +0\.\d{3} ±", printed, re.MULTILINE)


def test_styles_and_levels_are_measured_on_songs_with_drums(tmp_path, capsys):
    some = "--data", str(EXAMPLES / "training"), "--split", "all", "--metre", "4/4", "--songs", "1", "--bars", "4"
    styles = figures(tmp_path, capsys, "styles", *some)[0]["Styles"]
    assert list(styles) == [*STYLES, "mean", "worst"]
    assert sum(styles[name]["songs with such drums"].value for name in STYLES) == 1
    assert styles["worst"]["obeyed"].value == min(styles[name]["obeyed"].value for name in STYLES)
    levels = figures(tmp_path, capsys, "levels", *some)[0]["Levels"]
    assert list(levels) == ["intensity: loudness", "intensity: hits", "complexity: leaning hits"]
    assert levels["intensity: loudness"]["at 0"].value < levels["intensity: loudness"]["at 1"].value


def test_controls_are_measured_by_what_they_move(tmp_path, capsys):
    words = "controls", "--data", str(EXAMPLES / "funk.mid"), "--takes", "1", "--bars", "4"
    found, _ = figures(tmp_path, capsys, *words)
    assert list(found["Controls"]) == list(found["Moved"]) == list(CONTROLS)
    assert found["Controls"]["humanize"]["Spearman"].value > 0.8
    assert all(found["Moved"][name][name].value == pytest.approx(1) for name in ("intensity", "humanize"))


# --- the rules that tell whether a wish is heard ----------------------------------------------------------------------


BARS = 8


def noticed(name: str, *, gain: float = 1.0) -> TakeGrid:
    """A groove of the book, over and over."""
    song, groove = strummed(BARS), Book.load()[name]
    lattice = lattice_of(song)
    grid = Grid.join(groove.bar(bar).shift(lattice.first[bar]) for bar in range(BARS))
    loud = np.maximum(grid.velocity * gain, 1).astype(np.int64)
    return TakeGrid.of(decode(grid._replace(velocity=loud), lattice, FULL), song, [0])


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("jazz", "swing-ride"),
        ("latin", "bossa-side-stick"),
        ("reggae", "one-drop"),
        ("shuffle", "shuffle-hat"),
        ("funk", "funk-hat"),
        ("dance", "pop-four-on-the-floor"),
        ("rock", "rock-hat"),
    ],
)
def test_what_every_drummer_knows_of_a_style_obeys_it(style: str, name: str) -> None:
    assert obeys(style, noticed(name))


def test_a_rock_beat_is_rock_and_pop_and_nothing_else() -> None:
    assert {style for style in STYLES if obeys(style, noticed("rock-hat"))} == {"rock", "pop"}
    assert {style for style in STYLES if obeys(style, noticed("swing-ride"))} == {"jazz"}


def test_every_style_has_signs() -> None:
    assert set(SIGNS) == set(STYLES)


def test_a_kick_before_the_beat_leans_if_the_kick_leaves_out_the_beat() -> None:
    assert Leaning.of(noticed("rock-hat-plain")).leaning_hits == 0
    assert Leaning.of(noticed("funk-hat")).leaning_hits > Leaning.of(noticed("rock-hat")).leaning_hits > 0


def test_louder_drums_are_counted_louder_and_nothing_else() -> None:
    soft, loud = Leaning.of(noticed("rock-hat", gain=0.8)), Leaning.of(noticed("rock-hat"))
    assert 0.8 * loud[0] == pytest.approx(soft[0], rel=0.05)
    assert loud[1:] == soft[1:]
