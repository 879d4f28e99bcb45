"""A band's own drummer as a folder: its grooves, how it builds songs, and, if torch is here, how it plays them.

    songs -> the typical groove of each section, with the song's name and the section's -> config.json
          -> the band's ways, see `ways`
          -> tensors in place of some of the model's, see `playing`

The folder names its model and the model's digest; it holds no note of a song beyond these grooves.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum import __version__
from seq2drum.lattice.grooves.grooves import to_json
from seq2drum.lattice.grooves.titles import slug_of, unique
from seq2drum.learn.adapt.songs import MOST_TITLE, Heard
from seq2drum.learn.adapt.ways import ways_of
from seq2drum.learn.grooves.book import examples_of
from seq2drum.music.shown import one_line, visible
from seq2drum.play.checkpoint.band import FILES, FORMAT, KIND, TUNED, Band, Learnt, digest_of, read_band
from seq2drum.play.checkpoint.folder import CONFIG, DEFAULT, find, seal
from seq2drum.play.checkpoint.runtime import read_json
from seq2drum.play.grooves.book import Book
from seq2drum.system import files

TASTE = 8.0  # songs that the drummer's own taste counts as, chosen on validation bands: notebooks/LOG.md, 2026-11-25
CARD = "card.md"
FEW = 3  # songs, below which a drummer hardly leaves the model's own taste


@dataclass(frozen=True)
class Tuned:
    """Tensors that take the place of a model's own, by name, and what they gained.

    nats: a bar of the left-out song, before and after; None without one.
    """

    tensors: Mapping[str, NDArray[np.float32]] = field(repr=False)
    nats: tuple[float, float] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def band_of(name: str, heard: Sequence[Heard]) -> Band:
    """Return what the songs of a band say, without how they are played. heard: songs that were understood."""
    titles = unique_titles(heard)
    songs = [each.song for each in heard if each.song is not None]
    grooves = [own for number, each in enumerate(heard) for own in _grooves(number, titles[number], each)]
    taken = [groove.name for groove in Book.load()]
    slugs = unique([*taken, *(slug_of(own.groove.title) for own in grooves)])[len(taken) :]
    named = tuple(own._replace(groove=replace(own.groove, name=slug)) for own, slug in zip(grooves, slugs, strict=True))
    return Band(name, titles, named, TASTE, ways_of(songs))


def unique_titles(heard: Sequence[Heard]) -> tuple[str, ...]:
    """Return the names of songs, with a number where several have one."""
    given, titles = set[str](), list[str]()
    for each in heard:
        title, number = each.title, 1
        while title in given:
            number += 1
            title = f"{each.title} ({number})"
        given.add(title)
        titles.append(title)
    return tuple(titles)


def _grooves(number: int, title: str, heard: Heard) -> list[Learnt]:
    """Return the grooves of a song, each once, with the names of its sections."""
    assert heard.song is not None
    found = list(examples_of(heard.song))
    bars = sum(len(one.bars) for one in found)
    held: dict[bytes, Learnt] = {}
    for one in found:
        key = b"".join(np.stack([bar.step, bar.key]).tobytes() for bar in one.groove.bars)
        share = len(one.bars) / bars
        if key in held:
            held[key] = held[key]._replace(share=held[key].share + share)
        else:
            groove = replace(one.groove, title=f"{title}, {one_line(one.letter, MOST_TITLE)}", style=one.style)
            held[key] = Learnt(groove, number, share)
    return list(held.values())


def save(
    folder: Path,
    band: Band,
    heard: Sequence[Heard],
    *,
    base: str = DEFAULT,
    tuned: Tuned | None = None,
    command: str = "",
) -> None:
    """Write a band's drummer, whole or not at all; a drummer that is there is replaced.

    heard: the songs that it was made of. base: the model that it plays through.

    Raises:
        CheckpointError, UnknownModelError: the model is not here, or has no digests.
        OutputError: the folder cannot be written.
    """
    songs = [
        {"name": title, "bars": len(each.song.guitar_grid.form.steps) if each.song else 0}
        for title, each in zip(band.titles, heard, strict=True)
    ]
    config: dict[str, Any] = {
        "kind": KIND,
        "format": FORMAT,
        "name": band.name,
        "base": {"model": base, "sha256": digest_of(find(base))},
        "prior": band.prior,
        "is_tuned": tuned is not None,
        "songs": songs,
        "ways": {**asdict(band.ways), "cymbals": dict(band.ways.cymbals)},
        "tuned": {} if tuned is None else {**tuned.about, "nats": tuned.nats},
        "version": __version__,
        "command": command,
        "grooves": [{**to_json(own.groove), "song": own.song, "share": round(own.share, 4)} for own in band.grooves],
    }
    with files.folder_written(folder) as made:
        if tuned is not None:
            from safetensors.numpy import save_file

            save_file(dict(tuned.tensors), made / TUNED)
        _write(made, config)


def rename(folder: Path, name: str) -> None:
    """Give a drummer another name, whole or not at all; its songs, grooves and what is tuned stay.

    Raises:
        CheckpointError: the folder is damaged.
        OutputError: it cannot be written.
    """
    read_band(folder)
    config = {**read_json(folder / CONFIG), "name": name}
    with files.folder_written(folder) as made:
        if config["is_tuned"]:
            shutil.copy(folder / TUNED, made)
        _write(made, config)


def _write(made: Path, config: Mapping[str, Any]) -> None:
    """Write a drummer's config and card, and the digests of all that is there."""
    (made / CONFIG).write_text(_as_json(config), encoding="utf-8")
    (made / CARD).write_text(card(config), encoding="utf-8")
    seal(made, FILES)


def _as_json(config: Mapping[str, Any]) -> str:
    """Return a config as JSON, a line for each groove."""
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in config["grooves"])
    head = json.dumps({name: value for name, value in config.items() if name != "grooves"}, indent=1)
    return f'{head[:-2]},\n "grooves": [\n{rows}\n]}}\n'


def card(config: Mapping[str, Any]) -> str:
    """Return the card of a drummer, from its config."""
    songs, ways, tuned = config["songs"], config["ways"], config["tuned"]
    lines = [
        f"# Model card: the drummer of {visible(config['name'])}",
        "",
        f"It plays through the model `{config['base']['model']}`, whose card holds here, too. It was made by seq2drum"
        f" {config['version']} of {len(songs)} songs on the machine of their owner; `config.json` has every number.",
        "",
        "| what | value |",
        "|---|---|",
        f"| grooves | {len(config['grooves'])}, named after songs and sections |",
        f"| songs that its own taste counts as | {config['prior']:g} |",
        *(f"| {name} | {_shown(value)} |" for name, value in ways.items()),
    ]
    if tuned:
        before, after = tuned["nats"] or (None, None)
        lines.append(f"| playing | {tuned['numbers']:,} numbers tuned, {tuned['seconds']:.0f} s |")
        if before is not None:
            lines.append(f"| nats a bar of the left-out song | {before:.2f}, tuned {after:.2f} |")
    else:
        lines.append("| playing | as the model plays |")
    lines += ["", "## Songs", ""] + [f"- {visible(song['name'])}, {song['bars']} bars" for song in songs]
    return "\n".join([*lines, "", "It inherits the rights of these songs: share it only if you may share them."]) + "\n"


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} in {count:g} songs" for name, count in value.items()) or "none"
    return "as usual" if value is None else f"{value:g}"
