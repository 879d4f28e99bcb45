"""Mode infer: drums for guitar files."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import arguments, exports, hearing, maps, paths, shared
from seq2drum.cli.terminal import as_text, say
from seq2drum.deliver import Played
from seq2drum.errors import OptionError
from seq2drum.music.choices import check
from seq2drum.music.limits import SONG_SUFFIXES

if TYPE_CHECKING:  # imported on use: help and errors come at once, and playing never loads torch
    from seq2drum.music.notes import Song
    from seq2drum.play.drummer import Drummer
    from seq2drum.play.options import Options
    from seq2drum.play.take import Take


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the songs, what a musician can choose, and what is written."""
    parser.usage = "%(prog)s SONG [SONG ...] [-o FILE|DIR] [options]"
    parser.description = "Makes drums for your guitar files, at the bars, the tempo and the metre of each."
    parser.epilog = """examples:
  seq2drum --mode infer song.mid
  seq2drum --mode infer song.mid --style rock --takes 3 --picture song.png
  seq2drum --mode infer songs/ -o drums/ --seed 3"""
    shared.add_songs(parser, f"{paths.KINDS}, folders of them, or - for MIDI on stdin")
    groups = shared.add_choices(parser)
    groups[shared.STAYS].add_argument(
        "--drums",
        metavar="FILE",
        type=arguments.named,
        help="the drums that stay are in this file and not in the song's",
    )
    groups[shared.WHAT].add_argument(
        "--model",
        default="default",
        metavar="NAME|DIR",
        help="a model in the package, or the folder of a training run (default: the shipped one)",
    )
    hearing.add_options(
        parser.add_argument_group("a recording, or no click", "What is not said of its beats is found.")
    )
    output = parser.add_argument_group("output")
    shared.add_output(output, shared.where_drums_go())
    shared.add_with_guitar(output)
    shared.add_session(output)
    maps.add_drum_map(output)
    exports.add_options(output)
    shared.add_explain(output)
    shared.add_json(output)
    shared.add_force(output)


def run(options: argparse.Namespace) -> int:
    """Play to each song; returns the exit code."""
    from seq2drum.play.options import Options

    wanted, count = Options(**shared.chosen(options)), options.takes
    check("takes", count, "--takes")
    hearing.timing(options)
    exports.session(options)  # what makes no sense is refused before anything is played
    if not options.files:
        raise OptionError(
            "--mode infer wants songs: MIDI files, tabs, scores or recordings, folders, or - for MIDI on stdin"
        )
    jobs = paths.jobs(options.files, options.output, SONG_SUFFIXES)
    also = exports.wanted(options)
    if not (wanted.groove is None and wanted.like is None):
        from seq2drum.play import wishes

        wishes.check(wanted)
    work = [(source, paths.numbered(target, count)) for source, target in jobs]
    for flag, name in also.items():
        if len(jobs) > 1:
            raise OptionError(f"--{exports.spelt(flag)} names one file, but there are {len(jobs)} songs")
        targets = work[0][1]
        if _absolute(name) in map(_absolute, targets):
            raise OptionError(f"--{exports.spelt(flag)} wants a file of its own")
        targets.append(name)
    drums = _drums(options, wanted, len(jobs))
    drummer = _drummer(options.model or "default")
    return paths.each(
        work,
        options.force,
        "playing",
        lambda source, targets: _play_one(drummer, source, targets[:count], wanted, drums, also, options),
    )


def _drums(options: argparse.Namespace, wanted: Options, songs: int) -> Song | None:
    """The song whose drums stay, where that is another than the guitar's."""
    from seq2drum.formats.opening import open_drums

    if options.drums is None:
        return None
    if not (wanted.bars or wanted.prime):
        raise OptionError("--drums is a file of drums that stay: say which by --bars A:B or --prime BARS")
    if songs > 1:
        raise OptionError(f"--drums are those of one song, but there are {songs} songs")
    return open_drums(options.drums).song


def _drummer(model: str) -> Drummer:
    from seq2drum.play import engine, runtime
    from seq2drum.play.ahead import Ahead

    runtime.runtime()  # here, as a thread would share the interpreter with the imports that follow
    loading = Ahead(lambda: engine.load(model))
    from seq2drum.play.drummer import Drummer  # while the model is being loaded

    return Drummer.of(loading)


def _absolute(name: str) -> str:
    return str(Path(name).absolute())


def _play_one(
    drummer: Drummer,
    source: str,
    targets: Sequence[str],
    wanted: Options,
    drums: Song | None,
    also: Mapping[str, str],
    options: argparse.Namespace,
) -> None:
    begun = time.perf_counter()
    given = hearing.given(source, options)
    takes = drummer.takes(given.song, wanted, len(targets), drums=drums)
    hearing.warn(source, takes[0], given)
    _say_grooves(source, takes[0], wanted)
    title = as_text("Drums" if source == "-" else Path(source).stem)
    played = Played(takes, title, exports.session(options), options.soundfont, given.recording)
    exports.keep(played, options, source, targets, also, begun, with_guitar=options.with_guitar)


def _say_grooves(source: str, take: Take, wanted: Options) -> None:
    """Say which groove was taken of each family that is asked for."""
    from seq2drum.play.asked import by_letter, by_section, reference
    from seq2drum.play.book import Book

    if wanted.groove is None or not isinstance(take.options.groove, Mapping):
        return
    letters = tuple(dict.fromkeys(marker.text for marker in take.sections))
    for letter, words in by_letter(by_section(wanted.groove), letters).items():
        taken = take.options.groove[letter]
        if isinstance(words, str) and not isinstance(taken, str) and not reference(words).is_file:
            family = Book.load().meant(words)
            if len(family) > 1:
                say(f"{source}: {words!r} is {taken.name} here, of {len(family)} grooves with that in their names")
