"""Values show themselves in a notebook: whole, small, and with nothing in them that could be markup."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from seq2drum.data.corpus import build
from seq2drum.deliver import notebook
from seq2drum.evaluate.evaluation import Column, Estimate, Evaluation, Row
from seq2drum.formats.midi import midi
from seq2drum.lattice import grid, phrases
from seq2drum.lattice.beats.placing import performed
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.patterns import Pattern
from seq2drum.lattice.phrases import Cut
from seq2drum.music import drum_maps
from seq2drum.music.duet import Duet
from seq2drum.music.kit import FULL, KITS, NINE
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.music.shown import as_html
from seq2drum.music.song_plan import PlannedSection
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.generators.composer import Beat, Brief
from seq2drum.play.grooves.book import Book
from seq2drum.play.options import Options
from seq2drum.play.session import Delivery, Session
from seq2drum.play.take import DrumBar, Take
from seq2drum.play.wishes import Wishes
from seq2drum.show import chart, draw, page
from tests.conftest import ROOT
from tests.made import made_song

EVIL = "<script>alert('x')</script>\"onerror=\"x&amp;<img src=x>\x00\x07\u202e"
PNG = b"\x89PNG\r\n"


@pytest.fixture(autouse=True)
def drawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Duet]:
    """What is drawn. A picture takes half a second: but for tests that ask for `real_pictures`, it is one dot."""
    seen: list[Duet] = []
    picture = draw.picture

    def look(duet: Duet, form: str, **options: Any) -> bytes:
        seen.append(duet)
        if "real_pictures" in request.fixturenames:
            return picture(duet, form, **options)
        chart.of(duet, **{name: value for name, value in options.items() if name != "plan"})
        return PNG

    monkeypatch.setattr(draw, "picture", look)
    return seen


@pytest.fixture
def real_pictures() -> None:
    """Asks `drawn` for real pictures."""


class _Tags(HTMLParser):
    """Which elements there are, what is said, and whether all that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.open: list[str] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(html: str) -> _Tags:
    tags = _Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    return tags


def said(html: str) -> str:
    return " ".join(parsed(html).words)


def song(name: str = "Gtr", bars: int = 4, metre: tuple[int, int] = (7, 8), *, drums: bool = True) -> Song:
    length = bars * 1920 * metre[0] // metre[1]
    notes = [Note(tick, 200, 40 + tick // 240 % 24, 90) for tick in range(0, length, 240)]
    hits = [Note(tick, 30, 36 if tick % 480 == 0 else 42, 100) for tick in range(0, length, 240)]
    parts = (Part.of(notes, program=27, name=name), *([Part.of(hits, name=name, is_drums=True)] if drums else []))
    return Song(480, parts, (Tempo(0, 400_000),), (Metre(0, *metre),), length)


def take(name: str = "Gtr", bars: int = 4, **options: Any) -> Take:
    played = song(name, bars)
    return Take(played, played.parts[1], GuitarChoice((0,), f"named {name}"), Options(**options), None, 0.75)


def evaluation(name: str = "model") -> Evaluation:
    about = {"songs": 3, "bars": 9, "split hash": "x", "songs of reference": 4, "seed": 0, "versions": {}}
    row = Row(name, name, "model", False, 3, {"hit F1": Estimate(0.5, 0.4, 0.6)})
    return Evaluation(
        about, (Column("hit F1", "", "high", "hits"),), (row,), (), (), (), (), {}, (), (), (name,), {"all": 1.0}
    )


@cache
def values() -> dict[str, tuple[Any, int, str]]:
    """Values by name: how many pictures each shows, and some words that it says."""
    whole = song()
    pairs, cut = phrases.pairs(whole, *whole.parts)
    prepared = made_song(3)
    return {
        "song": (whole, 1, "7/8"),
        "part": (whole.parts[0], 0, "Electric"),
        "drum part": (whole.parts[1], 0, "closed hat"),
        "duet": (take().duet, 1, "♩=150"),
        "take": (take(style="jazz", humanize=0.5), 1, "style jazz"),
        "bar of a take": (DrumBar(whole.bars()[1], whole.parts[1]), 0, "Bar 2"),
        "options": (Options(bars=(3, 4)), 0, "3 to 4"),
        "wishes": (Options(fill_at=(8, 16), no_fills_in=((1, 4), (9, 12))), 0, "1 to 4, 9 to 12"),
        "grooves": (Options(groove={"A": Book.load()["one-drop"], "B": "bossa"}, like=b"MThd"), 0, "A one drop"),
        "pair": (pairs[0], 1, "bars 1 to 4"),
        "phrase": (pairs[0].guitar, 1, "28 notes"),
        "drum phrase": (pairs[0].drums, 1, "drums"),
        "cut": (Cut(((0, 4),), Counter({"no guitar in the phrase": 3})), 0, "no guitar in the phrase"),
        "cut without loss": (cut, 0, "4 bars"),
        "grid": (prepared.drums, 0, "offset"),
        "heard": (prepared.guitar_grid, 1, "changing metres"),
        "drums": (drums_of(prepared.drums, prepared.guitar_grid.form), 1, "kit nine"),
        "groove": (Book.load()["one-drop"], 1, "reggae"),
        "groove book": (Book.load(), 0, "rock-hat"),
        "prepared": (prepared, 1, "split train"),
        "account": (build.Account(9, 7, Counter({"no drums": 2}), 1, 100), 0, "1.00%"),
        "evaluation": (evaluation(), 0, "0.500"),
        "kit": (NINE, 0, "closed hat"),
        "drum map": (drum_maps.load("gm"), 0, "General MIDI"),
    }


@pytest.mark.usefixtures("real_pictures")
@pytest.mark.parametrize("name", ["take", "prepared", "drum phrase"])
def test_pictures_are_small_files(name: str) -> None:
    shown = values()[name][0]._repr_html_()
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    assert base64.b64decode(data).startswith(PNG)
    assert 2_000 < len(data) < 400_000


@pytest.mark.parametrize("name", values())
def test_a_value_shows_itself_with_its_picture_and_facts(name: str) -> None:
    value, pictures, words = values()[name]
    shown = value._repr_html_()
    tags = parsed(shown)
    assert tags.tags["img"] == pictures
    assert words in said(shown)


def test_a_drummer_says_which_model_it_is() -> None:
    from seq2drum.play.drummer import Drummer

    assert "Drummer default" in said(Drummer.load()._repr_html_())


@pytest.mark.parametrize(
    "make",
    [
        lambda: song(EVIL),
        lambda: song(EVIL).parts[0],
        lambda: take(EVIL).duet,
        lambda: take(EVIL),
        lambda: Options(track=EVIL),
        lambda: Options(groove={EVIL: EVIL}),
        lambda: evaluation(EVIL),
        lambda: Cut((), Counter({EVIL: 1})),
        lambda: build.Account(1, 0, Counter({EVIL: 1})),
        lambda: replace(made_song(1), path=EVIL, tag=EVIL, origin=EVIL),
        lambda: drum_maps.DrumMap(EVIL, tuple(voice.notes for voice in FULL.voices)),
    ],
)
def test_a_name_from_a_file_is_text_and_never_markup(make: Callable[[], Any]) -> None:
    value = make()
    shown = value._repr_html_()
    tags = parsed(shown)
    assert tags.tags["script"] == 0
    assert all(value is not None and value.startswith("data:") for key, value in tags.attributes if key == "src")
    assert not [key for key, _ in tags.attributes if key.startswith("on")]
    assert "<script>alert" in said(shown)
    assert "\x00" not in shown or isinstance(value, Cut | build.Account | Evaluation)  # whose words are no file's


def test_a_name_that_a_midi_file_carries_is_shown_as_text() -> None:
    read = midi.parse(midi.serialise(song("<b>loud</b>")))
    assert "<b>loud</b>" in said(read._repr_html_())
    assert "<b>loud" not in read._repr_html_()


def test_a_long_name_is_cut_and_a_long_song_shows_its_first_bars_and_says_so() -> None:
    shown = song("x" * 500, bars=40)._repr_html_()
    assert "x" * (notebook.NAME + 1) not in shown
    assert f"bars 1 to {notebook.BARS} of 40 are shown" in said(shown)
    assert "are shown" not in said(song(bars=notebook.BARS)._repr_html_())
    assert "and 268 notes more" in said(song(bars=40).parts[0]._repr_html_())


@pytest.mark.parametrize(
    "value",
    [
        Song(480),
        Song(480, (), (), (), 480),
        song(drums=False),
        Song(480, (Part.of([], name="empty"),), (), (Metre(0, 5, 4),), 960),
        Song(480, (Part.of([Note(0, 0, 0, 1)], is_drums=True),)),
        Song(1, (Part.of([Note(0, 1, 127, 127)], program=30),), (), (Metre(0, 1, 64),), 1),
        Part.of([]),
        Part.of([Note(0, 1, 5, 9)], is_drums=True),
        grid.encode(Part.of([]), grid.Lattice(song().bars(), 480)),
        DrumBar(song().bars()[0], Part.of([], is_drums=True)),
        Cut((), Counter()),
        build.Account(),
        Evaluation({**evaluation().about}, (), (), (), (), (), (), {}, (), (), (), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_empty_and_odd_values_show_themselves(value: Any) -> None:
    assert said(value._repr_html_())


def test_a_beat_says_what_it_was_made_of_and_shows_its_bars(drawn: list[Duet]) -> None:
    bars = np.zeros((2, 24, 9), dtype=np.float32)
    bars[:, 0, 0] = 1
    brief = Brief(genre="funk:3,jazz:1", bpm=96, bars=2, fill=4)
    shown = as_html(Beat(Pattern(bars), brief, 7, "step"))
    for words in ("funk 75%, jazz 25%", "2 bars", "♩=96", "a fill every 4", "2 hits", "made by step", "seed 7"):
        assert words in shown
    assert len(drawn) == 1
    assert Brief(bars=1).in_words().startswith("any genre, 1 bar, 4/4")


def test_drums_of_any_kit_are_shown_and_of_none_only_counted() -> None:
    prepared = made_song(2)
    for kit in KITS.values():
        shown = drums_of(prepared.drums, prepared.guitar_grid.form, kit)._repr_html_()
        assert f"kit {kit.name}" in said(shown)
    bare = drums_of(prepared.drums, prepared.guitar_grid.form)
    odd = bare._replace(velocity=bare.velocity[:, :5], offset=bare.offset[:, :5])
    assert parsed(odd._repr_html_()).tags["img"] == 0


def test_a_prepared_song_and_the_arrays_of_its_drums_show_the_same_hits(drawn: list[Duet]) -> None:
    prepared = made_song(4)
    prepared._repr_html_()
    drums_of(prepared.drums, prepared.guitar_grid.form, FULL)._repr_html_()
    one, other = (duet.drums for duet in drawn)
    assert len(one)
    assert np.array_equal(one.rows[:, [0, 2, 3]], other.rows[:, [0, 2, 3]])


def test_a_pair_shows_its_own_bars_from_the_first_on(drawn: list[Duet]) -> None:
    whole = song(bars=12)
    second = phrases.pairs(whole, *whole.parts)[0][1]
    second._repr_html_()
    (shown,) = drawn
    start = second.guitar.bars[0].start
    assert start > 0
    assert len(shown.song.bars()) == len(second.guitar.bars)
    assert shown.drums.onset.tolist() == (second.drums.part.onset - start).tolist()


@pytest.mark.usefixtures("real_pictures")
def test_the_picture_of_a_take_has_the_strip_of_its_plan() -> None:
    plain = take()
    built = replace(plain, plan=(PlannedSection(1, 4, "A", 3, "ride", 1.3, 1.0),))
    wanted = page.png(draw.picture(built.duet, "png", last_bar=4, plan=built.plan))
    assert wanted in built._repr_html_() and wanted not in plain._repr_html_()


def test_a_picture_that_cannot_be_drawn_is_a_line_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2drum.errors import MissingExtraError

    def missing(*args: Any, **kwargs: Any) -> bytes:
        raise MissingExtraError("no <matplotlib>")

    monkeypatch.setattr(draw, "picture", missing)
    shown = song()._repr_html_()
    assert "no picture: no <matplotlib>" in said(shown)
    assert parsed(shown).tags["img"] == 0


def test_a_value_without_a_view_of_its_own_shows_its_fields() -> None:
    whole = song()
    told = {
        "session": (Session(count_in=2), ["Session", "count_in", "2", "asked for", "tail", "False"]),
        "wishes": (Wishes({"A": Book.load()["one-drop"]}, 0.5, 0.25, 0.0, 0.0, None), ["A: one-drop", "0.25", "None"]),
        "delivery": (Delivery(whole, whole.parts), ["song", "Song", "tuple of 2", "shift", "0"]),
        "performance": (performed(whole, (0,)), ["onset", "ndarray of 28", "seconds"]),
    }
    for value, words in told.values():
        shown = [word.strip() for word in parsed(value._repr_html_()).words]
        assert set(words) <= set(shown)
    evil = Wishes({EVIL: Book.load()["one-drop"]}, 0.5, 0.25, 0.0, 0.0, None)._repr_html_()
    assert parsed(evil).tags["script"] == 0 and "\x00" not in evil


def test_a_value_without_a_picture_is_refused() -> None:
    with pytest.raises(TypeError, match="int has no picture"):
        as_html(3)


def test_playing_and_reading_never_import_what_only_notebooks_need() -> None:
    code = (
        "import sys, seq2drum.play.drummer;"
        "sys.exit(any(name in sys.modules for name in ('seq2drum.deliver.notebook', 'matplotlib', 'jinja2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_showing_a_song_imports_no_torch() -> None:
    code = (
        "import sys; from seq2drum.music.notes import *;"
        "Song(480, (Part.of([Note(0, 9, 50, 80)], program=27),), (), (), 1920)._repr_html_();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
