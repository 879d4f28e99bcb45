"""A blind comparison by ear: a folder with a page that plays the same bars by different players, two at a time.

    songs, players -> DIR/index.html, DIR/sounds/*.wav, DIR/key.json

The page names nobody: sounds are named by hashes, and only `key.json`, which the page does not read, maps them to
players. It is self-contained. `votes` reads what it saves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2drum.data.corpus.excerpts import duet_of
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError, InputError, OutputError
from seq2drum.evaluate.auditions import Progress, passage
from seq2drum.judge import intervals
from seq2drum.judge.baselines import COMMON
from seq2drum.judge.intervals import Interval
from seq2drum.judge.measures import Vector
from seq2drum.judge.players import Player
from seq2drum.music.duet import Duet
from seq2drum.show import page, sound
from seq2drum.system import files

BARS = 8
BASELINES = (COMMON, "nearest 4 bars")  # played beside models and the real drums
PAGE, KEY, SOUNDS = "index.html", "key.json", "sounds"
FORMAT = 1
MOST_KEY = 10_000_000  # bytes

Render = Callable[[Duet], bytes]


@dataclass(frozen=True)
class Passage:
    """The bars of a song to be heard. versions: the player of each sound, by the name of the sound."""

    path: str
    first_bar: int
    bars: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Key:
    """The players behind the sounds. page: the name of the page, which its votes carry.

    players: descriptions by name.
    """

    page: str
    players: dict[str, str]
    passages: tuple[Passage, ...]


def make(
    songs: Sequence[Prepared],
    players: Sequence[Player],
    folder: Path,
    *,
    seed: int = 0,
    render: Render | None = None,
    overwrite: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Key:
    """Write the folder of a comparison: BARS bars of each song by every player, all equally loud.

    render: a duet as the bytes of a WAV file, by default FluidSynth's.

    Raises:
        MissingExtraError: there is no synthesiser.
        CorpusError: fewer than two players, or no song in which the drummer plays.
        OutputError: a nonempty folder of that name, or it cannot be written.
    """
    # 1. Refuse impossible comparisons before anything is played.
    if render is None:
        sound.check()
        render = sound.wav
    if len(players) < 2:
        raise CorpusError("a comparison wants two players or more")
    heard = [(song, bars) for song in songs if (bars := passage(song, BARS)) is not None]
    if not heard:
        raise CorpusError(f"none of {len(songs)} songs has drums to compare with; wanted songs with guitar and drums")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise OutputError(f"{str(folder)!r} exists already; name another folder, or overwrite it with --force")
    # 2. Every player plays every song; identical versions are heard once.
    try:
        (folder / SOUNDS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {str(folder / SOUNDS)!r} cannot be made ({error.strerror}); name another"
        ) from None
    passages = []
    for number, (song, (first, stop)) in enumerate(heard):
        versions: dict[str, str] = {}
        for player in players:
            progress("sounds", number * len(players) + len(versions), len(heard) * len(players))
            part = replace(song, drums=player.play(song, 0)).between(first, stop)
            name = _hidden(seed, song.sha256, player.name)
            data = render(duet_of(part.guitar_grid, part.drums))
            files.write_file(folder / SOUNDS / f"{name}.wav", data, overwrite=overwrite)
            versions[name] = player.name
        passages.append(Passage(song.path, first, stop - first, dict(sorted(versions.items()))))
    # 3. The key, and the page.
    about = {player.name: player.meaning for player in players}
    key = Key(_hidden(seed, *(name for passage in passages for name in passage.versions)), about, tuple(passages))
    files.write_file(
        folder / KEY, json.dumps({"format": FORMAT, **asdict(key)}, indent=1).encode(), overwrite=overwrite
    )
    files.write_file(folder / PAGE, _page(key).encode(), overwrite=overwrite)
    return key


def _hidden(seed: int, *words: str) -> str:
    """A name that reveals nothing of its object."""
    return hashlib.sha256("\n".join([str(seed), *words]).encode()).hexdigest()[:12]


def _page(key: Key) -> str:
    """The page. Sounds are in the order of their hashes: random, but the same in every run."""
    data: dict[str, Any] = {
        "page": key.page,
        "format": FORMAT,
        "folder": SOUNDS,
        "passages": [list(passage.versions) for passage in key.passages],
    }
    return page.render("listen.html", title="Which drums would you keep?", data=data, players=len(key.players))


def read_key(folder: Path) -> Key:
    """The key of a comparison's folder.

    Raises:
        InputError: there is no key, or it is damaged.
    """
    path = folder / KEY
    try:
        held = json.loads(files.read_file(path, MOST_KEY))
        if held["format"] != FORMAT:
            raise ValueError(f"it has format {held['format']}, wanted {FORMAT}")
        passages = tuple(Passage(**passage) for passage in held["passages"])
        return Key(str(held["page"]), dict(held["players"]), passages)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(path)!r} is not the key of a comparison ({error}); --listen DIR makes one") from None


SCORES = {"left": 1.0, "neither": 0.5, "right": 0.0}
PRIOR = 0.1  # votes each way between any two players, so that the strength of one who always wins is finite
STEPS, EXACT = 1000, 1e-9  # most iterations of the fixed point, and its tolerance
MOST_BYTES = 10_000_000


class Vote(NamedTuple):
    """One answer. left, right: players. score: 1 for the left one, 0 for the right one, 0.5 for neither."""

    listener: str
    passage: int
    left: str
    right: str
    score: float


class Standing(NamedTuple):
    """The standing of a player. won: its share of its votes. strength: relative to the first player's 0."""

    player: str
    votes: int
    won: float
    strength: Interval


def read(paths: Sequence[Path], key: Key) -> list[Vote]:
    """The votes that pages have saved.

    Raises:
        InputError: a file has none, is damaged, is of another page, or is given twice.
    """
    votes, seen = list[Vote](), dict[str, Path]()
    for path in paths:
        held = _held(path, key)
        listener = str(held["listener"])
        if listener in seen:
            raise InputError(f"{str(path)!r} and {str(seen[listener])!r} are by one listener; keep the later of them")
        seen[listener] = path
        try:
            for row in held["votes"]:
                number = int(row["passage"])
                versions = key.passages[number].versions
                sides = versions[row["left"]], versions[row["right"]]
                votes.append(Vote(listener, number, *sides, SCORES[row["better"]]))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"{str(path)!r} has a vote that cannot be read: {error!r}") from None
    if not votes:
        raise InputError(f"no votes in {', '.join(map(str, paths))}; vote on the page, and save them with its button")
    return votes


def _held(path: Path, key: Key) -> dict[str, Any]:
    try:
        held = json.loads(files.read_file(path, MOST_BYTES))
        found = held["page"], held["format"], held["listener"], held["votes"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{str(path)!r} holds no votes; wanted a file that the page of a comparison saves") from None
    if found[0] != key.page or found[1] != FORMAT:
        raise InputError(
            f"{str(path)!r} has votes of another page; name the folder that its page lies in with --listen"
        )
    return dict(held)


def standings(votes: Sequence[Vote], players: Sequence[str], *, seed: int = 0, draws: int = 1000) -> list[Standing]:
    """The standings of all players, the strongest first; intervals of 95 %, votes resampled by listener and song.

    players: the first has strength 0.
    """
    # 1. The wins of each player against each, by listener and song.
    index = {name: number for number, name in enumerate(players)}
    lots = sorted({(vote.listener, vote.passage) for vote in votes})
    wins = np.zeros((len(lots), len(players), len(players)))
    for vote in votes:
        lot, left, right = lots.index((vote.listener, vote.passage)), index[vote.left], index[vote.right]
        wins[lot, left, right] += vote.score
        wins[lot, right, left] += 1 - vote.score
    # 2. Strengths of all votes, and of votes drawn again.
    total = wins.sum(axis=0)
    drawn = intervals.resampled(len(lots), np.random.default_rng([seed, 9]), draws)
    own = strengths(total)
    others = np.array([strengths(np.tensordot(weights, wins, axes=1)) for weights in drawn])
    # 3. One row a player.
    played, won = (total + total.T).sum(axis=1), total.sum(axis=1)
    rows = [
        Standing(
            name,
            round(float(played[at])),
            float(won[at] / played[at]) if played[at] else np.nan,
            intervals.interval(float(own[at]), others[:, at]),
        )
        for name, at in index.items()
    ]
    return sorted(rows, key=lambda row: -row.strength.value)


def strengths(wins: Vector) -> Vector:
    """(n,): the strengths of n players, that of the first 0; wins (n, n): of each against each.

    By the fixed point of D. R. Hunter, MM algorithms for generalized Bradley-Terry models (2004).
    """
    count = len(wins)
    wins = wins + PRIOR * (1 - np.eye(count))
    pairs, won = wins + wins.T, wins.sum(axis=1)
    worth = np.ones(count)
    for _ in range(STEPS):
        better = won / (pairs / (worth[:, None] + worth)).sum(axis=1)
        better /= np.exp(np.mean(np.log(better)))
        moved = float(np.abs(np.log(better / worth)).max())
        worth = better
        if moved < EXACT:
            break
    found: Vector = np.log(worth / worth[0])
    return found


def as_text(rows: Sequence[Standing], votes: Sequence[Vote]) -> str:
    """The standings as a table for a terminal."""
    listeners, first = len({vote.listener for vote in votes}), next(row for row in rows if row.strength.value == 0)
    width = max(len(row.player) for row in rows)
    lines = [f"{'':{width}}  votes  preferred  strength (95 %)          preferred to {first.player}"]
    for row in rows:
        value, low, high = row.strength
        beats = [1 / (1 + np.exp(-one)) for one in (value, low, high)]
        strength = f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
        share = "-" if row is first else f"{beats[0]:.2f} ({beats[1]:.2f} to {beats[2]:.2f})"
        lines.append(f"{row.player:{width}}  {row.votes:5}  {row.won:9.2f}  {strength:23}  {share}")
    noun = "listener" if listeners == 1 else "listeners"
    return "\n".join([*lines, f"{len(votes)} votes of {listeners} {noun}; strengths after Bradley and Terry"])
