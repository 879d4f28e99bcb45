from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import ModelError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.lattice.grooves import tabs
from seq2drum.lattice.grooves.fitting import playable
from seq2drum.lattice.grooves.grooves import looped, to_json
from seq2drum.music import drum_maps
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song
from seq2drum.play.grooves import book
from seq2drum.play.grooves.book import Book, read_groove
from tests import tabs as tabs_made


@pytest.fixture
def loop(tmp_path: Path) -> str:
    """Four bars of half-time on the ride, as a MIDI file."""
    path = tmp_path / "beat.mid"
    path.write_bytes(midi.serialise(looped(Book.load()["half-time-rock-ride"], 4)))
    return str(path)


MELODY = b"""<?xml version="1.0"?><score-partwise><part-list><score-part id="P1"><part-name>Flute</part-name>
</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions></attributes><note>
<pitch><step>E</step><octave>3</octave></pitch><duration>4</duration></note></measure></part></score-partwise>"""


def test_the_book_is_read_once() -> None:
    assert Book.load() is Book.load()


def test_every_groove_of_the_book_can_be_played_by_one_drummer() -> None:
    for groove in Book.load():
        for bar in groove.bars:
            assert len(playable(bar).step) == len(bar.step), groove.name


def test_the_idioms_are_written_as_tablature_is() -> None:
    text = (book.FOLDER / book.IDIOMS).read_text(encoding="utf-8")
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#")) + "\n"
    blocks = [block.strip("\n") for block in plain.split("\n\n") if block.strip()]
    assert "\n\n".join(blocks) + "\n" == tabs.written(tabs.parsed(text))


@pytest.mark.parametrize("words", ["one-drop", "One Drop", "ONE_DROP", "one drop, hat", "One drop (hat)"])
def test_a_groove_is_found_by_name_and_by_title(words: str) -> None:
    assert Book.load()[words].name == "one-drop"
    assert words in Book.load()


def test_an_unknown_name_is_answered_with_names_near_it() -> None:
    with pytest.raises(OptionError, match=r"'one-dorp'; did you mean one-drop.*--mode grooves lists them"):
        Book.load()["one-dorp"]
    with pytest.raises(OptionError, match=r"'qqqqqq'; --mode grooves lists them"):
        Book.load()["qqqqqq"]


@pytest.mark.parametrize("words", ["half-time", "Half time", "brushes", "bossa", "blast", "rock", "double-time"])
def test_a_part_of_a_name_that_says_a_kind_means_all_grooves_of_the_kind(words: str) -> None:
    family = Book.load().meant(words)
    plain = words.casefold().replace("-", " ")
    assert len(family) > 1
    assert all(plain in f"{one.name} {one.title}".casefold().replace("-", " ") for one in family)


@pytest.mark.parametrize("words", ["one-drop", "one drop, hat", "motown", "songo"])
def test_a_whole_name_means_one_groove_though_others_have_it_in_theirs(words: str) -> None:
    assert Book.load().meant(words) == (Book.load()[words],)


@pytest.mark.parametrize("words", ["hat", "ride", "side stick", "kick 1 3", "time", "beat", "double", "6/8"])
def test_a_part_of_a_name_that_several_kinds_have_is_refused_with_some_of_them(words: str) -> None:
    with pytest.raises(OptionError, match=r"in the names of \d+ grooves of several kinds, such as .+, .+; name one"):
        Book.load().meant(words)


@pytest.mark.parametrize("words", ["halftime", "bosa", "ock", ""])
def test_a_part_of_a_word_means_nothing(words: str) -> None:
    with pytest.raises(OptionError, match="there is no groove"):
        Book.load().meant(words)


@pytest.mark.parametrize("metre", [(4, 4), (3, 4), (6, 8), (5, 4), (7, 8), (2, 2), (3, 8), (17, 16), (1, 1)])
def test_there_are_grooves_of_every_metre_each_with_a_name_of_its_own(metre: tuple[int, int]) -> None:
    grooves = Book.load().of_metre(*metre)
    assert {(groove.numerator, groove.denominator) for groove in grooves} == {metre}
    assert len({groove.name for groove in grooves}) == len(grooves) >= 4


def test_two_two_has_the_grooves_of_four_four() -> None:
    assert [one.name for one in Book.load().of_metre(2, 2)] == [one.name for one in Book.load().of_metre(4, 4)]


def test_the_book_has_every_style_and_the_idioms_that_are_rare_in_data() -> None:
    grooves = Book.load()
    assert {groove.style for groove in grooves} == set(STYLES)
    for name in ("one-drop", "bossa-side-stick", "swing-brushes", "train-beat", "swing-5-4", "jazz-waltz-ride"):
        assert name in grooves
    assert len({groove.title for groove in grooves}) == len(grooves.grooves)


def test_no_groove_of_the_idioms_wants_a_third_hand() -> None:
    for groove in Book.load():
        for bar in groove.bars:
            by_hand = [voice.limb != "foot" for voice in FULL.voices]
            hands = np.bincount(bar.step, weights=np.array(by_hand)[bar.key])
            assert hands.max() <= 2, groove.name


def found(folder: Path, **more: object) -> Book:
    """A book of one idiom, and of one groove that was found in songs and has the same name."""
    (folder / book.IDIOMS).write_text(tabs.written([Book.load()["one-drop"]]), encoding="utf-8")
    held = {"grooves": [{**to_json(Book.load()["one-drop"]), "popularity": 7}], **more}
    (folder / book.FOUND).write_text(json.dumps(held), encoding="utf-8")
    return book._loaded(folder)


def test_grooves_that_were_found_in_songs_come_after_the_idioms_under_names_of_their_own(tmp_path: Path) -> None:
    both = found(tmp_path)
    assert [groove.name for groove in both][:2] == ["one-drop", "one-drop-2"]
    assert dict(both.popularity) == {"one-drop-2": 7}
    assert both["one drop, hat"].name == "one-drop"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"grooves": [{}]}', '{"grooves": [{"name": 1}]}', '{"grooves": 3}'])
def test_a_damaged_book_says_so(tmp_path: Path, damage: str) -> None:
    found(tmp_path)
    book._loaded.cache_clear()
    (tmp_path / book.FOUND).write_text(damage, encoding="utf-8")
    with pytest.raises(ModelError, match="damaged"):
        book._loaded(tmp_path)


def test_a_groove_is_read_from_a_file_a_bar_of_it_or_some_bars(loop: str) -> None:
    source = Book.load()["half-time-rock-ride"]
    for text in (loop, f"{loop}:2", f"{loop}:1-3"):
        read = read_groove(text)
        assert read.bars[0].step.tolist() == source.bars[0].step.tolist()
        assert read.title == "half-time, ride, kick 1 2& 4&"
    assert len(read_groove(f"{loop}:1-2").bars) == 2


def test_a_name_is_a_groove_of_the_book() -> None:
    assert read_groove("one drop") is Book.load()["one-drop"]


def test_drums_on_the_notes_of_a_sampler_are_read_by_its_map(tmp_path: Path) -> None:
    sampler = next(one for name in drum_maps.names() if (one := drum_maps.load(name)).notes[10] != (42, 22))
    song = looped(Book.load()["rock-hat"], 2)
    moved = Song(song.ticks_per_quarter, (sampler.apply(song.parts[0]),), song.tempos, song.metres, song.length)
    path = tmp_path / "moved.mid"
    path.write_bytes(midi.serialise(moved))
    assert read_groove(str(path), drum_map=sampler).bars[0].key.tolist() == Book.load()["rock-hat"].bars[0].key.tolist()


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (":9", "bars 1 to 4"),
        (":0", "bars"),
        (":3-2", "bars"),
        (":2-x", "wanted FILE:BAR"),
    ],
)
def test_a_bar_that_is_not_there_is_refused(loop: str, end: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        read_groove(loop + end)


def test_what_has_no_drums_is_refused(tmp_path: Path, loop: str) -> None:
    path = tmp_path / "guitar.mid"
    song = midi.read(loop)
    path.write_bytes(midi.serialise(Song(480, (Part.of(song.parts[0].rows, program=27, name="Gtr"),), length=7680)))
    with pytest.raises(OptionError, match="no drums"):
        read_groove(str(path))
    path.write_bytes(midi.serialise(Song(480, song.parts, length=5 * 4 * 480)))
    with pytest.raises(OptionError, match="bar 5 has no drums"):
        read_groove(f"{path}:5")


DRUM_SCORE = b"""<?xml version="1.0"?><score-partwise><part-list><score-part id="P1"><part-name>Drums</part-name>
</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>4</beats>
<beat-type>4</beat-type></time><clef><sign>percussion</sign></clef></attributes>%s</measure></part></score-partwise>"""
SNARE = b"""<note><unpitched><display-step>C</display-step><display-octave>5</display-octave></unpitched>
<duration>1</duration></note>"""


def test_the_drums_of_a_tab_and_of_a_score_have_grooves(tmp_path: Path) -> None:
    beats = [
        tabs_made.beat((1, 36)),
        tabs_made.beat((1, 42)),
        tabs_made.beat((2, 38), (1, 42)),
        tabs_made.beat((1, 42)),
    ]
    drums = tabs_made.track([beats * 2] * 2, name="Drums", isPercussionTrack=True)
    guitar = tabs_made.track([[tabs_made.beat((6, 3), length=1)]] * 2)
    tab, score = tmp_path / "song.gp5", tmp_path / "song.musicxml"
    tab.write_bytes(tabs_made.written(tabs_made.song(guitar, drums)))
    score.write_bytes(DRUM_SCORE % (SNARE * 4))
    groove = read_groove(f"{tab}:2")
    assert [FULL.names[voice] for voice in groove.bars[0].key[:4]] == ["kick", "closed hat", "snare", "closed hat"]
    snares = read_groove(str(score)).bars[0]
    assert {FULL.names[voice] for voice in snares.key} == {"snare"}
    assert snares.step.tolist() == [0, 6, 12, 18]
    score.write_bytes(MELODY)
    with pytest.raises(OptionError, match=r"no drums in it: 1 'Flute'.*or a drum track of a tab or a score"):
        read_groove(str(score))


def test_no_drums_are_heard_in_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "band.wav"
    path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    with pytest.raises(OptionError, match="a recording, in which no drums are heard; wanted is a MIDI file"):
        read_groove(f"{path}:3")


@pytest.mark.parametrize(
    "text", ["there_is_none.mid", "there_is_none.mid:4", "score.musicxml", "score.xml:3", "", "  "]
)
def test_what_cannot_be_read_is_refused_in_words(text: str) -> None:
    with pytest.raises(OptionError):
        read_groove(text)


def test_a_file_that_is_no_midi_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.mid"
    path.write_bytes(b"noise")
    with pytest.raises(OptionError, match="cannot be read"):
        read_groove(str(path))
