"""How likely a model finds the real drums, and what trained critics tell of a player. Critics of songs need no torch.

Without torch, or where songs are too few, they are left out, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from seq2drum.data.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.judge import measures
from seq2drum.judge.auditions import Audition, Progress
from seq2drum.judge.baselines import COMMON
from seq2drum.judge.evaluation import GUITARS, Estimate
from seq2drum.judge.habits import Numbers
from seq2drum.judge.intervals import CRITICS, over_songs, weighted_mean, weighted_median
from seq2drum.judge.players import COPY, REAL, Player
from seq2drum.judge.song_critic import song_critic_auc
from seq2drum.lattice.drums import drums_of
from seq2drum.lattice.grid import Grid
from seq2drum.workers import results_of

CRITICISED = (COMMON, "random song", "nearest 4 bars")  # baselines that the critic judges beside the models


class TorchFigures(NamedTuple):
    """Some figures of a player, and notes of what is missing of them, and why."""

    player: str
    figures: dict[str, Estimate]
    notes: list[str]


def torch_figures(
    songs: Sequence[Prepared],
    players: Sequence[Player],
    auditions: Mapping[str, Sequence[Audition]],
    *,
    likelihood: bool = True,
    critics: int = CRITICS,
    seed: int = 0,
    draws: int = 1000,
    workers: int = 1,
    progress: Progress = lambda what, done, total: None,
) -> Iterator[TorchFigures]:
    """The likelihoods of all models and what critics tell, side by side in the workers: what takes longest comes first.

    Critics of bars judge the models and CRITICISED, those of songs all who play but the real drummer.

    auditions: of each player by name, one a song. critics: how many judge each player; the mean is told. A model's
    likelihoods stand with the first of its players.
    """
    tasks: list[Callable[[], TorchFigures]] = []
    if likelihood:
        for model in dict.fromkeys(player.model for player in players if player.model):
            name = next(player.name for player in players if player.model == model)
            tasks.append(partial(_likelihood_figures, model, name, songs, seed, draws))
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
    for done, result in enumerate(results_of(_call, tasks, workers), 1):
        progress("likelihoods and critics", done, len(tasks))
        yield result


def _call(task: Callable[[], TorchFigures]) -> TorchFigures:
    return task()


def _likelihood_figures(model: str, player: str, songs: Sequence[Prepared], seed: int, draws: int) -> TorchFigures:
    try:
        from seq2drum.judge.likelihood import likelihood
    except ModuleNotFoundError as error:
        note = f"no likelihood of {model}: it needs {error.name}; pip install 'seq2drum[train]'"
        return TorchFigures(player, {}, [note])
    nats = likelihood(model, songs, seed=seed)
    if not len(nats.own):
        note = f"no likelihood of {model}: no window of eight bars has another song's beside it"
        return TorchFigures(player, {}, [note])
    gain = nats.other - nats.own
    first = np.array([measures.rank_of_true(row[None]) for row in nats.ranked])
    likelier = (gain > 0) + (gain == 0) / 2  # a model that does not listen is right in half of its ties
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
        from seq2drum.judge.critic import critic_auc
    except ModuleNotFoundError as error:
        return TorchFigures(
            player, {}, [f"no critic of {player}: it needs {error.name}; pip install 'seq2drum[train]'"]
        )
    real = [(song.heard, drums_of(song.drums, song.heard.form)) for song in songs]
    made = [drums_of(grid, song.heard.form) for song, grid in zip(songs, grids, strict=True)]
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
    """What critics of whole songs tell of a player, with velocities and without; see `song_critic_auc`."""
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
