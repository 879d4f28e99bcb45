"""The rules of style: music that was written in a style keeps them, drums of another style do not."""

from pathlib import Path

import numpy as np
import pytest

from bench.idiom import Piece, judge, others, pieces_of, summary, written
from bench.style_rules import STYLES, Seen, ending, style_of
from seq2drum.formats.midi import midi
from seq2drum.music import theory
from seq2drum.music.notes import Part, Song

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


def seen(name: str, hits: dict[float, tuple[int, ...]], *more: tuple[int, int, int, int]) -> Seen:
    song = midi.read(EXAMPLES / f"{name}.mid")
    rows = np.concatenate([loop(song, hits).rows, np.array(more).reshape(-1, 4)])
    return Seen.of(Part.of(rows, is_drums=True), song, theory.guitar_parts(song).parts)


BACKBEAT = {
    eighth / 2: (HAT, *((KICK, SNARE)[eighth % 4 // 2 :][:1] if eighth % 2 == 0 else ())) for eighth in range(8)
}


def test_drums_that_were_written_in_a_style_keep_its_rules():
    pieces = pieces_of(EXAMPLES / "training")
    found = {piece.name: [written(piece)] for piece in pieces}
    assert len(pieces) == 22
    assert summary(found)["worst piece"] > 0.9


def test_a_rock_beat_is_a_rock_beat_and_no_bossa():
    rock, bossa = (judge(style, 0, seen("bossa_nova", BACKBEAT)).rules for style in ("rock", "bossa"))
    assert rock["backbeat or half time"] == rock["eighths or quarters"] == 1
    assert bossa["no backbeat"] == 0


def test_claps_are_no_part_of_a_swing():
    swing = {0: (51,), 1: (51, CLAP), 5 / 3: (51,), 2: (51,), 3: (51, CLAP), 11 / 3: (51,)}
    rules = judge("swing", 0, seen("jazz_swing", swing)).rules
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
    assert style_of(name) == style
    assert style in STYLES


def test_the_other_pieces_have_a_guitar_a_style_and_a_last_chord() -> None:
    pieces = others()
    assert len(pieces) == 16 and len({piece.name for piece in pieces}) == 16
    for piece in pieces:
        assert theory.guitar_parts(piece.song).parts == (0,)
        assert len(piece.song.bars()) == 32
        assert piece.song.bars()[-1].start in piece.song.parts[0].onset


def test_a_piece_without_a_style_in_its_name_is_left_out_and_named(tmp_path, capsys):
    for name in ("funk", "nameless"):
        (tmp_path / f"{name}.mid").write_bytes((EXAMPLES / "funk.mid").read_bytes())
    assert [type(piece) for piece in pieces_of(tmp_path)] == [Piece]
    assert "nameless.mid: its name says no style" in capsys.readouterr().err
