"""Evaluation: players beside baselines on songs that none of them was trained on.

    songs -> every player plays every song -> counted by the `panel` -> rows with intervals -> one `Evaluation`

It knows neither how figures are computed (`panel`) nor how they are shown (`report`). Torch is needed for likelihoods
and for the critic only; without it those are left out, with a note.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from seq2drum.data.corpus.excerpts import others_guitar
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError, OptionError
from seq2drum.evaluate.auditions import (
    Audition,
    Part,
    Progress,
    passage,
    play_all,
    reference,
    some_of,
    split_hash,
    tracked,
)
from seq2drum.evaluate.evaluation import (
    ABOVE_COMMON,
    BY_KIND,
    COMPARED,
    GUITARS,
    METRES,
    Estimate,
    Evaluation,
    Example,
    Row,
    SongFigures,
    columns,
    number_or_none,
    versions_of,
)
from seq2drum.evaluate.song_critic import Numbers, song_critic_auc
from seq2drum.judge import intervals, measures, panel
from seq2drum.judge.baselines import COMMON
from seq2drum.judge.intervals import CRITICS, over_songs, weighted_mean, weighted_median
from seq2drum.judge.measures import Copies
from seq2drum.judge.panel import FIGURES, Statistics
from seq2drum.judge.players import COPY, REAL, Player, baseline_players, copy_player, real_player
from seq2drum.lattice.conditions import Drums, drums_of, style_of
from seq2drum.lattice.grid import Grid
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL, NINE
from seq2drum.system.workers import results_of

LEAST_REFERENCE = 20  # songs of reference; fewer are too little for baselines
EXAMPLES, EXAMPLE_BARS = 4, 8

Auditions = Mapping[str, Sequence[Audition]]
"""Auditions by player, one a song."""


@dataclass(frozen=True)
class Settings:
    """The settings of an evaluation.

    known: the number of real bars that players continue. critics: the number for each player; 0 for none. draws: of the
    bootstrap. about: other entries of the evaluation about itself.
    """

    seed: int = 0
    workers: int = 1
    known: int = 1
    critics: int = CRITICS
    likelihood: bool = True
    draws: int = 1000
    about: dict[str, Any] = field(default_factory=dict)


def evaluate(
    songs: Sequence[Prepared],
    players: Sequence[Player],
    training: Sequence[Prepared] = (),
    settings: Settings | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Evaluation:
    """The evaluation of players on songs, beside the real drums and the baselines from some training songs.

    The same for any number of workers, except for the times.

    Raises:
        CorpusError: no songs, or none with drums.
        OptionError: two players have one name.
    """
    settings = settings or Settings()
    if not any(len(song.drums.step) for song in songs):
        raise CorpusError(f"none of {len(songs)} songs has drums to compare with; wanted songs with guitar and drums")
    seconds: dict[str, float] = {}
    notes = ["one song gives no intervals: those below have no width"] if len(songs) == 1 else []
    # 1. The players, and the copies of training songs.
    training = reference(training, songs, all_of=True)
    everyone, copies = [real_player(), *players], None
    if len(training) >= LEAST_REFERENCE:
        with _timed(seconds, "baselines made"):
            progress("baselines made", 0, 1)
            everyone += baseline_players(training, seed=settings.seed)
            copies = Copies.of(drums_of(song.drums, song.guitar_grid.form) for song in training)
    else:
        notes.append(
            f"no baselines and no rate of copies: {len(training)} songs to make them of, wanted {LEAST_REFERENCE} or"
            " more (--reference names a folder of them)"
        )
    everyone.append(copy_player())
    names = [player.name for player in everyone]
    if twice := {name for name in names if names.count(name) > 1}:
        raise OptionError(
            f"two players are called {min(twice)!r}; give them different names, and leave the baselines out where"
            " there are training songs: they are made of those"
        )
    # 2. Everyone plays every song.
    with _timed(seconds, "songs played"):
        others = others_guitar(songs, training, seed=settings.seed)
        if alone := sum(other is None for other in others):
            notes.append(f"no gain in F1 of {alone} of {len(songs)} songs: no other has their metre and tempo")
        of_song = play_all(
            songs, everyone, copies, others, known=settings.known, workers=settings.workers, progress=progress
        )
    auditions = {player.name: [row[index] for row in of_song] for index, player in enumerate(everyone)}
    # 3. Likelihoods and critics.
    more: dict[str, dict[str, Estimate]] = {player.name: {} for player in everyone}
    with _timed(seconds, "likelihood and critics"):
        for name, figures, missing in torch_figures(songs, everyone, auditions, settings, progress):
            more[name] |= figures
            notes += [note for note in missing if note not in notes]
    # 4. Rows of figures with their intervals.
    with _timed(seconds, "intervals"):
        free, continued = _rows(everyone, auditions, more, settings, progress)
        rivals = _rivals(everyone, free)
        by_metre = _by_metre(rivals, auditions, settings)
        by_style = _by_style(songs, rivals, auditions, settings)
        compared = _compared(players, auditions, settings)
    alone_playing = [player for player in everyone if player.name != COPY]
    return Evaluation(
        _about(songs, training, settings),
        columns(),
        tuple(free),
        tuple(continued),
        by_metre,
        by_style,
        compared,
        {player.name: _curve(auditions[player.name]) for player in alone_playing},
        _examples(songs, players, auditions),
        _by_song(songs, alone_playing, auditions),
        tuple(notes),
        seconds,
    )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """A context whose seconds are put under the name of a stage."""
    begun = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - begun, 3)


def _about(songs: Sequence[Prepared], training: Sequence[Prepared], settings: Settings) -> dict[str, Any]:
    packages = versions_of("seq2drum", "numpy", "onnxruntime", "torch")
    return {
        "songs": len(songs),
        "bars": int(sum(len(song.guitar_grid.form.steps) for song in songs)),
        "split hash": split_hash(songs),
        "songs of reference": len(training),
        "known bars": settings.known,
        "seed": settings.seed,
        "draws": settings.draws,
        "voices": list(NINE.names),
        "versions": packages,
        "machine": platform.machine(),
        **settings.about,
    }


# --- rows of figures --------------------------------------------------------------------------------------------------


def _rows(
    players: Sequence[Player],
    auditions: Mapping[str, Sequence[Audition]],
    more: Mapping[str, dict[str, Estimate]],
    settings: Settings,
    progress: Progress,
) -> tuple[list[Row], list[Row]]:
    """The rows of free-running players, and of those that continued real bars."""
    free, continued = [], []
    for player in tracked(players, "intervals", progress):
        if player.name != COPY:  # it only continues
            row = _free_row(player, auditions[player.name], settings)
            free.append(replace(row, figures=row.figures | more[player.name]))
        row = _continued_row(player, auditions[player.name], settings)
        if row.songs:
            continued.append(row)
    return free, continued


def _free_row(player: Player, auditions: Sequence[Audition], settings: Settings) -> Row:
    """A free-running player's figures with their intervals."""
    # 1. The panel, without figures that are trivial for real drums beside themselves.
    counted = [audition.statistics for audition in auditions]
    if player.kind == "real":
        counted = [some_of(song, [name for name in song if FIGURES[name].better == "near real"]) for song in counted]
    figures = _summarised(counted, 5, settings)
    # 2. The gain of the right guitar over another's.
    both = [(audition.first, audition.swapped) for audition in auditions if audition.swapped is not None]
    if both:
        right, wrong = [some_of(first, ("hit F1",)) for first, _ in both], [swapped for _, swapped in both]
        figures["gain in F1"] = _gains(right, wrong, 5, settings)["hit F1"]
    # 3. Speed and faults.
    seconds = sum(audition.seconds for audition in auditions)
    if player.kind != "real":
        figures["bars a second"] = Estimate(round(sum(audition.bars for audition in auditions) / max(seconds, 1e-9), 1))
    faults = sum(count for audition in auditions for name, count in audition.faults.items() if name != "notes")
    figures["faults"] = Estimate(float(faults))
    return _row(player, figures, len(auditions))


def _continued_row(player: Player, auditions: Sequence[Audition], settings: Settings) -> Row:
    """The figures of a player that continued real bars, over the songs in which it did."""
    counted = [audition.continued for audition in auditions if audition.continued is not None]
    figures = _summarised(counted, 6, settings) if counted else {}
    return replace(_row(player, figures, len(counted)), takes=1)


def _rivals(players: Sequence[Player], free: Sequence[Row]) -> list[Player]:
    """The real drums, the models, the commonest bar, and the baseline with the most hits of those that see no drums."""
    rivals = [row for row in free if row.kind == "baseline" and not row.sees_real]
    best = max(rivals, key=lambda row: row.figures["hit F1"].value or 0.0, default=None)
    names = {COMMON, best.name if best else COMMON}
    return [player for player in players if player.kind in ("real", "model") or player.name in names]


def _by_metre(players: Sequence[Player], auditions: Auditions, settings: Settings) -> tuple[Row, ...]:
    """Players in the bars of each metre, in any song; see `_by_kind`."""
    parts = {name: [audition.by_metre for audition in own] for name, own in auditions.items()}
    return _by_kind(METRES, players, parts, settings)


def _by_style(
    songs: Sequence[Prepared], players: Sequence[Player], auditions: Auditions, settings: Settings
) -> tuple[Row, ...]:
    """Players in the songs of each style, which is measured on the real drums; see `_by_kind`."""
    styles = [style_of(drums_of(song.drums, song.guitar_grid.form, FULL)) for song in songs]

    def whole(audition: Audition) -> Part:
        return Part(sum(part.bars for part in audition.by_metre.values()), some_of(audition.statistics, BY_KIND))

    parts = {
        name: [{style: whole(audition)} for style, audition in zip(styles, own, strict=True)]
        for name, own in auditions.items()
    }
    return _by_kind(STYLES, players, parts, settings)


def _by_kind(
    kinds: Sequence[str],
    players: Sequence[Player],
    parts: Mapping[str, Sequence[Mapping[str, Part]]],
    settings: Settings,
) -> tuple[Row, ...]:
    """Rows named "kind: player", kind by kind; without figures if there is no song.

    parts: by player and song, the counts of the bars of each kind.
    """
    rows = []
    for kind in kinds:
        counted = {player.name: [song[kind] for song in parts[player.name] if kind in song] for player in players}
        for player in players:
            own = [part.statistics for part in counted[player.name]]
            names = [name for name in BY_KIND if player.kind != "real" or FIGURES[name].better == "near real"]
            figures = _summarised([some_of(song, names) for song in own], 8, settings) if own else {}
            if own and COMMON in counted and player.kind == "model":
                common = [some_of(part.statistics, ("hit F1",)) for part in counted[COMMON]]
                mine = [some_of(song, ("hit F1",)) for song in own]
                figures[ABOVE_COMMON] = _gains(mine, common, 8, settings)["hit F1"]
            bars = sum(part.bars for part in counted[player.name])
            rows.append(replace(_row(player, figures, len(own)), name=f"{kind}: {player.name}", bars=bars))
    return tuple(rows)


def _compared(players: Sequence[Player], auditions: Auditions, settings: Settings) -> tuple[Row, ...]:
    """Each model less the first in the same mode of playing: the same songs are drawn for both."""
    models = [player for player in players if player.model]
    first = {player.way: player for player in models if player.model == models[0].model}
    rows = []
    for player in models:
        before = first.get(player.way, player)
        if before.model == player.model:
            continue
        new, old = ([some_of(one.statistics, COMPARED) for one in auditions[who.name]] for who in (player, before))
        figures = _gains(new, old, 9, settings)
        rows.append(replace(_row(player, figures, len(new)), name=f"{player.name} less {before.name}"))
    return tuple(rows)


def _curve(auditions: Sequence[Audition]) -> tuple[float | None, ...]:
    """The similarity of bars 1, 2, ... apart, over all songs."""
    sums = np.sum([audition.statistics["bar similarity error"] for audition in auditions], axis=0)
    return tuple(number_or_none(value) for value in measures.curve(sums)[0].tolist())


def _by_song(songs: Sequence[Prepared], players: Sequence[Player], auditions: Auditions) -> tuple[SongFigures, ...]:
    """All players' figures song by song."""
    rows = []
    for index, song in enumerate(songs):
        figures: dict[str, dict[str, float | None]] = {}
        for player in players:
            values = panel.values(auditions[player.name][index].statistics)
            figures[player.name] = {
                name: None if np.isnan(value) else round(float(value), 5) for name, value in values.items()
            }
        form = song.guitar_grid.form
        rows.append(SongFigures(song.path, song.sha256, song.tag, song.group, form.metre, len(form.steps), figures))
    return tuple(rows)


def _examples(songs: Sequence[Prepared], players: Sequence[Player], auditions: Auditions) -> tuple[Example, ...]:
    """A few bars of some songs, spread over the list, by each of some players."""
    chosen = []
    for index in np.unique(np.linspace(0, len(songs) - 1, min(EXAMPLES, len(songs))).astype(int)).tolist():
        song = songs[index]
        shown = passage(song, EXAMPLE_BARS)
        if shown is None:
            continue
        first, stop = shown
        part = song.between(first, stop)
        form = part.guitar_grid.form
        guitar = tuple(np.unique(part.guitar_grid.guitar.step).tolist())
        shared = (tuple(form.steps.tolist()), tuple(form.metres), guitar, _hits(drums_of(part.drums, form)))
        for player in players:
            made = replace(song, drums=auditions[player.name][index].hits).between(first, stop)
            chosen.append(Example(song.path, player.name, first, *shared, _hits(drums_of(made.drums, form))))
    return tuple(chosen)


def _hits(drums: Drums) -> tuple[tuple[int, int, int], ...]:
    step, voice = np.nonzero(drums.velocity)
    rows = np.stack([step, voice, drums.velocity[step, voice]], axis=1).tolist()
    return tuple((a, b, c) for a, b, c in rows)


def _summarised(counted: Sequence[Statistics], use: int, settings: Settings) -> dict[str, Estimate]:
    """All figures over songs. use: of the draws, a number of its own."""
    summary = intervals.summarise(counted, np.random.default_rng([settings.seed, use]), settings.draws)
    return {name: Estimate.of(interval) for name, interval in summary.items()}


def _gains(
    here: Sequence[Statistics], there: Sequence[Statistics], use: int, settings: Settings
) -> dict[str, Estimate]:
    """All figures here less those there, over the same songs."""
    gains = intervals.compare(here, there, np.random.default_rng([settings.seed, use]), settings.draws)
    return {name: Estimate.of(gain) for name, gain in gains.items()}


def _row(player: Player, figures: dict[str, Estimate], songs: int) -> Row:
    told = (player.name, player.meaning, player.kind, player.sees_real, songs, figures, player.takes)
    return Row(*told, model=player.model, way=player.way)


# --- likelihoods and critics ------------------------------------------------------------------------------------------

CRITICISED = (COMMON, "random song", "nearest 4 bars")  # baselines judged by the critic beside the models


class TorchFigures(NamedTuple):
    """Some figures of a player, and notes on missing ones."""

    player: str
    figures: dict[str, Estimate]
    notes: list[str]


def torch_figures(
    songs: Sequence[Prepared],
    players: Sequence[Player],
    auditions: Auditions,
    settings: Settings,
    progress: Progress = lambda what, done, total: None,
) -> Iterator[TorchFigures]:
    """The likelihoods of all models and the AUCs of critics, computed in parallel, the slowest first.

    Critics of bars judge the models and CRITICISED, those of songs all players but the real drummer. A model's
    likelihoods stand with the first of its players.
    """
    seed, critics = settings.seed, settings.critics
    tasks: list[Callable[[], TorchFigures]] = []
    if settings.likelihood:
        for model in dict.fromkeys(player.model for player in players if player.model):
            name = next(player.name for player in players if player.model == model)
            tasks.append(partial(likelihood_figures, model, name, songs, seed, settings.draws))
    if critics:
        for player in players:
            if player.kind == "model" or player.name in CRITICISED:
                made = [audition.hits for audition in auditions[player.name]]
                tasks.append(partial(_critic_figures, player.name, songs, made, seed, critics))
        real, groups = [audition.habits for audition in auditions[REAL]], [song.group for song in songs]
        for player in players:
            if player.name not in (REAL, COPY):
                own = [audition.habits for audition in auditions[player.name]]
                tasks.append(partial(song_critic_figures, player.name, groups, real, own, seed, critics))
    for done, result in enumerate(results_of(_call, tasks, settings.workers), 1):
        progress("likelihoods and critics", done, len(tasks))
        yield result


def _call(task: Callable[[], TorchFigures]) -> TorchFigures:
    return task()


def likelihood_figures(model: str, player: str, songs: Sequence[Prepared], seed: int, draws: int) -> TorchFigures:
    """A model's likelihood of the real drums, or a note on the missing part."""
    try:
        from seq2drum.evaluate.likelihood import likelihood
    except ModuleNotFoundError as error:
        note = f"no likelihood of {model}: it needs {error.name}; pip install 'seq2drum[train]'"
        return TorchFigures(player, {}, [note])
    nats = likelihood(model, songs, seed=seed)
    if not len(nats.own):
        note = f"no likelihood of {model}: no window of eight bars has another song's beside it"
        return TorchFigures(player, {}, [note])
    gain = nats.other - nats.own
    first = np.array([measures.rank_of_true(row[None]) for row in nats.ranked])
    likelier = (gain > 0) + (gain == 0) / 2  # a model that ignores the guitar is right in half of its ties
    named = {
        "nats a bar": (nats.own, nats.song, weighted_mean),
        "gain in nats": (gain, nats.song, weighted_mean),
        "gain in nats, median window": (gain, nats.song, weighted_median),
        "right guitar likelier": (likelier, nats.song, weighted_mean),
        "true guitar first": (first, nats.ranked_song, weighted_mean),
    }
    if nats.given:
        known = {name: ~np.isnan(nats.given[name]) for name in nats.given}
        true = nats.given["true"]
        named["nats a bar, groove given"] = (true[known["true"]], nats.song[known["true"]], weighted_mean)
        for name in ("near", "foreign"):
            both = known[name] & known["true"]
            named[f"nats lost by a {name} groove"] = ((nats.given[name] - true)[both], nats.song[both], weighted_mean)
    figures = {
        name: Estimate.of(over_songs(values, song, np.random.default_rng([seed, 7]), draws, read))
        for name, (values, song, read) in named.items()
    }
    few = f"no rank of the true guitar by {model}: wanted windows of {GUITARS} songs of one metre"
    return TorchFigures(player, figures, [] if len(first) else [few])


def _critic_figures(
    player: str, songs: Sequence[Prepared], grids: Sequence[Grid], seed: int, critics: int
) -> TorchFigures:
    try:
        from seq2drum.evaluate.critic import critic_auc
    except ModuleNotFoundError as error:
        return TorchFigures(
            player, {}, [f"no critic of {player}: it needs {error.name}; pip install 'seq2drum[train]'"]
        )
    real = [(song.guitar_grid, drums_of(song.drums, song.guitar_grid.form)) for song in songs]
    made = [drums_of(grid, song.guitar_grid.form) for song, grid in zip(songs, grids, strict=True)]
    try:
        result = critic_auc(real, made, groups=[song.group for song in songs], seed=seed, critics=critics)
    except CorpusError as error:
        return TorchFigures(player, {}, [f"no critic of {player}: {error}"])
    figures = {"critic AUC": Estimate(result.auc, result.low, result.high)}
    if critics > 1:
        figures["critic AUC, seeds apart"] = Estimate(result.apart)
    return TorchFigures(player, figures, [])


def song_critic_figures(
    player: str,
    groups: Sequence[str],
    real: Sequence[Numbers | None],
    made: Sequence[Numbers | None],
    seed: int,
    critics: int,
) -> TorchFigures:
    """The figures of critics of whole songs for a player, with and without velocities; see `song_critic_auc`."""
    figures = {}
    for name, velocity in (("song critic AUC", True), ("song critic AUC, no velocity", False)):
        try:
            result = song_critic_auc(real, made, groups=groups, seed=seed, velocity=velocity, critics=critics)
        except CorpusError as error:
            return TorchFigures(player, {}, [f"no critic of songs: {error}"])
        figures[name] = Estimate(result.auc, result.low, result.high)
        if critics > 1:
            figures[f"{name}, seeds apart"] = Estimate(result.apart)
    return TorchFigures(player, figures, [])
