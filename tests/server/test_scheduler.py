"""Which takes play at once and which move in a round: many long calls do not keep a short one waiting."""

from __future__ import annotations

from collections import Counter

import pytest

from seq2drum.music.notes import Note, Part, Song
from seq2drum.play.choose import choose, variants
from seq2drum.play.decode.ensemble import MOST_ITEMS, TOGETHER, Ended
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.play.take import DrumBar
from seq2drum.play.write import take_of
from seq2drum.rpc import accompaniment_pb2 as pb
from server import scheduler as schedulers
from server.scheduler import ModelScheduler, PlayedCall
from tests.players import save_player, strummed


@pytest.fixture(scope="module")
def drummer(tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    return Drummer.load(save_player(tmp_path_factory.mktemp("player")))


def call(drummer: Drummer, job: int, bars: int, takes: int = 1, caller: str = "one") -> PlayedCall:
    guitar, options = drummer.listen(strummed(bars), Options())
    chosen = [choose(guitar, own) for own in variants(guitar, options, takes)]
    return PlayedCall(
        job, caller, pb.ModelInfo(), pb.GenerateDrumsRequest(), False, guitar, chosen, [[] for _ in chosen], 0.0
    )


class Playing:
    """A scheduler, what is done on it, and how often the takes of each job moved."""

    def __init__(self, drummer: Drummer) -> None:
        self.scheduler = ModelScheduler(drummer, pb.ModelInfo(), can_batch=True)
        self.done: list[PlayedCall] = []
        self.most = 0

    def rounds(self, most: int = 1 << 30, *, until: int = 0) -> Counter[int]:
        """Play some rounds, at most until a job is done or nothing is left; how often takes of each job moved."""
        moved = Counter[int]()
        for _ in range(most):
            if not self.scheduler.busy or until in [call.job for call in self.done]:
                break
            moving = self.scheduler.next_takes()
            moved.update(job for job, _ in moving)
            for made_of, take, item in self.scheduler.advance(moving):
                if isinstance(item, DrumBar):
                    made_of.bars[take].append(item)
                    continue
                assert isinstance(item, Ended) and item.error is None
                made_of.ended += 1
                if made_of.ended == len(made_of.takes):
                    self.scheduler.drop(made_of)
                    self.done.append(made_of)
            self.most = max(self.most, sum(len(call.active) for call in self.scheduler.calls.values()))
        return moved


def test_takes_beyond_what_fits_are_played_in_turn_and_are_the_same(
    drummer: Drummer, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = []
    for bars in (schedulers.MOST_BARS, 2 * 6):
        monkeypatch.setattr(schedulers, "MOST_BARS", bars)
        playing, asked = Playing(drummer), call(drummer, 1, 6, takes=5)
        playing.scheduler.add(asked)
        playing.rounds()
        parts.append([take_of(asked.guitar, own, made).part for own, made in zip(asked.takes, asked.bars, strict=True)])
        assert playing.most == min(5, bars // 6)
    assert parts[0] == parts[1]


def test_a_short_call_plays_even_if_there_is_no_room_and_a_long_one_waits(
    drummer: Drummer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedulers, "MOST_BARS", 12)
    monkeypatch.setattr(schedulers, "SHORT_BARS", 8)
    playing = Playing(drummer)
    for job, bars in ((1, 12), (2, 12), (3, 2)):
        playing.scheduler.add(call(drummer, job, bars))
    playing.rounds(until=3)
    assert [done.job for done in playing.done] == [3]
    assert [len(playing.scheduler.calls[job].active) for job in (1, 2)] == [1, 0]
    playing.rounds()
    assert [done.job for done in playing.done] == [3, 1, 2]


def test_beside_others_a_caller_moves_no_more_takes_than_the_one_who_has_fewest(drummer: Drummer) -> None:
    playing = Playing(drummer)
    for job in range(1, 5):
        playing.scheduler.add(call(drummer, job, 8, takes=4, caller="greedy"))
    playing.scheduler.add(call(drummer, 9, 8, caller="modest"))
    moved = playing.rounds(until=9)
    greedy = [moved[job] for job in range(1, 5)]
    assert sum(greedy) <= moved[9] + 4
    assert max(greedy) - min(greedy) <= 4  # and these go round among themselves
    assert playing.rounds(1).total() == 16  # alone again it moves all that it has


def test_a_call_with_many_takes_moves_no_more_of_them_than_another_of_the_caller_has(drummer: Drummer) -> None:
    playing = Playing(drummer)
    playing.scheduler.add(call(drummer, 1, 8, takes=8))
    playing.scheduler.add(call(drummer, 2, 8))
    moved = playing.rounds(until=2)
    assert moved[1] <= moved[2] + 1


def test_a_call_with_much_before_it_moves_in_every_second_round_beside_one_with_little(
    drummer: Drummer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedulers, "SHORT_BARS", 8)
    playing = Playing(drummer)
    playing.scheduler.add(call(drummer, 1, 100))
    playing.scheduler.add(call(drummer, 2, 4))
    moved = playing.rounds(until=2)
    assert moved[1] <= moved[2] / 2 + 1
    assert playing.rounds(10)[1] == 10


def test_what_a_call_takes_of_the_processor_is_counted_for_it(drummer: Drummer) -> None:
    playing = Playing(drummer)
    short, long = call(drummer, 1, 4), call(drummer, 2, 24)
    for asked in (short, long):
        playing.scheduler.add(asked)
    playing.rounds()
    assert 0 < short.seconds < long.seconds


@pytest.mark.slow
def test_bars_for_which_nothing_is_asked_hold_up_nobody(drummer: Drummer) -> None:
    notes = [Note(bar * 1920, 240, 52, 90) for bar in (0, 999)]
    song = Song(480, (Part.of(notes, program=27, name="Guitar"),), length=1000 * 1920)
    guitar, options = drummer.listen(song, Options())
    playing = Playing(drummer)
    playing.scheduler.add(
        PlayedCall(
            1, "one", pb.ModelInfo(), pb.GenerateDrumsRequest(), False, guitar, [choose(guitar, options)], [[]], 0.0
        )
    )
    made = 0
    while playing.scheduler.busy:
        before, _ = made, playing.rounds(1)
        made = playing.scheduler.calls[1].done if 1 in playing.scheduler.calls else 1000
        assert made - before <= len(TOGETHER) * MOST_ITEMS
    assert playing.done[0].done == 1000
