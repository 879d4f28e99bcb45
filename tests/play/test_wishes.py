"""Wishes: the grooves and other options that are requested, resolved for a song."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum import Options
from seq2drum.errors import InputError, MidiError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.music import theory
from seq2drum.music.choices import FAMILIES, PIECES, WHOLE
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo
from seq2drum.music.options import CHOICES
from seq2drum.play.asked import Reference, by_letter, by_section, reference
from seq2drum.play.decode.sampling import Sampling
from seq2drum.play.grooves.book import Book, groove_of, read_groove
from seq2drum.play.listen import Guitar
from seq2drum.play.wishes import HUMAN_MS, resolve_options, wishes_of
from tests.conftest import ROOT
from tests.players import strummed

# --- what is asked for, made definite for a song; and what a song to play like tells ----------------------------------

KICK, SNARE, HAT, RIDE = 36, 38, 42, 51
BAR = 1920
ROCK = [(0, KICK), (480, SNARE), (960, KICK), (1440, SNARE), *((at, HAT) for at in range(0, BAR, 240))]
HALF = [(0, KICK), (960, SNARE), *((at, RIDE) for at in range(0, BAR, 240))]
STRUM = [(0, 40), (480, 47), (720, 52), (960, 40), (1440, 47)]
CHORDS = [(0, 62), (0, 66), (0, 69), (960, 57), (960, 61), (960, 64)]


def song(
    beats: Sequence[list[tuple[int, int]]],
    guitar: Sequence[list[tuple[int, int]]] = (),
    *,
    velocity: int = 90,
    late: Sequence[int] = (0,),
) -> Song:
    """A song of bars of (tick, note), the drums' and the guitar's. late: ticks that hits come late, in turn."""
    hits = [(bar * BAR + at, note) for bar, own in enumerate(beats) for at, note in sorted(own)]
    drums = [Note(at + late[index % len(late)], 60, note, velocity) for index, (at, note) in enumerate(hits)]
    notes = [Note(bar * BAR + at, 200, note, 90) for bar, own in enumerate(guitar) for at, note in own]
    parts = [Part.of(drums, is_drums=True)] if drums else []
    parts += [Part.of(notes, program=27, name="Guitar")] if notes else []
    return Song(480, tuple(parts), (Tempo(0, 500_000),), (Metre(0, 4, 4),), len(beats) * BAR)


# --- a song to play like ----------------------------------------------------------------------------------------------


def test_a_song_tells_the_groove_of_each_section_of_its_guitar() -> None:
    wishes = wishes_of(song([ROCK] * 8 + [HALF] * 8 + [ROCK] * 8, [STRUM] * 8 + [CHORDS] * 8 + [STRUM] * 8))
    assert list(wishes.grooves) == [WHOLE, "A", "B"]
    rock, half = groove_of(song([ROCK])), groove_of(song([HALF]))
    assert (wishes.grooves["A"], wishes.grooves["B"]) == (rock, half)
    assert wishes.grooves[WHOLE] == rock


def test_a_song_without_a_guitar_tells_one_groove() -> None:
    assert wishes_of(song([HALF] * 4)).grooves == {WHOLE: groove_of(song([HALF]))}


def test_a_section_without_drums_tells_no_groove() -> None:
    wishes = wishes_of(song([[]] * 8 + [HALF] * 8, [STRUM] * 8 + [CHORDS] * 8))
    assert list(wishes.grooves) == [WHOLE, "B"]


def test_louder_and_denser_drums_tell_more_intensity_and_syncopated_ones_more_complexity() -> None:
    loud, soft = (wishes_of(song([ROCK] * 8, velocity=velocity)) for velocity in (120, 40))
    assert loud.intensity > soft.intensity + 0.2
    assert loud.complexity == soft.complexity
    leaning = [(at + (120 if note == SNARE else 0), note) for at, note in ROCK]
    assert wishes_of(song([leaning] * 8)).complexity > loud.complexity


def test_bars_that_break_the_pattern_tell_more_fills() -> None:
    roll = [(at, SNARE) for at in range(0, BAR, 120)]
    none, some = wishes_of(song([ROCK] * 32)), wishes_of(song(([ROCK] * 15 + [roll]) * 2))
    assert none.fills == 0
    assert some.fills == pytest.approx(2 / 32 / 0.082 / 2)


def test_hits_off_their_places_tell_a_human_feel_but_a_lag_that_stays_tells_none() -> None:
    straight, lagging, human = (wishes_of(song([ROCK] * 16, late=late)) for late in ((0,), (20,), (0, 7, 21, 13, 3)))
    assert (straight.humanize, lagging.humanize) == (0, 0)
    assert 3 / HUMAN_MS < human.humanize < 1


def test_offbeat_eighths_tell_the_swing() -> None:
    swung = [(at + (80 if at % 480 else 0), note) for at, note in ROCK]
    assert wishes_of(song([ROCK] * 4)).swing == 0
    assert wishes_of(song([swung] * 4)).swing == 1
    assert wishes_of(song([[(0, KICK), (480, SNARE)]] * 4)).swing is None


def test_a_song_without_drums_cannot_be_played_like() -> None:
    with pytest.raises(OptionError, match=r"no drums in it: 1 'Guitar'.*wanted notes on MIDI channel 10"):
        wishes_of(strummed(4))


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "training").glob("*.mid")), ids=lambda path: path.stem)
def test_every_song_with_drums_tells_its_wishes(path: Path) -> None:
    wishes = wishes_of(midi.read(path))
    levels = (wishes.intensity, wishes.complexity, wishes.fills, wishes.humanize, wishes.swing or 0)
    assert all(0 <= level <= 1 for level in levels)
    Options(groove=wishes.grooves)  # which checks them


# --- resolved ---------------------------------------------------------------------------------------------------------


def resolved(options: Options, played: Song | None = None) -> Options:
    played = played or song([[]] * 16, [STRUM] * 8 + [CHORDS] * 8)
    return resolve_options(Guitar(played, theory.guitar_parts(played)), options)


def grooves(options: Options) -> object:
    return resolved(options).groove


def test_names_and_files_of_grooves_become_grooves(tmp_path: Path) -> None:
    (tmp_path / "beat.mid").write_bytes(midi.serialise(song([ROCK, HALF])))
    drop = Book.load()["one-drop"]
    half = read_groove(f"{tmp_path}/beat.mid:2")
    assert isinstance(half, Groove)
    assert grooves(Options(groove="one drop, hat")) == {WHOLE: drop}
    assert grooves(Options(groove=drop)) == {WHOLE: drop}
    assert grooves(Options(groove=f"verse=one drop, hat,chorus={tmp_path}/beat.mid:2")) == {"A": drop, "B": half}
    assert grooves(Options(groove={"b": drop})) == {"B": drop}
    asked = Options(seed=3)
    assert resolved(asked) is asked


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("waltz", "brushes", {WHOLE: "jazz-waltz-brushes"}),
        ("rock_riff", "half-time", {WHOLE: "half-time-rock-hat"}),
        ("funk", "A=funk,B=rock", {"A": "funk-linear", "B": "rock-16th-hat"}),
    ],
)
def test_of_a_family_of_grooves_the_one_that_fits_the_song_is_taken(name: str, words: str, expected) -> None:
    given = midi.read(ROOT / "examples" / f"{name}.mid")
    wanted = resolve_options(Guitar(given, theory.guitar_parts(given)), Options(groove=words))
    assert isinstance(wanted.groove, dict)
    assert {letter: groove.name for letter, groove in wanted.groove.items()} == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(groove="hat"), "grooves of several kinds"),
        (Options(groove="none.mid"), "none.mid"),
        (Options(groove="no such groove"), "there is no groove 'no such groove'"),
        (Options(groove="C=one drop"), "no section 'C'; it has A, B"),
        (Options(groove="verse=one drop,chorus=one drop,bridge=one drop"), "no section 'bridge'; it has A, B"),
        (Options(fill_at=(4, 17)), "a fill is requested in bar 17, but the song has 16"),
        (Options(no_fills_in=((1, 4), (17, 20))), "no fills are requested in bars 17-20, but the song has 16"),
        (Options(out="C"), "no section 'C'; it has A, B"),
        (Options(groove="verse=one drop", out="chorus,bridge"), "no section 'bridge'; it has A, B"),
        (Options(out="A, 17-20"), "no drums are requested in bars 17-20, but the song has 16"),
        (Options(out="B,a"), "no bar is left to play"),
        (Options(out="1-99"), "no bar is left to play"),
        (Options(enter=17), "the drums are to enter in bar 17, but the song has 16"),
        (Options(enter=9, out="9-16"), "no bar is left to play"),
        (Options(like=midi.serialise(strummed(2))), "no drums"),
    ],
)
def test_what_the_song_or_the_book_does_not_have_is_refused(options: Options, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resolved(options)


def test_names_of_sections_stand_for_the_letters_that_are_left() -> None:
    assert by_letter({"verse": 1, "chorus": 2, WHOLE: 3}, "ABC") == {"A": 1, "B": 2, WHOLE: 3}
    assert by_letter({"intro": 1, "A": 2, "verse": 3}, "ABC") == {"B": 1, "A": 2, "C": 3}
    with pytest.raises(OptionError, match="two grooves are requested in 'A'"):
        by_letter({"a": 1, "A": 2}, "AB")


def test_a_name_stands_for_the_same_section_in_all_options() -> None:
    wanted = resolved(Options(groove="chorus=one drop", out="verse, 3:4,5"))
    assert isinstance(wanted.groove, dict)
    assert (list(wanted.groove), wanted.out) == (["A"], "B,3-4,5-5")


def test_where_the_file_names_its_sections_these_are_meant() -> None:
    names = ["start", "verse", "chorus"]
    assert by_letter({"Chorus": 1, "verse": 2, WHOLE: 3}, names) == {"chorus": 1, "verse": 2, WHOLE: 3}
    with pytest.raises(OptionError, match="no section 'bridge'; it has start, verse, chorus"):
        by_letter({"bridge": 1}, names)


def test_what_a_song_tells_is_the_default_of_what_is_not_asked_for() -> None:
    model = song([ROCK] * 8 + [HALF] * 8, [STRUM] * 8 + [CHORDS] * 8)
    wishes = wishes_of(model)
    told = resolved(Options(like=midi.serialise(model)))
    assert told.like is None
    assert told.groove == wishes.grooves
    assert (told.intensity, told.complexity) == (None, None)  # the grooves have them
    assert (told.fills, told.humanize, told.swing) == (wishes.fills, 0, 0)
    assert told.freedom == 0
    drop = Book.load()["one-drop"]
    asked = Options(like=midi.serialise(model), intensity=0.1, groove=drop, swing=1.0, seed=3)
    told = resolved(asked)
    assert (told.groove, told.intensity, told.swing, told.seed) == ({WHOLE: drop}, 0.1, 1.0, 3)
    assert resolved(Options(like=midi.serialise(model), groove=drop)).intensity == wishes.intensity
    placed = resolved(Options(like=midi.serialise(model), intensity="A=0.9")).intensity
    assert isinstance(placed, dict) and placed == {"A": 0.9}


def test_a_song_with_more_sections_tells_those_that_this_song_has() -> None:
    model = song([ROCK] * 8 + [HALF] * 8, [STRUM] * 8 + [CHORDS] * 8)
    one = song([[]] * 8, [STRUM] * 8)
    told = resolved(Options(like=midi.serialise(model)), one)
    assert isinstance(told.groove, dict)
    assert list(told.groove) == [WHOLE, "A"]


def test_sections_that_a_file_names_are_those_of_the_same_name_or_of_the_same_turn() -> None:
    played = song([ROCK] * 8 + [HALF] * 8, [STRUM] * 8 + [CHORDS] * 8)
    rock, half = groove_of(song([ROCK])), groove_of(song([HALF]))

    def told(names: tuple[str, str], here: tuple[str, str]) -> object:
        model, own = (
            replace(played, markers=tuple(Marker(turn * 8 * BAR, name) for turn, name in enumerate(each)))
            for each in (names, here)
        )
        return resolved(Options(like=midi.serialise(model)), own).groove

    assert told(("verse", "chorus"), ("chorus", "verse")) == {WHOLE: rock, "chorus": half, "verse": rock}
    assert told(("verse", "chorus"), ("intro", "solo")) == {WHOLE: rock, "intro": rock, "solo": half}
    assert told(("verse", "chorus"), ("A", "B")) == {WHOLE: rock, "A": rock, "B": half}


def test_a_song_to_play_like_that_cannot_be_read_is_said_to_be_that_one(tmp_path: Path) -> None:
    with pytest.raises(MidiError, match="the song to play like: "):
        resolved(Options(like=b"no music"))
    with pytest.raises(InputError, match=r"the song to play like: .*none"):
        resolved(Options(like=tmp_path / "none.mid"))


def test_a_fill_may_be_asked_for_in_the_last_bar() -> None:
    options = Options(fill_at=(16,), no_fills_in=((10, 12), (13, 15)))
    assert resolved(options) == options


# --- drums that stay --------------------------------------------------------------------------------------------------


def test_what_goes_on_from_the_first_bars_holds_their_groove_plainly() -> None:
    fill = [(at, SNARE) for at in range(0, BAR, 120)]
    played = song([ROCK, ROCK, fill, ROCK] + [HALF] * 12, [STRUM] * 8 + [CHORDS] * 8)
    told = resolved(Options(prime=4), played)
    assert told.groove == {WHOLE: groove_of(song([ROCK])), "A": groove_of(song([ROCK]))}
    assert (told.temperature, told.freedom) == (None, 0)
    assert resolved(Options(prime=4, temperature=0.5), played).freedom == 0.5


def test_bars_played_anew_hold_the_groove_of_what_stays_of_their_section() -> None:
    played = song([ROCK] * 8 + [HALF] * 8, [STRUM] * 8 + [CHORDS] * 8)
    rock, half = groove_of(song([ROCK])), groove_of(song([HALF]))
    told = resolved(Options(bars=(13, 14)), played)
    assert told.groove == {WHOLE: rock, "A": rock, "B": half}
    assert told.freedom == 1, "with another seed they are others"
    assert resolved(Options(bars=(9, 16)), played).groove == {WHOLE: rock, "A": rock}
    assert resolved(Options(bars=(1, 16)), played).groove is None


def test_a_groove_that_is_given_wins_over_what_stays_and_that_over_a_song_to_play_like() -> None:
    played = song([ROCK] * 8 + [HALF] * 8, [STRUM] * 8 + [CHORDS] * 8)
    drop = Book.load()["one-drop"]
    assert resolved(Options(prime=4, groove=drop), played).groove == {WHOLE: drop}
    like = midi.serialise(song([HALF] * 4))
    told = resolved(Options(prime=4, like=like), played)
    assert told.groove == {WHOLE: groove_of(song([ROCK])), "A": groove_of(song([ROCK]))}
    assert told.intensity is not None


def test_nothing_stays_where_there_are_no_drums() -> None:
    with pytest.raises(OptionError, match="no drums to keep"):
        resolved(Options(prime=4))


# --- grooves as they are asked for, and the other wishes that `Options` checks ----------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("half-time rock, ride", Reference("half-time rock, ride")),
        (" one-drop ", Reference("one-drop")),
        ("beat.mid", Reference("beat.mid", True)),
        ("C:\\beats\\Beat.MIDI:5", Reference("C:\\beats\\Beat.MIDI", True, (5, 5))),
        ("a=b/beat.mid:5-8", Reference("a=b/beat.mid", True, (5, 8))),
        ("beat.mid.mid:12", Reference("beat.mid.mid", True, (12, 12))),
    ],
)
def test_a_groove_is_a_name_or_a_file_with_bars(text: str, expected: Reference) -> None:
    assert reference(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no name"),
        ("  ", "has no name"),
        ("beat.mid:0", "bars are 0:0, wanted FIRST:LAST"),
        ("beat.mid:5-4", "bars are 5:4"),
        ("beat.mid:x", "bars are 'x', wanted FILE:BAR"),
        ("beat.mid:", "bars are '', wanted FILE:BAR"),
        ("verse=", "has no name"),
        ("verse=one drop, verse=bossa", "two grooves are requested in 'verse'"),
    ],
)
def test_what_names_no_groove_is_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(groove=text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("half-time rock, ride", {WHOLE: "half-time rock, ride"}),
        ("verse=half-time rock, ride,chorus=one drop", {"verse": "half-time rock, ride", "chorus": "one drop"}),
        ("A=bossa, B=beat.mid:5-8", {"A": "bossa", "B": "beat.mid:5-8"}),
        ("bossa, side stick, guitar solo=songs/a=b.mid", {WHOLE: "bossa, side stick", "guitar solo": "songs/a=b.mid"}),
        ("songs/a=b.mid", {WHOLE: "songs/a=b.mid"}),
    ],
)
def test_grooves_of_sections_are_split_at_commas_before_a_section(text: str, expected: dict[str, str]) -> None:
    assert by_section(text) == expected
    assert by_section(expected) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ending": "fade"}, "no ending 'fade'; there are auto, ring, choke, ritard, none"),
        ({"pieces": "some"}, "no set of pieces 'some'; there are kit, all"),
        ({"time": "bell"}, "no piece to keep time on 'bell'; there are hat, ride, open, auto"),
        ({"without": ("crash", "gong")}, "no piece 'gong'; there are kick, snare"),
        ({"without": PIECES}, "no piece of the kit is left to play"),
        ({"fill_at": (8, 0)}, "a bar of fill_at is 0, wanted"),
        ({"no_fills_in": ((4, 1),)}, "bars of no_fills_in are 4:1, wanted FIRST:LAST"),
        ({"fill_at": (8,), "no_fills_in": ((1, 4), (5, 8))}, "a fill is requested in bar 8, and none in bars 5-8"),
        ({"out": "intro,,1-8"}, "a place is missing in 'intro,,1-8'"),
        ({"out": "8-1"}, "the bars are 8:1, wanted FIRST:LAST"),
        ({"enter": 0}, "the bar to enter in is 0, wanted a number of a bar from 1"),
        ({"daring": 1.1}, "daring is 1.1, wanted 0 to 1"),
        ({"daring": None}, "daring is None, wanted 0 to 1"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(**options)  # type: ignore[arg-type]


def test_pieces_are_those_of_the_kit_and_a_family_stands_for_its_own() -> None:
    assert FULL.names == PIECES
    assert not set(FAMILIES) & set(PIECES)
    percussion = {voice.name for voice in FULL.voices if voice.limb == "percussion"}
    assert Options(without=("percussion", "crash")).forbidden == percussion | {"crash"}
    assert Options(without=("toms",)).forbidden == {"low tom", "mid tom", "high tom"}
    assert Options().forbidden == frozenset()


def test_a_take_is_as_free_as_music_but_plain_where_a_groove_is_given() -> None:
    assert CHOICES["temperature"].default is None
    assert (Options().freedom, Options(groove="one drop").freedom, Options(like=b"MThd").freedom) == (1.0, 0.0, 0.0)
    assert Options(groove="one drop", temperature=0.7).freedom == 0.7
    assert Options(groove="one drop", seed=3).sampling == Sampling(3, 0.0, 0.99, 1.0)
