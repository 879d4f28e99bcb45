"""Mode eval: how good the drums are, of any model and on any folder of songs, beside what a sceptic would try."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import prepare
from seq2drum.cli.terminal import bar, command, say, standard_output
from seq2drum.errors import OptionError

if TYPE_CHECKING:  # imported on use: help and errors come at once
    from seq2drum.data.corpus import Prepared
    from seq2drum.judge.evaluate import Progress

SPLITS = ("test", "validation", "train", "all")
FLAGS = (
    "seed",
    "model",
    *prepare.FLAGS,
    "force",
    "split",
    "takes",
    "songs",
    "bars",
    "metre",
    "tag",
    "json",
    "report",
    "reference",
    "no_critic",
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of evaluating."""
    group = parser.add_argument_group(
        "eval: how good the drums are",
        "Besides: --data or --cache, --seed, --workers, --force; --model NAME|DIR ... with one model or several; and "
        "--json FILE, which all figures are written to.",
    )
    group.add_argument("--split", choices=SPLITS, help="the side that is played; all: every song (default: test)")
    group.add_argument("--takes", type=int, metavar="N", help="sampled takes a song (default: 5)")
    group.add_argument("--songs", type=int, metavar="N", help="play that many songs, drawn by the seed (default: all)")
    group.add_argument("--bars", type=int, metavar="N", help="of each song at most so many bars (default: all)")
    group.add_argument("--metre", metavar="N/D", help="only songs that never leave a metre, such as 3/4")
    group.add_argument("--tag", metavar="FOLDER", help="only songs of a folder, such as jazz")
    group.add_argument(
        "--reference",
        metavar="DIR|FILE",
        help="songs, or a cache of them, that baselines are made of (default: the training side of --data)",
    )
    group.add_argument("--no-critic", action="store_true", help="train no critic")
    group.add_argument("--report", metavar="FILE", help="write a page, .html or .md")


def own_flags(parser: argparse.ArgumentParser) -> None:
    """Several models, and a file for the figures."""
    parser.add_argument("--model", nargs="+", metavar="NAME|DIR")
    parser.add_argument("--json", metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Evaluate; returns the exit code."""
    if not options.data and not options.cache:
        raise OptionError("--mode eval wants --data DIR, folders of MIDI files with guitar and drums, or --cache FILE")
    split, takes = options.split or "test", 5 if options.takes is None else options.takes
    for name, value, least in (("takes", takes, 0), ("songs", options.songs, 1), ("bars", options.bars, 2)):
        if value is not None and value < least:
            raise OptionError(f"--{name} is {value}, wanted {least} or more")
    if options.seed < 0:
        raise OptionError(f"--seed is {options.seed}, wanted 0 or more")
    if options.metre and not all(part.isdigit() for part in options.metre.partition("/")[::2]):
        raise OptionError(f"--metre is {options.metre!r}, wanted one such as 4/4")

    from seq2drum import files
    from seq2drum.judge import evaluate, report

    if options.json:
        report.check(options.json, overwrite=options.force, formats=(".json",))
    if options.report:
        report.check(options.report, overwrite=options.force)
    names = options.model or ["default"]
    if len(set(names)) < len(names):
        raise OptionError(f"--model names {max(names, key=names.count)!r} twice; wanted each model once")
    # Called by the folder's own name, if that tells them apart: a table has no room for paths.
    short = [Path(name).name for name in names]
    titles = short if len(set(short)) == len(names) else names
    players = [
        player
        for name, title in zip(names, titles, strict=True)
        for player in evaluate.model_players(name, seed=options.seed, takes=takes, title=title)
    ]
    songs = _songs([Path(name) for name in options.data or ()], options)
    chosen = evaluate.choose(
        songs,
        split=split,
        metre=options.metre,
        tag=options.tag,
        most=options.songs,
        bars=options.bars,
        seed=options.seed,
    )
    training = songs
    if options.reference:
        place = Path(options.reference)
        known = argparse.Namespace(**vars(options) | {"cache": str(place) if place.is_file() else None})
        training = _songs([] if place.is_file() else [place], known)
    training = evaluate.reference(training, chosen, all_of=bool(options.reference))
    settings = evaluate.Settings(
        seed=options.seed,
        workers=options.workers or os.cpu_count() or 1,
        critic=not options.no_critic,
        about={
            "command": command(),
            "models": titles,
            "split": split,
            "takes": takes,
            "most songs": options.songs,
            "most bars": options.bars,
            "metre": options.metre,
            "tag": options.tag,
            "reference": Path(options.reference).name if options.reference else None,
        },
    )
    say(f"songs to play: {len(chosen)} of {len(songs)} (--split {split}); to make baselines of: {len(training)}")
    with _progress() as progress:
        found = evaluate.evaluate(chosen, players, training, settings, progress)
    if options.json:
        files.write_file(options.json, found.as_json().encode(), overwrite=options.force)
    if options.report:
        report.write(found, options.report, overwrite=options.force)
    with standard_output():
        print(report.as_text(found), flush=True)
    return 0


def _songs(folders: list[Path], options: argparse.Namespace) -> list[Prepared]:
    from seq2drum.data import corpus

    if not folders:
        return corpus.load(Path(options.cache))
    return prepare.prepared(folders, options, anew=False)


@contextmanager
def _progress() -> Iterator[Progress]:
    """One bar for all stages: each begins it anew."""
    with bar(1, "") as advance:
        last, share = "", 0.0

        def show(what: str, done: int, total: int) -> None:
            nonlocal last, share
            now = done / max(total, 1)
            if what != last:
                last, share = what, share
            advance(now - share, f"{what}: {done} of {total}")
            share = now

        yield show
