"""Pictures of guitar and drums, and that all outputs of a take agree on its hits and bars."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from seq2drum import cli
from seq2drum.errors import OptionError
from seq2drum.formats.midi import midi
from seq2drum.music import duet
from seq2drum.music.duet import Duet
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.music.song_plan import PlannedSection
from seq2drum.play.drummer import Drummer
from seq2drum.play.take import Take
from seq2drum.show import chart, console, draw
from tests.conftest import ROOT, corpus_files

GUITAR = Part.of([Note(i * 240, 200, 52 + i % 7, 60 + i % 60) for i in range(64)], program=27, name="Guitar")
DRUMS = Part.of([Note(i * 240, 60, (36, 42, 38, 42)[i % 4], 40 + i) for i in range(64)], name="Drums", is_drums=True)
NO_DRUMS = Part.of([], is_drums=True)
SONG = Song(480, length=64 * 240)
DUET = Duet(SONG, (GUITAR,), DRUMS)


def png(duet: Duet = DUET, **options: Any) -> NDArray[np.float32]:
    pixels: NDArray[np.float32] = imread(BytesIO(draw.picture(duet, "png", **options)))
    return pixels


def svg(duet: Duet = DUET, **options: Any) -> str:
    return draw.picture(duet, "svg", **options).decode()


@pytest.fixture
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    """SVG text as text and not as outlines, so that a test can read it."""
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")


def words(duet: Duet = DUET, **options: Any) -> list[str]:
    """All texts of the picture. Wants the fixture."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg(duet, **options))


def test_a_png_is_as_wide_as_a_page_and_grows_by_lines() -> None:
    one, two = png(bars_per_line=8), png(bars_per_line=4)
    assert one.shape[1] == two.shape[1] == 1600
    assert two.shape[0] > one.shape[0] * 1.5


def test_a_louder_guitar_other_drums_and_another_title_make_another_picture() -> None:
    rows = GUITAR.rows.copy()
    rows[:, 3] = 127
    louder = Part.of(rows, program=27, name="Guitar")
    sparse = Part.of(DRUMS.rows[::2], is_drums=True)
    pictures = {svg(), svg(DUET._replace(guitars=(louder,))), svg(DUET._replace(drums=sparse)), svg(title="Blues")}
    assert len(pictures) == 4


def test_guitars_in_unison_are_all_visible() -> None:
    def coloured(*parts: Part) -> list[int]:
        """Pixels of the colours of the first three guitars, where there are no names."""
        lines = draw.pixels(DUET._replace(guitars=parts, drums=NO_DRUMS))[60:].reshape(-1, 3).astype(int)
        wanted = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in draw.COLOURS[:3]]
        return [int(np.sum(np.abs(lines - colour).max(axis=1) < 4)) for colour in wanted]

    loud = Part.of([note._replace(velocity=127) for note in GUITAR], program=27)
    alone = coloured(loud)[0]
    assert alone > 1000 and coloured(loud)[1:] == [0, 0]
    both = coloured(loud, loud)
    assert min(both[:2]) > 0.2 * alone
    assert min(coloured(loud, loud, loud)) > 0.1 * alone
    higher = Part.of([note._replace(pitch=note.pitch + 12) for note in loud], program=27)
    assert min(coloured(loud, higher)[:2]) > 0.6 * max(both[:2])


def test_notes_that_cover_each_other_sound_at_once_on_one_pitch() -> None:
    below = Part.of([Note(0, 480, 52, 90), Note(960, 100, 52, 90), Note(0, 2000, 60, 90)])
    above = [(0, 480, 52), (480, 480, 52), (500, 500, 52), (0, 480, 53), (1900, 10, 60), (2000, 10, 60)]
    part = Part.of([Note(start, length, pitch, 90) for start, length, pitch in above])
    covered = draw.covers(part, below)
    assert [
        (start, length, pitch)
        for start, length, pitch in above
        if (start, pitch) in set(zip(part.onset[covered].tolist(), part.pitch[covered].tolist(), strict=True))
    ] == [(0, 480, 52), (500, 500, 52), (1900, 10, 60)]
    assert not draw.covers(part, NO_DRUMS).any()


@pytest.mark.parametrize("form", draw.FORMATS)
def test_the_same_music_makes_the_same_bytes(form: str) -> None:
    assert draw.picture(DUET, form) == draw.picture(DUET, form)


def test_the_pixels_are_those_of_the_png() -> None:
    pixels = draw.pixels(DUET, title="Blues")
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.rint(png(title="Blues")[..., :3] * 255).astype(np.uint8))


@pytest.mark.usefixtures("_words")
def test_only_the_pieces_in_use_have_a_row_and_unknown_notes_have_one_of_their_own() -> None:
    texts = words()
    assert [name for name in ("kick", "snare", "closed hat", "ride", "other") if name in texts] == [
        "kick",
        "snare",
        "closed hat",
    ]
    strange = Part.of([*DRUMS, Note(0, 60, 3, 90), Note(480, 60, 51, 90)], is_drums=True)
    assert {"ride", "other"} < set(words(DUET._replace(drums=strange)))


@pytest.mark.usefixtures("_words")
def test_in_a_long_song_a_line_has_the_pieces_that_it_uses() -> None:
    ticks = 48 * 1920
    drums = Part.of(
        [*(Note(at, 60, 36, 90) for at in range(0, ticks, 480)), Note(40 * 1920, 60, 51, 90)], is_drums=True
    )
    texts = words(Duet(Song(480, length=ticks), (), drums))
    assert texts.count("kick") == 6
    assert texts.count("ride") == 1
    texts = words(Duet(Song(480, length=ticks), (), drums), first_bar=32)  # few enough to be drawn large
    assert texts.count("ride") == texts.count("kick") == 4


@pytest.mark.usefixtures("_words")
def test_only_the_bars_asked_for_count() -> None:
    drums = Part.of([*DRUMS, Note(7 * 1920, 60, 51, 90)], is_drums=True)
    texts = words(DUET._replace(drums=drums), first_bar=2, last_bar=4)
    assert "ride" not in texts  # it plays in bar 8
    assert [number for number in ("2", "3", "4", "5") if number in texts] == ["3", "4"]
    assert "4/4  ♩=120" in texts


@pytest.mark.usefixtures("_words")
def test_metres_are_written_where_they_begin_an_odd_one_with_its_groups() -> None:
    song = Song(480, metres=(Metre(0, 7, 8), Metre(1680, 3, 4)), length=64 * 240)
    texts = words(DUET._replace(song=song))
    assert "7/8 (2+2+3)  ♩=120" in texts
    assert texts.count("3/4") == 1


@pytest.mark.usefixtures("_words")
def test_above_a_short_first_bar_there_is_room_for_the_signs_of_the_second() -> None:
    riff, beat = (
        Part.of([Note(at, 60, pitch, 90) for at in range(240, 16 * 1920, 240)], program=27, is_drums=is_drums)
        for pitch, is_drums in ((52, False), (36, True))
    )
    tempos, metres = (Tempo(0, 500_000), Tempo(240, 400_000)), (Metre(0, 1, 8), Metre(240, 4, 4))
    picture = svg(Duet(Song(480, tempos=tempos, metres=metres, length=16 * 1920), (riff,), beat))
    at = {text: float(x) for x, text in re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>([^<]*)</text>', picture)}
    first, second = "1/8  ♩=120", "4/4  ♩=150"
    assert at["1"] < at[first] < at["2"] < at[second]
    assert at["2"] - at[first] > 40  # points: the width of the signs of the first bar


@pytest.mark.usefixtures("_words")
def test_every_guitar_that_plays_is_named_whatever_its_name() -> None:
    odd = Part.of([Note(0, 960, 60, 80)], program=27, name="$ギター$ <&>\n")
    silent = Part.of([], program=27, name="Silent")
    texts = words(DUET._replace(guitars=(GUITAR, odd, silent)))
    assert "■ Guitar" in texts
    assert "■ $ギター$ &lt;&amp;&gt;" in texts
    assert not any("Silent" in word for word in texts)
    many = tuple(Part.of([Note(0, 960, 60, 80)], program=27, name="x" * 99) for _ in range(9))
    texts = words(DUET._replace(guitars=many))
    assert "and 3 more" in texts
    assert max(map(len, texts)) < 60


@pytest.mark.parametrize(
    "title", ["a\x1b[31mb", "\x01", "\ufffe", "--><b>&", "\udcff", "two\nlines", "\u202eleft", "$x^{"]
)
def test_any_title_gives_a_valid_picture(title: str) -> None:
    assert ET.fromstring(svg(title=title)).tag.endswith("svg")


def test_matplotlib_settings_of_the_user_change_no_picture_and_raise_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    before = draw.picture(DUET, "svg")
    for name, value in (("text.usetex", True), ("svg.hashsalt", "mine")):
        settings: Any = matplotlib.rcParams
        monkeypatch.setitem(settings, name, value)
    assert draw.picture(DUET, "svg") == before


def test_matplotlib_settings_that_prevent_its_import_are_named() -> None:
    code = (
        "from seq2drum.errors import OptionError\n"
        "from seq2drum.show import draw\n"
        "from seq2drum.music.duet import Duet\n"
        "from seq2drum.music.notes import Part, Song\n"
        "try:\n draw.picture(Duet(Song(480), (), Part.of([], is_drums=True)), 'svg')\n"
        "except OptionError as error:\n print(error)"
    )
    environment = {**os.environ, "MPLBACKEND": "nonsense"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
    assert "nonsense" in done.stdout
    assert done.stdout.endswith("correct MPLBACKEND or matplotlibrc\n")


@pytest.mark.usefixtures("_words")
def test_a_title_wider_than_the_page_is_cut() -> None:
    assert "g" * 99 + "…" in words(title="g" * 10_000)


@pytest.mark.usefixtures("_words")
def test_a_fill_and_a_passage_are_named() -> None:
    beat = [Note(at, 60, 36 if at % 960 == 0 else 42, 90) for at in range(0, 16 * 1920, 240)]
    fill = [Note(11 * 1920 + at, 60, 45, 110) for at in range(0, 1920, 120)]
    riff = [Note(at, 200, 52 if at < 8 * 1920 else 57 + at // 480 % 3, 90) for at in range(0, 16 * 1920, 480)]
    drums = Part.of([*(note for note in beat if note.onset // 1920 != 11), *fill], is_drums=True)
    texts = words(Duet(Song(480, length=16 * 1920), (Part.of(riff, program=27),), drums))
    assert texts.count("fill") == 1
    assert [word for word in texts if word in ("A", "B", "C")] == ["A", "B"]


@pytest.mark.parametrize(
    "duet",
    [
        Duet(Song(480), (), NO_DRUMS),
        Duet(Song(480), (Part.of([]),), NO_DRUMS),
        Duet(SONG, (), DRUMS),
        Duet(SONG, (GUITAR,), NO_DRUMS),
        Duet(SONG, (GUITAR, GUITAR, GUITAR, GUITAR, GUITAR), DRUMS),
        Duet(Song(480, metres=(Metre(0, 15, 16),), length=1800), (GUITAR,), DRUMS),
        Duet(Song(480, metres=(Metre(0, 64, 1),), length=480), (GUITAR,), DRUMS),
        Duet(Song(1, metres=(Metre(0, 1, 64),), length=40), (Part.of([Note(3, 0, 127, 1)]),), NO_DRUMS),
        Duet(Song(480, length=1920), (), Part.of([Note(0, 60, 2, 127)], is_drums=True)),
    ],
    ids=["nothing", "silence", "no guitar", "no drums", "five guitars", "15/16", "64/1", "tiny bars", "no piece"],
)
def test_every_odd_song_can_be_drawn(duet: Duet) -> None:
    picture = png(duet)
    assert picture.shape[1] == 1600
    assert 90 < picture.shape[0] < 3000


def test_an_early_hit_on_the_first_beat_of_a_line_is_drawn_in_that_line() -> None:
    bar = 1920
    early, straight = (Part.of([Note(at, 60, 36, 100)], is_drums=True) for at in (4 * bar - 30, 4 * bar))
    one, other = (png(Duet(SONG, (GUITAR,), part), bars_per_line=4)[..., :3].sum(axis=2) for part in (early, straight))
    upper = slice(70, len(one) // 2)  # below the legend, which may speak of early hits
    assert np.array_equal(one[upper], other[upper])
    assert not np.array_equal(one[len(one) // 2 :], other[len(one) // 2 :])


def test_a_late_hit_has_a_line_at_its_place_and_that_is_explained() -> None:
    def red(late: int) -> NDArray[np.bool_]:
        drums = Part.of([Note(at + late, 60, 36, 100) for at in range(0, 7680, 480)], is_drums=True)
        picture = draw.pixels(Duet(Song(480, length=7680), (), drums)).astype(int)
        is_red: NDArray[np.bool_] = (picture[..., 0] - picture[..., 2]) > 60
        return is_red

    assert not red(0).any()
    late = red(30)
    assert late[:60].any()  # the legend
    assert late[60:].any()  # the places


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bars_per_line": 0}, "1 or more"),
        ({"first_bar": 8}, "bars 1 to 8"),
        ({"first_bar": -1}, "bars 1 to 8"),
        ({"first_bar": 3, "last_bar": 3}, "no bar from 4 to 3"),
    ],
)
def test_an_invalid_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        svg(**options)


def test_only_png_and_svg_are_drawn() -> None:
    with pytest.raises(OptionError, match=r"not as \.bmp"):
        draw.picture(DUET, "bmp")


def test_a_song_of_thousands_of_bars_is_refused_rather_than_drawn_for_minutes() -> None:
    with pytest.raises(OptionError, match="--bars"):
        svg(Duet(Song(480, length=1920 * 4000), (), DRUMS))
    with pytest.raises(OptionError, match="200 lines"):
        svg(Duet(Song(480, length=1920 * 200), (), DRUMS), bars_per_line=1)


@pytest.mark.parametrize("bars", [601, 673, 826, 1600])
def test_a_long_song_whose_lines_have_room_is_not_refused(bars: int) -> None:
    song = Song(480, length=1920 * bars)
    lines = draw.cut_lines(chart.of(Duet(song, (), NO_DRUMS)), None)
    assert sum(map(len, lines)) == bars
    assert len(lines) <= draw.MOST_LINES


def test_a_long_song_has_more_bars_on_a_line_and_dense_music_has_fewer() -> None:
    def height(bars: int, gap: int) -> int:
        drums = Part.of([Note(at, 10, 42, 90) for at in range(0, bars * 1920, gap)], is_drums=True)
        picture: NDArray[np.uint8] = draw.pixels(Duet(Song(480, length=bars * 1920), (), drums))
        return picture.shape[0]

    lines = {
        (bars, gap): round((height(bars, gap) - 50) / (height(1, gap) - 50)) for bars in (16, 64) for gap in (240, 30)
    }
    assert lines == {(16, 240): 4, (64, 240): 8, (16, 30): 8, (64, 30): 32}


def test_a_real_song_is_drawn() -> None:
    songs = [path for path in corpus_files("sample") if path.name.startswith("For_A_Thousand")]
    if not songs:
        pytest.skip("the shared corpus is not beside the repository")
    assert png(duet.of_songs([midi.read(songs[0])])).shape[0] > 3000


# --- one take in many outputs: the picture, the characters, the words and the files tell of the same hits -------------


EXAMPLES = ROOT / "examples"
SONGS = ("funk", "seven_eight", "blues_shuffle")


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def marks(piece: Duet) -> NDArray[np.float64]:
    """(hits, 2): where the marks of hits lie on a sheet of one line, in inches."""
    shown = chart.of(piece)
    figure = draw.canvas_of(shown, "", len(shown.measures)).figure
    marked = [each.get_offsets() for each in figure.axes[0].collections if each.get_zorder() == 4]
    return np.concatenate([np.asarray(offsets, dtype=np.float64) for offsets in marked] or [np.zeros((0, 2))])


@pytest.mark.parametrize("name", SONGS)
def test_each_hit_is_one_mark_at_its_time_and_in_its_row_and_there_is_no_other(name: str) -> None:
    piece = duet.of_songs([midi.read(EXAMPLES / "training" / f"{name}_1.mid")])
    drums = piece.drums
    here = marks(piece)
    assert len(here) == len(drums) > 100
    left, right = draw.LEFT, draw.LEFT + draw.ACROSS
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
        cuts = draw.cut_lines(shown, lines)
        assert np.concatenate([shown.hits_of(cut).tick for cut in cuts]).tolist() == ticks.tolist()


def decoded(text: str, bars: int) -> set[tuple[int, str, int]]:
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
    plan = str(tmp_path / "plan.json")
    words = ["--mode", "infer", str(path), "-o", str(drums), "--picture", str(drawn), "--seed", "3"]
    assert cli.main([*words, "--plan-out", plan]) == 0
    assert cli.main(["--mode", "show", str(path), str(drums), "--plan", plan, "-o", str(shown)]) == 0
    assert drawn.read_bytes() == shown.read_bytes()


# --- the plan ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_words")
def test_a_plan_is_a_strip_with_levels_cymbals_and_hatched_silence() -> None:
    song = Song(480, (), length=8 * 1920)
    drums = Part.of([Note(beat * 480, 60, 38, 90) for beat in range(32)], is_drums=True)
    plain = PlannedSection(1, 4, "A", 1, "closed hat", 1.0, 1.0)
    built = (plain._replace(enters=3, level=0.8), plain._replace(first=5, last=8, enters=5, cymbal="ride", level=1.25))
    drawn = {
        name: draw.picture(Duet(song, (), drums), "svg", plan=plan).decode()
        for name, plan in {
            "none": (),
            "plain": (plain,),
            "built": built,
            "out": (built[0]._replace(enters=None),),
        }.items()
    }
    assert drawn["none"] == drawn["plain"]
    assert ">plan<" in drawn["built"] and ">plan<" not in drawn["none"]
    assert "0.80 closed hat" in drawn["built"] and "1.25 ride" in drawn["built"]
    assert "closed hat" not in drawn["out"] and drawn["out"].count("<path") > drawn["none"].count("<path") + 20
    tall = [pixels_of_plan(built, bar) for bar in (2, 5)]
    assert 0 < tall[0] < tall[1]


def pixels_of_plan(plan: Sequence[PlannedSection], bar: int) -> int:
    """How tall the box of the plan is in a bar, from 0: pixels of its colour in a column."""
    song = Song(480, (), length=8 * 1920)
    drums = Part.of([Note(beat * 480, 60, 38, 90) for beat in range(32)], is_drums=True)
    image = imread(BytesIO(draw.picture(Duet(song, (), drums), "png", bars_per_line=8, plan=plan)))[..., :3]
    colour = np.array([0xCF, 0xE0, 0xD3]) / 255
    column = int((draw.LEFT + (bar + 0.97) / 8 * draw.ACROSS) * 100)
    return int((np.abs(image[:, column] - colour).max(axis=-1) < 0.01).sum())
