"""Evaluation: players beside baselines on songs that none of them was trained on.

    songs -> every player plays every song -> counted by the `panel` -> tables with intervals -> one `Evaluation`

It knows neither how figures are computed (`panel`) nor how they are shown (`report`). Torch is needed for likelihoods
and for the critic only; without it those are left out, with a note.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from seq2drum.data.corpus.excerpts import others_guitar
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError, OptionError
from seq2drum.evaluate import tables
from seq2drum.evaluate.auditions import Audition, Progress, play_all, reference, split_hash
from seq2drum.evaluate.evaluation import Estimate, Evaluation, Row, columns, versions_of
from seq2drum.evaluate.tables import torch_figures
from seq2drum.judge.intervals import CRITICS
from seq2drum.judge.measures import Copies
from seq2drum.judge.players import COPY, Player, baseline_players, copy_player, real_player
from seq2drum.lattice.conditions import drums_of
from seq2drum.music.kit import NINE

LEAST_REFERENCE = 20  # songs of reference; fewer are too little for baselines


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
    watch = _StopWatch()
    notes = ["of one song no interval can be told: those that stand here have no width"] if len(songs) == 1 else []
    # 1. The players, and the copies of training songs.
    training = reference(training, songs, all_of=True)
    everyone, copies = [real_player(), *players], None
    if len(training) >= LEAST_REFERENCE:
        with watch.stage("baselines made"):
            progress("baselines made", 0, 1)
            everyone += baseline_players(training, seed=settings.seed)
            copies = Copies.of(drums_of(song.drums, song.guitar_grid.form) for song in training)
    else:
        notes.append(
            f"no baselines and no rate of copies: {len(training)} songs to make them of, wanted {LEAST_REFERENCE} or"
            " more (--reference names a folder of them)"
        )
    everyone.append(copy_player())
    _check_names(everyone)
    # 2. Everyone plays every song.
    with watch.stage("songs played"):
        others = others_guitar(songs, training, seed=settings.seed)
        if alone := sum(other is None for other in others):
            notes.append(f"no gain in F1 of {alone} of {len(songs)} songs: no other has their metre and tempo")
        of_song = play_all(
            songs, everyone, copies, others, known=settings.known, workers=settings.workers, progress=progress
        )
    auditions = {player.name: [row[index] for row in of_song] for index, player in enumerate(everyone)}
    # 3. Likelihoods and critics.
    more: dict[str, dict[str, Estimate]] = {player.name: {} for player in everyone}
    with watch.stage("likelihood and critics"):
        for name, figures, missing in torch_figures(
            songs,
            everyone,
            auditions,
            likelihood=settings.likelihood,
            critics=settings.critics,
            seed=settings.seed,
            draws=settings.draws,
            workers=settings.workers,
            progress=progress,
        ):
            more[name] |= figures
            notes += [note for note in missing if note not in notes]
    # 4. Rows of figures with their intervals.
    with watch.stage("intervals"):
        free, continued = _rows(everyone, auditions, more, settings, progress)
        by_metre = tables.by_metre(everyone, auditions, free, seed=settings.seed, draws=settings.draws)
        by_style = tables.by_style(songs, everyone, auditions, free, seed=settings.seed, draws=settings.draws)
        compared = tables.compared(players, auditions, seed=settings.seed, draws=settings.draws)
    alone_playing = [player for player in everyone if player.name != COPY]
    return Evaluation(
        _about(songs, training, settings),
        columns(),
        tuple(free),
        tuple(continued),
        by_metre,
        by_style,
        compared,
        {player.name: tables.curve(auditions[player.name]) for player in alone_playing},
        tables.examples(songs, players, auditions),
        tables.by_song(songs, alone_playing, auditions),
        tuple(notes),
        watch.seconds,
    )


class _StopWatch:
    """The seconds of each stage, by its name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - begun, 3)


def _check_names(players: Sequence[Player]) -> None:
    names = [player.name for player in players]
    if twice := {name for name in names if names.count(name) > 1}:
        raise OptionError(
            f"two players are called {min(twice)!r}; give them names of their own, and leave the baselines out where"
            " there are training songs: they are made of those"
        )


def _rows(
    players: Sequence[Player],
    auditions: Mapping[str, Sequence[Audition]],
    more: Mapping[str, dict[str, Estimate]],
    settings: Settings,
    progress: Progress,
) -> tuple[list[Row], list[Row]]:
    """The rows of free-running players, and of those that continued real bars."""
    free, continued = [], []
    for done, player in enumerate(players, 1):
        progress("intervals", done, len(players))
        if player.name != COPY:  # it only continues
            row = tables.free_row(player, auditions[player.name], seed=settings.seed, draws=settings.draws)
            free.append(replace(row, figures=row.figures | more[player.name]))
        row = tables.continued_row(player, auditions[player.name], seed=settings.seed, draws=settings.draws)
        if row.songs:
            continued.append(row)
    return free, continued


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
