"""Generators of beats: one contract for all of them, then what each adds; and loops of sound."""

from __future__ import annotations

import itertools
import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum.errors import CheckpointError, OptionError, UnknownModelError
from seq2drum.lattice import patterns
from seq2drum.lattice.patterns import SLICE, SLICES, Pattern
from seq2drum.music.choices import GENRES
from seq2drum.music.kit import HANDS
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.generators import drawing
from seq2drum.play.generators.composer import WISHES, Brief, Composer, wish
from seq2drum.play.generators.drawing import BY_HAND, guided
from seq2drum.play.generators.loops import RATE, LoopMaker, joined, letters_of
from seq2drum.play.generators.phrase import sameness as phrase_sameness
from seq2drum.play.generators.step import GUIDANCE, MOST, REMEMBERED, BarMemory, newness, sameness, within_reach
from seq2drum.play.generators.words import WordsPlayer

CHECKPOINTS = Path(__file__).parents[2] / "seq2drum" / "checkpoints"
STEPWISE, WHOLE_BARS = ("step", "words"), ("bar", "phrase")


@pytest.fixture(scope="module")
def composers() -> dict[str, Composer]:
    return {name: Composer.load(name) for name in (*STEPWISE, *WHOLE_BARS)}


@pytest.fixture(params=(*STEPWISE, *WHOLE_BARS))
def composer(request: pytest.FixtureRequest, composers: dict[str, Composer]) -> Composer:
    return composers[request.param]


@pytest.fixture(params=STEPWISE)
def stepwise(request: pytest.FixtureRequest, composers: dict[str, Composer]) -> Composer:
    return composers[request.param]


@pytest.fixture(params=WHOLE_BARS)
def whole_bars(request: pytest.FixtureRequest, composers: dict[str, Composer]) -> Composer:
    return composers[request.param]


@pytest.fixture(scope="module")
def words(composers: dict[str, Composer]) -> Composer:
    return composers["words"]


def bars_of(composer: Composer, seed: int = 0, **asked: Any) -> np.ndarray:
    """(bars, places, 9): the velocities of a beat, as a stream makes them."""
    brief = Brief(**asked)
    return np.stack(list(islice(composer.stream(lambda: brief, seed), brief.bars)))


# --- the contract of all generators: of beats and of loops of sound ---------------------------------------------------

EVERY = (*STEPWISE, *WHOLE_BARS, "loop")


def loaded(name: str, folder: Path | None = None) -> Composer | LoopMaker:
    """A generator by its name, or of that kind from a folder."""
    return LoopMaker.load(folder) if name == "loop" else Composer.load(str(folder or name))


@pytest.fixture(scope="module")
def generators(composers: dict[str, Composer]) -> dict[str, Composer | LoopMaker]:
    return {**composers, "loop": loaded("loop")}


@pytest.fixture(params=EVERY)
def generator(request: pytest.FixtureRequest, generators: dict[str, Composer | LoopMaker]) -> Composer | LoopMaker:
    return generators[request.param]


def made_by(generator: Composer | LoopMaker, seed: int = 0, **asked: Any) -> np.ndarray:
    """The bars of a beat, bars first: velocities; or sound, of which the first bar's loudest sample is 1."""
    if isinstance(generator, Composer):
        return bars_of(generator, seed, **asked)
    loop = generator.make(Brief(**asked), seed, kit=generator.kits[0])
    bars = loop.sound.reshape(loop.brief.bars, -1)
    return bars / np.abs(bars[0]).max()


def test_the_same_brief_and_seed_give_the_same_bars_and_another_seed_others(generator: Composer | LoopMaker) -> None:
    first, again = (made_by(generator, 3, genre="funk", bars=3) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert len(first) == 3 and all(bar.any() for bar in first)
    assert first.tobytes() != made_by(generator, 4, genre="funk", bars=3).tobytes()


def test_more_bars_begin_as_fewer_do(generator: Composer | LoopMaker) -> None:
    for more, fewer, alike in ((10, 9, 9), (4, 2, 2)):
        longer, shorter = (made_by(generator, bars=bars)[:alike] for bars in (more, fewer))
        assert np.abs(longer - shorter).max() < (1e-5 if isinstance(generator, LoopMaker) else 1e-9)


@pytest.mark.parametrize("other", [{"genre": "jazz"}, {"bpm": 190}, {"fill": 2}, {"temperature": 0.3}])
def test_another_request_gives_other_bars(generator: Composer | LoopMaker, other: dict[str, Any]) -> None:
    asked = {"genre": "rock", "bpm": 110, "bars": 4}
    first, second = made_by(generator, 1, **asked), made_by(generator, 1, **{**asked, **other})
    assert len(first) == len(second) == 4
    assert first.shape != second.shape or (first != second).any()


@pytest.mark.parametrize("name", EVERY)
def test_a_damaged_checkpoint_and_one_of_another_kind_are_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "best"
    shutil.copytree(CHECKPOINTS / name, folder)
    assert made_by(loaded(name, folder), bars=1).tobytes() == made_by(loaded(name), bars=1).tobytes()
    about = json.loads((folder / "config.json").read_text())
    for wrong, said in (({"seed": 1}, "SHA-256"), ({"kind": "accompanist"}, "of the kind 'accompanist'")):
        (folder / "config.json").write_text(json.dumps({**about, **wrong}))
        with pytest.raises(CheckpointError, match=said) as refused:
            loaded(name, folder)
        assert "\n" not in str(refused.value)


# --- the contract of generators of beats ------------------------------------------------------------------------------


def test_a_bar_has_the_places_of_its_generator_and_hits(composer: Composer) -> None:
    bars = bars_of(composer, 3, genre="funk", bars=3)
    assert bars.shape == (3, composer.generator.places, 9)
    assert (bars > 0).sum() > (9 if composer.model in WHOLE_BARS else 3)


def test_the_best_checkpoint_of_a_run_is_loaded_by_the_run(composer: Composer, tmp_path: Path) -> None:
    shutil.copytree(CHECKPOINTS / composer.model, tmp_path / "run" / "best")
    assert Composer.load(str(tmp_path / "run")).model == composer.model


def test_a_composed_beat_has_the_bars_of_the_stream(composer: Composer) -> None:
    asked: dict[str, Any] = {"genre": "funk", "bars": 3, "grid": composer.generator.places}
    beat = composer.compose(Brief(**asked), 3).pattern
    assert beat.velocity.tobytes() == bars_of(composer, 3, **asked).tobytes()


def test_a_stream_takes_new_wishes_before_each_bar_and_genres_are_mixed(composer: Composer) -> None:
    asked = iter([Brief(genre="rock"), Brief(genre="jazz:1,funk:1"), Brief(bpm=200), Brief(genre="latin")])
    bars = list(islice(composer.stream(lambda: next(asked)), 4))
    assert [bar.shape for bar in bars] == [(composer.generator.places, 9)] * 4
    assert bars[0].tobytes() == bars_of(composer, genre="rock", bars=1)[0].tobytes()


def test_two_hands_can_play_it_however_wild_it_is(composer: Composer) -> None:
    bars = bars_of(composer, 5, bars=64, variability=1.0, temperature=2.0) > 0
    assert bars[..., BY_HAND].sum(axis=-1).max() == HANDS


def test_a_generator_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownModelError, match="wanted one of book, step"):
        Composer.load("nobody")


# --- generators that go from step to step -----------------------------------------------------------------------------


def test_without_variability_a_bar_comes_again_and_again_around_its_fills(stepwise: Composer) -> None:
    bars = bars_of(stepwise, 1, genre="rock", bars=8, variability=0.0, fill=4)
    assert len({bars[bar].tobytes() for bar in (0, 1, 2, 4, 5, 6)}) == 1
    assert bars[3].tobytes() != bars[0].tobytes()


@pytest.mark.parametrize(
    ("name", "levels", "seeds"), [("step", (0.0, 0.1, 0.2, 1.0), 2), ("words", (0.0, 0.05, 0.2, 1.0), 6)]
)
def test_the_more_variability_the_less_bars_are_alike(
    composers: dict[str, Composer], name: str, levels: tuple[float, ...], seeds: int
) -> None:
    changed = []
    for variability in levels:
        hits = [bars_of(composers[name], seed, bars=4, variability=variability) > 0 for seed in range(seeds)]
        changed.append(np.mean([(one[1:] != one[:-1]).sum() for one in hits]))
    assert changed[0] == 0 and changed == sorted(set(changed))


def test_another_groove_begins_where_a_change_is_requested(stepwise: Composer) -> None:
    bars = bars_of(stepwise, 2, bars=6, variability=0.0, change=(4,))
    assert bars[0].tobytes() == bars[2].tobytes() != bars[3].tobytes() == bars[5].tobytes()


def test_at_temperature_zero_seeds_do_not_matter(stepwise: Composer) -> None:
    asked = {"genre": "rock", "bars": 2, "temperature": 0.0}
    assert bars_of(stepwise, 0, **asked).tobytes() == bars_of(stepwise, 1, **asked).tobytes()


# --- the step generator -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["step", *WHOLE_BARS])
def test_velocities_are_whole_multiples_of_a_127th(composers: dict[str, Composer], name: str) -> None:
    bars = bars_of(composers[name], 3, genre="funk", bars=3)
    struck = bars[bars > 0] * 127
    assert np.abs(struck - np.rint(struck)).max() < 1e-4 and struck.min() >= 1 and struck.max() <= 127.001


def test_the_default_variability_keeps_a_tenth_of_the_bars() -> None:
    assert [round(sameness(value), 1) for value in (0.0, 0.2, 1.0)] == [1, 0.1, 0]
    assert [newness(value) for value in (0.0, 0.2, 1.0)] == [0, 0, 1]


def test_the_weights_of_wishes_are_one_together() -> None:
    told, weights = guided(Brief(genre="funk:3,jazz:1", bpm=160), 2.0, fill=True)
    assert told.shape == (3, WISHES) and weights[:, 0].tolist() == [1.5, 0.5, -1.0]
    assert (told[:, -2:] == [1.0, 1.0]).all()
    assert guided(Brief(genre="funk"), 1.0, fill=False)[1].tolist() == [[1.0]]
    assert guided(Brief(), GUIDANCE, fill=False)[1].tolist() == [[1.0]]


def test_of_more_than_two_hands_the_loudest_two_are_left() -> None:
    struck = np.array([0.9, 0.5, 0.0, 0.0, 0.3, 0.0, 0.4, 0.0, 0.2], dtype=np.float32)
    assert within_reach(struck).tolist() == np.array([0.9, 0.5, 0, 0, 0, 0, 0.4, 0, 0.2], dtype=np.float32).tolist()
    assert within_reach(np.zeros(9, dtype=np.float32)).sum() == 0


def test_the_groove_goes_on_until_a_fill_begins(composer) -> None:
    class Late:
        """A kick on one, and of fills a tom on four alone."""

        places = 24

        def bars(self, brief, seed):
            for number in itertools.count():
                bar = np.zeros((24, 9), dtype=np.float32)
                bar[(18, 3) if brief().is_fill(number) else (0, 0)] = 1
                yield bar

    late: Any = Late()
    hits = Composer("late", late).compose(Brief(bars=4, fill=2)).pattern.velocity > 0
    assert hits[:, 0, 0].all()
    assert hits[:, 18, 3].tolist() == [False, True, False, True]


def test_fills_are_not_remembered() -> None:
    memory = BarMemory(2, 24)
    bar = np.zeros((2, 24, 9), dtype=np.float32)
    bar[:, 0, 0] = 1
    memory.keep(bar, [False, True])
    assert memory.known.tolist() == [1, 0]
    assert memory.heard().shape == (2, 24, REMEMBERED)
    assert memory.heard()[0, 0, 0] == 1 and memory.heard()[1, 0, 0] == 0
    for _ in range(2 * MOST):
        memory.keep(bar, [False, False])
    assert memory.known.tolist() == [MOST, MOST]


# --- the words generator ----------------------------------------------------------------------------------------------


def test_it_goes_on_from_what_it_is_primed_with(words) -> None:
    primed = np.zeros((2, 24, 9), dtype=np.float32)
    primed[:, ::3, 3] = 0.7
    given = Pattern(primed)
    after = [words.compose(Brief(bars=1), seed, primed=given).pattern.velocity.tobytes() for seed in range(4)]
    assert after != [bars_of(words, seed, bars=1).tobytes() for seed in range(4)]


def test_hits_have_the_usual_velocity_of_their_place(words: Any) -> None:
    bars = bars_of(words, bars=4)
    struck = bars > 0
    assert struck.any()
    usual = np.broadcast_to(words.generator.usual, bars.shape)
    assert np.array_equal(bars[struck], usual[struck])


def test_the_shipped_one_is_small_and_says_whose_music_it_learnt_from() -> None:
    assert sum(file.stat().st_size for file in (CHECKPOINTS / "words").iterdir()) < 1_500_000
    card = ((CHECKPOINTS / "words") / "card.md").read_text()
    assert "Groove MIDI Dataset" in card and "CC BY 4.0" in card


def test_text_of_the_same_seed_is_the_same(words: Composer) -> None:
    first, again, other = (
        patterns.text_of(words.compose(Brief(genre="funk", bars=3), seed).pattern) for seed in (3, 3, 4)
    )
    assert first == again != other
    assert first.count("BAR") == 3


def test_a_words_checkpoint_whose_numbers_do_not_fit_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "words"
    shutil.copytree(CHECKPOINTS / "words", folder)
    about = json.loads((folder / "config.json").read_text())
    for wrong, said in (
        ({"kind": "step"}, "."),
        ({"velocity": [[0.5] * 9] * 23}, "its velocities are none"),
        ({"config": {**about["config"], "places": 16}}, "on 16 places"),
    ):
        (folder / "config.json").write_text(json.dumps({**about, **wrong}))
        with pytest.raises(CheckpointError, match=said):
            WordsPlayer.load(folder)


# --- generators of whole bars -----------------------------------------------------------------------------------------


def test_the_more_variability_the_less_passages_are_alike(whole_bars: Composer) -> None:
    changed = []
    for variability in (0.0, 0.2, 1.0):
        hits = [bars_of(whole_bars, seed, bars=9, variability=variability) > 0 for seed in range(6)]
        changed.append(np.mean([(one[8] != one[0]).sum() for one in hits]))
    assert changed[0] == 0 and changed == sorted(set(changed))


def test_something_else_begins_where_a_change_is_asked_for(whole_bars: Composer) -> None:
    bars = bars_of(whole_bars, 2, bars=6, variability=0.0, change=(4,))
    plain = bars_of(whole_bars, 2, bars=6, variability=0.0)
    assert bars[:3].tobytes() == plain[:3].tobytes() and bars[3].tobytes() != plain[3].tobytes()
    assert bars[3].tobytes() != bars[0].tobytes()


def test_fills_have_more_toms_than_other_bars(whole_bars: Composer) -> None:
    toms = np.zeros(2)
    for seed in range(30):
        bars = bars_of(whole_bars, seed, genre="rock", bars=4, fill=4) > 0
        toms += [bars[3, :, 3:6].sum(), bars[:3, :, 3:6].sum() / 3]
    assert toms[0] > 1.5 * toms[1]


def test_at_temperature_zero_what_is_open_is_not_drawn(whole_bars: Composer) -> None:
    cold, warm = (bars_of(whole_bars, 0, bars=8, temperature=temperature) > 0 for temperature in (0.0, 1.5))
    assert cold.sum() > 0 and (cold != warm).any()


def test_a_stream_takes_new_wishes_before_each_bar(whole_bars: Composer) -> None:
    asked = iter([Brief(genre="rock"), Brief(genre="jazz:1,funk:1"), Brief(bpm=200)])
    bars = list(islice(whole_bars.stream(lambda: next(asked)), 3))
    assert bars[0].tobytes() == bars_of(whole_bars, genre="rock", bars=1)[0].tobytes()
    assert bars[1].tobytes() != bars_of(whole_bars, genre="rock", bars=2)[1].tobytes()


def test_genres_are_mixed_by_their_weights() -> None:
    told = drawing.wished(Brief(genre="funk:3,jazz:1", bpm=160), fill=True)
    funk, jazz = (wish(name, 160, fill=True) for name in ("funk", "jazz"))
    assert told == pytest.approx(0.75 * funk + 0.25 * jazz)
    assert drawing.wished(Brief(), fill=False) == pytest.approx(wish(None, 110, fill=False))


def test_noise_is_where_it_was_in_its_distribution() -> None:
    normal = drawing.normals([1, 2], 20_000)
    assert drawing.below(np.array([-1.0, 0.0, 1.0])) == pytest.approx([0.1587, 0.5, 0.8413], abs=1e-4)
    assert (drawing.logistic(normal) > 1).mean() == pytest.approx(1 / (1 + np.e), abs=0.01)
    other = drawing.shared(0.36, normal, drawing.normals([3], 20_000))
    assert np.corrcoef(other, normal)[0, 1] == pytest.approx(0.6, abs=0.02) and other.std() == pytest.approx(
        1, abs=0.02
    )


def test_the_default_variability_is_what_was_learnt() -> None:
    learnt = np.array([0.1, 0.9])
    assert [phrase_sameness(learnt, value).tolist() for value in (0.0, 0.2, 1.0)] == [
        [1, 1],
        pytest.approx([0.1, 0.9]),
        [0, 0],
    ]


def test_a_bar_checkpoint_of_other_sizes_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bar"
    shutil.copytree(CHECKPOINTS / "bar", folder)
    about = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**about, "config": {**about["config"], "places": 7}}))
    with pytest.raises(CheckpointError, match="its places is 7, wanted 24"):
        Composer.load(str(folder))


# --- loops of sound ---------------------------------------------------------------------------------------------------


def answering(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """A net that makes tones of its noise: as long as noise, kit and wish are the same, so is the bar."""
    cycles = 1 + np.abs(arrays["noise"]).sum(axis=1) * 3 + 20 * arrays["kit"].argmax(axis=1) + 7 * arrays["wish"][:, -1]
    tones = np.sin(cycles[:, None] * np.linspace(0, 2 * np.pi, SLICES * SLICE)[None])
    return [2 * tones.reshape(-1, SLICES, SLICE).astype(np.float32)]


MAKER = LoopMaker(LoadedGraph(frozenset(), ("slices",), answering), 4, ("wood", "tin"), (60.0, 200.0))


def joined_bars(sound: np.ndarray, count: int) -> np.ndarray:
    return sound.reshape(count, -1)[:, 300:-300]  # without the joints


@pytest.mark.parametrize(("form", "same"), [("AAAA", "0000"), ("AAAB", "0001"), ("AABB", "0011"), ("abab", "0101")])
def test_bars_follow_each_other_as_the_form_says(form: str, same: str) -> None:
    made = joined_bars(MAKER.make(Brief(bars=8, bpm=120), 3, form=form).sound, 8)
    for one in range(8):
        for other in range(8):
            assert (made[one] == made[other]).all() == (same[one % 4] == same[other % 4])


def test_at_no_variability_all_bars_are_the_same_and_b_is_nearer_to_a_the_less_there_is() -> None:
    same = joined_bars(MAKER.make(Brief(bars=4, bpm=120, variability=0), 3, form="ABAB").sound, 4)
    assert (same == same[0]).all()


@pytest.mark.parametrize("bpm", [20, 61.7, 117.1875, 120, 400])
def test_a_loop_lasts_as_long_as_its_bars_and_does_not_clip(bpm: float) -> None:
    loop = MAKER.make(Brief(bars=4, bpm=bpm), 1)
    assert abs(len(loop.sound) / RATE - 4 * 240 / bpm) < 4 / RATE
    assert np.abs(loop.sound).max() <= 0.9 and loop.sound.dtype == np.float32


def test_without_a_kit_one_that_fits_the_genre_is_drawn() -> None:
    shipped = LoopMaker.load()
    kits = {genre: {shipped.make(Brief(genre, bars=1), seed).kit for seed in range(6)} for genre in ("jazz", "dance")}
    assert kits == {"jazz": {"standard"}, "dance": {"808", "electronic"}}
    with pytest.raises(OptionError, match="loops of trap were not learnt"):
        shipped.make(Brief("trap", bars=1))


def test_without_a_kit_one_is_drawn_by_the_seed() -> None:
    drawn = [MAKER.make(Brief(bars=1), seed).kit for seed in range(9)]
    assert drawn == [MAKER.make(Brief(bars=1), seed).kit for seed in range(9)] and set(drawn) == set(MAKER.kits)


def test_fills_and_changes_are_other_bars_of_the_same_letter() -> None:
    plain = joined_bars(MAKER.make(Brief(bars=4), 1, form="AAAA", kit="tin").sound, 4)
    filled = joined_bars(MAKER.make(Brief(bars=4, fill=4), 1, form="AAAA", kit="tin").sound, 4)
    changed = joined_bars(MAKER.make(Brief(bars=4, change=(3,)), 1, form="AAAA", kit="tin").sound, 4)
    assert (filled[3] != filled[2]).any() and (filled[0] == filled[2]).all()
    assert (changed[1] != changed[2]).any() and (changed[2] == changed[3]).all()
    assert (plain == plain[0]).all()


def test_what_cannot_be_made_is_refused_in_a_line() -> None:
    for form in ("", "AXA", "A" * 17):
        with pytest.raises(OptionError, match="AAAB"):
            letters_of(form)
    with pytest.raises(OptionError, match="wood, tin"):
        MAKER.make(kit="glass")
    with pytest.raises(OptionError, match="4/4"):
        MAKER.make(Brief(metre="7/8"))
    with pytest.raises(OptionError, match="600"):
        MAKER.make(Brief(bars=1024, bpm=20))


def test_a_bar_ends_as_what_leads_into_the_next_one() -> None:
    first, second = np.zeros(1000, np.float32), np.ones(1000, np.float32)
    sound = joined([first, second])
    assert not sound[:700].any() and sound[999] == 1 and sound[1000] == 1 and sound[-1] == 0


def test_a_folder_that_is_no_maker_of_loops_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"kind": "ranker", "format": 1}')
    with pytest.raises(CheckpointError, match="holds no maker"):
        LoopMaker.load(tmp_path)


# --- briefs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"genre": "polka"}, "there is no genre 'polka'; there are afrobeat"),
        ({"genre": "funk:x"}, "the weight of funk is 'x'"),
        ({"genre": "funk:0"}, "0 together, wanted more than 0"),
        ({"genre": "funk:-1"}, "the weight of funk is -1"),
        ({"genre": "funk,funk"}, "named twice"),
        ({"genre": {"funk": float("nan")}}, "the weight of funk is nan"),
        ({"genre": "funk:"}, "not a name and a weight"),
        ({"bpm": 19.9}, "the tempo is 19.9, wanted 20 to 400"),
        ({"bpm": float("nan")}, "the tempo is nan"),
        ({"bars": 0}, "the number of bars is 0, wanted 1 to 1024"),
        ({"bars": 100_000}, "the number of bars is 100000"),
        ({"variability": 1.5}, "variability is 1.5, wanted 0 to 1"),
        ({"fill": 1}, "a fill every is 1"),
        ({"change": (1,)}, "a bar of change is 1, wanted 2 to 1024"),
        ({"change": (9,)}, "in bar 9, of 8 bars"),
        ({"grid": 20}, "the grid is 20, wanted 16, 24 or 32"),
        ({"temperature": -1}, "the temperature is -1"),
    ],
)
def test_a_brief_that_makes_no_sense_is_refused_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as refused:
        Brief(**wrong)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_weights_of_genres_become_shares() -> None:
    assert Brief(genre="Funk:3, jazz").genres == {"funk": 0.75, "jazz": 0.25}
    assert Brief(genre={"rock": 7}).genres == {"rock": 1}
    assert Brief().genres == {}


def test_fills_and_changes_fall_on_their_bars() -> None:
    brief = Brief(fill=4, change=(3, 7))
    assert [bar for bar in range(8) if brief.is_fill(bar)] == [3, 7]
    assert [brief.passage(bar) for bar in range(8)] == [0, 0, 1, 1, 1, 1, 2, 2]


def test_a_wish_has_a_number_for_each_genre_for_the_tempo_and_for_fills() -> None:
    told = wish("jazz", 160, fill=True)
    assert told.shape == (WISHES,)
    assert np.flatnonzero(told).tolist() == [GENRES.index("jazz"), WISHES - 2, WISHES - 1]
    assert told[-2] == 1
    assert not wish(None, 110, fill=False).any()
