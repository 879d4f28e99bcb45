"""A blind comparison by ear: a folder with a page that plays the same bars by different players, two at a time.

    songs, players -> DIR/index.html, DIR/sounds/*.wav, DIR/key.json

The page names nobody: sounds are called by hashes, and only `key.json`, which the page does not read, says whose they
are. It asks for nothing from elsewhere. What it saves, `votes` reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seq2drum import files
from seq2drum.data.excerpts import duet_of
from seq2drum.data.prepared import Prepared
from seq2drum.errors import CorpusError, InputError, OutputError
from seq2drum.judge.auditions import Progress
from seq2drum.judge.baselines import COMMON
from seq2drum.judge.players import Player
from seq2drum.judge.songs import passage
from seq2drum.music.duet import Duet
from seq2drum.show import page, sound

BARS = 8
BASELINES = (COMMON, "nearest 4 bars")  # that are heard beside models and the real drums
PAGE, KEY, SOUNDS = "index.html", "key.json", "sounds"
FORMAT = 1
MOST_KEY = 10_000_000  # bytes

Render = Callable[[Duet], bytes]


@dataclass(frozen=True)
class Passage:
    """The bars of a song that are heard. versions: which player each sound is by, by the name of the sound."""

    path: str
    first_bar: int
    bars: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Key:
    """Who plays what. page: the name of the page, which its votes carry. players: by name, what each of them does."""

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
    """Write the folder of a comparison: of each song BARS bars by every player, all equally loud.

    render: a duet as the bytes of a WAV file, by default FluidSynth's.

    Raises:
        MissingExtraError: there is no synthesiser.
        CorpusError: there are no two players, or no song in which the drummer plays.
        OutputError: there is such a folder with something in it, or it cannot be written.
    """
    # 1. Refuse what cannot be done before anything is played.
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
    # 2. Every player plays every song; what differs in nothing is heard once.
    _make_folder(folder / SOUNDS)
    passages = []
    for number, (song, (first, stop)) in enumerate(heard):
        versions: dict[str, str] = {}
        for player in players:
            progress("sounds", number * len(players) + len(versions), len(heard) * len(players))
            part = replace(song, drums=player.play(song, 0)).between(first, stop)
            name = _hidden(seed, song.sha256, player.name)
            data = render(duet_of(part.heard, part.drums))
            files.write_file(folder / SOUNDS / f"{name}.wav", data, overwrite=overwrite)
            versions[name] = player.name
        passages.append(Passage(song.path, first, stop - first, dict(sorted(versions.items()))))
    # 3. Who is who, and the page.
    about = {player.name: player.meaning for player in players}
    key = Key(_hidden(seed, *(name for passage in passages for name in passage.versions)), about, tuple(passages))
    files.write_file(
        folder / KEY, json.dumps({"format": FORMAT, **asdict(key)}, indent=1).encode(), overwrite=overwrite
    )
    files.write_file(folder / PAGE, _page(key).encode(), overwrite=overwrite)
    return key


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {str(folder)!r} cannot be made ({error.strerror}); name another") from None


def _hidden(seed: int, *words: str) -> str:
    """A name that says nothing of what it names."""
    return hashlib.sha256("\n".join([str(seed), *words]).encode()).hexdigest()[:12]


def _page(key: Key) -> str:
    """The page. Sounds are in the order of their hashes: chance, but the same in every run."""
    data: dict[str, Any] = {
        "page": key.page,
        "format": FORMAT,
        "folder": SOUNDS,
        "passages": [list(passage.versions) for passage in key.passages],
    }
    return page.render("listen.html", title="Which drums would you keep?", data=data, players=len(key.players))


def read_key(folder: Path) -> Key:
    """Who is who in the folder of a comparison.

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
        raise InputError(f"{str(path)!r} is no key of a comparison ({error}); --listen DIR makes one") from None
