"""One take in many outputs: the picture, the characters, the words and the files tell of the same hits and bars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seq2drum import cli
from seq2drum.formats.midi import midi
from seq2drum.music import duet
from seq2drum.music.duet import Duet
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Note, Part, Song
from seq2drum.play.drummer import Drummer
from seq2drum.play.take import Take
from seq2drum.show import chart, console, draw
from tests.conftest import ROOT, corpus_files

EXAMPLES = ROOT / "examples"
SONGS = ("funk", "seven_eight", "blues_shuffle")


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def marks(piece: Duet) -> NDArray[np.float64]:
    """(hits, 2): where the marks of hits lie on a sheet of one line, in inches."""
    shown = chart.of(piece)
    figure = draw._canvas(shown, "", len(shown.measures)).figure
    marked = [each.get_offsets() for each in figure.axes[0].collections if each.get_zorder() == 4]
    return np.concatenate([np.asarray(offsets, dtype=np.float64) for offsets in marked] or [np.zeros((0, 2))])


@pytest.mark.parametrize("name", SONGS)
def test_each_hit_is_one_mark_at_its_time_and_in_its_row_and_there_is_no_other(name: str) -> None:
    piece = duet.of_songs([midi.read(EXAMPLES / "training" / f"{name}_1.mid")])
    drums = piece.drums
    here = marks(piece)
    assert len(here) == len(drums) > 100
    left, right = draw._LEFT, draw._LEFT + draw._ACROSS
    ticks = np.rint((here[:, 0] - left) / (right - left) * piece.song.bars()[-1].end).astype(int)
    voices = FULL.voice_of[drums.pitch]
    # Which height is which piece is not known, but it is the same for all of its hits.
    drawn = [sorted(ticks[here[:, 1] == height].tolist()) for height in np.unique(here[:, 1])]
    assert sorted(drawn) == sorted(sorted(drums.onset[voices == voice].tolist()) for voice in np.unique(voices))


def test_a_picture_of_many_lines_loses_no_hit_at_their_edges() -> None:
    ticks = np.unique(np.random.default_rng(5).integers(0, 40 * 1920, 900))
    drums = Part.of([Note(int(tick), 10, (36, 38, 42, 49)[tick % 4], 90) for tick in ticks], is_drums=True)
    shown = chart.of(Duet(Song(480, length=40 * 1920), (), drums))
    for lines in (1, 3, 7, 40):
        cuts = draw._lines(shown, lines)
        assert np.concatenate([shown.hits_of(cut).tick for cut in cuts]).tolist() == ticks.tolist()


def decoded(text: str, bars: int) -> set[tuple[int, str, int, int]]:
    """(sixteenth from the song's beginning, piece, how loud of three) of what stands in characters."""
    hits = set()
    first = 0
    for block in text.split("\n\n")[:-1]:
        rows = [line.split("│") for line in block.splitlines() if "│" in line]
        cells = len(rows[0]) - 2
        for name, *bar_cells, rest in rows:
            assert rest == ""
            for index, cell in enumerate(bar_cells):
                for column, sign in enumerate(cell):
                    for signs in ("◦o●", "·xX"):
                        if sign in signs:
                            hits.add(((first + index) * 16 + column, name.strip(), signs.index(sign)))
        first += cells
    assert first == bars
    return hits


@pytest.mark.parametrize("width", [40, 80, 133, 300])
def test_the_characters_read_back_are_the_hits(width: int) -> None:
    rng = np.random.default_rng(width)
    names = {36: "kick", 38: "snare", 42: "closed hat", 49: "crash", 41: "low tom"}
    places = sorted({(int(rng.integers(0, 30 * 16)), int(rng.choice(list(names)))) for _ in range(700)})
    hits = [(place, pitch, int(rng.integers(1, 128))) for place, pitch in places]
    drums = Part.of([Note(place * 120, 30, pitch, velocity) for place, pitch, velocity in hits], is_drums=True)
    text = console.picture(Duet(Song(480, length=30 * 1920), (), drums), width=width)
    wanted = {(place, names[pitch], (velocity >= 48) + (velocity >= 100)) for place, pitch, velocity in hits}
    assert decoded(text, 30) == wanted


def said_and_shown(take: Take) -> tuple[dict[int, str], dict[int, str]]:
    """The bars that are called a fill or a break, by the words and by the picture."""
    said = {one.first: one.text.split()[0] for one in take.explain() if one.text.startswith(("fill", "break"))}
    return said, {measure.number: measure.sign for measure in chart.of(take.duet).measures if measure.sign}


@pytest.mark.parametrize("name", SONGS)
def test_the_words_and_the_picture_call_the_same_bars_fills_and_breaks(drummer: Drummer, name: str) -> None:
    said, shown = said_and_shown(drummer.accompany(EXAMPLES / f"{name}.mid"))
    assert said == shown
    assert said


def test_of_bars_so_long_that_they_are_counted_in_pieces_words_and_picture_say_the_same(drummer: Drummer) -> None:
    song = midi.read(EXAMPLES / "funk.mid")
    take = drummer.accompany(replace(song, metres=(Metre(0, 16, 4),)))
    said, shown = said_and_shown(take)
    assert said == shown
    assert said


@pytest.mark.parametrize("path", [EXAMPLES / "funk.mid", *corpus_files("sample")[:2]], ids=lambda path: path.stem[:20])
def test_the_files_that_were_written_show_the_picture_that_was_drawn_with_them(path: Path, tmp_path: Path) -> None:
    drums, drawn, shown = tmp_path / "a.drums.mid", tmp_path / "a.svg", tmp_path / "b.svg"
    words = ["--mode", "infer", str(path), "-o", str(drums), "--picture", str(drawn), "--seed", "3"]
    assert cli.main(words) == 0
    assert cli.main(["--mode", "show", str(path), str(drums), "-o", str(shown)]) == 0
    assert drawn.read_bytes() == shown.read_bytes()
