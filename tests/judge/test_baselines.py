"""The players that a sceptic would try: what each of them plays, on songs written for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.judge.baselines import Baseline, baselines
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.grid import Grid, Lattice, encode
from seq2drum.music.kit import FULL, NINE
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.made import made_song

NEAREST = ["nearest 1 bar", "nearest 2 bars", "nearest 4 bars"]
BLIND = ["silence", "marginal", "common bar", "rule", "rule + accents", "random song", *NEAREST]
NAMES = [*BLIND, "own bar"]
KICK, SNARE, CRASH, RIDE, HAT = (FULL.voice_of[note] for note in (36, 38, 49, 51, 42))
TRIPLET = 320  # ticks: the third eighth triplet of a quarter

Beat = tuple[int, int]  # tick in the bar, MIDI note


def song_of(
    name: str,
    guitar: Sequence[Sequence[Beat]],
    drums: Sequence[Sequence[Beat]],
    *,
    metre: tuple[int, int] = (4, 4),
    bpm: float = 120,
    group: str | None = None,
) -> Prepared:
    """A song whose bars are played as written, in ticks from the barline at 480 a quarter."""
    length = 1920 * metre[0] // metre[1]
    bars = max(len(guitar), len(drums))
    tempo, signature = Tempo(0, round(60e6 / bpm)), Metre(0, *metre)
    parts = [
        Part.of([Note(bar * length + at, 60, note, 80) for bar, row in enumerate(rows) for at, note in row], is_drums=d)
        for rows, d in ((guitar, False), (drums, True))
    ]
    song = Song(480, tuple(parts), (tempo,), (signature,), bars * length)
    lattice = Lattice(song.bars(), 480)
    return Prepared(
        name,
        name,
        "t",
        group or name,
        "train",
        SongGrid.of(song, [0], lattice).guitar_grid,
        encode(parts[1], lattice, FULL),
    )


def player(name: str, training: Sequence[Prepared], seed: int = 0) -> Baseline:
    return next(one for one in baselines(training, seed=seed) if one.name == name)


def hits(grid: Grid) -> set[tuple[int, int]]:
    return set(zip(grid.step.tolist(), grid.key.tolist(), strict=True))


def same(one: Grid, other: Grid) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


STRUM = [(at, 50) for at in range(0, 1920, 240)]
LONG = [(0, 50)]
GALLOP = [(at, 40) for at in (0, 240, 360, 480, 720, 840)]
BACKBEAT = [(0, 36), (480, 38), (960, 36), (1440, 38)]
CYMBALS = [(0, 49), (960, 51)]
MADE = [made_song(seed) for seed in range(8)]


@pytest.fixture(scope="module")
def players() -> list[Baseline]:
    return baselines(MADE)


def test_the_table_names_its_rows_and_only_the_last_sees_real_drums(players: list[Baseline]) -> None:
    assert [one.name for one in players] == NAMES
    assert [one.sees_real for one in players] == [False] * 9 + [True]
    assert all(one.meaning and "\n" not in one.meaning for one in players)


@pytest.mark.parametrize("at", range(10), ids=NAMES)
class TestEveryPlayer:
    def test_plays_sound_hits_in_the_bars_where_the_guitar_sounds(self, players: list[Baseline], at: int) -> None:
        for song in [*MADE[:3], made_song(99, bars=20)]:
            grid = players[at].play(song, 0)
            form = song.guitar_grid.form
            assert [len(column) for column in grid] == [len(grid.step)] * 5
            assert ((grid.velocity >= 1) & (grid.velocity <= 127)).all() and (np.abs(grid.offset) < 127).all()
            assert len(hits(grid)) == len(grid.step)
            assert (np.lexsort((grid.key, grid.step)) == np.arange(len(grid.step))).all()
            bars, guitar_grid = form.bar_of(grid.step), form.bar_of(song.guitar_grid.guitar.step)
            assert not len(bars) or (guitar_grid.min() <= bars.min() and bars.max() <= guitar_grid.max())

    def test_plays_the_same_again_whatever_was_played_between(self, players: list[Baseline], at: int) -> None:
        first = players[at].play(MADE[0], 3)
        players[at].play(MADE[1], 0)
        assert same(players[at].play(MADE[0], 3), first)
        assert same(baselines(MADE)[at].play(MADE[0], 3), first)

    def test_uses_no_song_of_the_played_songs_group(self, players: list[Baseline], at: int) -> None:
        """The same is played whether the song's own group was in the folder or not."""
        odd = replace(MADE[0], drums=MADE[0].drums._replace(key=np.full_like(MADE[0].drums.key, CRASH)))
        with_it, without = baselines([odd, *MADE[1:]]), baselines(MADE[1:])
        assert same(with_it[at].play(odd, 1), without[at].play(odd, 1))

    def test_plays_nothing_to_a_guitar_that_plays_nothing(self, players: list[Baseline], at: int) -> None:
        silent = song_of("silent", [], [BACKBEAT] * 2)
        assert not len(players[at].play(silent, 0).step)

    def test_plays_whole_bars_of_a_metre_it_does_not_know(self, players: list[Baseline], at: int) -> None:
        strange = song_of("strange", [[(0, 50)]] * 3, [[(0, 36)]] * 3, metre=(11, 8))
        bars = strange.guitar_grid.form.bar_of(players[at].play(strange, 0).step)
        assert set(bars.tolist()) == (set() if players[at].name == "silence" else {0, 1, 2})

    def test_plays_one_bar_and_has_an_answer_without_training(self, players: list[Baseline], at: int) -> None:
        one = song_of("one", [STRUM], [BACKBEAT])
        for row in (players[at], baselines([])[at]):
            assert (len(row.play(one, 0).step) > 0) == (row.name != "silence")


def test_the_marginal_keeps_a_hit_that_half_the_bars_have_and_leaves_a_rare_one() -> None:
    # Kick always, snare in three of four bars, crash in one of eight: the best expected F1 is that of kick and snare.
    bars = [[(0, 36), *([(480, 38)] if i % 4 else []), *([(0, 49)] if i % 8 == 0 else [])] for i in range(16)]
    play = player("marginal", [song_of("a", [STRUM] * 16, bars)]).play
    assert hits(play(song_of("b", [STRUM] * 2, []), 0)) == {(0, KICK), (6, SNARE), (24, KICK), (30, SNARE)}


def test_the_common_bar_is_the_commonest_of_its_own_metre() -> None:
    waltz = song_of("w", [[(0, 50)]] * 20, [[(0, 36), (480, 42), (960, 42)]] * 20, metre=(3, 4))
    rock = song_of("r", [STRUM] * 17, [*[BACKBEAT] * 9, *[CYMBALS] * 8])
    play = player("common bar", [waltz, rock]).play
    assert hits(play(song_of("b", [STRUM], []), 0)) == {(0, KICK), (6, SNARE), (12, KICK), (18, SNARE)}
    assert hits(play(song_of("c", [LONG], [], metre=(3, 4)), 0)) == {(0, KICK), (6, HAT), (12, HAT)}


def test_an_unknown_metre_borrows_from_the_commonest_of_as_many_steps() -> None:
    play = player("common bar", [song_of("r", [STRUM] * 9, [BACKBEAT] * 9)]).play
    assert hits(play(song_of("b", [STRUM], [], metre=(8, 8)), 0)) == {(0, KICK), (6, SNARE), (12, KICK), (18, SNARE)}


def test_hits_are_as_loud_as_the_median_of_their_voice() -> None:
    song = song_of("r", [STRUM] * 9, [BACKBEAT] * 9)
    loud = np.where(song.drums.key == KICK, 101, 44)
    grid = player("common bar", [replace(song, drums=song.drums._replace(velocity=loud))]).play(
        song_of("b", [STRUM], []), 0
    )
    assert dict(zip(grid.key.tolist(), grid.velocity.tolist(), strict=True)) == {KICK: 101, SNARE: 44}


@pytest.mark.parametrize(
    ("metre", "kicks", "snares"),
    [
        ((4, 4), [0, 12], [6, 18]),
        ((3, 4), [0], [6, 12]),
        ((6, 8), [0], [9]),
        ((12, 8), [0, 18], [9, 27]),
        ((5, 4), [0, 18], [6, 12, 24]),
        ((7, 8), [0], [6, 12]),
        ((2, 2), [0], [12]),
        ((1, 4), [0], []),
    ],
)
def test_the_rule_beats_time_in_any_metre(metre: tuple[int, int], kicks: list[int], snares: list[int]) -> None:
    played = hits(player("rule", []).play(song_of("b", [LONG], [], metre=metre), 0))
    assert sorted(step for step, voice in played if voice == KICK) == kicks
    assert sorted(step for step, voice in played if voice == SNARE) == snares


def test_the_rule_swings_when_the_guitar_does() -> None:
    swung = [(beat + at, 50) for beat in range(0, 1920, 480) for at in (0, TRIPLET)]
    fast = hits(player("rule", []).play(song_of("b", [swung], [], bpm=160), 0))
    slow = hits(player("rule", []).play(song_of("b", [swung], [], bpm=80), 0))
    assert sorted(step for step, voice in fast if voice == RIDE) == [0, 6, 10, 12, 18, 22]
    assert {step for step, voice in slow if voice == HAT} == {0, 4, 6, 10, 12, 16, 18, 22}
    straight = hits(player("rule", []).play(song_of("b", [STRUM], [], bpm=160), 0))
    assert RIDE not in {voice for _, voice in straight}


def test_accents_of_the_guitar_move_the_kick_and_leave_the_snare() -> None:
    chords = [(240, 40), (240, 47), (240, 52)]
    guitar = [sorted([*[(at, 60) for at in range(0, 1920, 240) if at != 240], *chords])] * 2
    song = song_of("b", guitar, [])
    played = hits(player("rule + accents", []).play(song, 0))
    assert sorted(step for step, voice in played if voice == KICK) == [0, 3, 24, 27]
    plain = hits(player("rule", []).play(song, 0))
    assert {hit for hit in played if hit[1] != KICK} == {hit for hit in plain if hit[1] != KICK}


def test_another_song_is_of_the_metre_and_tempo_and_takes_change_it() -> None:
    training = [
        song_of(f"{voice}", [STRUM] * 8, [[(0, voice)]] * 8, bpm=bpm)
        for voice, bpm in ((36, 118), (38, 125), (49, 160), (51, 100))
    ]
    play = player("random song", training).play
    song = song_of("b", [STRUM] * 20, [], bpm=120)
    voices_of_takes = [{voice for _, voice in hits(play(song, take))} for take in range(20)]
    assert all(len(voices) == 1 for voices in voices_of_takes)
    assert set.union(*voices_of_takes) == {KICK, SNARE}
    assert len(play(song, 0).step) == 20  # tiled to the length of the song
    assert {voice for _, voice in hits(play(song_of("c", [STRUM], [], bpm=300), 0))} <= {KICK, SNARE, CRASH, RIDE}


def test_a_seed_changes_which_other_song_is_taken() -> None:
    training = [song_of(f"{note}", [STRUM] * 8, [[(0, note)]] * 8) for note in (36, 38, 49, 51, 42)]
    song = song_of("b", [STRUM], [])
    assert len({player("random song", training, seed).play(song, 0).key[0] for seed in range(20)}) > 2


def test_the_nearest_rhythm_brings_its_own_drums_unchanged() -> None:
    lead = [(0, 36), (250, 42)]  # late by ten ticks, so an offset is copied
    training = [song_of("g", [GALLOP] * 9, [lead] * 9), song_of("s", [STRUM] * 9, [BACKBEAT] * 9)]
    play = player("nearest 1 bar", training).play
    grid = play(song_of("b", [GALLOP, STRUM, GALLOP[:-1]], []), 0)
    bars = [hits(grid.select((grid.step // 24) == bar)) for bar in range(3)]
    assert [{(step % 24, voice) for step, voice in bar} for bar in bars] == [
        {(0, KICK), (3, HAT)},
        {(0, KICK), (6, SNARE), (12, KICK), (18, SNARE)},
        {(0, KICK), (3, HAT)},
    ]
    assert (grid.offset[grid.key == HAT] > 0).all() and (grid.velocity == 80).all()


@pytest.mark.parametrize(("length", "voice"), [(1, SNARE), (2, KICK)])
def test_two_bars_are_looked_for_together_and_one_bar_alone(length: int, voice: int) -> None:
    # Alone, the strummed bar is nearest (and in tempo) to the second song's; the pair is only in the first song.
    pair = song_of("p", [STRUM, GALLOP] * 5, [[(0, 36)]] * 10, bpm=90)
    single = song_of("q", [STRUM] * 10, [[(0, 38)]] * 10, bpm=120)
    play = player(f"nearest {length} bar{'s' if length > 1 else ''}", [pair, single]).play
    grid = play(song_of("b", [STRUM, GALLOP], [], bpm=120), 0)
    assert grid.key[0] == voice


def test_of_rhythms_as_near_the_nearest_tempo_is_taken_then_the_first() -> None:
    training = [song_of(f"{n}", [STRUM] * 9, [[(0, n)]] * 9, bpm=bpm) for n, bpm in ((36, 80), (38, 130), (49, 130))]
    assert set(player("nearest 4 bars", training).play(song_of("b", [STRUM] * 7, [], bpm=120), 0).key) == {SNARE}


def test_a_window_never_reaches_over_the_end_of_a_song_or_a_silent_bar() -> None:
    # The pair gallop, strum is only there across the border of two songs, and across a bar without drums.
    training = [
        song_of("a", [STRUM] * 9 + [GALLOP], [[(0, 36)]] * 10),
        song_of("b", [STRUM] * 9 + [GALLOP, LONG, STRUM], [[(0, 36)]] * 10 + [[], [(0, 49)]]),
    ]
    grid = player("nearest 2 bars", training).play(song_of("c", [GALLOP, STRUM], []), 0)
    assert hits(grid) == {(0, KICK), (24, KICK)}


def test_where_no_window_is_long_enough_shorter_ones_are_taken_and_never_the_songs_own() -> None:
    # Outside the played song's group no two bars with drums follow each other.
    own = song_of("own", [STRUM, GALLOP] * 5, [[(0, 49)]] * 10, group="g")
    apart = song_of("apart", [STRUM, LONG] * 10, [[(0, 36)], []] * 10)
    grid = player("nearest 4 bars", [own, apart]).play(own, 0)
    assert hits(grid) == {(24 * bar, KICK) for bar in range(10)}


def test_a_pickup_is_played_within_its_own_length() -> None:
    drums = Part.of([Note(at, 60, 42, 80) for at in range(0, 480 + 3 * 1920, 240)], is_drums=True)
    guitar = Part.of([Note(at, 60, 50, 80) for at in range(0, 480 + 3 * 1920, 240)])
    song = Song(480, (guitar, drums), (), (Metre(0, 4, 4), Metre(480, 4, 4)), 480 + 3 * 1920)
    lattice = Lattice(song.bars(), 480)
    cut = Prepared(
        "p", "p", "t", "p", "train", SongGrid.of(song, [0], lattice).guitar_grid, encode(drums, lattice, FULL)
    )
    assert cut.guitar_grid.form.steps.tolist() == [6, 24, 24, 24]
    for row in baselines([song_of("r", [STRUM] * 9, [BACKBEAT] * 9)]):
        played = row.play(cut, 0)
        bars = set(cut.guitar_grid.form.bar_of(played.step).tolist())
        assert bars == (set() if row.name == "silence" else {0, 1, 2, 3})
        assert not ((played.step < 6) & (played.key == SNARE)).any()


def test_a_resting_guitar_finds_drums_to_a_resting_guitar() -> None:
    training = [song_of("a", [STRUM, []] * 9, [BACKBEAT, CYMBALS] * 9)]
    grid = player("nearest 1 bar", training).play(song_of("b", [STRUM, [], STRUM], []), 0)
    assert {voice for step, voice in hits(grid) if step // 24 == 1} == {CRASH, RIDE}


def test_the_songs_own_commonest_bar_is_looped() -> None:
    song = song_of("b", [STRUM] * 5, [CYMBALS, BACKBEAT, BACKBEAT, CYMBALS, BACKBEAT])
    nine = drums_of(player("own bar", []).play(song, 0), song.guitar_grid.form, NINE)
    real = drums_of(song.drums, song.guitar_grid.form, NINE)
    bars = (nine.velocity > 0).reshape(5, 24, 9)
    assert (bars == (real.velocity > 0).reshape(5, 24, 9)[1]).all()


def test_the_own_bar_sees_the_song_and_no_other_player_does() -> None:
    song = MADE[0]
    blind = replace(song, drums=song.drums.select(np.zeros(len(song.drums.step), dtype=bool)))

    def sees(one: Baseline) -> bool:
        return not same(one.play(song, 2), one.play(blind, 2))

    assert [one.name for one in baselines(MADE[1:]) if sees(one)] == ["own bar"]
