"""A percussionist beside the drummer: plays what is asked where it is asked, and leaves the drums as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum import Drummer, Options, Take
from seq2drum.errors import OptionError
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid, encode
from seq2drum.lattice.grooves.fitting import steps_of
from seq2drum.lattice.grooves.grooves import Groove, grid_of
from seq2drum.music.choices import PERCUSSION
from seq2drum.music.kit import FULL
from seq2drum.play.arrange.percussion import FULL_LEVEL, SHARES, Percussionist, instruments_of
from seq2drum.play.choose import choose
from seq2drum.play.grooves.percussion import drummers_own, keys_of, line_of, lines
from tests.conftest import ROOT
from tests.play.ways import WAYS, each_song

INSTRUMENTS = PERCUSSION[2:]
METRES = [(4, 4), (2, 4), (3, 4), (5, 4), (6, 8), (7, 8), (9, 8), (12, 8), (2, 2), (1, 4), (11, 8), (3, 8)]
ROCK, WALTZ = (ROOT / "examples" / f"{name}.mid" for name in ("rock_riff", "waltz"))


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def hits_of(take: Take) -> tuple[Grid, Form]:
    song_grid = SongGrid.of(take.song, take.guitar.parts)
    return encode(take.standard_part, song_grid.lattice, FULL), song_grid.form


def bars_with(take: Take, instrument: str) -> set[int]:
    """The numbers of the bars, from 1, in which an instrument sounds."""
    hits, form = hits_of(take)
    return {int(bar) + 1 for bar in form.bar_of(hits.step[np.isin(hits.key, keys_of(instrument))])}


def without_it(take: Take) -> np.ndarray:
    """The notes (n, 4) of the drummer."""
    rows = take.part.rows
    return rows[[FULL.voices[voice].limb != "percussion" for voice in FULL.voice_of[rows[:, 2]]]]


@each_song
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[] if way == "struck again" else pytest.mark.slow) for way in WAYS]
)
def test_the_drums_stay_as_they_are(drummer: Drummer, song: Path, way: str) -> None:
    plain = drummer.accompany(song, WAYS[way])
    for asked in ("auto", "tambourine,A=congas,3-6=shaker"):
        take = drummer.accompany(song, replace(WAYS[way], percussion=asked))
        assert np.array_equal(without_it(take), without_it(plain))
        assert len(take.part) > len(plain.part) or asked == "auto"
        assert take.plan == plain.plan
        assert take.grooves == plain.grooves


def test_an_instrument_plays_in_the_bars_of_its_place_and_in_no_other(drummer: Drummer) -> None:
    bars = {instrument: {3 * number + 1, 3 * number + 2} for number, instrument in enumerate(INSTRUMENTS)}
    places = [f"{min(own)}-{max(own)}={instrument}" for instrument, own in bars.items()]
    take = drummer.accompany(ROCK, Options(seed=4, percussion=",".join(places)))
    assert {instrument: bars_with(take, instrument) for instrument in INSTRUMENTS} == bars


def test_of_the_whole_song_and_a_place_the_place_wins(drummer: Drummer) -> None:
    take = drummer.accompany(ROCK, Options(seed=4, percussion="shaker,B=tambourine,17-18=none"))
    assert bars_with(take, "tambourine") - {32} == {*range(9, 17), *range(25, 32)}  # the drums end on the last downbeat
    assert bars_with(take, "shaker") == {*range(1, 9), *range(19, 25)}


def test_it_rests_and_ends_with_the_drums(drummer: Drummer) -> None:
    take = drummer.accompany(ROCK, Options(seed=1, percussion="shaker", out="9-12", enter=5))
    assert bars_with(take, "shaker") & {1, 2, 3, 9, 10, 11, 12} == set()
    assert {5, 6, 7, 8, 13} <= bars_with(take, "shaker")
    hits, form = hits_of(take)
    last = form.place_of(hits.step[form.bar_of(hits.step) == 31])
    drums = drummers_own(hits)
    assert last.max() == form.place_of(drums.step[form.bar_of(drums.step) == 31]).max()


def test_what_fits_plays_in_the_fuller_sections_and_not_in_the_first(drummer: Drummer) -> None:
    drawn = set[str]()
    for seed in range(4):
        take = drummer.accompany(ROCK, Options(seed=seed, percussion="auto"))
        own = {name: bars for name in INSTRUMENTS if (bars := bars_with(take, name))}
        assert len(own) == 1
        full = {
            bar
            for row in take.plan[1:]
            if row.level >= FULL_LEVEL and row.enters is not None
            for bar in range(row.first, row.last + 1)
        }
        assert next(iter(own.values())) <= (full or {*range(1, 33)})
        drawn |= own.keys()
    assert len(drawn) > 1
    assert drawn <= SHARES["rock"].keys() | SHARES[""].keys()


@pytest.mark.parametrize("metre", METRES, ids=lambda metre: f"{metre[0]}/{metre[1]}")
@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_there_is_a_line_in_every_metre_and_at_every_tempo(instrument: str, metre: tuple[int, int]) -> None:
    for bpm in (30.0, 60.0, 95.0, 140.0, 200.0, 300.0):
        line = line_of(instrument, None, metre, bpm, [0])
        assert (line.numerator, line.denominator) == metre
        assert sum(len(bar.step) for bar in line.bars) > 0
        for bar in line.bars:
            assert bar.step.max(initial=0) < steps_of(*metre)
            assert set(bar.key.tolist()) <= set(keys_of(instrument).tolist())


def test_a_line_is_one_of_its_instrument_and_within_its_tempo_where_one_is() -> None:
    for instrument, known in lines().items():
        assert {line.name.partition("-")[0] for line in known} == {instrument}
        for seed in range(20):
            drawn = line_of(instrument, None, (4, 4), 110.0, [seed])
            assert drawn in known
            assert drawn.tempo[0] <= 110 <= drawn.tempo[1]
    assert set(lines()) == set(INSTRUMENTS)


def test_commoner_lines_are_drawn_more_often() -> None:
    drawn = [line_of("shaker", None, (4, 4), 100.0, [seed]).name for seed in range(400)]
    able = [line.name for line in lines()["shaker"] if line.name in drawn]
    counts = [drawn.count(name) for name in able]
    assert counts[0] == max(counts)
    assert counts[0] > 1.4 * counts[1]
    assert min(counts) >= 10


@pytest.mark.parametrize(
    ("swung", "never"),
    [(True, {"shaker-16th", "shaker-eighth", "shaker-gallop", "shaker-offbeat"}), (False, {"shaker-swung"})],
)
def test_a_line_divides_the_quarter_as_the_drums_do(swung: bool, never: set[str]) -> None:
    places = [0, 4, 6, 10, 12, 16, 18, 22] if swung else [0, 3, 6, 9, 12, 15, 18, 21]
    hat = FULL.places["closed hat"]
    bar = grid_of([[place, hat, 90] for place in places])
    groove = Groove("hat", "hat", 4, 4, (bar,), None, (60, 200))
    drawn = {line_of("shaker", groove, (4, 4), 100.0, [seed]).name for seed in range(60)}
    assert not drawn & never
    assert len(drawn) > 1


def test_a_soft_bar_has_soft_percussion(drummer: Drummer) -> None:
    means = []
    for intensity in (0.1, 0.5, 0.9):
        hits, _ = hits_of(drummer.accompany(ROCK, Options(seed=2, percussion="shaker", intensity=intensity)))
        means.append(hits.velocity[hits.key == FULL.places["shaker"]].mean())
    assert means[0] < means[1] - 5
    assert means[1] < means[2] - 5


def test_a_hit_that_the_drummer_has_is_not_struck_twice(drummer: Drummer) -> None:
    guitar, options = drummer.listen(ROCK, Options(seed=0, percussion="tambourine"))
    grooves = choose(guitar, options)
    names = instruments_of(guitar, grooves)
    assert names == ("tambourine",) * 32
    percussionist = Percussionist(guitar, grooves, names)
    key = FULL.places["tambourine"]
    drums = grid_of([[step, key, 90] for step in range(0, 24)])
    assert not len(percussionist.play(0, drums).step)
    assert len(percussionist.play(1, drums._replace(key=np.full(24, FULL.places["snare"]))).step)


def test_the_stream_and_other_bars_of_a_replay_have_it_too(drummer: Drummer, tmp_path: Path) -> None:
    options = Options(seed=5, percussion="auto", humanize=0.6)
    take = drummer.accompany(ROCK, options)
    assert sum(len(bar.part) for bar in drummer.stream(ROCK, options)) == len(take.part)
    take.save(tmp_path / "whole.mid", with_guitar=True)
    again = drummer.accompany(tmp_path / "whole.mid", replace(options, seed=9, bars=(9, 10)))
    before, after = take.part.rows, again.part.rows
    start, stop = (take.song.bars()[number].start for number in (8, 10))
    one, other = (rows[(rows[:, 0] < start - 40) | (rows[:, 0] >= stop)] for rows in (before, after))
    assert np.array_equal(one, other)


def test_takes_are_ranked_by_their_drums(drummer: Drummer) -> None:
    plain = drummer.takes(WALTZ, Options(seed=0), 4)
    takes = drummer.takes(WALTZ, Options(seed=0, percussion="congas"), 4)
    assert [take.options.seed for take in takes] == [take.options.seed for take in plain]
    assert [take.score for take in takes] == [take.score for take in plain]


def test_a_take_says_where_it_plays(drummer: Drummer) -> None:
    take = drummer.accompany(ROCK, Options(seed=0, percussion="5-8=shaker"))
    said = [str(line) for line in take.explain()]
    assert "bars 5-8: shaker beside the drums" in said
    plain = [str(line) for line in drummer.accompany(ROCK, Options(seed=0)).explain()]
    assert [line for line in said if "beside" not in line] == plain


@pytest.mark.parametrize("asked", ["kazoo", "A=kazoo", "9-16=drum machine"])
def test_what_is_no_percussion_is_refused_with_what_there_is(asked: str) -> None:
    with pytest.raises(OptionError, match=r"tambourine, shaker"):
        Options(percussion=asked)


def test_a_place_that_the_song_lacks_is_refused(drummer: Drummer) -> None:
    with pytest.raises(OptionError, match="the song has 32"):
        drummer.accompany(ROCK, Options(percussion="40-44=shaker"))
