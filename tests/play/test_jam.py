"""A drummer who plays along: by laws that hold for every model, as a tiny one of random weights tries to break them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from seq2drum.errors import NoGuitarError, OptionError
from seq2drum.music import drum_maps
from seq2drum.music.choices import CHOKE, NO_ENDING
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Part, Song
from seq2drum.play.decode import engine
from seq2drum.play.decode.engine import Engine
from seq2drum.play.grooves.book import read_groove
from seq2drum.play.jam.guitarist import jammed, strikes
from seq2drum.play.jam.jam import LEAD, LISTENED, SLID, Jam, JamBar, Told
from seq2drum.play.jam.live_input import LONGEST, MOST, LiveInput, Strike
from seq2drum.play.jam.signs import INTENSITY, SECTION, STOP, TEMPO, Sign
from seq2drum.play.options import Options
from tests.players import faults, save_player, strummed

BARS = 6
NEAR = 60  # ticks: half of a sixteenth, within which a hit is on its place
CRASH = FULL.names.index("crash")


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine.load(save_player(tmp_path_factory.mktemp("player"), "transformer"))


def told_of(song: Song) -> list[Told]:
    return list(strikes(song.parts, song.ticks_per_quarter))


def _rows(bars: Sequence[JamBar]) -> list[object]:
    return [(bar.number, bar.part, bar.letter, bar.groove, bar.is_fill, bar.is_last) for bar in bars]


# --- what is heard, and when ------------------------------------------------------------------------------------------


@settings(max_examples=6)
@given(st.lists(st.floats(0, 4 * BARS), max_size=12))
def test_what_is_played_does_not_depend_on_the_pieces_in_which_the_guitar_is_told(
    player: Engine, cuts: list[float]
) -> None:
    song = strummed(BARS)
    told = sorted([*told_of(song), Sign(9.0, "fill"), Sign(13.5, INTENSITY, 0.9)], key=lambda one: one.quarter)
    whole = Jam(player, Options(seed=3), song).hear(told, 4.0 * BARS)
    jam, pieces, begin = Jam(player, Options(seed=3), song), list[JamBar](), -1.0
    for end in [*sorted(cuts), 4.0 * BARS]:
        pieces += jam.hear([one for one in told if begin <= one.quarter < end], end)
        begin = end
    assert _rows(pieces) == _rows(whole)
    assert len(whole) == BARS + 1


@pytest.mark.slow
@pytest.mark.parametrize("bar", [1, 4])
def test_what_is_played_in_a_bar_was_decided_before_it_began(player: Engine, bar: int) -> None:
    told, point = told_of(strummed(BARS)), 4.0 * bar - LEAD
    other = [*(one for one in told if one.quarter < point), *(Strike(point + n / 8, 60 + n, 99) for n in range(60))]
    one, another = (Jam(player, score=Song(480)).hear(some, 4.0 * BARS) for some in (told, other))
    assert _rows(one[: bar + 1]) == _rows(another[: bar + 1])
    assert _rows(one) != _rows(another)


def test_a_bar_is_given_as_soon_as_its_moment_has_come(player: Engine) -> None:
    jam = Jam(player)
    assert jam.hear([], -LEAD - 0.01) == []
    assert [bar.number for bar in jam.hear([], -LEAD)] == [0]
    assert jam.hear([], 4 - LEAD - 0.01) == []
    assert [bar.number for bar in jam.hear([], 12.0)] == [1, 2, 3]


@pytest.mark.slow
def test_a_drummer_with_no_guitar_to_hear_plays_on(player: Engine) -> None:
    bars = Jam(player).hear([Strike(0.0, 52, 90)], 4.0 * 40)
    assert len(bars) == 41
    assert all(len(bar.part) for bar in bars)
    assert {bar.groove for bar in bars} - {""}


def test_a_bar_that_would_be_late_is_the_groove_again(player: Engine) -> None:
    song = strummed(BARS)
    jam, told = Jam(player, Options(groove="rock-hat-plain", temperature=0.0), song), told_of(song)
    jam.hear([one for one in told if one.quarter < 7], 7.0)
    late = jam.repeat()
    (groove,) = read_groove("rock-hat-plain").bars
    assert late.number == 2
    assert set(zip(late.hits.step.tolist(), late.hits.key.tolist(), strict=True)) == set(
        zip(groove.step.tolist(), groove.key.tolist(), strict=True)
    )
    after = jam.hear([one for one in told if one.quarter >= 7], 4.0 * BARS)
    assert [bar.number for bar in after] == [3, 4, 5, 6]


@pytest.mark.slow
def test_a_long_jam_forgets_its_beginning_and_goes_on(player: Engine) -> None:
    song = strummed(LISTENED + 2 * SLID + 8)
    bars = Jam(player, score=song).hear(told_of(song), song.end / 480)
    assert [bar.number for bar in bars] == list(range(len(bars)))
    assert len(bars) > LISTENED + 2 * SLID
    assert all(bar.bar.start <= int(bar.part.onset.min()) + 240 for bar in bars if len(bar.part))


# --- signs ------------------------------------------------------------------------------------------------------------


def test_a_sign_for_a_fill_makes_a_fill_of_the_next_bar(player: Engine) -> None:
    told = told_of(strummed(BARS))
    bars = Jam(player, Options(fills=0.0)).hear([*told, Sign(8.0, "fill")], 4.0 * BARS)
    assert [bar.number for bar in bars if bar.is_fill] == [3]


@pytest.mark.slow
def test_a_sign_for_a_section_leads_into_another_groove_and_its_letter_back(player: Engine) -> None:
    signs = [Sign(4.0, SECTION), Sign(12.0, SECTION, "A")]
    bars = Jam(player, Options(fills=0.0)).hear([*told_of(strummed(8)), *signs], 32.0)
    assert [bar.letter for bar in bars] == ["A", "A", "A", "B", "B", *"AAAA"]
    assert [bar.number for bar in bars if bar.is_fill] == [2, 4]
    assert bars[3].groove == bars[4].groove != bars[2].groove == bars[5].groove


@pytest.mark.slow
def test_each_section_is_played_on_the_groove_that_is_asked_for_in_it(player: Engine) -> None:
    options = Options(groove="A=rock-hat-plain,B=bossa-ride")
    bars = Jam(player, options).hear([*told_of(strummed(4)), Sign(-1.0, SECTION)], 16.0)
    assert [bar.groove for bar in bars] == ["rock-hat-plain", *["bossa-ride"] * 4]


def test_a_sign_to_stop_ends_the_jam_on_the_first_beat_of_the_next_bar(player: Engine) -> None:
    jam = Jam(player)
    bars = jam.hear([*told_of(strummed(BARS)), Sign(9.0, STOP)], 4.0 * BARS)
    assert [bar.is_last for bar in bars] == [False, False, False, True]
    assert set(bars[-1].hits.step.tolist()) == {0}
    assert CRASH in bars[-1].hits.key
    assert jam.is_over
    assert jam.hear([], 100.0) == []


@pytest.mark.slow
def test_a_sign_for_another_intensity_is_heeded_from_the_next_bar_on(player: Engine) -> None:
    told, signs = told_of(strummed(BARS)), [Sign(5.0, INTENSITY, 1.0)]
    plain, louder = (Jam(player, Options(seed=1)).hear([*told, *more], 4.0 * BARS) for more in ([], signs))
    assert _rows(plain[:2]) == _rows(louder[:2])
    mean = [np.mean(np.concatenate([bar.part.velocity for bar in bars[2:]])) for bars in (plain, louder)]
    assert mean[1] > mean[0]


@pytest.mark.slow
def test_a_sign_for_another_tempo_leaves_the_bars_where_they_are(player: Engine) -> None:
    told = told_of(strummed(BARS))
    bars = Jam(player).hear([*told, Sign(5.0, TEMPO, 90)], 4.0 * BARS)
    assert [bar.bar.start for bar in bars] == [1920 * number for number in range(len(bars))]


@pytest.mark.parametrize(
    ("sign", "told"),
    [
        (Sign(0.0, "dance"), "no sign 'dance'"),
        (Sign(0.0, TEMPO, 999), "the tempo is 999"),
        (Sign(0.0, TEMPO), "wanted a number"),
        (Sign(0.0, INTENSITY, 2.0), "intensity"),
    ],
)
def test_a_sign_that_makes_no_sense_is_refused_and_nothing_was_heard(player: Engine, sign: Sign, told: str) -> None:
    jam = Jam(player)
    with pytest.raises(OptionError, match=told):
        jam.hear([Strike(0.0, 60, 90), sign], 8.0)
    assert jam.number == 0


@pytest.mark.parametrize("asked", [{"prime": 2}, {"bars": (1, 2)}, {"like": b"MThd"}])
def test_what_is_for_whole_songs_is_refused(player: Engine, asked: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="whole songs"):
        Jam(player, Options(**asked))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_model_that_reads_pairs_cannot_play_along(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot play along"):
        Jam(engine.load(save_player(tmp_path, "lstm")))


# --- the ear ----------------------------------------------------------------------------------------------------------


def test_a_note_that_never_ends_has_ended_after_two_bars() -> None:
    ear = LiveInput(480)
    ear.hear(Strike(0.0, 60, 90))
    assert ear.part(0, 960, 27).duration.tolist() == [960]
    assert ear.part(0, 480 * 100, 27).duration.tolist() == [480 * LONGEST]


def test_a_thousand_notes_a_second_are_heard_as_a_few() -> None:
    ear = LiveInput(480)
    for number in range(2000):
        ear.hear(Strike(number / 1000, 40 + number % 40, 90))
    assert len(ear.part(0, 959, 27)) <= 2 * MOST + 1


def test_what_is_no_note_is_passed_over() -> None:
    ear = LiveInput(480)
    for strike in (Strike(0.0, 200, 90), Strike(-3.0, 60, 90), Strike(1.0, 60, 0)):
        ear.hear(strike)
    assert not len(ear.part(0, 960, 27))


# --- a song as the guitarist ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("metre", [(4, 4), (3, 4), (7, 8), (12, 8), (2, 2), (64, 4)])
def test_a_drummer_who_plays_along_breaks_no_rule_in_any_metre(player: Engine, metre: tuple[int, int]) -> None:
    song = strummed(BARS, [Metre(0, *metre)])
    take = jammed(player, song)
    assert not faults(take.part, take.song)
    assert {note.pitch for note in take.part} <= {note for voice in FULL.voices for note in voice.notes}
    last = int(take.part.onset.max())
    assert min(abs(last - bar.start) for bar in take.song.bars()) < NEAR
    assert take.grooves


@pytest.mark.slow
def test_a_song_whose_metre_changes_is_played_along_with(player: Engine) -> None:
    song = strummed(BARS, [Metre(0, 4, 4), Metre(1920 * 2, 7, 8), Metre(1920 * 2 + 1680, 3, 4)])
    take = jammed(player, song)
    assert take.song.bars()[: len(song.bars())] == song.bars()
    assert not faults(take.part, take.song)


@pytest.mark.slow
def test_the_last_chord_of_a_song_is_the_last_of_the_drums(player: Engine) -> None:
    song = strummed(BARS)
    ending = replace(song, parts=(Part.of(song.parts[0].rows[song.parts[0].onset <= 1920 * 5], program=27),))
    take = jammed(player, ending)
    assert int(take.part.onset.max()) == pytest.approx(1920 * 5, abs=NEAR)
    assert take.song == ending
    whole = jammed(player, song)
    assert whole.song.bars()[-1].start == song.end
    assert int(whole.part.onset.max()) == pytest.approx(song.end, abs=NEAR)
    open_end = jammed(player, song, Options(ending=NO_ENDING))
    assert open_end.song == song
    assert int(open_end.part.onset.max()) > 1920 * 5


@pytest.mark.slow
def test_what_is_asked_for_is_heeded(player: Engine) -> None:
    options = Options(ending=CHOKE, without=("kick",), drum_map="ezdrummer-3", humanize=0.8, swing=0.5)
    take = jammed(player, strummed(BARS), options)
    kicks = FULL.voices[FULL.names.index("kick")].notes
    assert not set(take.standard_part.pitch.tolist()) & set(kicks)
    assert drum_maps.load("ezdrummer-3").read(take.part) == take.standard_part


@pytest.mark.slow
def test_one_seed_gives_one_jam_and_another_another(player: Engine) -> None:
    song = strummed(BARS)
    first, again, other = (jammed(player, song, Options(seed=seed)) for seed in (5, 5, 6))
    assert first.to_bytes() == again.to_bytes() != other.to_bytes()


def test_a_song_without_a_guitar_is_no_guitarist(player: Engine) -> None:
    with pytest.raises(NoGuitarError):
        jammed(player, Song(480, (Part.of([(0, 100, 36, 90)], is_drums=True),)))  # type: ignore[list-item]


def test_notes_that_end_and_begin_at_once_are_told_in_this_order() -> None:
    part = Part.of(np.array([[0, 240, 60, 90], [240, 0, 60, 80]]), program=27)
    told = strikes([part], 480)
    assert_array_equal([one.velocity for one in told], [90, 0, 80, 0])
    assert told[-1].quarter > told[-2].quarter
