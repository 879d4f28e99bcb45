"""Other pieces in place of some: their hits are played by others, and all other hits stay as they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum import Drummer, Options, Take
from seq2drum.errors import OptionError
from seq2drum.lattice.grooves.grooves import grid_of
from seq2drum.music.kit import FULL, NINE
from seq2drum.music.options import replaced_by
from seq2drum.play.decode.memory import pieces_instead
from tests.conftest import ROOT
from tests.play.ways import WAYS, each_song

ROCK = ROOT / "examples" / "rock_riff.mid"


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def hits(take: Take) -> Counter[tuple[int, str, int]]:
    return Counter((note.onset, FULL.names[FULL.voice_of[note.pitch]], note.velocity) for note in take.part)


@each_song
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[] if way == "on a groove" else pytest.mark.slow) for way in WAYS]
)
def test_another_piece_plays_the_hits_and_all_others_stay(drummer: Drummer, song: Path, way: str) -> None:
    plain = hits(drummer.accompany(song, WAYS[way]))
    others = {"snare": "side stick", "closed hat": "cowbell", "open hat": "cowbell"}
    take = hits(
        drummer.accompany(song, replace(WAYS[way], instead="snare=side stick, closed hat=cowbell,open hat=cowbell"))
    )
    assert not {name for _, name, _ in take} & others.keys()
    kept = Counter({hit: count for hit, count in plain.items() if hit[1] not in {*others, *others.values()}})
    assert kept == Counter({hit: count for hit, count in take.items() if hit[1] not in others.values()})
    wanted = {(onset, others.get(name, name)) for onset, name, _ in plain if others.get(name, name) in others.values()}
    assert {(onset, name) for onset, name, _ in take if name in others.values()} <= wanted
    # Two that meet on one piece at a step become one, also where they were struck some ticks apart.
    assert sum(take.values()) >= 0.95 * len({(onset, others.get(name, name)) for onset, name, _ in plain})


def test_of_two_that_meet_on_one_piece_the_louder_stays() -> None:
    crash, hat, ride, snare = (FULL.places[name] for name in ("crash", "closed hat", "ride", "snare"))
    bar = grid_of([[0, crash, 112], [0, hat, 80], [0, snare, 90], [3, hat, 70], [6, hat, 60], [6, ride, 75]])
    heard = pieces_instead(FULL, {"crash": "ride", "closed hat": "ride"}).hits(bar)
    found = sorted(zip(heard.step.tolist(), heard.key.tolist(), heard.velocity.tolist(), strict=True))
    assert found == sorted([(0, snare, 90), (0, ride, 112), (3, ride, 70), (6, ride, 75)])


def test_a_foot_that_becomes_a_hand_leaves_what_two_hands_can_play(drummer: Drummer) -> None:
    take = drummer.accompany(ROCK, Options(seed=1, instead="kick=low tom"))
    at = Counter(note.onset for note in take.part if FULL.voices[FULL.voice_of[note.pitch]].limb != "foot")
    assert max(at.values()) <= 2
    assert "kick" not in {name for _, name, _ in hits(take)}


def test_the_stream_has_it_too_and_bars_that_stay_do_not(drummer: Drummer, tmp_path: Path) -> None:
    options = Options(seed=2, instead="toms=cowbell,closed hat=ride")
    take = drummer.accompany(ROCK, options)
    assert sum(len(bar.part) for bar in drummer.stream(ROCK, options)) == len(take.part)
    path = tmp_path / "whole.mid"
    plain = drummer.accompany(ROCK, Options(seed=2)).save(path, with_guitar=True)
    again = drummer.accompany(path, replace(options, bars=(9, 12)))
    stop = plain.song.bars()[7].start
    before = [hit for hit in hits(plain) if hit[0] < stop]
    assert before == [hit for hit in hits(again) if hit[0] < stop]
    assert "ride" in {name for onset, name, _ in hits(again) if onset >= stop}


def by_bar(take: Take) -> dict[int, Counter[tuple[int, str, int]]]:
    """The hits of each bar, of which an early one is of the bar after it."""
    return {
        bar.index + 1: Counter({hit: n for hit, n in hits(take).items() if bar.start <= hit[0] + 40 < bar.end})
        for bar in take.song.bars()
    }


def test_in_places_all_other_bars_stay(drummer: Drummer) -> None:
    before = by_bar(drummer.accompany(ROCK, Options(seed=2)))
    after = by_bar(drummer.accompany(ROCK, Options(seed=2, instead="B=snare=side stick,5-6=closed hat=ride")))
    moved = {5: "closed hat", 6: "closed hat", **dict.fromkeys((*range(9, 17), *range(25, 33)), "snare")}
    changed = {number for number in before if before[number] != after[number]}
    assert changed == {bar for bar, piece in moved.items() if piece in {name for _, name, _ in before[bar]}}
    assert {5, 6, 9, 25} <= changed
    assert not [bar for bar, piece in moved.items() if piece in {name for _, name, _ in after[bar]}]


def test_a_place_wins_over_the_song_and_explanations_have_both(drummer: Drummer) -> None:
    take = drummer.accompany(ROCK, Options(seed=2, instead="B=snare=side stick,snare=clap"))
    names = {number: {name for _, name, _ in those} for number, those in by_bar(take).items()}
    assert all("clap" in names[bar] and "side stick" not in names[bar] for bar in range(1, 9))
    assert all("side stick" in names[bar] and "clap" not in names[bar] for bar in range(9, 16))
    said = [str(line) for line in take.explain()]
    assert {
        "bars 1-24: clap instead of snare, as requested",
        "bars 9-31: side stick instead of snare, as requested",
    } <= {*said}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("E=snare=clap", "section"),
        ("90-91=snare=clap", "other pieces are requested in bars 90-91, but the song has"),
    ],
)
def test_places_that_the_song_lacks_are_refused(drummer: Drummer, asked: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        drummer.accompany(ROCK, Options(instead=asked))


def test_a_take_says_what_plays_instead_and_that_its_sections_are_on_it(drummer: Drummer) -> None:
    options = Options(seed=3, instead="closed hat=ride,open hat=ride,toms=cowbell")
    take = drummer.accompany(ROCK, options)
    said = [str(line) for line in take.explain()]
    assert any(line.endswith(": ride instead of closed hat, as requested") for line in said)
    assert not [line for line in said if "on the hi-hat" in line or "on the open hi-hat" in line]
    cymbals = drummer.accompany(ROCK, replace(options, instead="cymbals=ride"))  # a ride stays one
    assert "instead of ride," not in "\n".join(map(str, cymbals.explain()))
    cow = drummer.accompany(ROCK, replace(options, instead="closed hat=cowbell,open hat=cowbell,ride=cowbell"))
    assert not [line for line in map(str, cow.explain()) if "on the hi-hat" in line or "on the ride" in line]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("snare", "wanted two pieces such as closed hat=ride"),
        ("snare=", "wanted two pieces"),
        ("=snare=ride", "wanted two pieces"),
        ("verse=chorus=snare=ride", "wanted two pieces"),
        ("gong=ride", "there is no piece 'gong'"),
        ("snare=gong", r"there is no piece 'gong' to play instead of snare; (did you|there are)"),
        ("low tom=snare,toms=cowbell", "low tom is to be played by snare and by cowbell"),
        ("snare=cymbals", "there is no piece 'cymbals' to play instead of snare"),
        ("", "wanted two pieces"),
    ],
)
def test_what_is_no_pair_of_pieces_is_refused(asked: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(instead=asked)


def test_a_piece_that_is_never_played_plays_instead_of_none() -> None:
    with pytest.raises(OptionError, match="ride is to be played instead of closed hat, and never"):
        Options(instead="closed hat=ride", without=("cymbals",))


def test_families_stand_for_their_pieces_and_a_kit_must_have_the_others() -> None:
    assert replaced_by("toms=cowbell")[""] == dict.fromkeys(("low tom", "mid tom", "high tom"), "cowbell")
    assert pieces_instead(NINE, {"snare": "ride"}).moved[NINE.places["snare"]] == NINE.places["ride"]
    with pytest.raises(OptionError, match="this drummer plays no cowbell; it has"):
        pieces_instead(NINE, {"snare": "cowbell"})
