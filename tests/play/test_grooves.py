"""The groove book, the ranker, and the choice of grooves for songs and jams."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import CheckpointError, ModelError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.lattice.features import GuitarGrid, SongGrid
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves import tabs
from seq2drum.lattice.grooves.fitting import playable
from seq2drum.lattice.grooves.grooves import Groove, hits_of, looped, to_json
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.styles import idiom_of, is_extreme, swings
from seq2drum.lattice.grooves.variation import timekeeper
from seq2drum.lattice.sections import Section, sections
from seq2drum.music import drum_maps, theory
from seq2drum.music.choices import STYLES
from seq2drum.music.choices import WHOLE as WHOLE_SONG
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part, Song
from seq2drum.play.checkpoint.folder import CONFIG, available
from seq2drum.play.grooves import book, choosing
from seq2drum.play.grooves.book import Book, read_groove
from seq2drum.play.grooves.choosing import chosen, offered, worths
from seq2drum.play.grooves.ranker import SAME, SHIPPED, Fit, Ranker, Shelf
from seq2drum.play.jam.foreseeing import EARLY, FIRST, Passages
from seq2drum.play.listen import listen
from seq2drum.play.options import Options
from tests import tabs as tabs_made
from tests.backbeats import changing, song_of
from tests.conftest import ROOT, run_script

# --- book -------------------------------------------------------------------------------------------------------------


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
    assert len({groove.title for groove in grooves}) == len(grooves)


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
    return Book.load(folder)


def test_grooves_that_were_found_in_songs_come_after_the_idioms_under_names_of_their_own(tmp_path: Path) -> None:
    both = found(tmp_path)
    assert [groove.name for groove in both][:2] == ["one-drop", "one-drop-2"]
    assert dict(both.popularity) == {"one-drop-2": 7}
    assert both["one drop, hat"].name == "one-drop"


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "{}", '{"grooves": [{}]}', '{"grooves": [{"name": 1}]}', '{"grooves": 3}']
)
def test_a_damaged_book_says_so(tmp_path: Path, damage: str) -> None:
    found(tmp_path)
    damaged = shutil.copytree(tmp_path, tmp_path / "damaged")
    (damaged / book.FOUND).write_text(damage, encoding="utf-8")
    with pytest.raises(ModelError, match="damaged"):
        Book.load(damaged)


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
    with pytest.raises(OptionError, match="a recording, whose drums cannot be read; wanted a MIDI file"):
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


# --- the shipped ranker: shares of each section's grooves, the safest, ten to choose from, and what is refused --------

HEARD = song_of(1).guitar_grid
WHOLE = (Section(0, "A"),)


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    return Ranker.load()


@pytest.fixture(scope="module")
def fit(ranker: Ranker) -> Fit:
    return ranker.fit(HEARD, WHOLE, Book.load())["A"]


def test_the_ranker_is_no_model_that_plays() -> None:
    assert SHIPPED.name not in available()
    assert "default" in available()


def test_a_section_has_shares_of_all_grooves_of_its_metre(fit: Fit) -> None:
    assert fit.grooves == Book.load().of_metre(4, 4)
    assert fit.shares.shape == (len(fit.grooves),)
    assert (fit.shares > 0).all() and fit.shares.sum() == pytest.approx(1)


def test_the_same_guitar_has_the_same_shares(ranker: Ranker, fit: Fit) -> None:
    assert np.array_equal(ranker.fit(HEARD, WHOLE, Book.load())["A"].shares, fit.shares)
    assert Ranker.load() is ranker


def test_another_guitar_and_a_bass_change_the_shares(ranker: Ranker, fit: Fit) -> None:
    for other in (song_of(2).guitar_grid, replace(HEARD, bass=HEARD.guitar)):
        assert np.abs(ranker.fit(other, WHOLE, Book.load())["A"].shares - fit.shares).sum() > 0.01


def test_the_safest_groove_has_most_in_common_with_what_is_drawn(fit: Fit) -> None:
    hits = hits_of(fit.grooves, 24)
    expected = likeness(hits, hits) @ fit.shares
    assert expected[fit.safest()] == expected.max()
    assert fit.best(1) == (fit.safest(),)


def test_ten_to_choose_from_are_ten_and_cover_more_than_the_ten_likeliest(fit: Fit) -> None:
    best = list(fit.best(10))
    assert len(set(best)) == 10
    assert fit.shelf.likeness[np.ix_(best, best)][~np.eye(10, dtype=bool)].max() < SAME
    likeliest = np.argsort(-fit.shares)[:10]
    covered = [fit.shelf.likeness[:, some].max(axis=1) @ fit.shares for some in (best, likeliest)]
    assert covered[0] > covered[1]
    assert len(fit.best(10_000)) == len(fit.grooves)


def test_each_section_is_ranked_in_the_metre_of_most_of_its_bars(ranker: Ranker) -> None:
    fits = ranker.fit(changing().guitar_grid, (Section(0, "A"), Section(6, "B")), Book.load())
    assert [fits[letter].grooves[0].metre for letter in "AB"] in (["4/4", "7/8"], ["4/4", "3/4"])


def test_a_metre_that_was_hardly_learnt_goes_by_popularity_and_tempo(ranker: Ranker) -> None:
    guitar_grid = song_of(8, metre=(7, 8)).guitar_grid
    fit = ranker.fit(guitar_grid, WHOLE, Book.load())["A"]
    assert fit.grooves and {groove.metre for groove in fit.grooves} == {"7/8"}
    assert np.array_equal(fit.shares, Fit.of(fit.shelf, fit.shelf.prior(120)).shares)


def test_two_halves_are_ranked_as_four_quarters(ranker: Ranker, fit: Fit) -> None:
    form = HEARD.form
    halves = replace(HEARD, form=form._replace(numerator=form.numerator // 2, denominator=form.denominator // 2))
    found = ranker.fit(halves, WHOLE, Book.load())["A"]
    assert found.grooves[0].metre == "2/2"
    assert not np.array_equal(found.shares, Fit.of(found.shelf, found.shelf.prior(120)).shares)


def test_an_idiom_is_less_likely_the_farther_the_tempo_is_from_its_own() -> None:
    grooves = Book.load().of_metre(4, 4)[:1]
    slow, fast = grooves[0].tempo
    shelf = Shelf(grooves, np.zeros(1), np.zeros((1, 1), np.float32), np.zeros(1))
    inside, beyond, far = (float(shelf.prior(bpm)[0]) for bpm in (slow, 2 * fast, 4 * fast))
    assert inside > beyond > far
    found = replace(shelf, popularity=np.array([7.0]))
    assert found.prior(slow) == found.prior(4 * fast) == pytest.approx(np.log(7))


def test_a_guitar_that_never_plays_has_no_sections(ranker: Ranker) -> None:
    silent = replace(HEARD, guitar=Grid.join([]))
    assert ranker.fit(silent, sections(silent), Book.load()) == {}
    assert ranker.fit(silent, WHOLE, Book.load()) == {}


@pytest.mark.parametrize("change", ["kind", "format", "inputs", "metres", "digest", "graph", "gone"])
def test_a_folder_that_is_damaged_or_of_another_kind_is_refused(change: str, tmp_path: Path) -> None:
    folder = tmp_path / "ranker"
    shutil.copytree(SHIPPED, folder)
    about = json.loads((folder / CONFIG).read_text())
    if change in about:
        (folder / CONFIG).write_text(json.dumps({**about, change: {"kind": "feel"}.get(change, 99)}))
    elif change == "digest":
        (folder / CONFIG).write_text(json.dumps({**about, "seed": 99}))
    elif change == "graph":
        (folder / "groove.onnx").write_bytes(b"no graph")
    else:
        (folder / CONFIG).unlink()
    with pytest.raises(CheckpointError, match=str(folder)):
        Ranker.load(folder)


# --- which grooves a take is played on, with the book and the ranker that come with the package -----------------------

EXAMPLES = Path(__file__).parents[2] / "examples"


def heard_of(name: str) -> tuple[GuitarGrid, tuple[Section, ...]]:
    return heard_in(midi.read(EXAMPLES / f"{name}.mid"))


def heard_in(song: Song) -> tuple[GuitarGrid, tuple[Section, ...]]:
    guitar_grid = SongGrid.of(song, theory.guitar_parts(song).parts).guitar_grid
    return guitar_grid, sections(guitar_grid)


@pytest.fixture(scope="module", params=["rock_riff", "seven_eight"])
def guitar(request: pytest.FixtureRequest) -> tuple[GuitarGrid, tuple[Section, ...]]:
    return heard_of(request.param)


def names(grooves: choosing.BySection) -> dict[str, str]:
    return {letter: groove.name for letter, groove in grooves.items()}


def test_every_section_has_a_groove_of_its_metre(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    guitar_grid, passages = guitar
    grooves = chosen(guitar_grid, passages, Options())
    assert set(grooves) == {section.letter for section in passages}
    assert {groove.metre for groove in grooves.values()} == {guitar_grid.form.metre}


def test_the_safest_groove_is_the_same_for_each_seed(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    assert len({tuple(names(chosen(*guitar, Options(seed=seed))).items()) for seed in range(6)}) == 1


def test_who_dares_plays_other_grooves_by_the_seed(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    def different(daring: float) -> int:
        return len({tuple(names(chosen(*guitar, Options(seed=seed, daring=daring))).items()) for seed in range(20)})

    assert different(0.05) <= different(0.5) and different(0.5) > 4
    assert names(chosen(*guitar, Options(seed=3, daring=0.5))) == names(chosen(*guitar, Options(seed=3, daring=0.5)))


def test_several_takes_are_on_several_grooves(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    first = {next(iter(names(chosen(*guitar, Options(), take)).values())) for take in range(5)}
    assert len(first) >= 4


def test_a_groove_that_is_asked_for_is_played(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    guitar_grid, passages = guitar
    one, other = Book.load().grooves[:2]
    assert set(chosen(guitar_grid, passages, Options(groove={WHOLE_SONG: one})).values()) == {one}
    letter = passages[0].letter
    assert chosen(guitar_grid, passages, Options(groove={WHOLE_SONG: one, letter: other}))[letter] == other


def test_ten_different_grooves_are_offered_the_chosen_one_first(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    offers = offered(*guitar, Options())
    assert len(offers) == choosing.OFFERED == len({groove.name for groove, _ in offers})
    assert offers[0][0] in chosen(*guitar, Options()).values()
    assert all(0 < fit <= 1 for _, fit in offers)


def test_a_style_that_is_asked_for_chooses_grooves_of_it() -> None:
    guitar_grid, passages = heard_of("rock_riff")
    for style in ("reggae", "latin", "jazz", "metal", "funk"):
        assert {groove.style for groove in chosen(guitar_grid, passages, Options(style=style)).values()} == {style}


def test_a_quiet_bossa_is_a_bossa_and_a_loud_swing_a_swing() -> None:
    for name, idiom in (("bossa_nova", "latin"), ("jazz_swing", "jazz")):
        guitar_grid, passages = heard_of(name)
        for level in (0.0, 0.3, 0.7, 1.0):
            grooves = chosen(guitar_grid, passages, Options(intensity=level)).values()
            assert {idiom_of(groove) for groove in grooves} == {idiom}


@pytest.mark.parametrize(
    ("name", "idiom"),
    [
        ("disco", "dance"),
        ("bossa_minor", "latin"),
        ("reggae", "reggae"),
        ("funk_d", "funk"),
        ("gallop_d", "metal"),
        ("swing_minor", "jazz"),
        ("shuffle_e", "shuffle"),
    ],
)
def test_a_guitar_of_a_style_gets_its_grooves_and_is_said_to_sound_like_it(name: str, idiom: str) -> None:
    guitar_grid, passages = heard_in(dict(run_script(EXAMPLES / "other_pieces.py")["pieces"]())[name])
    assert idiom_of(chosen(guitar_grid, passages, Options())[passages[0].letter]) == idiom
    heard = choosing.heard(guitar_grid, passages, Options())
    assert heard is not None and heard.style == idiom and 0.2 < heard.share <= 1
    assert bool(heard.figure) == (idiom not in ("dance", "shuffle"))


def test_a_style_is_not_guessed_where_the_request_says_it_or_a_groove() -> None:
    for asked in (Options(style="rock"), Options(groove={WHOLE_SONG: Book.load()["rock-hat"]}), Options(like="a.mid")):
        assert choosing.heard(*heard_of("funk"), asked) is None


@pytest.mark.parametrize("name", ["blues_shuffle", "funk", "jazz_swing", "bossa_nova", "rock_riff"])
def test_the_sections_of_a_song_are_of_one_style(name: str) -> None:
    grooves = chosen(*heard_of(name), Options()).values()
    assert len({idiom_of(groove) in choosing.IDIOMS and idiom_of(groove) for groove in grooves}) == 1


def without_click(song: Song) -> Song:
    """Its first guitar at a tempo that drifts, in a file of another tempo."""
    part, rng = song.parts[theory.guitar_parts(song).parts[0]], np.random.default_rng(0)
    beats = np.arange(song.end // song.ticks_per_quarter + 3)
    lengths = 0.73 * np.exp(np.cumsum(rng.normal(0, 0.03, len(beats))))
    places = np.interp(part.onset / song.ticks_per_quarter, beats, np.cumsum(lengths)) * 480
    notes = [Note(int(at), 200, int(row[2]), int(row[3])) for at, row in zip(places, part.rows, strict=True)]
    return Song(480, (Part.of(notes, program=25),))


@pytest.mark.parametrize("name", ["rock_riff", "blues_shuffle", "funk", "metal_gallop"])
def test_who_plays_without_a_click_gets_no_extreme_groove_unless_it_is_asked_for(name: str) -> None:
    guitar_grid, passages = heard_in(without_click(midi.read(EXAMPLES / f"{name}.mid")))
    assert not any(is_extreme(groove) for groove in chosen(guitar_grid, passages, Options()).values())
    blast = Book.load()["metal-blast"]
    assert set(chosen(guitar_grid, passages, Options(groove={WHOLE_SONG: blast})).values()) == {blast}


def test_an_extreme_groove_that_is_hardly_likelier_than_another_is_not_chosen() -> None:
    shelf = Ranker.load().shelf(Book.load(), 4, 4)
    names = [groove.name for groove in shelf.grooves]
    blast, eighths = names.index("metal-blast-together"), names.index("metal-eighth-kick")

    def safest(share: float) -> Groove:
        shares = np.full(len(names), 1e-9)
        shares[[blast, eighths]] = share, 1 - share
        return shelf.grooves[choosing.safest_of(Fit(shelf, shares / shares.sum()))]

    assert safest(0.51).name == "metal-eighth-kick" and safest(0.9).name == "metal-blast-together"


def test_crash_upon_crash_is_worth_less_than_the_groove(guitar: tuple[GuitarGrid, tuple[Section, ...]]) -> None:
    guitar_grid, passages = guitar
    groove, first = next(iter(chosen(guitar_grid, passages, Options()).values())), guitar_grid.form.first
    played = Grid.join(groove.bar(0).shift(first[bar]) for bar in range(*guitar_grid.sounding))
    crashes = Grid(*(np.full(int(first[-1]), value) for value in (0, 3, 120, 0, 3)))._replace(step=np.arange(first[-1]))
    good, bad = worths([played, crashes], guitar_grid, passages, Options())
    assert good > 0.4 > bad
    assert worths([played], guitar_grid, passages, Options(groove={WHOLE_SONG: groove})) == [pytest.approx(1)]


# --- the first groove of a jam, which is chosen blind and settled after a few bars of guitar --------------------------


def grid_of_bars(name: str) -> GuitarGrid:
    song = midi.read(EXAMPLES / f"{name}.mid")
    return SongGrid.of(song, theory.guitar_parts(song).parts).guitar_grid


def followed(guitar_grid: GuitarGrid, bars: int, options: Options | None = None) -> tuple[Passages, list[bool]]:
    """The passages of a jam with so many bars of a guitar; before which bars another kind of groove was announced."""
    form, led = guitar_grid.form, []
    passages = Passages(options or Options(), form.between(0, 1))
    for number in range(bars):
        passages.follow(number, guitar_grid.between(0, number), form.between(number, number + 1))
        led.append(passages.leads_on)
        passages.letters.append(passages.letter)
    return passages, led


@pytest.mark.parametrize(("name", "bars"), [("blues_shuffle", EARLY[0]), ("jazz_swing", EARLY[0])])
def test_the_first_groove_becomes_one_of_the_guitars_kind_and_the_bar_before_announces_it(name: str, bars: int) -> None:
    guitar_grid = grid_of_bars(name)
    before, led = followed(guitar_grid, bars)
    after, _ = followed(guitar_grid, bars + 1)
    assert not swings(before.groove)
    assert [at for at, is_led in enumerate(led) if is_led] == [bars - 1]
    assert swings(after.groove)


def test_a_rock_guitar_is_not_announced_another_kind() -> None:
    passages, led = followed(grid_of_bars("rock_riff"), 2 * EARLY[0])
    assert not any(led)
    assert not swings(passages.groove)


def test_a_groove_that_was_asked_for_stays() -> None:
    asked = read_groove("rock-hat-plain")
    passages, led = followed(grid_of_bars("jazz_swing"), 2 * EARLY[0], Options(groove={FIRST: asked}))
    assert passages.groove == asked
    assert not any(led)


def test_a_guitar_that_is_silent_settles_nothing() -> None:
    guitar_grid = grid_of_bars("jazz_swing")
    silent = replace(guitar_grid, guitar=guitar_grid.guitar.select(guitar_grid.guitar.step < 0))
    passages, led = followed(silent, 2 * EARLY[0])
    form = guitar_grid.form
    kind = int(form.numerator[0]), int(form.denominator[0])
    assert passages.groove == choosing.unheard(kind, float(form.bpm[0]), Options())
    assert not any(led)


def test_a_sign_for_a_section_ends_what_was_announced() -> None:
    guitar_grid = grid_of_bars("jazz_swing")
    passages, led = followed(guitar_grid, EARLY[0])
    assert led[-1]
    passages.turn(EARLY[0], None, guitar_grid.between(0, EARLY[0]), guitar_grid.form.between(EARLY[0], EARLY[0] + 1))
    assert not passages.leads_on


@pytest.mark.parametrize("name", ["rock_riff", "metal_gallop", "blues_shuffle"])
def test_a_section_may_have_a_groove_of_its_own_near_the_leading_one(name: str) -> None:
    guitar = listen(ROOT / "examples" / f"{name}.mid")
    grid, passages = guitar.song_grid.guitar_grid, guitar.sections
    length = Counter(guitar.letters)
    longest = max(length, key=lambda letter: (length[letter], -ord(letter[0])))
    changed = 0
    for seed in range(6):
        grooves = choosing.chosen(grid, passages, Options(seed=seed))
        assert grooves == choosing.chosen(grid, passages, Options(seed=seed))
        for groove in {grooves[letter] for letter in grooves if grooves[letter] != grooves[longest]}:
            changed += 1
            assert timekeeper(groove) == timekeeper(grooves[longest])
            assert idiom_of(groove) == idiom_of(grooves[longest])
            assert not is_extreme(groove)
        for plain in (Options(seed=seed, arrange="off"), Options(seed=seed, temperature=0, arrange="off")):
            assert len(set(choosing.chosen(grid, passages, plain).values())) == 1
    assert changed > 0


@pytest.mark.parametrize("name", ["five_four", "seven_eight"])
def test_a_song_of_grouped_beats_keeps_their_groups(name: str) -> None:
    guitar = listen(ROOT / "examples" / f"{name}.mid")
    for seed in range(4):
        grooves = choosing.chosen(guitar.song_grid.guitar_grid, guitar.sections, Options(seed=seed))
        assert len(grooves) > 1
        assert len(set(grooves.values())) == 1
