"""Mode infer: drums for guitar files."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from seq2drum.cli import exports
from seq2drum.console import arguments, maps, paths, shared
from seq2drum.console.terminal import as_text, say
from seq2drum.deliver.export import Played
from seq2drum.errors import OptionError, PartNotFoundError
from seq2drum.music.choices import SYMUSIC
from seq2drum.music.file_options import TIMING
from seq2drum.music.limits import RECORDING_SUFFIXES, SONG_SUFFIXES
from seq2drum.music.options import STAYS, WHAT, check
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.formats.opening import Opened
    from seq2drum.lattice.beats.performance import Timing
    from seq2drum.music.notes import Song
    from seq2drum.music.song_plan import SongPlan
    from seq2drum.play.drummer import Drummer
    from seq2drum.play.options import Options
    from seq2drum.play.take import Take


_ADVICE = "--bpm, --metre, --first-downbeat, or --beat-scale 2 or 0.5 put it right"


def timing(options: argparse.Namespace) -> Timing:
    """The given facts about the beats.

    Raises:
        OptionError: a value is out of its range.
    """
    from seq2drum.lattice.beats.performance import Timing

    return Timing.of({name: getattr(options, name) for name in TIMING})


def _check_track(track: str | None) -> None:
    """Refuse a track that no recording has, before it is transcribed.

    Raises:
        OptionError: not the one part that a recording becomes.
    """
    from seq2drum.formats.audio import recording
    from seq2drum.music import theory

    try:
        theory.choose_parts(recording.ANY, track)
    except PartNotFoundError:
        raise OptionError(
            f"--track {track!r} fits no part; a recording has one, 1 {recording.ANY.parts[0].name!r}; leave it out"
        ) from None


class Given(NamedTuple):
    """A file as the drummer's input.

    song: that of a recording, of a file whose beats were tracked or put right, or as read by another reader than the
    usual one; else the file itself. recording: the bytes of the file, if it is a recording. found: whether its beats
    were tracked or put right.
    """

    song: Song | Opened | bytes | str
    recording: bytes | None = None
    found: bool = False


def read_given(source: str, options: argparse.Namespace) -> Given:
    """A file as the drummer's input; beats that were tracked or put right are reported.

    Raises:
        OptionError: the options about beats do not fit it.
        InputError: it cannot be read.
    """
    from seq2drum.formats import opening
    from seq2drum.lattice.beats.performance import Timing

    file, said = paths.read(source), timing(options)
    kind: opening.Kind | None = None
    if source.lower().endswith(RECORDING_SUFFIXES):
        kind, file = opening.recognised(file)
    if kind is opening.RECORDING:
        _check_track(options.track)
    elif said == Timing() and not options.follow:
        return Given(file if options.reader == SYMUSIC else opening.open_song(file, reader=options.reader))
    from seq2drum.formats.timed import open_timed  # what finds beats is loaded where there are some to be found

    heard = open_timed(file, said, follow=options.follow, track=options.track)
    is_sure = heard.found is None or heard.found.tempo_sure == 1
    say(f"{files.named(source)}: {heard}{'' if is_sure else f'; {_ADVICE}'}")
    return Given(heard.song, heard.recording, found=True)


def warn(source: str, take: Take, given: Given) -> None:
    """Report what the reader of a file left out, and a guitar that misses the grid of the file or the tracked beats."""
    from seq2drum.lattice.beats import placing

    for remark in take.song.remarks:
        say(f"{files.named(source)}: {remark}")
    missed = placing.missed(take.song, take.guitar.parts)
    if missed.is_free:
        grid, advice = "grid", "was it played without a click? --follow detects its beats"
        if given.found:
            grid, advice = "beats that were found", _ADVICE
        say(
            f"{files.named(source)}: {missed.misses} of {missed.strikes} strikes of the guitar miss the {grid},"
            f" by {missed.by * 1000:.0f} ms (median); {advice}"
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the songs, the musician's choices, and the outputs."""
    parser.usage = "%(prog)s SONG [SONG ...] [-o FILE|DIR] [options]"
    parser.description = "Makes drums for your guitar files, in the bars, tempo and metre of each."
    parser.epilog = """examples:
  seq2drum --mode infer song.mid
  seq2drum --mode infer song.mid --style rock --takes 3 --picture song.png
  seq2drum --mode infer songs/ -o drums/ --seed 3"""
    shared.add_songs(parser, f"{paths.KINDS}, folders of them, or - for MIDI on stdin")
    groups = shared.add_choices(parser)
    groups[STAYS].add_argument(
        "--drums",
        metavar="FILE",
        type=arguments.named,
        help="keep the drums of this file, not the song's own",
    )
    shared.add_plan(groups[WHAT])
    groups[WHAT].add_argument(
        "--model",
        default="default",
        metavar="NAME|DIR",
        help="a shipped model, or the folder of a training run (default: default)",
    )
    shared.add_timing(parser)
    shared.add_reader(parser)
    output = parser.add_argument_group("output")
    shared.add_output(output, shared.where_drums_go())
    shared.add_with_guitar(output)
    shared.add_session(output)
    maps.add_drum_map(output)
    exports.add_options(output)
    shared.add_plan_out(output)
    shared.add_explain(output)
    shared.add_json(output)
    shared.add_force(output)


def run(options: argparse.Namespace) -> int:
    """Play to each song; returns the exit code."""
    from seq2drum.play.options import Options

    wanted, count = Options(**shared.chosen(options)), options.takes
    check("takes", count, "--takes")
    said = timing(options)
    if options.reader != SYMUSIC and (options.follow or said != type(said)()):
        raise OptionError(f"--reader {options.reader} takes the beats of the file; leave it out to give or find them")
    exports.session(options)  # refuses impossible options before anything is played
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
            raise OptionError(f"--{exports.spelt(flag)} needs a separate file")
        targets.append(name)
    from seq2drum.play.drummer import Drummer

    drums, plan = _drums(options, wanted, len(jobs)), shared.read_plan(options, len(jobs))
    drummer = Drummer.load(options.model or "default")
    return paths.each(
        work,
        options.force,
        "playing",
        lambda source, targets: _play_one(drummer, source, targets[:count], wanted, drums, plan, also, options),
    )


def _drums(options: argparse.Namespace, wanted: Options, songs: int) -> Song | None:
    """The song with the drums to keep, if it is not the guitar's."""
    from seq2drum.formats.opening import open_drums

    if options.drums is None:
        return None
    if not (wanted.bars or wanted.prime):
        raise OptionError("--drums is a file of drums to keep; choose the bars by --bars A:B or --prime BARS")
    if songs > 1:
        raise OptionError(f"--drums is for one song, but there are {songs} songs")
    return open_drums(options.drums).song


def _absolute(name: str) -> str:
    return str(Path(name).absolute())


def _play_one(
    drummer: Drummer,
    source: str,
    targets: Sequence[str],
    wanted: Options,
    drums: Song | None,
    plan: SongPlan,
    also: Mapping[str, str],
    options: argparse.Namespace,
) -> None:
    begun = time.perf_counter()
    given = read_given(source, options)
    takes = drummer.takes(given.song, wanted, len(targets), drums=drums, plan=plan)
    warn(source, takes[0], given)
    _say_sections(source, takes[0], wanted)
    _say_grooves(source, takes[0], wanted)
    title = as_text("Drums" if source == "-" else Path(source).stem)
    sounds = exports.sounds(options) if also else None
    played = Played(takes, title, exports.session(options), sounds, given.recording)
    exports.keep(played, options, source, targets, also, begun, with_guitar=options.with_guitar)


def _say_sections(source: str, take: Take, wanted: Options) -> None:
    """Report the sections that requested names stand for, where the file names none."""
    from seq2drum.music.choices import range_of
    from seq2drum.play.asked import by_section, letters_of

    grooves = {} if wanted.groove is None else by_section(wanted.groove)
    names = [*(place for place in grooves if place and range_of(place) is None), *wanted.sections_named]
    letters = tuple(dict.fromkeys(marker.text for marker in take.sections))
    known = {letter.casefold() for letter in letters}
    for name in dict.fromkeys(name for name in names if name.casefold() not in known):
        letter = letters_of(names, letters)[name]
        starts = [sum(bar.start < marker.tick for bar in take.song.bars()) + 1 for marker in take.sections]
        stops = [*(start - 1 for start in starts[1:]), len(take.song.bars())]
        own = [
            f"{start}-{stop}"
            for marker, start, stop in zip(take.sections, starts, stops, strict=True)
            if marker.text == letter
        ]
        say(f"{files.named(source)}: {name} is section {letter}, bars {', '.join(own)}; --sections names others")


def _say_grooves(source: str, take: Take, wanted: Options) -> None:
    """Report the groove taken of each requested family."""
    from seq2drum.play.asked import by_letter, by_section, reference
    from seq2drum.play.grooves.book import Book

    if wanted.groove is None or not isinstance(take.options.groove, Mapping):
        return
    letters = tuple(dict.fromkeys(marker.text for marker in take.sections))
    for letter, words in by_letter(by_section(wanted.groove), letters, wanted.sections_named).items():
        taken = take.options.groove[letter]
        if isinstance(words, str) and not isinstance(taken, str) and not reference(words).is_file:
            family = Book.load().meant(words)
            if len(family) > 1:
                say(f"{source}: {words!r} is {taken.name} here, of {len(family)} grooves with that in their names")
