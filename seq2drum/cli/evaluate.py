"""Mode eval: the quality of any model's drums on any folder of songs, beside the baselines."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import generators, prepare
from seq2drum.console import maps, shared
from seq2drum.console.arguments import check_least
from seq2drum.console.terminal import bar, command, say, standard_output
from seq2drum.errors import InputError, OptionError
from seq2drum.music.options import OPTIONS

if TYPE_CHECKING:  # imported on use, so that help and errors come fast
    from seq2drum.data.corpus.prepared import Prepared
    from seq2drum.evaluate.auditions import Progress
    from seq2drum.evaluate.evaluation import Evaluation, Measure
    from seq2drum.judge.players import Player
    from seq2drum.music.notes import Song
    from seq2drum.play.drummer import Drummer
    from seq2drum.play.options import Options

SETTINGS = ("given-1", "given-2", "given-4", "given-8")
WAYS = ("plain", "default", "daring", "given")
MEASURES = ("rules", "jam", "controls", "styles", "levels", "metres", "arrangement")
LISTENED = 8  # songs of a comparison by ear
SPLITS = ("test", "validation", "train", "all")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the songs, the models, and the outputs."""
    parser.usage = "%(prog)s --data DIR [DIR ...] [options]"
    parser.description = "Plays to songs and measures how good the drums are, next to simple baselines."
    parser.epilog = """examples:
  seq2drum --mode eval --data songs
  seq2drum --mode eval --data songs --model default runs/mine --json all.json"""
    songs = parser.add_argument_group("songs")
    prepare.add_data(songs)
    songs.add_argument(
        "--split", default="test", choices=SPLITS, help="the side of the split to play; all: every song (default: test)"
    )
    songs.add_argument("--songs", type=int, metavar="N", help="play N songs, drawn by the seed (default: all)")
    songs.add_argument("--bars", type=int, metavar="N", help="play at most N bars of each song (default: all)")
    songs.add_argument("--metre", metavar="N/D", help="only songs in one metre throughout, such as 3/4")
    songs.add_argument("--tag", metavar="FOLDER", help="only songs of a folder, such as jazz")
    songs.add_argument(
        "--reference",
        metavar="DIR|FILE",
        help="songs, or a cache of them, for the baselines (default: the training side of --data)",
    )
    players = parser.add_argument_group("players")
    players.add_argument(
        "--model",
        nargs="+",
        default=["default"],
        metavar="NAME|DIR",
        help="shipped models, or folders of training runs (default: default)",
    )
    players.add_argument(
        "--ways",
        nargs="+",
        default=list(WAYS),
        choices=[*WAYS, "jam"],
        help="plain: the most likely take; default: default options; daring: --daring 0.5; given: on the song's own"
        " grooves; jam: as --mode jam plays (default: all but jam)",
    )
    players.add_argument("--takes", type=int, default=5, metavar="N", help="default takes per song (default: 5)")
    players.add_argument(
        "--setting",
        default="given-1",
        choices=SETTINGS,
        help="the number of real bars before players take over, in the table of playing on (default: given-1)",
    )
    players.add_argument("--seed", type=int, default=0, metavar="N", help="which songs and which takes (default: 0)")
    players.add_argument(
        "--critics", type=int, default=3, metavar="N", help="critics per player, averaged in the report (default: 3)"
    )
    players.add_argument(
        "--genre",
        choices=["all"],
        help="of generators of beats: the marks of every genre, beside drummers with --data DIR",
    )
    players.add_argument(
        "--measure",
        choices=MEASURES,
        help="measure one model in one respect, not the panel. On songs with a guitar: the rules of the style that"
        " the file's name has; a jam next to a take; the effect of the controls. On songs with drums: styles obeyed;"
        " levels of intensity and complexity; accents by metre; sections as arranged",
    )
    players.add_argument(
        "--playing", default="", metavar="OPTIONS", help="how --measure plays, such as '--daring 0.5 --style jazz'"
    )
    players.add_argument("--no-critic", action="store_true", help="train no critic")
    output = parser.add_argument_group("output")
    output.add_argument("--report", metavar="FILE", help="write a page, .html or .md")
    output.add_argument("--json", metavar="FILE", help="write all figures")
    output.add_argument(
        "--write", action="store_true", help="of audio loops: write the figures into the folder of the model"
    )
    output.add_argument(
        "--listen",
        metavar="DIR",
        help=f"write a page for a blind comparison by ear instead, of --songs N songs (default: {LISTENED})",
    )
    output.add_argument("--votes", nargs="+", metavar="FILE", help="report the votes of that page's listeners")
    shared.add_force(output)


def run(options: argparse.Namespace) -> int:
    """Evaluate; returns the exit code."""
    if options.votes:
        return _tell_votes(options)
    if generators.all_generators(options.model):
        return generators.evaluate(options)
    if options.genre:
        raise OptionError("--genre all measures generators of beats; name some (--model book)")
    if options.write:
        raise OptionError("--write puts figures into the folder of a maker of audio loops; leave it out")
    _check(options)
    if options.measure:
        return _measure(options)
    if options.listen:
        return _listen(options)
    from seq2drum.evaluate import evaluate
    from seq2drum.judge import players as playing

    # 1. The models, then the songs.
    _check_outputs(options)
    titles, players = _players(options)
    songs, chosen, training = _chosen_songs(options)
    # 2. The evaluation.
    workers = options.workers or os.cpu_count() or 1
    grooves, most, times = playing.count(chosen, workers)
    settings = evaluate.Settings(
        seed=options.seed,
        workers=workers,
        known=int(options.setting.removeprefix("given-")),
        critics=0 if options.no_critic else options.critics,
        about={
            "command": command(),
            "models": titles,
            "split": options.split,
            "takes": options.takes,
            "most songs": options.songs,
            "most bars": options.bars,
            "metre": options.metre,
            "tag": options.tag,
            "reference": Path(options.reference).name if options.reference else None,
            "grooves": {"different": grooves, "most often": most, "times": times},
        },
    )
    say(f"songs to play: {len(chosen)} of {len(songs)} (--split {options.split}); for baselines: {len(training)}")
    with _progress() as progress:
        evaluation = evaluate.evaluate(chosen, [*players, *playing.groove_players()], training, settings, progress)
    return _written(evaluation, options)


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse files that cannot be written, before any slow work."""
    from seq2drum.evaluate import report

    if options.json:
        report.check(options.json, overwrite=options.force, formats=(".json",))
    if options.report:
        report.check(options.report, overwrite=options.force)


def _written(evaluation: Evaluation, options: argparse.Namespace) -> int:
    """Write an evaluation where requested, and print it; returns the exit code."""
    from seq2drum.evaluate import report
    from seq2drum.system import files

    if options.json:
        files.write_file(options.json, evaluation.as_json().encode(), overwrite=options.force)
    if options.report:
        report.write(evaluation, options.report, overwrite=options.force)
    with standard_output():
        print(report.as_text(evaluation), flush=True)
    return 0


def _listen(options: argparse.Namespace) -> int:
    """Write the page of a blind comparison; returns the exit code."""
    from seq2drum.evaluate import comparison
    from seq2drum.judge.players import baseline_players, real_player, shuffled_player
    from seq2drum.show import sound

    sound.check()
    options.songs, options.takes, options.ways = options.songs or LISTENED, 1, ["default"]
    _, models = _players(options)
    _, chosen, training = _chosen_songs(options)
    baselines = baseline_players(training, seed=options.seed) if training else []
    players = [
        real_player(),
        *models,
        *(player for player in baselines if player.name in comparison.BASELINES),
        shuffled_player(options.seed),
    ]
    folder = Path(options.listen)
    with _progress() as progress:
        key = comparison.make(chosen, players, folder, seed=options.seed, overwrite=options.force, progress=progress)
    say(
        f"{folder / comparison.PAGE}: {len(key.passages)} songs by {len(key.players)} players, {', '.join(key.players)}"
    )
    return 0


def _measure(options: argparse.Namespace) -> int:
    """Print and write the figures of one measure; returns the exit code."""
    from seq2drum.evaluate.evaluation import Evaluation, versions_of
    from seq2drum.play.drummer import Drummer

    if options.listen:
        raise OptionError("--measure prints figures, and does not take --listen; leave it out")
    if len(options.model) > 1 or not options.takes:
        raise OptionError("--measure wants one --model, and --takes of 1 or more")
    if options.measure == "metres" and options.playing:
        raise OptionError("--measure metres plays the most likely take and a sampled one; leave out --playing")
    _check_outputs(options)
    base, drummer = _playing(options), Drummer.load(options.model[0])
    of_songs = _of_drums if options.measure in ("styles", "levels", "metres", "arrangement") else _of_guitars
    songs, measure = of_songs(options, drummer, base)
    with _progress() as progress:
        measures = measure(progress)
    about = {
        "command": command(),
        "models": options.model,
        "measure": options.measure,
        "songs": songs,
        "seed": options.seed,
        "versions": versions_of("seq2drum", "numpy", "onnxruntime"),
    }
    return _written(Evaluation(about, measures=tuple(measures)), options)


Measured = Callable[["Progress"], "list[Measure]"]


def _of_drums(options: argparse.Namespace, drummer: Drummer, base: Options) -> tuple[int, Measured]:
    """(songs, a function that plays and measures them) of songs with drums of their own."""
    from seq2drum.evaluate import arrangement, idiom, wishes

    _, chosen, _ = _chosen_songs(options)
    if options.measure == "arrangement":
        own = {name: value for name in OPTIONS if (value := getattr(base, name)) != OPTIONS[name].default}
        return len(chosen), partial(arrangement.arrangement, drummer.engine, chosen, own)
    if options.measure == "metres":
        return len(chosen), partial(idiom.metres, drummer.engine, chosen, options.seed)
    return len(chosen), partial(wishes.styles if options.measure == "styles" else wishes.levels, drummer, chosen, base)


def _of_guitars(options: argparse.Namespace, drummer: Drummer, base: Options) -> tuple[int, Measured]:
    """(songs, a function that plays and measures them) of songs that need no drums."""
    from seq2drum.evaluate import idiom, wishes
    from seq2drum.judge.styles import RULES

    songs = _with_guitar(options)
    if options.measure == "controls":
        only, seeds = [song for _, song in songs], range(base.seed, base.seed + options.takes)
        return len(songs), partial(wishes.controls, drummer, only, base, seeds, options.bars)
    named = {title: idiom.piece_of(title, song) for title, song in songs}
    for title in (title for title, piece in named.items() if piece is None):
        say(f"{title} is left out: its name says no style; there are {', '.join(RULES)}")
    pieces = [piece for piece in named.values() if piece is not None]
    if not pieces:
        raise OptionError("no song with a guitar has a name that says a style")
    measure = idiom.jams if options.measure == "jam" else idiom.rules
    return len(pieces), partial(measure, drummer, pieces, base, options.takes)


def _with_guitar(options: argparse.Namespace) -> list[tuple[str, Song]]:
    """(title, song) of each file of --data that has a guitar; skipped files are reported."""
    from seq2drum.data.corpus.reading import find_files
    from seq2drum.formats.opening import open_song
    from seq2drum.music import theory

    if not options.data:
        raise OptionError(f"--measure {options.measure} wants --data, files or folders of songs")
    songs = []
    for path in find_files([Path(word) for word in options.data]):
        try:
            song = open_song(path).song
            theory.guitar_parts(song)
        except InputError as error:
            say(f"{path.name}: {error}")
            continue
        songs.append((path.stem, song))
    return songs[: options.songs]


def _playing(options: argparse.Namespace) -> Options:
    """The options of takes in --playing; the seed is that of --seed."""
    from seq2drum.play.options import Options

    parser = argparse.ArgumentParser(prog="--playing", add_help=False, allow_abbrev=False)
    shared.add_choices(parser)
    maps.add_drum_map(parser)
    return replace(Options(**shared.chosen(parser.parse_args(shlex.split(options.playing)))), seed=options.seed)


def _tell_votes(options: argparse.Namespace) -> int:
    """Print the votes of listeners; returns the exit code."""
    from seq2drum.evaluate import comparison

    if not options.listen:
        raise OptionError("--votes wants --listen DIR, too: the folder of that page has the key to its players")
    key = comparison.read_key(Path(options.listen))
    found = comparison.read([Path(name) for name in options.votes], key)
    rows = comparison.standings(found, list(key.players), seed=options.seed)
    with standard_output():
        print(comparison.as_text(rows, found), flush=True)
    return 0


def _check(options: argparse.Namespace) -> None:
    if not options.data and not options.cache:
        raise OptionError("--mode eval wants --data DIR, folders of MIDI files with guitar and drums, or --cache FILE")
    check_least(options, workers=1, takes=0, critics=1, songs=1, bars=2, seed=0)
    if options.metre and not all(part.isdigit() for part in options.metre.partition("/")[::2]):
        raise OptionError(f"--metre is {options.metre!r}, wanted one such as 4/4")
    names = options.model
    if len(set(names)) < len(names):
        raise OptionError(f"--model names {max(names, key=names.count)!r} twice; wanted each model once")


def _players(options: argparse.Namespace) -> tuple[list[str], list[Player]]:
    """(names of the models in tables, the players)."""
    from seq2drum.judge.players import model_players

    names = options.model
    # Named after the folder, if these names differ: a table has no room for paths.
    short = [Path(name).name for name in names]
    titles = short if len(set(short)) == len(names) else names
    players = [
        player
        for name, title in zip(names, titles, strict=True)
        for player in model_players(name, seed=options.seed, takes=options.takes, title=title, ways=options.ways)
    ]
    return titles, players


def _chosen_songs(options: argparse.Namespace) -> tuple[list[Prepared], list[Prepared], list[Prepared]]:
    """(all songs, those to play, those for baselines)."""
    from seq2drum.evaluate.auditions import choose, reference

    songs = _songs(options.data or (), options)
    chosen = choose(
        songs,
        split=options.split,
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
    return songs, chosen, reference(training, chosen, all_of=bool(options.reference))


def _songs(data: Sequence[str | Path], options: argparse.Namespace) -> list[Prepared]:
    from seq2drum.data.corpus.cache import load

    if not data:
        return prepare.allowed(load(Path(options.cache)), options)
    return prepare.prepared(data, options)


@contextmanager
def _progress() -> Iterator[Progress]:
    """One progress bar for all stages, restarted by each."""
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
