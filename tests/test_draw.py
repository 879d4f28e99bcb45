"""Pictures of guitar and drums."""

import builtins
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from seq2drum import draw, midi
from seq2drum.errors import MissingExtraError, OptionError, OutputError
from seq2drum.notes import Metre, Note, Part, Song

GUITAR = Part.of([Note(i * 240, 200, 52 + i % 7, 60 + i % 60) for i in range(64)], program=27, name="Guitar")
DRUMS = Part.of([Note(i * 240, 60, (36, 42, 38, 42)[i % 4], 40 + i) for i in range(64)], name="Drums", is_drums=True)
SONG = Song(480, (GUITAR, DRUMS), length=64 * 240)


def size(path: Path) -> tuple[int, int]:
    height, width = imread(path).shape[:2]
    return width, height


def drawn(tmp_path: Path, guitar=GUITAR, drums=DRUMS, song=SONG, name="picture.svg", **options) -> str:
    draw.draw(guitar, drums, song, tmp_path / name, **options)
    return (tmp_path / name).read_text(encoding="utf-8")


@pytest.fixture
def _words(monkeypatch):
    """SVG text as text and not as outlines, so that a test can read it."""
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")


def test_a_png_is_as_wide_as_a_page_and_grows_by_lines(tmp_path):
    draw.draw(GUITAR, DRUMS, SONG, tmp_path / "one.png", bars_per_line=8)
    draw.draw(GUITAR, DRUMS, SONG, tmp_path / "two.png", bars_per_line=4)
    (one_wide, one_high), (two_wide, two_high) = size(tmp_path / "one.png"), size(tmp_path / "two.png")
    assert one_wide == two_wide == 1600
    assert two_high > one_high * 1.5


def test_a_louder_guitar_and_other_drums_make_another_picture(tmp_path):
    rows = GUITAR.rows.copy()
    rows[:, 3] = 127
    pictures = {
        drawn(tmp_path),
        drawn(tmp_path, guitar=Part.of(rows, program=27, name="Guitar")),
        drawn(tmp_path, drums=Part.of(DRUMS.rows[::2], is_drums=True)),
    }
    assert len(pictures) == 3


@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_the_same_music_makes_the_same_bytes(tmp_path, name):
    draw.draw(GUITAR, DRUMS, SONG, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    draw.draw(GUITAR, DRUMS, SONG, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


@pytest.mark.usefixtures("_words")
def test_only_the_pieces_in_use_have_a_row_and_unknown_notes_have_one_of_their_own(tmp_path):
    text = drawn(tmp_path)
    assert all(f">{name}<" in text for name in ("kick", "snare", "closed hat"))
    assert ">ride<" not in text
    assert ">other<" not in text
    strange = Part.of([*DRUMS, Note(0, 60, 3, 90), Note(480, 60, 51, 90)], is_drums=True)
    text = drawn(tmp_path, drums=strange)
    assert ">ride<" in text
    assert ">other<" in text


@pytest.mark.usefixtures("_words")
def test_only_the_bars_asked_for_count(tmp_path):
    drums = Part.of([*DRUMS, Note(7 * 1920, 60, 51, 90)], is_drums=True)
    text = drawn(tmp_path, drums=drums, first_bar=2, last_bar=4)
    assert ">ride<" not in text  # it plays in bar 8
    assert all(f">{number}<" in text for number in (4,))
    assert ">5<" not in text
    assert ">3  4/4  ♩=120<" in text


@pytest.mark.usefixtures("_words")
def test_an_odd_metre_is_written_with_its_groups(tmp_path):
    song = Song(480, (GUITAR, DRUMS), metres=(Metre(0, 7, 8), Metre(1680, 3, 4)), length=64 * 240)
    text = drawn(tmp_path, song=song)
    assert "7/8 (2+2+3)" in text
    assert ">2  3/4<" in text


@pytest.mark.usefixtures("_words")
def test_every_guitar_that_plays_is_named_whatever_its_name(tmp_path):
    odd = Part.of([Note(0, 960, 60, 80)], program=27, name="$ギター$ <&>")
    silent = Part.of([], program=27, name="Silent")
    text = drawn(tmp_path, guitar=[GUITAR, odd, silent])
    assert "■ Guitar" in text
    assert "$ギター$ &lt;&amp;&gt;" in text
    assert "Silent" not in text


def test_silence_can_be_drawn(tmp_path):
    silence = Part.of([])
    draw.draw(silence, silence, Song(480), tmp_path / "silence.png")
    assert size(tmp_path / "silence.png")[0] == 1600


def test_a_hit_a_hair_before_the_line_is_drawn_in_the_line_it_belongs_to(tmp_path):
    bar = 1920
    early = Part.of([Note(4 * bar - 30, 60, 36, 100)], is_drums=True)
    straight = Part.of([Note(4 * bar, 60, 36, 100)], is_drums=True)
    ink = []
    for part in (early, straight):
        draw.draw(GUITAR, part, SONG, tmp_path / "a.png", bars_per_line=4, last_bar=8)
        ink.append(imread(tmp_path / "a.png")[..., :3].sum(axis=2))
    upper = slice(0, len(ink[0]) // 2)
    assert np.array_equal(ink[0][upper], ink[1][upper])
    assert not np.array_equal(ink[0], ink[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bars_per_line": 0}, "1 or more"),
        ({"first_bar": 8}, "bars 0 to 7"),
        ({"first_bar": -1}, "bars 0 to 7"),
        ({"first_bar": 3, "last_bar": 3}, "bar 3 up to bar 3"),
        ({"name": "picture.bmp"}, "picture.bmp"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(tmp_path, options, words):
    with pytest.raises(OptionError, match=words):
        drawn(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_song_of_thousands_of_bars_is_refused_rather_than_drawn_for_minutes(tmp_path):
    with pytest.raises(OptionError, match="draw fewer bars"):
        drawn(tmp_path, song=Song(480, length=1920 * 2000), bars_per_line=1)


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path):
    with pytest.raises(OutputError):
        draw.draw(GUITAR, DRUMS, SONG, tmp_path / "nowhere" / "a.png")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"seq2drum\[draw\]"):
        draw.draw(GUITAR, DRUMS, SONG, tmp_path / "a.png")


def test_a_real_song_is_drawn(tmp_path):
    folder = Path(__file__).parents[2] / "shared" / "corpus" / "sample"
    if not folder.is_dir():
        pytest.skip("the shared corpus is not beside the repository")
    song = midi.read(min(folder.glob("For_A_Thousand*.mid")))
    drums = next(part for part in song.parts if part.is_drums)
    draw.draw([part for part in song.parts if part.program in range(24, 32)], drums, song, tmp_path / "a.png")
    assert size(tmp_path / "a.png")[1] > 3000
