"""The sections of a song as its drummer builds them: levels, waiting, the second cymbal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from seq2drum import Drummer, Options, Take
from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import bars_of, drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import form_of, lattice_of
from seq2drum.lattice.grid import Grid, encode
from seq2drum.lattice.grooves.variation import timekeeper
from seq2drum.lattice.sections import Section
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Marker, Note, Part, Song
from seq2drum.play.arrange.arranger import Arranger, Outlook
from seq2drum.play.arrange.arranger import Part as Passage
from seq2drum.play.arrange.sections import (
    LEAST_BARS,
    LONGEST_WAIT,
    MOST_SWELL,
    SectionPlan,
    dressed,
    loudness_of,
    on_cymbals,
    outline_of,
    section_plans,
    silence_of,
)
from seq2drum.play.checkpoint.band import USUAL, Ways
from seq2drum.play.decode.sampling import Sampling
from seq2drum.play.grooves.book import Book
from tests.drumming import four, guitar_grid

BARS = 32
TICKS = 480
VERSES = (Section(0, "verse"), Section(8, "chorus"), Section(16, "verse"), Section(24, "chorus"))
KNOWN = frozenset(FULL.names)


def strummed(bars: int = BARS, strokes: Sequence[int] = (4,)) -> GuitarGrid:
    """Strokes a bar for eight bars each, in turn."""
    notes = [(bar, step, 90) for bar in range(bars) for step in range(0, 24, 24 // strokes[bar // 8 % len(strokes)])]
    return guitar_grid(four(bars), *notes)


def with_bass(guitar: GuitarGrid, bars: Sequence[int], step: int = 0) -> GuitarGrid:
    rows = guitar.form.first[np.array(bars, dtype=np.int64)] + step
    ones = np.ones(len(rows), dtype=np.int64)
    return replace(guitar, bass=Grid(rows, 30 * ones, 90 * ones, 0 * ones, 24 * ones))


def rngs(count: int = 400) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


# --- levels -----------------------------------------------------------------------------------------------------------


def test_a_section_with_more_bass_is_fuller_and_letters_are_alike() -> None:
    guitar = strummed()
    bass = with_bass(guitar, range(BARS))
    busy = [bar for bar in range(BARS) if bar // 8 % 2]
    grids = [with_bass(guitar, busy, step).bass for step in (6, 12, 18)]
    joined = Grid.join([bass.bass, *grids])
    order = np.argsort(joined.step, kind="stable")
    plans = section_plans(
        replace(guitar, bass=joined.select(order)), [each._replace(letter=each.letter[0]) for each in VERSES], None
    )
    quiet, full = [plan.level for plan in plans[::2]], [plan.level for plan in plans[1::2]]
    assert max(quiet) < -0.08 and min(full) > 0.08
    assert abs(full[1] - full[0]) < 0.15 and abs(quiet[1] - quiet[0]) < 0.15


def test_a_named_refrain_is_fuller_and_louder_even_to_the_same_guitar() -> None:
    plans = section_plans(strummed(), VERSES, None)
    assert all(plan.is_lifted == (plan.letter == "chorus") for plan in plans)
    assert min(plan.level for plan in plans if plan.is_lifted) > max(plan.level for plan in plans if not plan.is_lifted)
    assert plans[3].level > plans[1].level  # the last one is the fullest
    loud = loudness_of(plans, BARS)
    assert loud[8] > 1 > loud[0] and loud.shape == (BARS,)


def test_levels_say_nothing_where_all_sections_are_one() -> None:
    (plan,) = section_plans(strummed(), [Section(0, "A")], None)
    assert plan == SectionPlan(0, BARS, "A", enters=0, swells=(0.0,) * 4)
    assert section_plans(strummed(), [], None) == ()


# --- long sections ----------------------------------------------------------------------------------------------------


def test_a_long_section_is_built_in_phrases_as_guitar_and_bass_play() -> None:
    guitar = strummed(48, strokes=(2, 2, 4, 8, 8, 2))
    (plan,) = section_plans(with_bass(guitar, range(16, 48)), [Section(0, "A")], None)
    assert len(plan.swells) == 6 and [(each.first, each.stop) for each in plan.phrases][-1] == (40, 48)
    assert plan.swells[0] < 0 < plan.swells[3] and max(map(abs, plan.swells)) <= MOST_SWELL
    assert [each.level for each in plan.phrases] == [round(plan.level + swell, 2) for swell in plan.swells]
    loud = loudness_of([plan], 48)
    assert loud[0] < plan.loudness < loud[24]
    groove = Book.load()["rock-hat"]
    grooves = dressed([groove] * 48, [plan], guitar)
    sizes = [sum(len(bar.step) for bar in each.bars) for each in grooves if each is not None]
    assert sizes[0] < sizes[24] and len(set(sizes[24:32])) == 1
    short = section_plans(strummed(), VERSES, None)
    assert all(not each.swells and each.phrases == [each] for each in short)


def test_some_songs_go_to_the_second_cymbal_half_way_through_a_long_section_of_which_nothing_else_is_known() -> None:
    plans = [section_plans(strummed(), [Section(0, "A")], rng)[0] for rng in rngs()]
    assert 0.1 < np.mean([plan.turns == 2 for plan in plans]) < 0.2
    assert {plan.turns for plan in plans} == {None, 2}
    plan = next(plan for plan in plans if plan.turns)
    grooves = [Book.load()["rock-hat"]] * BARS
    (turned,) = on_cymbals([plan], grooves, KNOWN, 0.0)
    assert [each.cymbal for each in turned.phrases] == [None, None, "ride", "ride"]
    dressed_ = dressed(grooves, [turned], strummed())
    assert [timekeeper(each) for each in dressed_ if each is not None] == ["closed hat"] * 16 + ["ride"] * 16
    (kept,) = on_cymbals([plan], grooves, frozenset({"closed hat"}), 0.0)
    assert all(each.cymbal is None for each in kept.phrases)
    assert not any(plan.turns for rng in rngs(50) for plan in section_plans(strummed(), VERSES, rng))


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_drums_wait_for_a_bass_that_comes_in_late_and_mostly_for_no_other() -> None:
    waits = {
        name: np.mean([section_plans(guitar, VERSES, rng)[0].enters == 8 for rng in rngs()])
        for name, guitar in {
            "late": with_bass(strummed(), range(8, BARS)),
            "there": with_bass(strummed(), range(BARS)),
            "alone": strummed(),
        }.items()
    }
    assert 0.2 < waits["late"] < 0.6 and waits["there"] == waits["alone"] == 0


@pytest.fixture
def certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drums that rest wherever the bass does."""

    def silence(self: Outlook, parts: Sequence[Passage], rng: np.random.Generator | None) -> np.ndarray:
        return np.array([not part.is_later and part.first < 8 for part in parts])

    monkeypatch.setattr(Outlook, "silence", silence)


@pytest.mark.usefixtures("certain")
def test_the_bar_before_an_entry_leads_into_it_and_short_songs_have_none() -> None:
    late = with_bass(strummed(), range(8, BARS))
    silent, entries = silence_of(section_plans(late, VERSES, None), late)
    assert np.flatnonzero(silent).tolist() == list(range(7)) and entries == (8,)
    short = with_bass(strummed(LEAST_BARS - 1), range(6, LEAST_BARS - 1))
    silent, entries = silence_of(section_plans(short, VERSES[:2], None), short)
    assert not silent.any() and entries == ()


@pytest.mark.usefixtures("certain")
def test_drums_wait_eight_bars_at_most_and_do_not_stop_as_the_guitar_joins_a_band() -> None:
    notes = [(bar, step, 90) for bar in range(4, 40) for step in range(0, 24, 6)]
    guitar = with_bass(guitar_grid(four(40), *notes), range(7, 40))
    sections = [Section(4, "A"), Section(20, "B")]
    keys = strummed(40).guitar
    alone = outline_of(guitar, sections, guitar.guitar, Sampling(0)).plans
    joined = outline_of(guitar, sections, Grid.join([keys, guitar.guitar]), Sampling(0)).plans
    assert [plan.enters for plan in alone] == [7, 20] and [plan.enters for plan in joined] == [4, 20]
    late, both = with_bass(strummed(48), range(14, 48)), [Section(0, "A"), Section(24, "B")]
    assert [section_plans(late, both, None, ways)[0].enters for ways in (USUAL, Ways(waits=1.0))] == [LONGEST_WAIT, 14]


@pytest.mark.usefixtures("certain")
def test_drums_enter_a_section_with_its_bass_and_never_wait_for_most_of_a_song() -> None:
    late = with_bass(strummed(), range(5, BARS))
    assert [plan.enters for plan in section_plans(late, VERSES, None)] == [5, 8, 16, 24]
    long = (Section(0, "verse"), Section(16, "chorus"))
    assert [plan.enters for plan in section_plans(with_bass(strummed(), range(16, BARS)), long, None)] == [0, 16]


# --- the second cymbal ------------------------------------------------------------------------------------------------


def test_refrains_go_to_another_cymbal_that_is_allowed() -> None:
    groove, guitar = Book.load()["rock-hat"], strummed()
    plans = section_plans(guitar, VERSES, None)

    def dress(grooves, allowed):
        return dressed(grooves, on_cymbals(plans, grooves, allowed, None), guitar)

    grooves = dress([groove] * BARS, KNOWN)
    assert [timekeeper(each) for each in grooves[::8] if each] == ["closed hat", "ride", "closed hat", "ride"]
    assert grooves[8] is grooves[15] and all(each is not None and each.name == groove.name for each in grooves)
    ridden = dress([Book.load()["rock-ride"]] * BARS, KNOWN)
    assert [timekeeper(each) for each in ridden[::8] if each] == ["closed hat", "ride", "closed hat", "ride"]
    same = dress([groove] * BARS, frozenset({"closed hat"}))
    assert {timekeeper(each) for each in same if each} == {"closed hat"}
    assert dress([None] * BARS, KNOWN) == (None,) * BARS


def test_without_names_some_songs_have_a_second_cymbal_and_others_not() -> None:
    guitar, passages = strummed(strokes=(4, 8)), [Section(0, "A"), Section(8, "B"), Section(16, "A"), Section(24, "B")]
    lifted = [[plan.is_lifted for plan in section_plans(guitar, passages, rng)] for rng in rngs()]
    assert {tuple(each) for each in lifted} == {(False,) * 4, (False, True, False, True)}
    assert 0.2 < np.mean([each[1] for each in lifted]) < 0.6


# --- takes ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def song(*, late: int = 8, named: bool = True) -> Song:
    """Thirty-two bars of eighths on a guitar, a bass from bar `late` on, and named verses and refrains.

    The guitar is softer before the bass.
    """
    guitar = [
        Note(at * TICKS // 2, TICKS // 2, 52 + at // 8 % 3, 90 if at >= 8 * late else 60) for at in range(8 * BARS)
    ]
    bass = [Note(at * TICKS // 2, TICKS // 2, 30 + at // 8 % 3, 90) for at in range(8 * late, 8 * BARS)]
    markers = tuple(Marker(4 * TICKS * bar, name) for bar, name in VERSES) if named else ()
    parts = Part.of(guitar, program=27, name="Guitar"), Part.of(bass, program=33, name="Bass")
    return Song(TICKS, parts, length=4 * TICKS * BARS, markers=markers)


def rolls(take: Take) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    lattice = lattice_of(take.song)
    return bars_of(drums_of(encode(take.standard_part, lattice, FULL), form_of(take.song, lattice), FULL))


def test_a_take_waits_for_the_bass_and_comes_in_with_kick_and_crash(drummer: Drummer) -> None:
    take = drummer.accompany(song(), Options(temperature=0.0))
    struck = rolls(take)
    assert not struck[:7].any() and 0 < struck[7].sum() <= 6
    assert struck[8, 0, FULL.places["kick"]] and struck[8, 0, FULL.places["crash"]]
    assert struck[9:].any(axis=(1, 2)).all()
    assert any(one.text == "waits for the bass" for one in take.explain())


def test_refrains_of_a_take_are_on_the_ride_fuller_and_said_so(drummer: Drummer) -> None:
    take = drummer.accompany(song(late=0), Options(temperature=0.0, groove="rock-hat", arrange="on"))
    struck = rolls(take)
    hat, ride = (struck[:, :, FULL.places[name]].sum(axis=1) for name in ("closed hat", "ride"))
    assert (ride[8:16] > hat[8:16]).all() and (hat[16:24] > ride[16:24]).all()
    level = f"{take.plan[1].level:.2f}"
    said = f"section chorus fuller, {level} times the song's hits, on the ride"
    assert next(one[:2] for one in take.explain() if one.text == said) == (9, 16)


def test_a_groove_that_is_given_is_played_as_it_is_unless_the_song_is_to_be_built(drummer: Drummer) -> None:
    plain = drummer.accompany(song(), Options(groove="rock-hat"))
    off = drummer.accompany(song(), Options(groove="rock-hat", arrange="off"))
    built = drummer.accompany(song(), Options(groove="rock-hat", arrange="on"))
    assert plain.to_bytes() == off.to_bytes() != built.to_bytes()
    assert rolls(plain)[:7].any(axis=(1, 2)).all()
    assert np.flatnonzero(rolls(built)[:9].any(axis=(1, 2))).tolist() in ([7, 8], list(range(9)))


def test_a_wish_is_played_where_the_drums_would_wait_and_changes_no_other_bar(drummer: Drummer) -> None:
    options = Options(seed=3, temperature=0.0)
    before = [bar.part.rows.tolist() for bar in drummer.stream(song(late=10), options)]
    for wish in ({"fill_at": (3,)}, {"groove": {"verse": "half-time-rock-hat"}}):
        after = [bar.part.rows.tolist() for bar in drummer.stream(song(late=10), replace(options, **wish))]
        assert not before[2] and after[2]
        asked = {2} if "fill_at" in wish else {*range(8), *range(16, 24)}
        assert {bar for bar, (one, other) in enumerate(zip(before, after, strict=True)) if one != other} <= asked | {3}


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize("enter", [1, 5, 8, 9, 12])
def test_drums_enter_where_they_are_to_and_do_not_wait_after_it(drummer: Drummer, enter: int, seed: int) -> None:
    options = Options(seed=seed, temperature=0.0)
    before, after = (drummer.accompany(song(), replace(options, enter=bar)) for bar in (None, enter))
    struck, entered = rolls(before), rolls(after)
    assert not struck[:7].any() and not entered[: enter - 1].any()
    assert entered[enter - 1 :].any(axis=(1, 2)).all()
    assert (entered[enter - 1 :].sum(axis=(1, 2)) >= 6).all(), "no bar is a lead-in alone"
    if enter > 1:
        assert entered[enter - 1, 0, FULL.places["kick"]] and entered[enter - 1, 0, FULL.places["crash"]]
    assert [hits for hits in before.part if hits.onset >= max(enter, 8) * 4 * TICKS] == [
        hits for hits in after.part if hits.onset >= max(enter, 8) * 4 * TICKS
    ]
    assert any(one.text == "rests, as requested" for one in after.explain()) == (enter > 1)


def test_an_entry_and_a_groove_of_a_section_act_each_where_they_are_asked(drummer: Drummer) -> None:
    for arrange in ("auto", "on"):
        wished = Options(seed=3, groove={"verse": "half-time-rock-hat"}, arrange=arrange)
        before, after = (drummer.accompany(song(), replace(wished, enter=bar)).part for bar in (None, 11))
        assert after.onset.min() >= 10 * 4 * TICKS - TICKS // 16
        later = 11 * 4 * TICKS - TICKS // 16
        assert [hits for hits in before if hits.onset >= later] == [hits for hits in after if hits.onset >= later]


def test_takes_beside_the_first_build_the_song_as_well(drummer: Drummer) -> None:
    takes = drummer.takes(song(late=0), Options(seed=1), 4)
    assert {take.options.arrange for take in takes} == {"auto", "on"}
    for take in drummer.takes(song(late=0), Options(seed=1, arrange="off"), 3):
        assert take.options.arrange == "off"


def test_a_higher_intensity_is_fuller_and_louder_on_the_same_groove(drummer: Drummer) -> None:
    for options in (Options(), Options(arrange="off"), Options(groove="rock-hat")):
        takes = [drummer.accompany(song(late=0), replace(options, intensity=level)) for level in (0.1, 0.5, 0.9)]
        counts = [len(take.part) for take in takes]
        loud = [float(take.part.velocity.mean()) for take in takes]
        assert counts[0] < counts[1] < counts[2] and counts[2] >= 1.5 * counts[0] and loud[0] < loud[1] < loud[2]
        assert len({take.grooves for take in takes}) == 1


# --- the plan of a take -----------------------------------------------------------------------------------------------

REQUESTS = {
    "plain": Options(seed=1),
    "likeliest": Options(temperature=0.0),
    "off": Options(seed=1, arrange="off"),
    "a groove": Options(groove="rock-hat"),
    "a groove, built": Options(seed=2, groove="rock-hat", arrange="on"),
    "verses on a groove": Options(seed=3, groove={"verse": "half-time-rock-hat"}),
    "on the ride": Options(seed=4, time="ride"),
    "no hat": Options(seed=5, without=("closed hat", "open hat", "pedal hat")),
    "intense": Options(seed=6, intensity=0.83),
    "metal": Options(seed=7, style="metal", ending="ring"),
    "verses out": Options(seed=1, out="verse"),
    "out, half a section": Options(seed=1, out="1-4,11,20-26"),
    "out, not built": Options(seed=1, arrange="off", out="1-8,17-20"),
    "out, on a groove of its own": Options(seed=3, groove={"verse": "half-time-rock-hat"}, out="1-3"),
    "enters late": Options(seed=1, enter=12),
    "enters early": Options(seed=3, enter=3, out="17-18"),
    "enters late, not built": Options(seed=1, arrange="off", enter=9),
}


QUICK = ("plain", "a groove, built", "verses out", "out, on a groove of its own", "enters early")
each_request = pytest.mark.parametrize(
    "options",
    [
        pytest.param(options, id=name, marks=[] if name in QUICK else pytest.mark.slow)
        for name, options in REQUESTS.items()
    ],
)


@each_request
def test_a_plan_given_back_gives_the_same_take(drummer: Drummer, options: Options) -> None:
    for played in (song(), song(late=0, named=options.out == "verse")):
        take = drummer.accompany(played, options)
        again = drummer.accompany(played, options, plan=take.plan)
        assert take.plan == again.plan and take.to_bytes() == again.to_bytes()
        streamed = [row for bar in drummer.stream(played, options, plan=take.plan) for row in bar.plan]
        assert tuple(streamed) == take.plan


def test_the_arranger_is_asked_once_whatever_is_requested(drummer: Drummer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, outlook = list[int](), Arranger.outlook
    monkeypatch.setattr(Arranger, "outlook", lambda self, seen: asked.append(1) or outlook(self, seen))
    options = Options(seed=1, intensity="verse=0.2,9-12=0.9", enter=3, ending="choke")
    drummer.accompany(song(late=0), options)
    assert len(asked) == 1
    drummer.accompany(song(late=0), Options(groove="rock-hat"))
    assert len(asked) == 1


def test_a_plan_beside_kept_drums_has_no_silence_and_gives_the_same_take(drummer: Drummer) -> None:
    hats = Part.of([Note(at * TICKS, 60, 42, 80) for at in range(4 * BARS)], is_drums=True)
    played = replace(song(late=10), parts=(*song(late=10).parts, hats))
    options = Options(seed=1, prime=2, arrange="on")
    take = drummer.accompany(played, options)
    assert all(row.plays_all for row in take.plan) and any(row.level != 1.0 for row in take.plan)
    assert drummer.accompany(played, options, plan=take.plan).to_bytes() == take.to_bytes()


def test_the_plan_of_a_take_says_what_is_played(drummer: Drummer) -> None:
    take = drummer.accompany(song(late=10), Options(temperature=0.0, groove="rock-hat", arrange="on"))
    assert [row[:4] for row in take.plan] == [
        (1, 8, "verse", None),
        (9, 16, "chorus", 9),  # whatever the bass does, not longer than LONGEST_WAIT
        (17, 24, "verse", 17),
        (25, 32, "chorus", 25),
    ]
    assert not rolls(take)[:7].any()
    assert [row.cymbal for row in take.plan][1::2] != [row.cymbal for row in take.plan][::2]
    assert take.plan[3].level > 1 > take.plan[0].level
    off = drummer.accompany(song(late=10), Options(arrange="off"))
    assert all(row.is_even and row.plays_all for row in off.plan)
    placed = drummer.accompany(song(late=10), Options(temperature=0.0, groove={"verse": "half-time-rock-hat"}))
    assert placed.plan[0] == take.plan[0]._replace(
        enters=1, cymbal="closed hat", level=1.0, groove="half-time-rock-hat"
    )


def test_a_plan_tells_of_a_section_before_the_guitar_in_which_the_drums_play_with_the_band(drummer: Drummer) -> None:
    before = song(late=0)
    guitar, bass = before.parts
    keys = Part.of([Note(at * TICKS, TICKS, 72, 80) for at in range(4 * 8)], program=0, name="Piano")
    later = Part.of([note for note in guitar if note.onset >= 8 * 4 * TICKS], program=guitar.program, name=guitar.name)
    played = replace(before, parts=(keys, later, bass))
    take = drummer.accompany(played, Options(seed=1))
    assert rolls(take)[:8].any(axis=(1, 2)).all() and take.plan[0].enters == 1
    assert drummer.accompany(played, Options(seed=1), plan=take.plan).to_bytes() == take.to_bytes()
    for enters, silent in ((None, 7), (5, 3)):  # the bar before an entry leads into it
        plan = (take.plan[0]._replace(enters=enters), *take.plan[1:])
        other = drummer.accompany(played, Options(seed=1), plan=plan)
        assert not rolls(other)[:silent].any() and rolls(other)[silent:].any(axis=(1, 2)).all()
        assert other.plan == plan


@pytest.mark.parametrize("arrange", ["off", "on"])
def test_a_plan_tells_where_the_drums_come_in_by_request(drummer: Drummer, arrange: str) -> None:
    def entries(out: str | None = None, enter: int | None = None) -> list[int | None]:
        take = drummer.accompany(song(late=0), Options(arrange=arrange, out=out, enter=enter))
        return [row.enters for row in take.plan]

    assert entries(out="verse") == [None, 9, None, 25]
    assert entries(out="1-2,11-12,17-24") == [3, 9, None, 25]
    assert entries(enter=9) == [None, 9, 17, 25] and entries(enter=11, out="17-20") == [None, 11, 21, 25]


def test_an_entry_in_a_plan_holds_unless_it_is_not_to_be_heard(drummer: Drummer) -> None:
    options = Options(seed=1, out="1-4", arrange="on")
    take = drummer.accompany(song(late=0), options)
    first, *rest = take.plan
    assert first.enters == 5
    for enters, wanted in ((2, 5), (None, None), (7, 7)):
        other = drummer.accompany(song(late=0), options, plan=(first._replace(enters=enters), *rest))
        assert other.plan == (first._replace(enters=wanted), *rest)
        assert (other.to_bytes() == take.to_bytes()) == (enters == 2)
        assert np.flatnonzero(rolls(other)[:9].any(axis=(1, 2)))[0] == {2: 4, None: 7, 7: 5}[enters]


def test_a_changed_plan_changes_its_sections(drummer: Drummer) -> None:
    options = Options(temperature=0.0, style="rock", groove="rock-hat", arrange="on")
    take = drummer.accompany(song(late=0), options)
    verse, *rest = take.plan
    changed = (verse._replace(enters=5), *(row._replace(cymbal="ride", level=0.6, loudness=0.7) for row in rest))
    other = drummer.accompany(song(late=0), options, plan=changed)
    before, after = rolls(take), rolls(other)
    assert not after[:3].any() and after[4:].any(axis=(1, 2)).all() and after[4, 0, FULL.places["crash"]]
    assert after[8:].sum() < 0.8 * before[8:].sum()
    ride, hat = (after[8:, :, FULL.places[name]].sum() for name in ("ride", "closed hat"))
    assert ride > 4 * hat
    first = 8 * 4 * TICKS
    soft, loud = (one.part.velocity[one.part.onset >= first].mean() for one in (other, take))
    assert soft < 0.85 * loud
    assert [row[:6] for row in other.plan] == [(*row[:5], pytest.approx(row.level, abs=0.01)) for row in changed]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: plan[1:], "the plan has 3 sections, but the song has 4"),
        (lambda plan: (plan[0]._replace(last=7), *plan[1:]), r"has bars 1-7 \(verse\), but the song has bars 1-8"),
        (lambda plan: (plan[0]._replace(level=9.0), *plan[1:]), "has level 9.0, wanted 0.25 to 4"),
        (lambda plan: (plan[0]._replace(loudness=float("nan")), *plan[1:]), "has loudness nan, wanted"),
        (lambda plan: (plan[0]._replace(cymbal="gong"), *plan[1:]), "has the cymbal 'gong', wanted one of closed hat"),
        (lambda plan: (plan[0]._replace(enters=9), *plan[1:]), "has the drums enter in bar 9"),
    ],
)
def test_a_plan_of_another_song_or_with_impossible_values_is_refused(drummer: Drummer, change, said: str) -> None:
    plan = drummer.accompany(song(), Options(arrange="off")).plan
    for play in (drummer.accompany, drummer.stream, drummer.takes):
        with pytest.raises(OptionError, match=said):
            play(song(), Options(), plan=change(plan))


def test_a_plan_that_builds_is_refused_where_the_song_is_not_to_be_built(drummer: Drummer) -> None:
    plan = drummer.accompany(song(), Options()).plan
    for options in (Options(arrange="off"), Options(groove="rock-hat")):
        with pytest.raises(OptionError, match="the plan builds the song"):
            drummer.accompany(song(), options, plan=plan)


def test_a_plan_names_the_hat_that_the_groove_is_on(drummer: Drummer) -> None:
    groove = Book.load()["rock-hat"]
    keys = {FULL.places["closed hat"]: FULL.places["open hat"]}
    swapped = [bar._replace(key=np.array([keys.get(key, key) for key in bar.key.tolist()])) for bar in groove.bars]
    options = Options(temperature=0.0, groove=replace(groove, bars=tuple(swapped)), arrange="on")
    take = drummer.accompany(song(), options)
    assert {row.cymbal for row in take.plan[::2]} == {"open hat"}
    assert drummer.accompany(song(), options, plan=take.plan).to_bytes() == take.to_bytes()


def test_a_plan_is_explained_once_from_where_the_drums_enter(drummer: Drummer) -> None:
    take = drummer.accompany(song(late=6), Options(temperature=0.0, groove="rock-hat", arrange="on"))
    said = [one for one in take.explain() if one.text.startswith("section") and " groove " not in one.text]
    assert [one[:2] for one in said] == [(7, 8), (9, 16), (17, 24), (25, 32)]
    for row, one in zip(take.plan, said, strict=True):
        assert f"{row.level:.2f} times" in one.text and ("fuller" in one.text) == (row.level > 1)
        assert one.text.endswith(f"on the {row.cymbal.replace('hat', 'hi-hat').replace('closed ', '')}")
    texts = [(one.first, one.text) for one in take.explain()]
    assert not any(text.startswith("time on") for _, text in texts)
    assert not any(first in (7, 9, 17, 25) and text.startswith(("busier", "sparser")) for first, text in texts)
    off = drummer.accompany(song(late=10), Options(arrange="off")).explain()
    assert not any("the song's hits" in one.text or "as full as" in one.text for one in off)


@pytest.mark.parametrize("place", ["x.mid", "A,drums.midi", "out/x", r"c:\drums"])
def test_a_file_is_no_place_without_drums(place: str) -> None:
    with pytest.raises(OptionError, match=r"looks like a file.*-o names the file"):
        Options(out=place)
