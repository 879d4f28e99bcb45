"""The decoding loop, the memory of bars and guidance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seq2drum.errors import ModelError
from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import CONDITIONS, Controls, columns_for, of_controls
from seq2drum.lattice.features import GuitarGrid, SongGrid, features
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.models import checkpoint
from seq2drum.models import remembering as recalling
from seq2drum.models.attention import Attention
from seq2drum.models.base import engine_of
from seq2drum.models.families import FAMILIES
from seq2drum.music.kit import FULL, KITS, NINE, ONE_FOOT, Kit, Limbs
from seq2drum.music.notes import Metre, Part, Tempo
from seq2drum.play.checkpoint.folder import find
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.decode import engine, memory
from seq2drum.play.decode.bar import BarSampler, Pace
from seq2drum.play.decode.decoding import PlayedBar
from seq2drum.play.decode.engine import Engine, Guided, OpenBar
from seq2drum.play.decode.memory import GrooveRows, Memory
from seq2drum.play.decode.plan import Cue, Gestures, Plan
from seq2drum.play.decode.recall import Recall, recall
from seq2drum.play.decode.sampling import HIT_THRESHOLD, SHARED, Sampling, draws_of, thresholds
from seq2drum.play.drummer import play_grid
from seq2drum.play.drummer import play_grid as play
from tests.players import save_player, strummed
from tests.shapes import Shape, check_shapes

# --- the decoding loop, on an engine whose answers are known ----------------------------------------------------------

HIDDEN = 3
SLOW = Pace(np.arange(24.0).tolist(), 1)


class Script:
    """An engine that always gives the same logits, hears no changes, and keeps what it was asked."""

    def __init__(
        self,
        logits: Mapping[str, float],
        kit: Kit = FULL,
        *,
        unit: str = "song",
        order: Mapping[Any, float] | None = None,
    ) -> None:
        names = [voice.name for voice in kit.voices]
        self.logits = np.array([[logits.get(name, -50.0) for name in names]], dtype=np.float32)
        self.encoded: list[tuple[int, int]] = []
        self.opened: list[dict[str, NDArray[Any]]] = []
        self.decodes: list[dict[str, NDArray[Any]]] = []
        self.voices = len(kit)
        matrix = np.zeros((len(kit), len(kit)), dtype=np.float32)
        for (earlier, later), weight in (order or {}).items():
            matrix[names.index(later), names.index(earlier)] = weight
        runs = {"encode": self._encode, "bar": self._bar, "decode_bar": self._decode_bar, "feel": self._feel}
        names_of = {
            "encode": ({"guitar", "steps"}, ("given", "key")),
            "bar": (
                {"given", "keys", "distance", "past", "past_velocity", "state", "first"},
                ("inputs", "step_context", "opened"),
            ),
            "decode_bar": ({"inputs", "step_context", "previous", "state"}, ("logits", "hidden", "state_after")),
            "feel": ({"hidden", "hits"}, ("velocity", "velocity_scale", "offset", "offset_scale")),
        }
        graphs = {name: LoadedGraph(frozenset(names_of[name][0]), names_of[name][1], run) for name, run in runs.items()}
        silence = np.zeros(2, dtype=np.float32)
        self.engine = Engine("script", kit, unit, 150, graphs, matrix, silence, columns_for(CONDITIONS.size - 2))

    def _encode(self, given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        bars, size = given["guitar"].shape[:2]
        self.encoded.append((bars, size))
        return [np.zeros((bars, size, 1), np.float32), np.arange(bars, dtype=np.float32)[:, None]]

    def _bar(self, given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self.opened.append({name: array.copy() for name, array in given.items()})
        ways, size = given["given"].shape[:2]
        return [np.zeros((ways, size, 1), np.float32), np.zeros((ways, size, HIDDEN), np.float32), given["state"] + 100]

    def _decode_bar(self, given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self.decodes.append({name: array.copy() for name, array in given.items()})
        bars = given["previous"].shape[:2]
        return [np.tile(self.logits, (*bars, 1)), np.zeros((*bars, HIDDEN), np.float32), given["state"] + bars[1]]

    def _feel(self, given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        ones = np.ones_like(given["hits"])
        return [0.5 * ones, 0.05 * ones, 0 * ones, 0.1 * ones]

    def play(self, guitar_grid: GuitarGrid, **numbers: Any) -> list[PlayedBar]:
        return list(play(self.engine, guitar_grid, Sampling(**numbers)))


def heard_in(bars: int, *metre: int) -> GuitarGrid:
    """A guitar so slow that a limb has time for each step."""
    slow = [Tempo(0, 2_000_000)]
    return SongGrid.of(strummed(bars, [Metre(0, *(metre or (4, 4)))], tempos=slow), [0]).guitar_grid


def struck(bars: list[PlayedBar], name: str) -> int:
    """How often a voice of the full kit is played."""
    voice = [voice.name for voice in FULL.voices].index(name)
    return sum(int(np.sum(bar.hits.key == voice)) for bar in bars)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.float32)


def columns(bars: list[PlayedBar]) -> list[list[list[int]]]:
    return [[column.tolist() for column in bar.hits] for bar in bars]


@pytest.mark.parametrize(("logit", "temperature"), [(0.0, 1.0), (-1.0, 1.0), (1.5, 1.0), (-1.0, 0.5), (1.0, 2.0)])
def test_a_voice_is_played_as_often_as_its_sharpened_probability_says(logit: float, temperature: float) -> None:
    script, guitar_grid = Script({"kick": logit}), heard_in(20)
    hits = sum(struck(script.play(guitar_grid, seed=seed, temperature=temperature), "kick") for seed in range(12))
    share = hits / (12 * 20 * 24)
    plain = np.log(HIT_THRESHOLD / (1 - HIT_THRESHOLD))  # what is sharpened moves away from here
    assert share == pytest.approx(1 / (1 + np.exp(-plain - (logit - plain) / temperature)), abs=0.035)


def test_what_is_less_likely_than_top_p_leaves_never_happens() -> None:
    script = Script({"kick": 2.3, "snare": -2.3, "pedal hat": -2.1})  # 0.909, 0.091, 0.109 against a tenth
    bars = script.play(heard_in(60), seed=1, top_p=0.9)
    assert struck(bars, "kick") == 60 * 24
    assert struck(bars, "snare") == 0
    assert 0.05 < struck(bars, "pedal hat") / (60 * 24) < 0.2


def test_a_top_p_near_a_half_plays_what_is_likelier_than_not() -> None:
    bars = Script({"kick": 0.1, "snare": -0.1}).play(heard_in(10), seed=4, top_p=0.5000001)
    assert struck(bars, "kick") == 240 and struck(bars, "snare") == 0


def test_temperature_zero_plays_what_is_likelier_than_plain_whatever_the_seed() -> None:
    script = Script({"kick": -0.8, "snare": -0.9, "ride": 0.2})
    takes = [columns(script.play(heard_in(4), seed=seed, temperature=0.0)) for seed in (0, 1, 99)]
    assert takes[0] == takes[1] == takes[2]
    assert struck(script.play(heard_in(4), temperature=0.0), "kick") == 4 * 24
    assert struck(script.play(heard_in(4), temperature=0.0), "snare") == 0


def test_a_uniform_of_zero_has_a_threshold_too() -> None:
    least = thresholds(np.array([0.0, 0.5, 1 - 2.0**-53]), Sampling(temperature=0.0))
    assert least == pytest.approx([np.log(HIT_THRESHOLD / (1 - HIT_THRESHOLD))] * 3)
    assert np.isfinite(thresholds(np.array([0.0, 1 - 2.0**-53]), Sampling())).all()


def test_a_voice_hears_the_voices_drawn_before_it_in_the_same_step() -> None:
    alone = Script({"snare": -5.0}).play(heard_in(4), temperature=0.0)
    after = Script({"kick": 5.0, "snare": -5.0}, order={("kick", "snare"): 20.0}).play(heard_in(4), temperature=0.0)
    assert struck(alone, "snare") == 0
    assert struck(after, "snare") == 4 * 24


def test_a_bars_draws_come_from_the_seed_and_its_number_alone() -> None:
    script = Script({"kick": 0.0, "closed hat": 0.3})
    guitar_grid = heard_in(12)
    whole = columns(list(play(script.engine, guitar_grid, Sampling(seed=4))))
    part = columns(list(play(script.engine, guitar_grid, Sampling(seed=4), first=8, stop=10)))
    assert part[8:10] == whole[8:10]
    assert [bar for bars in (part[:8], part[10:]) for bar in bars] == [[[], [], [], [], []]] * 10
    assert len({str(bar) for bar in whole}) == 12
    assert columns(list(play(script.engine, guitar_grid, Sampling(seed=5)))) != whole


def test_to_stop_asking_stops_the_work() -> None:
    script = Script({"kick": 0.0})
    bars = list(islice(play(script.engine, heard_in(50), Sampling()), 2))
    assert [bar.number for bar in bars] == [0, 1]
    assert len(script.opened) == 2
    assert len(script.decodes) <= 2 * 2  # what is expected of a step depends on no hit before it


def test_the_state_and_the_hits_go_from_bar_to_bar() -> None:
    script = Script({"kick": 5.0})
    script.play(heard_in(3, 3, 4), temperature=0.0)
    # The script adds 1 to the state for each step and 100 at a barline; a bar of 3/4 has 18 steps.
    states = sorted({int(asked["state"][0, 0]) for asked in script.decodes})
    assert states == [(bar + 1) * 100 + bar * 18 for bar in range(3)]
    first, *_, last = script.decodes
    assert first["previous"][0, 0].sum() == 0 and last["previous"][0].sum() == 18


class Echo(Script):
    """A model that wants a kick wherever none was struck at the step before, and a snare where one was."""

    def _decode_bar(self, given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        logits, hidden, state = super()._decode_bar(given)
        kick = given["previous"][..., 0]
        logits[..., 0], logits[..., 1] = 1 - 2 * kick, 4 * kick - 3
        return [logits, hidden + kick[..., None], state]


@pytest.mark.parametrize(
    "pace", [SLOW, Pace(np.arange(0, 2.4, 0.1).tolist(), 1), Pace([0.045 * n for n in range(24)], 1)]
)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_drawn_does_not_depend_on_the_guess_but_how_soon_does(seed: int, pace: Pace) -> None:
    """Against the bar drawn step by step: each step's hits by the logits that the hits before it give."""
    script = Echo({})
    opened = OpenBar(zeros(1, 24, 1), zeros(1, 24, HIDDEN), None, zeros(1, 2))
    draws, silence = draws_of(seed, 0, 24, len(FULL), ("A", 0)), np.zeros((1, len(FULL)), np.float32)
    player, above = BarSampler(script.engine), thresholds(draws.hits, Sampling(seed))

    def drawn(guess: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
        script.decodes.clear()
        played = script.engine.resolve(player.draw(opened, silence, draws, above, 1.0, guess, pace))
        return played.hits, len(script.decodes)

    expected = np.zeros((1, 24, len(FULL)), np.float32)
    for step in range(24):
        kick = expected[0, step - 1, 0] if step else 0
        foot = pace.seconds[1] >= ONE_FOOT or not kick
        expected[0, step, :2] = foot and 1 - 2 * kick > above[step, 0], 4 * kick - 3 > above[step, 1]
    for guess in (expected, 1 - expected, np.zeros_like(expected)):
        hits, decodes = drawn(guess)
        assert np.array_equal(hits, expected)
        assert decodes == 1 if guess is expected else 2 < decodes < 24


def test_earlier_bars_are_remembered_as_they_were_written_and_only_those_of_the_same_length() -> None:
    script = Script({"kick": 5.0})
    song = strummed(2, [Metre(0, 4, 4), Metre(2 * 1920, 3, 4), Metre(2 * 1920 + 1440, 4, 4)])
    bars = list(play(script.engine, SongGrid.of(song, [0]).guitar_grid, Sampling()))
    last = script.opened[-1]
    assert last["distance"][0].tolist() == [0, 0, 0, 0, 4, 3, 0, 1]  # silence, two of 4/4, one of 3/4, one of 4/4
    assert last["past"].shape == (1, 8, 24, len(FULL))
    assert last["keys"][0, 4:, 0].tolist() == [0, 1, 2, 3]
    for number in range(4):
        remembered = np.rint(last["past_velocity"][0, 4 + number] * 127).astype(int)
        assert remembered[bars[number].hits.step, bars[number].hits.key].tolist() == bars[number].hits.velocity.tolist()
        assert np.count_nonzero(remembered) == len(bars[number].hits.step)


def test_memory_has_an_end_so_that_time_does_not_grow_with_the_square_of_the_song(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MEMORY_BARS", 16)
    script = Script({"kick": 0.0})
    script.play(heard_in(30))
    assert max(asked["past"].shape[1] for asked in script.opened) == 16
    assert script.opened[-1]["distance"][0].tolist() == list(range(16, 0, -1))


def test_a_family_that_reads_pairs_is_given_pairs_and_where_they_begin() -> None:
    script = Script({"kick": 0.0}, unit="pair")
    guitar_grid = heard_in(100)
    bars = script.play(guitar_grid)
    assert len(bars) == 100
    assert len(script.encoded) > 3
    assert sum(size for size, _ in script.encoded) == 100
    begins = np.cumsum([0] + [size for size, _ in script.encoded])[:-1]
    assert [index for index, asked in enumerate(script.opened) if asked["first"][0, 0] == 1] == begins.tolist()
    per_bar = np.bincount(np.searchsorted(guitar_grid.form.first, guitar_grid.guitar.step, side="right") - 1)
    for begin, (size, _) in zip(begins, script.encoded, strict=True):
        assert per_bar[begin : begin + size].sum() <= 150


@pytest.mark.parametrize("kit", KITS.values(), ids=lambda kit: kit.name)
def test_one_drummer_has_two_hands_two_feet_and_one_hi_hat(kit: Kit) -> None:
    limbs = Limbs(kit)
    rng = np.random.default_rng(0)
    names = [voice.name for voice in kit.voices]
    most = 0
    for _ in range(300):
        held: list[int] = []
        for voice in rng.permutation(len(kit)).tolist():
            if limbs.can_add(voice, held):
                held.append(voice)
        most = max(most, len(held))
        assert sum(kit.voices[voice].limb != "foot" for voice in held) <= 2
        assert sum("hat" in names[voice] for voice in held) <= 1
        assert not any(limbs.can_add(voice, held) for voice in held)
    assert most == (4 if kit is FULL else 3)


def test_a_model_that_wants_everything_at_once_still_gets_a_drummer() -> None:
    bars = Script(dict.fromkeys([voice.name for voice in FULL.voices], 50.0)).play(heard_in(2))
    names = [[FULL.voices[key].name for key in bar.hits.key[bar.hits.step == 0]] for bar in bars]
    assert names == [["kick", "snare", "side stick", "pedal hat"]] * 2
    nine = Script(dict.fromkeys([voice.name for voice in NINE.voices], 50.0), NINE).play(heard_in(1))
    assert [NINE.voices[key].name for key in nine[0].hits.key[nine[0].hits.step == 0]] == ["kick", "snare", "crash"]


def test_velocities_and_offsets_stay_within_their_bounds_and_vary() -> None:
    script = Script({"kick": 50.0})
    hits = [bar.hits for bar in script.play(heard_in(30), temperature=2.0)]
    velocity = np.concatenate([grid.velocity for grid in hits])
    offset = np.concatenate([grid.offset for grid in hits])
    # A logistic of scale 0.05 around 0.5, cut at its 5th and 95th percentile: 0.5 +- 0.147.
    assert 64 - 19 <= velocity.min() < 50
    assert 78 < velocity.max() <= 64 + 19
    assert abs(offset).max() <= 76
    assert len(set(offset.tolist())) > 50


def test_a_guitar_without_notes_has_bars_too() -> None:
    song = strummed(4)
    silent = SongGrid.of(type(song)(480, (Part.of([]),), song.tempos, song.metres, song.length), [0]).guitar_grid
    assert len(Script({"kick": 0.0}).play(silent)) == 4


def test_what_was_played_is_remembered() -> None:
    script = Script({"kick": 0.0})
    bars = script.play(heard_in(6), seed=2)
    past = script.opened[-1]["past"]
    for bar in bars[:5]:
        remembered = np.flatnonzero(past[0, memory.LOOK_BACK + bar.number, :, 0]).tolist()
        assert remembered == bar.hits.step.tolist()


def test_of_a_bar_with_a_crash_or_a_cue_the_groove_is_remembered() -> None:
    """A hole that a crash leaves in the hat, or a pickup's snare, is not what was played: it would come back."""
    hats = Grid(*map(np.array, ([0, 6, 12, 18], [FULL.places["closed hat"]] * 4, [90] * 4, [0] * 4, [3] * 4)))
    groove = Groove("hats", "hats", 4, 4, (hats,), None, (60.0, 180.0))
    cues = {**dict.fromkeys(range(24), Cue()), 18: Cue(("snare",))}
    plan = Plan.of_sections(6, [Section(0, "A")], {"A": groove})
    plan = replace(plan, gestures=Gestures(cues, crashed=frozenset({1})))
    script = Script({"kick": 50.0, "closed hat": 0.0})
    bars = list(play(script.engine, heard_in(6), Sampling(seed=2), plan=plan, given={2: hats.select(np.array([0, 1]))}))
    past = script.opened[-1]["past"][0, memory.SLOTS + memory.LOOK_BACK :]
    for number, bar in enumerate(bars[:5]):
        played = np.zeros_like(past[0])
        kept = hats if number < 2 else bar.hits
        played[kept.step, kept.key] = 1
        assert np.array_equal(past[number], played)
    assert bars[0].hits.key.tolist() == [FULL.places["snare"]]
    assert (0, FULL.places["crash"]) in zip(bars[1].hits.step.tolist(), bars[1].hits.key.tolist(), strict=True)


def test_a_groove_is_remembered_in_each_bar_of_its_section() -> None:
    script, guitar_grid = Script({"kick": 0.0}), heard_in(10)
    beat = Grid(*(np.array(column) for column in ([0, 6], [0, 1], [127, 100], [0, 0], [3, 3])))
    groove = Groove("beat", "beat", 4, 4, (beat,), None, (60.0, 180.0))
    plan = Plan.of_sections(10, [Section(0, "A"), Section(6, "B")], {"B": groove}, firm=True)
    list(play(script.engine, guitar_grid, Sampling(), plan=plan))
    rows = [opened["past"][0, :, [0, 6], [0, 1]].T for opened in script.opened]
    first = [len(past) - (memory.LOOK_BACK + bar) for bar, past in enumerate(rows)]
    assert first == [0] * 6 + [memory.FIRM_SLOTS] * 4
    assert all(past[: memory.FIRM_SLOTS].all() for past in rows[6:])
    assert rows[6][-memory.LOOK_BACK :].all()  # as if it had been played before
    assert rows[9][-memory.AGAIN].all()
    distance = script.opened[9]["distance"][0]
    assert distance[: memory.FIRM_SLOTS].tolist() == [memory.DISTANCE] * memory.FIRM_SLOTS


@pytest.mark.parametrize(("heard", "firm", "slots"), [(False, False, 1), (True, False, 0), (True, True, 2)])
def test_a_model_that_hears_a_groove_has_it_in_memory_only_where_it_is_held_firmly(
    heard: bool, firm: bool, slots: int
) -> None:
    form = heard_in(6).form
    beat = Grid(*(np.array(column) for column in ([0, 6], [0, 1], [127, 100], [0, 0], [3, 3])))
    groove = Groove("beat", "beat", 4, 4, (beat,), None, (60.0, 180.0))
    grooves = GrooveRows.of([groove] * 6, form, FULL, firm=firm)
    of_bar = Memory.of(form, len(FULL), grooves, heard=heard).before(0)
    assert of_bar["past"].shape[1] == of_bar["distance"].shape[1] == slots + memory.LOOK_BACK
    assert of_bar["past"][0, :, 0, 0].all()  # as if it had been played before


def test_bars_at_one_place_of_a_section_share_numbers() -> None:
    def alike(one: tuple[int, int], other: tuple[int, int], letters: str = "AA") -> float:
        drawn = [
            draws_of(7, bar, 24, 24, (letter, number))
            for (bar, number), letter in zip((one, other), letters, strict=True)
        ]
        return float(np.mean(drawn[0].hits == drawn[1].hits))

    assert alike((3, 3), (3, 3)) == 1
    assert alike((3, 3), (7, 7)) == pytest.approx(SHARED**2, abs=0.06)
    assert alike((3, 3), (6, 6)) == alike((3, 3), (7, 7), "AB") == 0


def test_a_stray_crash_does_not_come_back_with_the_numbers_that_bars_share() -> None:
    def again(name: str) -> float:
        """How much oftener a voice is struck where it was struck four bars before than anywhere."""
        bars = Script({name: -2.0}).play(heard_in(150), seed=3)
        struck = np.zeros((len(bars), 24), dtype=bool)
        for number, bar in enumerate(bars):
            struck[number, bar.hits.step] = True
        return float(struck[4:][struck[:-4]].mean() - struck.mean())

    assert again("snare") > 0.1  # a variant of a bar comes back
    assert again("crash") < 0.03


def test_given_bars_are_played_as_they_are_and_remembered() -> None:
    script = Script({"kick": 0.0})
    beat = Grid(*(np.array(column) for column in ([0, 6], [1, 1], [90, 40], [0, 20], [3, 3])))
    bars = list(play(script.engine, heard_in(6), Sampling(seed=3), given={0: beat, 4: beat}))
    assert columns([bars[0], bars[4]]) == [[column.tolist() for column in beat]] * 2
    assert all(len(opened["state"]) == 1 for opened in script.opened)  # there is something to go on from
    past = script.opened[-1]["past_velocity"][0, memory.LOOK_BACK + 4]
    assert past[0, 1] == pytest.approx(90 / 127) and past[6, 1] == pytest.approx(40 / 127)
    free = list(play(script.engine, heard_in(6), Sampling(seed=3)))
    assert columns([bars[3]]) == columns([free[3]])  # a bar's draws do not depend on what else is played


def test_a_plain_take_plays_the_piece_that_is_likely_by_its_likeliest_voice() -> None:
    """A snare at 0.2 and a side stick at 0.25 are a backbeat at 0.4; at most two hands play at once."""
    engine = Script({}).engine
    drum = BarSampler(engine)
    sketch = np.full((1, 24, len(FULL)), -9.0, dtype=np.float32)
    names = [voice.name for voice in FULL.voices]
    chances = {"snare": 0.2, "side stick": 0.25, "ride": 0.9, "crash": 0.8, "kick": 0.31, "cowbell": 0.29}
    for name, chance in chances.items():
        sketch[0, 6, names.index(name)] = np.log(chance / (1 - chance))
    opened = OpenBar(zeros(1, 24, 1), zeros(1, 24, HIDDEN), None, zeros(1, 2))
    silence = np.zeros((1, len(FULL)), np.float32)
    draws, tilt = draws_of(0, 0, 24, len(FULL), ("A", 0)), np.zeros((24, len(FULL)), np.float32)
    played = engine.resolve(drum.trace(opened, silence, sketch, draws, tilt, SLOW))
    struck_at = [(step, names[voice]) for _, step, voice in np.argwhere(played.hits).tolist()]
    assert struck_at == [(6, "kick"), (6, "side stick"), (6, "crash")]


def test_time_that_a_bar_has_lost_is_kept_again() -> None:
    """A model that never wants a hat still plays the hats of a groove, and what else it wants."""
    names = [voice.name for voice in FULL.voices]
    hats = Grid(*(np.array(column) for column in ([0, 6, 12, 18], [names.index("closed hat")] * 4, *[[90] * 4] * 3)))
    hats = hats._replace(offset=np.zeros(4, dtype=np.int64))
    groove = Groove("hats", "hats", 4, 4, (hats,), None, (60.0, 180.0))
    script, guitar_grid = Script({"kick": 50.0, "closed hat": -3.0}), heard_in(4)
    plan = Plan.of_sections(4, [Section(0, "A")], {"A": groove})
    kept = list(play(script.engine, guitar_grid, Sampling(seed=1), plan=plan))
    free = list(play(script.engine, guitar_grid, Sampling(seed=1)))
    assert struck(kept, "closed hat") > 2 * struck(free, "closed hat") - 6
    assert struck(kept, "kick") == 4 * 24


@pytest.mark.parametrize(("own", "other"), [("closed hat", "ride"), ("ride", "closed hat"), ("open hat", "bell")])
def test_time_that_a_groove_keeps_on_one_piece_is_not_kept_on_hat_and_ride_at_once(own: str, other: str) -> None:
    beats = Grid(*map(np.array, ([0, 6, 12, 18], [FULL.places[own]] * 4, [90] * 4, [0] * 4, [3] * 4)))
    groove = Groove("one", "one", 4, 4, (beats,), None, (60.0, 180.0))
    plan = Plan.of_sections(20, [Section(0, "A")], {"A": groove})
    script, guitar_grid = Script({own: 0.0, other: -1.5}), heard_in(20)
    kept = list(play(script.engine, guitar_grid, Sampling(seed=1), plan=plan))
    free = list(play(script.engine, guitar_grid, Sampling(seed=1)))
    assert struck(free, other) > 60 > 10 > struck(kept, other)
    assert struck(kept, own) > 100


def test_a_run_of_toms_is_not_played_again_in_the_bars_after_it_but_those_of_the_groove_are() -> None:
    names = [voice.name for voice in FULL.voices]
    tom, beats = names.index("low tom"), [0, 6, 12, 18]

    def steps_of(groove_on: str) -> list[list[int]]:
        """The steps with toms of each bar, of a model that likes toms."""
        rows = (beats, [names.index(groove_on)] * 4, [90] * 4, [0] * 4, [3] * 4)
        groove = Groove("one", "one", 4, 4, (Grid(*map(np.array, rows)),), None, (60.0, 180.0))
        script, guitar_grid = Script({"low tom": 1.0}), heard_in(6)
        plan = Plan.of_sections(6, [Section(0, "A")], {"A": groove})
        bars = play(script.engine, guitar_grid, Sampling(seed=1), plan=plan, controls=Controls(fills=0.0))
        return [bar.hits.step[bar.hits.key == tom].tolist() for bar in bars]

    first, *others, _ = steps_of("kick")
    assert len(first) > 12
    assert max(map(len, others)) <= 3
    first, *others, _ = steps_of("low tom")
    assert all(len(set(steps) - set(beats)) <= 3 for steps in others)
    assert sum(len(set(steps) & set(beats)) for steps in others) > 2 * len(others)


def test_a_bar_is_guessed_by_what_has_become_of_its_groove_so_far() -> None:
    kick = Grid(*map(np.array, ([0, 12], [FULL.places["kick"]] * 2, [90, 90], [0, 0], [24, 24])))
    plan = Plan.of_sections(6, [Section(0, "A")], {"A": Groove("kick", "kick", 4, 4, (kick,), None, (60.0, 180.0))})
    script = Script({"snare": 50.0})
    bars = list(play(script.engine, heard_in(6), Sampling(), plan=plan))
    assert struck(bars, "snare") == 6 * 24 and struck(bars, "kick") == 0
    # Two bars are guessed as their groove is, and drawn otherwise; then it is known what is played on it.
    assert len(script.decodes) == 2 + 2 + 4


# --- guidance, on an untrained model: what it computes, not how good it is --------------------------------------------

HEARD = SongGrid.of(strummed(6), [0]).guitar_grid


@pytest.fixture(scope="module", params=list(FAMILIES))
def player(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine.load(save_player(tmp_path_factory.mktemp("model"), request.param))


def takes(player: Engine, controls: Controls) -> list[list[list[int]]]:
    return [[c.tolist() for c in bar.hits] for bar in play(player, HEARD, Sampling(seed=2), controls=controls)]


def test_with_a_weight_of_one_it_is_the_engine_as_it_is(player: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    controls = Controls(style="jazz", intensity=0.9)
    monkeypatch.setattr(engine, "GUIDANCE", 1.0)
    guided = takes(player, controls)
    monkeypatch.setattr(engine, "Guided", lambda engine, weight: engine)
    assert guided == takes(player, controls)


def test_the_difference_that_a_control_makes_is_taken_several_times(player: Engine) -> None:
    """The first step's logits are those without the control and three times the difference that it makes."""
    form, guitar = HEARD.form, features(HEARD)
    metal, nothing = of_controls(Controls(style="metal"), 6), of_controls(Controls(), 6)
    silence = np.zeros((1, int(form.steps[0]), len(player.kit)), dtype=np.float32)

    def logits(of: Engine | Guided, conditions: np.ndarray) -> np.ndarray:
        encoded = player.resolve(of.encode(guitar, form, conditions, 0, 6))
        memory = Memory.of(form, len(of.kit))
        if "key" in encoded:
            memory.recognise(0, encoded["key"])
        here = {name: rows[:1] for name, rows in encoded.items()}
        opened = player.resolve(of.open_bar(here, memory.before(0), of.silence[None], first=True))
        return player.resolve(of.decode_bar(opened.inputs, opened.step_context, silence, opened.state))[0][:, 0]

    asked_for, plain = logits(player, metal), logits(player, nothing)
    assert np.abs(asked_for - plain).max() > 1e-4
    assert logits(Guided(player, 3.0), metal) == pytest.approx(plain + 3 * (asked_for - plain), abs=1e-4)


def test_fills_alone_need_no_guidance(player: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(engine: Engine, weight: float) -> Guided:
        raise AssertionError("two runs where one will do")

    monkeypatch.setattr(engine, "Guided", refused)
    assert takes(player, Controls(fills=0.9))


@pytest.mark.slow
def test_the_shipped_checkpoint_plays_the_style_it_is_asked_for() -> None:
    from seq2drum.lattice.conditions import drums_of, style_of
    from seq2drum.lattice.grid import Lattice, encode
    from seq2drum.music.choices import STYLES
    from seq2drum.music.kit import FULL
    from seq2drum.play.drummer import Drummer
    from seq2drum.play.options import Options

    folder = Path(__file__).parents[2] / "examples"
    drummer, right = Drummer.load(), []
    for name in ("rock_riff", "blues_shuffle", "funk"):
        for style in STYLES:
            if style == "reggae":  # one song in a hundred is
                continue
            take = drummer.accompany(folder / f"{name}.mid", Options(style=style))
            lattice = Lattice(take.song.bars(), take.song.ticks_per_quarter)
            drums = drums_of(
                encode(take.part, lattice, FULL),
                SongGrid.of(take.song, take.guitar.parts, lattice).guitar_grid.form,
                FULL,
            )
            right.append(style_of(drums) == style)
    assert np.mean(right) > 0.6  # one in eight by chance


# --- recall -----------------------------------------------------------------------------------------------------------

CHANGING = (Metre(0, 4, 4), Metre(4 * 1920, 7, 8), Metre(4 * 1920 + 3 * 1680, 4, 4))


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Attention:
    """A tiny model whose memory is no longer as it began: heads that differ, and a bias for every distance."""
    folder = save_player(tmp_path_factory.mktemp("remembering"))
    model: Any = checkpoint.load(folder)[0]
    torch.manual_seed(1)
    with torch.no_grad():
        model.distance.weight.normal_(0, 1)
        model.nothing.normal_(0, 1)
        model.sharpness.copy_(torch.tensor([0.5, 2.5]))
        model.key.weight.normal_(0, 0.3)
    return model


def heard_of(bars: int, metres: Sequence[Metre] = (Metre(0, 4, 4),)) -> GuitarGrid:
    return SongGrid.of(strummed(bars, metres), [0]).guitar_grid


def stored_weights(model: Attention, guitar_grid: GuitarGrid) -> NDArray[Any]:
    """(B, B): the model's own weights, mean over its heads, of what `encode` gives."""
    player = engine_of(model, "full")
    bars = len(guitar_grid.form.steps)
    nothing_asked = conditions.of_controls(Controls(), bars)
    known = player.resolve(player.encode(features(guitar_grid), guitar_grid.form, nothing_asked, 0, bars))
    number = np.arange(bars)
    distance = number[:, None] - number
    same = guitar_grid.form.steps[:, None] == guitar_grid.form.steps
    distance = np.where(same & (distance > 0), distance, 0)
    with torch.no_grad():
        query = known["asking"].sum(axis=-1)  # each head has a column of its own
        query, key, far = (torch.from_numpy(array)[None] for array in (query, known["key"], distance))
        return model.weights(query, key, far, torch.zeros(1, bars))[0].mean(0).numpy()[:, 1:]  # the groove comes first


def test_the_weights_are_those_that_the_model_computes(remembering: Attention) -> None:
    guitar_grid = heard_of(9, CHANGING)

    recalled = recall(engine_of(remembering, "full"), guitar_grid)

    np.testing.assert_allclose(recalled.weights[:, :-1], stored_weights(remembering, guitar_grid), atol=1e-6)


@pytest.mark.slow
def test_the_weights_are_those_that_playing_uses(remembering: Attention, monkeypatch: pytest.MonkeyPatch) -> None:
    guitar_grid = heard_of(9, CHANGING)
    player = engine_of(remembering, "full")
    recalled = recall(player, guitar_grid)
    used: list[NDArray[Any]] = []
    computed = recalling.remembered

    def watched(self: Attention, *arrays: torch.Tensor) -> torch.Tensor:
        weights = computed(self, *arrays)
        used.append(weights[0].mean(0).numpy()[2:])  # nothing and the groove come first
        return weights

    monkeypatch.setattr(recalling, "remembered", watched)
    played = list(play_grid(player, guitar_grid, Sampling(3)))

    assert len(used) == len(played) == len(guitar_grid.form.steps)
    for bar, weights in enumerate(used):  # before the song are the bars of silence
        np.testing.assert_allclose(recalled.weights[bar, :bar], weights[memory.LOOK_BACK :], atol=1e-6)
        assert not weights[: memory.LOOK_BACK].any()


def test_the_runtime_and_torch_remember_the_same() -> None:
    guitar_grid = heard_of(12)
    model = checkpoint.load(find("default"))[0]

    recalled = recall(engine.load(), guitar_grid)

    np.testing.assert_allclose(recalled.weights, recall(engine_of(model, "full"), guitar_grid).weights, atol=1e-5)
    assert recalled.weights[1:, :-1].max() > 0.1


def test_a_row_sums_to_one_and_looks_back_only() -> None:
    guitar_grid = heard_of(20)

    weights = recall(engine.load(), guitar_grid).weights

    assert weights.shape == (20, 21)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert not np.triu(weights[:, :-1]).any()
    assert (weights >= 0).all()


def test_the_first_bar_of_a_length_looks_at_none_and_no_bar_at_one_of_another_length() -> None:
    guitar_grid = heard_of(9, CHANGING)
    steps = guitar_grid.form.steps

    recalled = recall(engine.load(), guitar_grid)

    assert recalled.nothing[0] == 1
    assert recalled.nothing[np.argmax(steps == 21)] == 1  # the first of 7/8
    assert not recalled.weights[:, :-1][steps[:, None] != steps].any()
    assert recalled.most[[0, int(np.argmax(steps == 21))]].tolist() == [-1, -1]


def test_a_song_of_one_bar_has_nothing_to_remember() -> None:
    recalled = recall(engine.load(), heard_of(1))

    assert recalled.weights.tolist() == [[0.0, 1.0]]
    assert recalled.most.tolist() == [-1]
    assert recalled.by_distance.tolist() == [0.0]


@pytest.mark.slow
def test_more_bars_than_a_bar_has_places_for_marks_are_distinguished(remembering: Attention) -> None:
    metre = Metre(0, 1, 4)  # 6 steps of 24 voices: 144 places
    guitar_grid = heard_of(160, (metre,))

    recalled = recall(engine_of(remembering, "full"), guitar_grid)

    np.testing.assert_allclose(recalled.weights[:, :-1], stored_weights(remembering, guitar_grid), atol=1e-6)


def test_bars_beyond_what_playing_can_remember_have_no_weight(
    remembering: Attention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MEMORY_BARS", 5)

    recalled = recall(engine_of(remembering, "full"), heard_of(12))

    back = np.arange(12)[:, None] - np.arange(12)
    assert not recalled.weights[:, :-1][back > 5].any()
    assert (recalled.weights[:, :-1][(back > 0) & (back <= 5)] > 0).all()


def test_a_model_without_a_memory_says_so(tmp_path: Any) -> None:
    player: Engine = engine.load(save_player(tmp_path / "plain", "lstm"))

    with pytest.raises(ModelError, match="no memory of bars"):
        recall(player, heard_of(4))


def test_the_figures_of_a_recall_are_those_of_its_weights() -> None:
    rows = [[0, 0, 0, 0, 1], [0.75, 0, 0, 0, 0.25], [0.5, 0.5, 0, 0, 0], [0.25, 0, 0.5, 0, 0.25]]
    recalled = Recall(np.array(rows, dtype=np.float32))

    assert recalled.nothing.tolist() == [1, 0.25, 0, 0.25]
    assert recalled.most.tolist() == [-1, 0, 1, 2]  # of two equal ones the last
    # One back: 0.75, 0.5, 0.5. Two back: 0.5, 0. Three back: 0.25.
    np.testing.assert_allclose(recalled.by_distance, [0, 1.75 / 3, 0.25, 0.25])


# --- shapes of what the engine takes and gives ------------------------------------------------------------------------


MEMORY_SHAPES: dict[str, Shape] = {
    "keys": ("n", "M", "K"),
    "distance": ("n", "M"),
    "past": ("n", "M", "S", "V"),
    "past_velocity": ("n", "M", "S", "V"),
}
BAR_SHAPES: dict[str, Shape] = {
    "inputs": ("n", "S", "I"),
    "step_context": ("n", "S", "H"),
    "echo": ("n", "S", "E"),
    "state": ("n", "Z"),
}
DECODED_SHAPES: dict[str, Shape] = {"logits": ("n", "S", "V"), "hidden": ("n", "S", "D"), "state": ("n", "Z")}
FELT_SHAPES: dict[str, Shape] = {
    name: ("n", "S", "V") for name in ("velocity", "velocity_scale", "offset", "offset_scale")
}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_engine_and_its_memory_keep_their_shapes_from_graph_to_graph(family: str, tmp_path: Path) -> None:
    player = engine.load(save_player(tmp_path, family))
    guitar = SongGrid.of(strummed(6), [0]).guitar_grid
    form, voices, bars = guitar.form, len(player.kit), len(guitar.form.steps)
    asked = conditions.of_controls(Controls(), bars)
    encoded = player.resolve(
        player.encode(features(guitar), form, asked, 0, bars, grooves=GrooveRows.none(form, player.kit))
    )
    assert {len(rows) for rows in encoded.values()} == {bars}
    memory = Memory.of(form, voices, heard=player.hears_grooves)
    if "key" in encoded:
        memory.recognise(0, encoded["key"])
    state = player.silence[None]
    for bar in range(3):
        remembered = memory.before(bar)
        check_shapes(remembered, MEMORY_SHAPES, n=1, S=24, V=voices)
        own = {name: rows[[bar]] for name, rows in encoded.items()}
        opened = player.resolve(player.open_bar(own, remembered, state, first=bar == 0))
        arrays = {name: rows for name, rows in opened._asdict().items() if rows is not None}
        table = {name: shape for name, shape in BAR_SHAPES.items() if name != "echo" or opened.echo is not None}
        sizes = check_shapes(arrays, table, n=1, S=24, Z=state.shape[1])
        previous = np.zeros((1, 24, voices), dtype=np.float32)
        decoded = player.resolve(player.decode_bar(opened.inputs, opened.step_context, previous, opened.state))
        sizes = check_shapes(dict(zip(DECODED_SHAPES, decoded, strict=True)), DECODED_SHAPES, V=voices, **sizes)
        hits = (decoded[0] > 0).astype(np.float32)
        felt = player.resolve(player.feel(decoded[1], hits, opened.echo))
        check_shapes(felt, FELT_SHAPES, **sizes)
        memory.keep(bar, hits, hits)
        state = decoded[2]


def test_a_wrong_shape_is_named_with_the_wanted_one() -> None:
    arrays = {"hits": np.zeros((2, 24, 9)), "steps": np.zeros(3)}
    table: dict[str, Shape] = {"hits": ("n", "S", 9), "steps": ("n",)}
    with pytest.raises(AssertionError, match=r"steps is \(3,\), wanted \('n',\) with \{'n': 2, 'S': 24\}"):
        check_shapes(arrays, table)
    with pytest.raises(AssertionError, match="no shape, or no array, of"):
        check_shapes({"hits": arrays["hits"]}, table)
