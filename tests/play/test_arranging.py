"""What of a take is certain before it is drawn holds in the take, by a model of random weights, too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum import Drummer, Options, Take
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import sections
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Note, Part, Song
from seq2drum.play.arrange.arrange import is_soft, make_plan
from tests.players import faults, save_player

BAR = 1920
VOICE = {name: index for index, name in enumerate(FULL.names)}


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    return Drummer.load(save_player(tmp_path_factory.mktemp("player")))


def ended(first: int = 0) -> Song:
    """Eight bars of eighths from a tick on, a bar's rest after the sixth bar's first chord, and a chord that rings."""
    eighths = [at for at in range(first, 7 * BAR, 240) if not 5 * BAR < at < 6 * BAR]
    notes = [Note(at, 200, pitch, 90) for at in eighths for pitch in (52, 59)]
    notes += [Note(5 * BAR, 200, 64, 100), *(Note(7 * BAR, BAR - 10, pitch, 100) for pitch in (52, 59, 64))]
    return Song(480, (Part.of(notes, program=29),), metres=(Metre(0, 4, 4),), length=8 * BAR)


def hits(take: Take, tick: int) -> set[str]:
    """The pieces that are struck within a 32nd of a tick."""
    part = take.standard_part
    near = np.abs(part.onset - tick) <= 60
    return {FULL.names[voice] for voice in FULL.voice_of[part.pitch[near]]}


def between(take: Take, begin: int, end: int) -> int:
    """How many hits there are from a tick to another, without those that come a little early on the latter."""
    onset = take.part.onset
    return int(np.sum((onset > begin + 60) & (onset < end - 60)))


def test_a_take_begins_on_the_one_stops_with_the_guitar_and_ends_with_it(player: Drummer) -> None:
    for seed in range(4):
        take = player.accompany(ended(), Options(seed=seed))
        assert faults(take.part, take.song) == []
        assert "kick" in hits(take, 0)
        assert hits(take, 5 * BAR) == {"kick", "snare"} and between(take, 5 * BAR, 5 * BAR + 1440) == 0
        assert {"kick", "crash"} <= hits(take, 6 * BAR)
        assert hits(take, 7 * BAR) == {"kick", "crash"} and between(take, 7 * BAR, 9 * BAR) == 0


def test_a_pickup_of_the_guitar_is_one_of_the_drums(player: Drummer) -> None:
    take = player.accompany(ended(1440), Options())
    assert between(take, -BAR, 1440) == 0 and between(take, 1380, BAR) > 0
    assert {"kick", "crash"} <= hits(take, BAR)


@pytest.mark.parametrize("temperature", [None, 0.0, 2.0])
def test_a_piece_that_is_not_wanted_is_not_played_in_an_ending_either(player: Drummer, temperature) -> None:
    options = Options(temperature=temperature, ending="ritard", without=("crash", "snare"))
    take = player.accompany(ended(1440), options)
    struck = {FULL.names[voice] for voice in FULL.voice_of[take.standard_part.pitch]}
    assert not struck & {"crash", "snare"}
    assert hits(take, 7 * BAR) == {"kick", "ride"}


def test_time_on_the_ride_takes_a_groove_there_too(player: Drummer) -> None:
    hats = Grid(3 * np.arange(8), np.full(8, VOICE["closed hat"]), *(np.full(8, n) for n in (90, 0, 3)))
    groove = Groove("hats", "hats", 4, 4, (hats,), None, (60.0, 200.0))
    song_grid = SongGrid.of(ended(), [0])
    passages = sections(song_grid.guitar_grid)
    grooves = {section.letter: groove for section in passages}
    options = Options(time="ride")
    plan = make_plan(song_grid.guitar_grid, passages, grooves, options, FULL)
    assert plan.pieces is not None
    assert set(plan.pieces.hits(hats).key.tolist()) == {VOICE["ride"]}
    take = player.accompany(ended(), replace(options, groove={"A": groove}))
    assert not {"closed hat", "open hat"} & {FULL.names[voice] for voice in FULL.voice_of[take.standard_part.pitch]}


def test_fills_are_asked_for_by_the_bars_of_the_song_whatever_their_length() -> None:
    song = replace(ended(), metres=(Metre(0, 16, 4), Metre(4 * BAR, 4, 4)))
    song_grid = SongGrid.of(song, [0])
    assert [bar.index for bar in lattice_of(song).bars] == [0, 0, 0, 0, 1, 2, 3, 4]
    options = Options(fill_at=(1, 3), no_fills_in=((4, 9),))
    plan = make_plan(song_grid.guitar_grid, [], {}, options, FULL, numbers=song_grid.numbers)
    assert plan.fills is not None
    assert np.flatnonzero(plan.fills.requested).tolist() == [3, 5]
    assert np.flatnonzero(plan.fills.never).tolist() == [6, 7]


def test_a_groove_is_soft_by_its_velocity_or_style_unless_something_else_is_asked_for() -> None:
    def groove(velocity: int, style: str | None = None) -> Groove:
        one = np.ones(1, dtype=np.int64)
        return Groove(
            "one", "one", 4, 4, (Grid(0 * one, 0 * one, velocity * one, 0 * one, 3 * one),), style, (60.0, 90.0)
        )

    plain = Options()
    assert [is_soft(plain, one) for one in (None, groove(100), groove(40), groove(100, "jazz"))] == [
        False,
        False,
        True,
        True,
    ]
    assert is_soft(Options(intensity=0.1), groove(100)) and not is_soft(Options(intensity=0.9), groove(40))
    assert is_soft(Options(style="jazz"), groove(100)) and not is_soft(Options(style="metal"), groove(40))


def test_bars_that_stay_are_as_they_were_where_a_take_would_begin_stop_or_end(player: Drummer, tmp_path: Path) -> None:
    snares = [Note(at, 60, 38, 90) for at in range(0, 8 * BAR, 480)]
    song = replace(ended(), parts=(*ended().parts, Part.of(snares, is_drums=True)))
    take = player.accompany(song, Options(bars=(3, 4)))
    kept = [(note.onset, note.pitch) for note in take.part if not 2 * BAR - 60 <= note.onset < 4 * BAR - 60]
    assert kept == [(at, 38) for at in range(0, 8 * BAR, 480) if not 2 * BAR <= at < 4 * BAR]
    take = player.accompany(song, Options(prime=2))
    assert [note.onset for note in take.part if note.onset < 2 * BAR - 60] == list(range(0, 2 * BAR, 480))
    assert hits(take, 7 * BAR) == {"kick", "crash"}
