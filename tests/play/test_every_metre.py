"""The shipped model in every metre and at every length, within a drummer's limbs, and obeying its controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seq2drum.errors import NoGuitarError
from seq2drum.evaluate import wishes
from seq2drum.evaluate.wishes import Counted, Moved
from seq2drum.formats.midi import midi
from seq2drum.judge import measures
from seq2drum.lattice.conditions import Drums, bars_of, drums_of, fills, hits_per_quarter
from seq2drum.lattice.form import form_of
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Lattice, encode, quarters_into
from seq2drum.music import theory
from seq2drum.music.kit import FULL, HAND, HANDS, NINE, TWO_FEET
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.play.checkpoint.folder import available
from seq2drum.play.drummer import Drummer
from seq2drum.play.grooves.book import Book
from seq2drum.play.options import Options
from seq2drum.play.take import Take
from tests.conftest import LONG, ROOT, corpus_files
from tests.players import BY_HAND, faults, save_player, strummed

# --- the default model in every metre and at every length: it does not fall apart where there was little to learn -----

TICKS = 480
SEEDS = range(3)
CHORDS: tuple[tuple[int, ...], ...] = (
    (45, 52, 57, 60, 64),
    (43, 47, 50, 55, 59),
    (48, 52, 55, 60, 64),
    (40, 47, 52, 56, 59),
)
STROKES = {"b": (slice(0, 1), 90), "X": (slice(None), 104), "x": (slice(2, None), 72)}
KICKS = [NINE.voices.index(voice) for voice in NINE.voices if voice.name == "kick"]
STRONG = [
    index for index, voice in enumerate(NINE.voices) if voice.name in ("kick", "snare", "crash") or "tom" in voice.name
]
FOUR_FOUR = 4 * STEPS_PER_QUARTER


class Written(NamedTuple):
    """One bar of guitar: its metre, and characters that share the bar evenly.

    b: the bass note, X: the chord, loud, x: its upper strings, -: what sounds goes on, a full stop: silence.
    """

    numerator: int
    denominator: int
    text: str


def written(bars: Sequence[Written], *, bpm: float = 120) -> Song:
    """A song of one guitar, a chord a bar."""
    notes, changes, start = list[Note](), list[Metre](), 0
    for index, (numerator, denominator, text) in enumerate(bars):
        if not changes or changes[-1][1:] != (numerator, denominator):
            changes.append(Metre(start, numerator, denominator))
        length = 4 * numerator * TICKS // denominator
        edges = [start + length * place // len(text) for place in range(len(text) + 1)]
        for place, stroke in enumerate(text):
            if stroke in "-.":
                continue
            held = len(text[place + 1 :]) - len(text[place + 1 :].lstrip("-"))
            strings, velocity = STROKES[stroke]
            until = edges[place + 1 + held] - TICKS // 48
            notes += [
                Note(edges[place], until - edges[place], pitch, velocity)
                for pitch in CHORDS[index % len(CHORDS)][strings]
            ]
        start += length
    guitar = Part.of(notes, program=25, name="Guitar")
    return Song(TICKS, (guitar,), (Tempo(0, round(60_000_000 / bpm)),), tuple(changes), start)


def phrases(numerator: int, denominator: int, most: str, last: str, bars: int = 16) -> list[Written]:
    """Phrases of four bars, the last of each another."""
    return [Written(numerator, denominator, last if bar % 4 == 3 else most) for bar in range(bars)]


ROCK = ("X-xx-xX-", "X-xx-xXx")
IN_FOUR = phrases(4, 4, *ROCK)
BY_METRE = {
    "4/4": (IN_FOUR,),
    "3/4": (phrases(3, 4, "b-x-x-", "b-x-xx"), phrases(3, 4, "X-x-xx", "X-xxx-")),
    "6/8": (phrases(6, 8, "bxxbxx", "bxxXxx"), phrases(6, 8, "X--X-x", "X-xX-x")),
    "12/8": (phrases(12, 8, "bxxbxxbxxbxx", "bxxbxxXxxXxx", 12), phrases(12, 8, "X-xx-xX-xx-x", "X-xx-xX-xXxx", 12)),
    "5/4": (phrases(5, 4, "X--xx-X-x-", "X--xx-X-xx"), phrases(5, 4, "b-x-x-b-x-", "b-xxx-X-X-")),
    "7/8": (phrases(7, 8, "XxXxXxx", "XxXxX-x"), phrases(7, 8, "b-b-b-x", "b-b-bxx")),
}
CHANGING = [
    *phrases(4, 4, *ROCK, 8),
    *phrases(7, 8, "XxXxXxx", "XxXxX-x", 8),
    *phrases(6, 8, "bxxbxx", "bxxXxx", 8),
    *phrases(4, 4, *ROCK, 8),
]
SECTIONS = [slice(start, start + 8) for start in range(0, 32, 8)]


@cache
def drummer() -> Drummer:
    return Drummer.load()


def play(song: Song, seed: int = 0, temperature: float = 1.0) -> Take:
    return drummer().accompany(song, Options(seed=seed, temperature=temperature))


@cache
def takes(bars: tuple[Written, ...], bpm: float = 120, seeds: Sequence[int] = SEEDS) -> tuple[Take, ...]:
    """A take for each of the seeds; made once for all tests."""
    song = written(bars, bpm=bpm)
    return tuple(play(song, seed) for seed in seeds)


def takes_in(metre: str) -> list[Take]:
    return [take for bars in BY_METRE[metre] for take in takes(tuple(bars))]


def drums(take: Take) -> Drums:
    lattice = Lattice(take.song.bars(), take.song.ticks_per_quarter)
    return drums_of(encode(take.standard_part, lattice, FULL), form_of(take.song, lattice))


def hits(take: Take) -> NDArray[np.int64]:
    """(B,): hits of each bar, of any piece of the kit."""
    lattice = Lattice(take.song.bars(), take.song.ticks_per_quarter)
    return np.bincount(lattice.bar_of[encode(take.standard_part, lattice, FULL).step], minlength=len(lattice.bars))


def on_heads(take: Take, voices: Sequence[int] = STRONG) -> tuple[float, float]:
    """The share of the accent groups' heads at which one of the voices is struck, and of all other eighths."""
    played = drums(take)
    struck: Any = (played.velocity[:, voices] > 0).any(axis=1)
    heads, others = [], []
    for bar, first in zip(take.song.bars(), played.form.first[:-1].tolist(), strict=True):
        unit = FOUR_FOUR // bar.denominator
        begins = {unit * size for size in accumulate((0, *bar.groups[:-1]))}
        for place in range(0, bar.length * STEPS_PER_QUARTER // TICKS, STEPS_PER_QUARTER // 2):
            (heads if place in begins else others).append(struck[first + place])
    return float(np.mean(heads)), float(np.mean(others))


def recurrence(take: Take, lag: int, bars: slice = slice(None)) -> float:
    """How far kick, snare and crash come again after so many steps: the correlation of the part with itself, moved."""
    played = drums(take)
    edges = played.form.first
    begin, end = edges[:-1][bars][0], edges[1:][bars][-1]
    struck = (played.velocity[begin:end, [index for index in STRONG if "tom" not in NINE.voices[index].name]] > 0) * 1.0
    struck -= struck.mean(axis=0)
    early, late = struck[:-lag], struck[lag:]
    return float((early * late).sum() / max(np.sqrt((early**2).sum() * (late**2).sum()), 1e-9))


def mean(measured: Callable[[Take], float], some: Sequence[Take]) -> float:
    return float(np.mean([measured(take) for take in some]))


def loudness(take: Take, bars: slice) -> float:
    """The mean velocity of the hits of some bars, of nine voices."""
    played = drums(take)
    begin, end = played.form.first[:-1][bars][0], played.form.first[1:][bars][-1]
    velocity = played.velocity[begin:end]
    return float(velocity[velocity > 0].mean()) if velocity.any() else 0.0


def likeness(take: Take, bars: slice, others: slice) -> float:
    """The hit F1 of some bars with as many others of the same metre."""
    rolls = bars_of(drums(take))
    one, other = rolls[bars], rolls[others]
    return float(2 * (one * other).sum() / max((one + other).sum(), 1))


# --- the rulers themselves --------------------------------------------------------------------------------------------


def hand_made(bars: Sequence[Written], pattern: Sequence[tuple[int, int]], period: int) -> Take:
    """A take that strikes notes (step, pitch) again and again, every so many steps, whatever the bars are."""
    song = written(bars)
    steps = song.end * STEPS_PER_QUARTER // TICKS
    lattice = Lattice(song.bars(), TICKS)
    struck = [(start + step, pitch) for start in range(0, steps, period) for step, pitch in pattern]
    notes = [Note(round(lattice.ticks[step]), 60, pitch, 90) for step, pitch in struck if step < steps]
    return Take(song, Part.of(notes, is_drums=True), drummer().accompany(song).guitar, Options())


def test_a_pattern_of_four_quarters_in_bars_of_seven_eighths_is_detected_by_its_recurrence_and_missed_heads():
    rock = [(0, 36), (6, 38), (12, 36), (18, 38)]
    true = [(0, 36), (6, 38), (12, 36)]
    bars = BY_METRE["7/8"][0]
    cut, right = hand_made(bars, rock, FOUR_FOUR), hand_made(bars, true, 21)
    assert recurrence(cut, FOUR_FOUR) > 0.99 > 0.5 > recurrence(cut, 21)
    assert recurrence(right, 21) > 0.99 > 0.5 > recurrence(right, FOUR_FOUR)
    assert on_heads(right) == (1.0, 0.0)
    heads, others = on_heads(cut)
    assert heads < 0.7
    assert others > 0.3


# --- metres -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metre", BY_METRE)
def test_takes_are_playable_and_have_hits_in_every_bar(metre):
    for take in takes_in(metre):
        assert faults(take.part, take.song) == []
    assert np.mean([(hits(take) > 0).mean() for take in takes_in(metre)]) > 0.97


@pytest.mark.parametrize("metre", BY_METRE)
def test_the_drums_fall_on_the_heads_of_the_groups_more_often_than_beside_them(metre):
    heads, others = np.mean([on_heads(take) for take in takes_in(metre)], axis=0)
    assert heads > 1.2 * others


@pytest.mark.parametrize("metre", BY_METRE)
def test_the_kick_is_on_the_downbeat_wherever_else_a_groove_has_it(metre):
    assert np.mean([on_one(take) for take in takes_in(metre)]) > 0.6


def test_over_all_metres_but_four_four_the_heads_of_groups_are_struck_half_as_often_again_as_other_places():
    for voices in (STRONG, KICKS):
        heads, others = np.mean(
            [on_heads(take, voices) for metre in BY_METRE if metre != "4/4" for take in takes_in(metre)], axis=0
        )
        assert heads > 1.5 * others


@pytest.mark.parametrize("metre", [metre for metre in BY_METRE if metre != "4/4"])
def test_the_pattern_comes_again_with_the_bar_and_not_after_four_quarters(metre):
    own = mean(lambda take: recurrence(take, int(drums(take).form.steps[0])), takes_in(metre))
    other = mean(lambda take: recurrence(take, FOUR_FOUR), takes_in(metre))
    assert own > 0.4
    assert own > other + 0.15


@pytest.mark.slow
def test_fills_lead_into_a_new_section_far_more_often_than_chance_would_have_them():
    filled = []
    for metre in ("4/4", "3/4", "6/8", "5/4", "7/8"):
        verse, chorus = (
            (BY_METRE[metre] * 2)[:2] if metre != "4/4" else (IN_FOUR, phrases(4, 4, "XxXxXxXx", "XxXxXXXX"))
        )
        song = written([*verse[:8], *chorus[:8]] * 2)
        for seed in range(4):
            filled += np.flatnonzero(fills(drums(play(song, seed)))).tolist()
    # The opening has nothing to break with, and an ending is not a fill.
    within = [bar for bar in filled if 3 <= bar < 31]
    assert len(within) >= 8
    assert np.mean([bar in (7, 15, 23) for bar in within]) > 0.17  # by chance 3 of 28 are


def test_where_the_metre_changes_the_drums_go_on_in_the_new_one():
    changing = takes(tuple(CHANGING))
    for take in changing:
        assert faults(take.part, take.song) == []
    assert np.mean([(hits(take) > 0).mean() for take in changing]) > 0.94
    dense = np.array([hits_per_quarter(drums(take)) for take in changing])
    for section in SECTIONS:
        assert dense[:, section].mean() > 0.5 * dense.mean()
    for section, steps in zip(SECTIONS[1:3], (21, 18), strict=True):
        own = np.mean([recurrence(take, steps, section) for take in changing])
        assert own > 0.4
        assert own > np.mean([recurrence(take, FOUR_FOUR, section) for take in changing]) + 0.15


def test_a_metre_that_comes_back_is_played_as_it_was_before():
    # But for the first of them, where drummers mark the return, and the end.
    alike = mean(lambda take: likeness(take, slice(1, 7), slice(25, 31)), takes(tuple(CHANGING)))
    assert alike > 0.5


# --- lengths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bar", [Written(4, 4, ROCK[0]), Written(7, 8, "XxXxXxx"), Written(3, 4, "b-x-x-")], ids=str)
def test_a_song_of_one_bar_is_played_to(bar):
    song = written([bar])
    made = [play(song, seed) for seed in range(5)]
    for take in [*made, play(song, temperature=0)]:
        assert faults(take.part, song) == []
        assert len(take.part) > 0
    assert np.mean([len(take.part) for take in made]) >= 3
    assert np.mean([take.part.onset.min() < TICKS // 8 for take in made]) >= 0.6  # it begins with the bar


def test_bars_longer_than_any_that_a_model_has_learnt_are_played():
    take = play(written([Written(numerator, 4, "b-x-X-x-b-x") for numerator in (11, 11, 4, 15, 15)]))
    assert hits(take).all()


@pytest.mark.slow
def test_of_a_thousand_bars_the_last_are_as_full_as_the_first():
    song = written([*phrases(4, 4, *ROCK, 700), *phrases(7, 8, "XxXxXxx", "XxXxX-x", 300)])
    take = play(song)
    assert faults(take.part, song) == []
    count = hits(take)
    assert len(count) == 1000
    assert (count > 0).mean() > 0.98
    assert 0.6 < count[600:700].mean() / count[:100].mean() < 1.67
    assert 0.6 < count[900:999].mean() / count[700:800].mean() < 1.67


# --- tempo and notation -----------------------------------------------------------------------------------------------


def test_from_30_to_300_quarters_a_minute_the_metre_is_kept_and_no_limb_is_too_fast():
    slow, fast = takes(tuple(IN_FOUR), 30), takes(tuple(IN_FOUR), 300)
    for take in (*slow, *fast):
        assert faults(take.part, take.song) == []
        assert (hits(take) > 0).mean() > 0.9
    for some in (slow, fast):
        heads, others = np.mean([on_heads(take) for take in some], axis=0)
        assert heads > 1.5 * others
    # The fastest that one hand keeps up on a cymbal is about twelve strokes a second.
    for take in fast:
        busiest = (drums(take).velocity > 0).sum(axis=0).max()
        assert busiest / take.song.seconds(take.song.end) < 12
    assert mean(lambda take: hits(take).mean(), fast) < 1.25 * mean(lambda take: hits(take).mean(), slow)


def test_the_same_music_written_in_other_note_values_is_played_as_densely_in_seconds():
    double = []
    for bar in IN_FOUR:  # twice as long values at twice the tempo: two bars for one
        stretched = "".join(stroke + ("." if stroke == "." else "-") for stroke in bar.text)
        double += [Written(4, 4, stretched[:8]), Written(4, 4, stretched[8:])]
    half = [Written(4, 4, one.text + two.text) for one, two in zip(IN_FOUR[::2], IN_FOUR[1::2], strict=True)]
    same = [takes(tuple(IN_FOUR)), takes(tuple(double), 240), takes(tuple(half), 60)]
    assert len({round(some[0].song.seconds(some[0].song.end), 3) for some in same}) == 1
    plain, doubled, halved = (mean(lambda take: len(take.part), some) for some in same)
    assert 1 / 3 < doubled / plain < 3
    assert 1 / 3 < halved / plain < 3
    # And not by the bar, whatever it holds: a bar of the half has four times the music of one of the double.
    assert halved / len(half) > 1.2 * doubled / len(double)


# --- what guitars do --------------------------------------------------------------------------------------------------


def test_while_the_guitar_rests_for_16_bars_the_drums_go_on_no_fuller_and_are_there_when_it_comes_back():
    """A drummer keeps time through a rest within a song, so these do: as full as before, or somewhat thinner."""
    before, rest, after = slice(0, 8), slice(8, 24), slice(24, 31)
    made = takes(
        (*IN_FOUR[:8], *[Written(4, 4, ".")] * 16, *IN_FOUR[:8]), seeds=range(9)
    )  # three are a matter of chance
    count = np.array([hits(take) for take in made])
    for take in made:
        assert faults(take.part, take.song) == []
    assert (count[:, rest] > 0).mean() > 0.5
    assert count[:, rest].mean() < 1.15 * count[:, before].mean()
    assert mean(lambda take: loudness(take, rest), made) < 1.1 * mean(lambda take: loudness(take, before), made)
    assert count[:, after].mean() > 0.6 * count[:, before].mean()
    assert (count[:, 24] > 0).all()
    alike = mean(lambda take: likeness(take, slice(1, 7), slice(25, 31)), made)
    assert alike > 0.5


def test_one_chord_a_bar_is_given_a_beat():
    made = takes(tuple([Written(4, 4, "X-------")] * 16))
    for take in made:
        assert faults(take.part, take.song) == []
    count = np.array([hits(take)[:-1] for take in made])  # a last chord may ring alone
    assert (count > 0).mean() > 0.9
    assert count.mean() > 4  # more than the guitar plays: chords, one a bar


def on_one(take: Take, later: int = 0) -> float:
    """The share of full bars with a kick or a crash within a 32nd of the barline, or of so many ticks later."""
    part = take.standard_part
    pieces = [index for index, voice in enumerate(FULL.voices) if voice.nine in ("kick", "crash")]
    onsets = part.onset[np.isin(FULL.voice_of[part.pitch], pieces)]
    places = np.array([bar.start + later for bar in take.song.bars()[1:]])
    return float(np.mean([np.abs(onsets - place).min(initial=TICKS) <= TICKS // 8 for place in places]))


# Not two quarters: many a drummer has the kick on three as on one.
@pytest.mark.parametrize("pickup", [Written(1, 4, "xx"), Written(3, 4, "x-xxxx")], ids=["a quarter", "three quarters"])
def test_after_a_pickup_the_downbeat_is_the_next_barline(pickup):
    made = takes((pickup, *IN_FOUR[:8]))
    length = TICKS * pickup.numerator
    for take in made:
        assert faults(take.part, take.song) == []
        assert (hits(take)[1:] > 0).all()
        played = drums(take)
        assert played.form.steps.tolist() == [STEPS_PER_QUARTER * pickup.numerator, *[FOUR_FOUR] * 8]
    # Who took the pickup for the first quarters of a bar would have the downbeat that much before the barline.
    right, wrong = mean(on_one, made), mean(lambda take: on_one(take, 4 * TICKS - length), made)
    assert right > 0.6
    assert right > wrong + 0.15


def test_before_the_bar_of_the_guitars_first_note_nothing_is_played():
    for take in takes((*[Written(4, 4, ".")] * 2, Written(4, 4, "......xx"), *IN_FOUR[:8])):
        assert faults(take.part, take.song) == []
        assert take.part.onset.min() >= 2 * 4 * TICKS - TICKS // 8  # the downbeat may come a little early
        assert (hits(take)[3:] > 0).all()


# --- no take is faster than a fast_drummer's limbs --------------------------------------------------------------------

KICK_NOTES = FULL.voices[FULL.places["kick"]].notes
CLOSE = 1e-5  # less than a tick


def too_fast(take: Take) -> list[float]:
    """The times, in seconds, of strokes that come sooner than the limb that has them is ready."""
    part, song = take.standard_part, take.song
    found = []
    for pitches, limbs, least in ((KICK_NOTES, 1, TWO_FEET), (BY_HAND, HANDS, HAND)):
        at = [song.seconds(note.onset) for note in part if note.pitch in pitches]
        found += [later for one, later in zip(at, at[limbs:], strict=False) if later - one < least - CLOSE]
    return found


def sextuplets(bpm: float, bars: int = 8) -> Song:
    """A guitar that plays six notes a quarter."""
    notes = [Note(at, 70, 40 + at // 480 % 3, 90) for at in range(0, bars * 1920, 80)]
    return Song(480, (Part.of(notes, program=30),), (Tempo(0, round(6e7 / bpm)),), length=bars * 1920)


@pytest.fixture(scope="module")
def fast_drummer() -> Drummer:
    return Drummer.load()


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    """A model of random weights that strikes whatever it can."""
    return Drummer.load(save_player(tmp_path_factory.mktemp("player")))


@pytest.mark.parametrize("groove", ["metal-half-time-double-kick", "half-time-double-kick-open-hat"])
def test_no_foot_plays_a_groove_s_sixteenths_and_the_guitar_s_sextuplets_at_once(
    fast_drummer: Drummer, groove: str
) -> None:
    for seed in (0, 2):
        take = fast_drummer.accompany(sextuplets(85), Options(seed=seed, groove=groove))
        assert too_fast(take) == []
        assert sum(note.pitch in KICK_NOTES for note in take.standard_part) > 8


@settings(max_examples=12)
@example(bpm=231, seed=1925, humanize=0.5, swing=None, temperature=1.0)  # the tempo rises while a hand is waited for
@given(
    st.floats(30, 300),
    st.integers(0, 2**31),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1),
    st.floats(0, 1.5),
)
def test_no_take_has_strokes_that_come_sooner_than_their_limb_is_ready(
    eager: Drummer, bpm: float, seed: int, humanize: float | None, swing: float | None, temperature: float
) -> None:
    song = strummed(3, tempos=[Tempo(0, round(6e7 / bpm)), Tempo(2500, round(4.5e7 / bpm))])
    options = Options(seed=seed, humanize=humanize, swing=swing, temperature=temperature)
    assert too_fast(eager.accompany(song, options)) == []


def test_the_kicks_of_the_groove_book_can_be_played_or_those_that_cannot_are_left_out(fast_drummer: Drummer) -> None:
    hurried, book = [], Book.load()
    for groove in book:
        for bar in groove.bars:
            quarters = quarters_into(groove.steps)[bar.step[bar.key == FULL.places["kick"]]]
            if len(quarters) > 1 and np.diff(quarters).min() * 60 / groove.tempo[1] < TWO_FEET - CLOSE:
                hurried.append(groove)
    assert len(hurried) < len(book) / 100
    for groove in hurried:
        song = strummed(4, tempos=[Tempo(0, round(6e7 / groove.tempo[1]))])
        assert too_fast(fast_drummer.accompany(song, Options(groove=groove))) == []


# --- what a musician asks for moves what it should, and little else: over songs, with the shipped model ---------------

FRAME = Song(480, (), length=4 * 1920)


def counted(notes: list[tuple[int, int, int]]) -> Counted:
    """What is counted of hits (tick, pitch, velocity) in four bars of 4/4 at 120."""
    return wishes.count(Part.of([Note(at, 10, *rest) for at, *rest in notes], is_drums=True), FRAME)


def test_rank_correlation_is_that_of_the_ranks() -> None:
    def spearman(*values: float) -> float:
        return measures.spearman(np.arange(float(len(values))), np.array(values))

    assert spearman(1, 2, 3, 40, 500) == pytest.approx(1)
    assert spearman(5, 4, 3, 2, 1) == pytest.approx(-1)
    assert spearman(1, 3, 2, 4, 5) == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert spearman(1, 1, 2, 2) == pytest.approx(2 / np.sqrt(5))  # ties share their ranks
    assert spearman(7, 7, 7) == 0


def test_intensity_is_strength_a_quarter() -> None:
    quarters = [(480 * beat, 36, 127) for beat in range(16)]
    assert counted(quarters).intensity == pytest.approx(1)
    assert counted([(at, pitch, 63) for at, pitch, _ in quarters]).intensity == pytest.approx(63 / 127)
    assert counted([*quarters, *((at, 42, 127) for at, *_ in quarters)]).intensity == pytest.approx(2)


def test_complexity_is_what_leans_against_the_beat() -> None:
    straight = [(480 * beat, 36, 90) for beat in range(16)]
    leaning = [(480 * beat + 360, 36, 90) for beat in range(16)]
    hats = [(480 * beat + 360, 42, 90) for beat in range(16)]
    assert counted(straight).complexity == 0
    assert counted(leaning).complexity > 1
    assert counted(straight + hats).complexity == 0


def test_distance_from_the_place_is_in_milliseconds() -> None:
    # 480 ticks are half a second: 24 ticks are 25 ms.
    late = [(480 * beat + 24 * (beat % 2), 36, 90) for beat in range(16)]
    assert counted(late).humanize == pytest.approx(12.5, rel=0.02)
    assert counted([(480 * beat, 36, 90) for beat in range(16)]).humanize == 0


@pytest.mark.parametrize(("tick", "swing"), [(240, 0.0), (280, 0.5), (320, 1.0)])
def test_swing_is_where_the_second_eighth_lies(tick: int, swing: float) -> None:
    eighths = [(480 * beat + at, 42, 90) for beat in range(16) for at in (0, tick)]
    assert counted(eighths).swing == pytest.approx(swing, abs=0.02)
    assert np.isnan(counted([(480 * beat, 42, 90) for beat in range(16)]).swing)


def test_a_bar_that_stands_out_is_counted_as_a_fill() -> None:
    frame = Song(480, (), length=8 * 1920)
    beat = [Note(1920 * bar + 480 * at, 10, 36 + 2 * (at % 2), 90) for bar in range(8) for at in range(4)]
    broken = [note for note in beat if note.onset // 1920 != 5]
    toms = [Note(5 * 1920 + 120 * at, 10, 45, 90) for at in range(16)]
    assert wishes.count(Part.of(beat, is_drums=True), frame).fills == 0
    assert wishes.count(Part.of(broken + toms, is_drums=True), frame).fills == pytest.approx(1 / 8)


def test_a_silent_take_is_counted_as_such() -> None:
    assert counted([]).intensity == 0
    assert np.isnan(counted([]).swing)


def test_a_control_that_moves_another_statistic_is_seen() -> None:
    values = np.zeros((2, 5, 5))
    values[:, :, 0] = np.arange(5)
    values[:, :, 1] = -np.arange(5)
    moved = Moved("intensity", wishes.CONTROLS["intensity"], values)
    assert moved.rank == pytest.approx(1)
    assert moved.rank_in_a_song == pytest.approx(1)
    assert moved.gain.tolist() == [4, -4, 0, 0, 0]
    assert Moved("complexity", wishes.CONTROLS["complexity"], values).rank == pytest.approx(-1)
    values = np.zeros((2, 5, 5))
    values[:, :, 1] = 2 * np.arange(5)
    other = Moved("complexity", wishes.CONTROLS["complexity"], values)
    assert wishes.crosstalk([moved, other]).tolist() == [[1, -0.5], [0, 1]]
    own, others = wishes.effects([moved, other])
    assert [value.value for value in own.rows[0].figures.values()] == [
        0,
        1,
        2,
        3,
        4,
        pytest.approx(1),
        pytest.approx(1),
    ]
    assert [[value.value for value in row.figures.values()] for row in others.rows] == [[1, -0.5], [0, 1]]


def has_guitar(song: Song) -> bool:
    try:
        return bool(theory.guitar_parts(song).parts)
    except NoGuitarError:
        return False


@pytest.fixture(scope="module")
def obedient() -> Drummer:
    if "default" not in available():
        pytest.skip("needs the default model in seq2drum/checkpoints")
    return Drummer.load()


@pytest.mark.slow
def test_every_control_moves_its_own_statistic_monotonically_and_the_others_little(obedient: Drummer) -> None:
    """Over the examples with two seeds; in a long run over songs of the corpus as well."""
    paths = [*sorted((ROOT / "examples").glob("*.mid")), *(corpus_files("sample")[:4] if LONG else ())]
    songs = [song for path in paths if has_guitar(song := midi.read(path))]
    moved = wishes.move(obedient, songs, seeds=range(2), bars=24)
    for one in moved:
        assert one.rank >= 0.9 - 1e-9, (one.control, np.nanmean(one.own, axis=0))
        assert one.rank_in_a_song > 0.3, one.control
    # As a share of what each gains by its own control: louder bars have more in them that leans against the beat.
    names, shares = [one.control for one in moved], np.abs(wishes.crosstalk(moved))
    np.fill_diagonal(shares, 0)
    most = np.full_like(shares, 0.45)
    most[names.index("complexity"), names.index("fills")] = 0.6  # busier kicks and toms stand out as fills do: ask.md
    assert np.all(shares < most), (names, shares)
