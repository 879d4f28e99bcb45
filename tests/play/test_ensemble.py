"""Several who play on one engine: what each plays is what it plays alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum.errors import OptionError
from seq2drum.models.families import FAMILIES
from seq2drum.music.notes import Metre
from seq2drum.play.checkpoint.runtime import LoadedGraph, Outputs
from seq2drum.play.choose import Grooves, choose
from seq2drum.play.decode import ensemble as module
from seq2drum.play.decode.engine import ComputationStream, Engine, GraphCall, next_of
from seq2drum.play.decode.ensemble import Ended, Ensemble
from seq2drum.play.drummer import Drummer
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options
from seq2drum.play.take import DrumBar
from seq2drum.play.write import take_of
from tests.players import save_player, strummed

EXAMPLES = Path(__file__).parents[2] / "examples"
OPTIONS = [
    Options(),
    Options(seed=1, style="jazz", intensity=0.8),
    Options(seed=2, temperature=0.0),
    Options(seed=3, humanize=1.0, swing=0.5),
    Options(seed=4, fills=1.0, complexity=0.1),
    Options(seed=5, temperature=1.7, top_p=0.8),
]


@pytest.fixture(scope="module", params=list(FAMILIES))
def drummer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    return Drummer.load(save_player(tmp_path_factory.mktemp("model"), request.param))


def ready(drummer: Drummer, song: Any, options: Options) -> tuple[Guitar, Grooves]:
    """A song that has been listened to, and the grooves of its take."""
    guitar, resolved = drummer.listen(song, options)
    return guitar, choose(guitar, resolved)


def ready_songs(drummer: Drummer) -> list[tuple[Guitar, Grooves]]:
    songs = [strummed(5), strummed(9, [Metre(0, 7, 8)]), strummed(3, [Metre(0, 4, 4), Metre(3840, 6, 8)]), strummed(12)]
    return [ready(drummer, songs[index % len(songs)], options) for index, options in enumerate(OPTIONS)]


def alone(drummer: Drummer, each: tuple[Guitar, Grooves]) -> bytes:
    return take_of(*each, drummer.engine.run(drummer.bars(*each))).to_bytes()


def together(drummer: Drummer, songs_ready: list[tuple[Guitar, Grooves]], *, apart: int = 0) -> list[bytes]:
    """All of them on one engine, each joining some steps after the one before."""
    ensemble = Ensemble[int, DrumBar](drummer.engine)
    bars: list[list[DrumBar]] = [[] for _ in songs_ready]
    waiting = list(enumerate(songs_ready))
    while waiting or len(ensemble):
        if waiting:
            index, each = waiting.pop(0)
            ensemble.join(index, drummer.bars(*each))
        for _ in range(apart or 1):
            for key, item in ensemble.advance():
                if isinstance(item, DrumBar):
                    bars[key].append(item)
                else:
                    assert item.error is None
    return [take_of(*each, played).to_bytes() for each, played in zip(songs_ready, bars, strict=True)]


@pytest.mark.parametrize("apart", [0, 17])
def test_what_is_played_together_is_what_is_played_alone(drummer: Drummer, apart: int) -> None:
    songs_ready = ready_songs(drummer)
    assert together(drummer, songs_ready, apart=apart) == [alone(drummer, each) for each in songs_ready]


@pytest.mark.slow
def test_the_shipped_model_plays_songs_together_as_it_plays_them_alone() -> None:
    drummer = Drummer.load()
    songs = sorted(EXAMPLES.glob("*.mid"))
    songs_ready = [ready(drummer, song, OPTIONS[index % len(OPTIONS)]) for index, song in enumerate(songs)]
    assert together(drummer, songs_ready, apart=31) == [alone(drummer, each) for each in songs_ready]


def test_several_songs_share_the_models_passes(drummer: Drummer) -> None:
    sizes: list[int] = []
    decode_bar = drummer.engine.graphs["decode_bar"]

    def counted(arrays: dict[str, np.ndarray]) -> Any:
        sizes.append(len(arrays["state"]))
        return decode_bar.run(arrays)

    graphs = {**drummer.engine.graphs, "decode_bar": LoadedGraph(decode_bar.inputs, decode_bar.outputs, counted)}
    watched = Drummer(replace(drummer.engine, graphs=graphs))
    each = ready(watched, strummed(8), Options(temperature=0.0))  # played in one way
    alone(watched, each)
    once = len(sizes)
    sizes.clear()
    together(watched, [each] * 6)
    assert len(sizes) < once + 6 and max(sizes) == 6


def bars_opened(engine: Engine, stream: ComputationStream[DrumBar]) -> list[GraphCall]:
    """What is asked of the graph that opens bars while a take is played."""
    calls, outputs = list[GraphCall](), None
    with contextlib.suppress(StopIteration):
        while True:
            item = stream.send(outputs)
            outputs = engine.compute(item) if isinstance(item, GraphCall) else None
            calls += [item] if isinstance(item, GraphCall) and item.graph == "bar" else []
    return calls


def test_a_bar_is_opened_among_others_as_it_is_alone_to_the_last_digit() -> None:
    drummer = Drummer.load()
    engine, rng = drummer.engine, np.random.default_rng(0)
    takes = [Options(), Options(seed=1, style="jazz", temperature=1.7), Options(temperature=0.0)]
    calls = [call for take in takes for call in bars_opened(engine, drummer.bars(*ready(drummer, strummed(24), take)))]
    alone = [engine.compute(call) for call in calls]
    sizes: list[int] = []

    def counted(arrays: dict[str, np.ndarray]) -> Any:
        sizes.append(len(arrays["state"]))
        return bar.run(arrays)

    def computation(index: int) -> ComputationStream[Outputs]:
        yield (yield calls[index])

    bar = engine.graphs["bar"]
    watched = replace(engine, graphs={**engine.graphs, "bar": LoadedGraph(bar.inputs, bar.outputs, counted)})
    for count in (2, 5, 16):
        chosen = rng.integers(len(calls), size=count).tolist()
        ensemble = Ensemble[int, Outputs](watched)
        for key, index in enumerate(chosen):
            ensemble.join(key, computation(index))
        found = dict(ensemble.run())
        for key, index in enumerate(chosen):
            assert [rows.tobytes() for rows in found[key]] == [rows.tobytes() for rows in alone[index]]
    assert max(sizes) >= 4 and len(sizes) < 16


def test_bars_that_remember_more_than_is_worth_copying_are_opened_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drummer = Drummer.load()
    songs_ready = [ready(drummer, strummed(9), Options(seed=seed)) for seed in range(3)]
    before, runs = together(drummer, songs_ready), list[int]()
    bar = drummer.engine.graphs["bar"]

    def counted(arrays: dict[str, np.ndarray]) -> Any:
        runs.append(arrays["distance"].shape[1])
        return bar.run(arrays)

    graphs = {**drummer.engine.graphs, "bar": LoadedGraph(bar.inputs, bar.outputs, counted)}
    monkeypatch.setattr(module, "SHARED_BARS", 8)
    assert together(Drummer(replace(drummer.engine, graphs=graphs)), songs_ready) == before
    assert [bars for bars in sorted(runs) if bars > 8] == [9, 9, 9, 10, 10, 10, 11, 11, 11, 12, 12, 12]
    assert sum(bars <= 8 for bars in runs) < 3 * 5


def test_who_leaves_is_played_no_further_and_the_others_do_not_notice(drummer: Drummer) -> None:
    songs_ready = ready_songs(drummer)[:3]
    ensemble = Ensemble[int, DrumBar](drummer.engine)
    closed: list[bool] = []

    def left() -> Iterator[Any]:
        try:
            yield from drummer.bars(*songs_ready[1])
        finally:
            closed.append(True)

    ensemble.join(0, drummer.bars(*songs_ready[0]))
    ensemble.join(1, left())  # type: ignore[arg-type]
    ensemble.join(2, drummer.bars(*songs_ready[2]))
    bars: dict[int, list[DrumBar]] = {0: [], 1: [], 2: []}
    for _ in range(5):
        for key, item in ensemble.advance():
            if isinstance(item, DrumBar):
                bars[key].append(item)
    ensemble.leave(1)
    ensemble.leave(1)
    assert closed == [True] and len(ensemble) == 2
    before = len(bars[1])
    for key, bar in ensemble.run():
        bars[key].append(bar)
    assert len(bars[1]) == before
    assert [take_of(*songs_ready[key], bars[key]).to_bytes() for key in (0, 2)] == [
        alone(drummer, songs_ready[key]) for key in (0, 2)
    ]


def test_who_stumbles_is_out_and_the_others_go_on(drummer: Drummer) -> None:
    def stumbling() -> Iterator[Any]:
        raise OptionError("no")
        yield

    each = ready_songs(drummer)[0]
    ensemble = Ensemble[str, DrumBar](drummer.engine)
    ensemble.join("bad", stumbling())  # type: ignore[arg-type]
    ensemble.join("good", drummer.bars(*each))
    ((key, ended),) = ensemble.advance()
    assert key == "bad" and isinstance(ended, Ended) and isinstance(ended.error, OptionError)
    assert take_of(*each, (bar for _, bar in ensemble.run())).to_bytes() == alone(drummer, each)


def test_nobody_plays_twice_at_once(drummer: Drummer) -> None:
    ensemble = Ensemble[int, DrumBar](drummer.engine)
    ensemble.join(1, drummer.bars(*ready_songs(drummer)[0]))
    with pytest.raises(ValueError, match="plays already"):
        ensemble.join(1, drummer.bars(*ready_songs(drummer)[0]))


def test_an_ensemble_of_nobody_does_nothing(drummer: Drummer) -> None:
    assert Ensemble[int, DrumBar](drummer.engine).advance() == []


def test_to_stop_asking_is_to_be_closed(drummer: Drummer) -> None:
    closed: list[bool] = []

    def playing() -> Iterator[Any]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    bars = drummer.engine.run(playing())  # type: ignore[arg-type]
    assert next(bars) == 1
    bars.close()  # type: ignore[attr-defined]
    assert closed == [True]
    assert isinstance(next(drummer.bars(*ready_songs(drummer)[0])), GraphCall)


def test_the_questions_of_a_stream_are_handed_through() -> None:
    """What is sent for each `GraphCall` arrives in the stream; the item after the last answer is returned."""

    def stream() -> ComputationStream[int]:
        first = yield GraphCall("decode_bar", {})
        second = yield GraphCall("feel", {})
        assert first is not None and second is not None
        yield int(first[0] + second[0])
        yield 7

    playing = stream()
    computation = next_of(playing)
    assert next(computation) == GraphCall("decode_bar", {})
    assert computation.send([np.array(1)]) == GraphCall("feel", {})
    with pytest.raises(StopIteration) as end:
        computation.send([np.array(2)])
    assert end.value.value == 3
    with pytest.raises(StopIteration) as end:
        next(next_of(playing))
    assert end.value.value == 7
