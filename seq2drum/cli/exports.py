"""The options that write more of a take than its MIDI file, and the files they name.

`deliver` makes the bytes; the command line adds flags, names, refusals and reports.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.console import paths, terminal
from seq2drum.console.shared import Container
from seq2drum.console.terminal import say
from seq2drum.deliver import export as deliver
from seq2drum.deliver.export import EXPORTS, Played
from seq2drum.errors import OptionError, OutputError, Seq2DrumError
from seq2drum.system import files
from seq2drum.system.files import Place

if TYPE_CHECKING:
    from seq2drum.music.duet import Duet
    from seq2drum.play.session import Session
    from seq2drum.play.take import Take
    from seq2drum.show.kits import Sounds


def session(options: argparse.Namespace) -> Session:
    """The files' contents beside the drums.

    Raises:
        OptionError: the count-in is too long, or there are channels for no tracks.
    """
    from seq2drum.play.session import Session

    return Session(options.count_in, options.click, options.split, options.tail, options.channels)


_OTHERS = (".mp3", ".ogg", ".pdf", ".jpg", ".jpeg", ".mxl")  # formats that nothing here writes


def add_options(to: Container) -> None:
    """Add the options that name the files."""
    to.add_argument(
        "--score",
        metavar="FILE",
        help="also write the drums as a score: .musicxml, .svg to look at, or drum tablature, .txt",
    )
    to.add_argument("--picture", metavar="FILE", help="also draw the guitar and the drums: .png or .svg")
    to.add_argument(
        "--wav", metavar="FILE", help="also write guitar and drums as sound, .wav or .flac (needs FluidSynth)"
    )
    to.add_argument(
        "--stems",
        metavar="DIR",
        help="also write a WAV of the guitar and of each track of drums, and their mix",
    )
    add_soundfont(to)
    to.add_argument("--json-take", metavar="FILE", help="also write the bars and hits of the take as .json")
    to.add_argument("--rpp", metavar="FILE", help="also write a REAPER project: the song's tracks and these drums")
    to.add_argument(
        "--dawproject", metavar="FILE", help="also write a DAWproject for Bitwig, Studio One, Cubase: the same"
    )
    to.add_argument("--gp", metavar="FILE", help="also write a Guitar Pro tab, .gp5: the song and these drums")


def add_soundfont(to: Container, *, kit: str = "") -> None:
    """Add the options of sound. kit: more words on --kit."""
    to.add_argument("--soundfont", metavar="FILE", help="the sounds: a .sf2 or .sf3 file (default: an installed one)")
    to.add_argument(
        "--kit",
        metavar="FILE|NAME",
        help="the sounds of the drums: a .sf2, .sf3 or .sfz file, the name of an installed kit such as black-pearl,"
        f" or gm (default: an installed kit, or that of the soundfont){kit}",
    )
    to.add_argument("--dry", action="store_true", help="drums without the room and the compressor of their bus")


def sounds(options: argparse.Namespace) -> Sounds:
    """What sound is made with, by the options of `add_soundfont`."""
    from seq2drum.show.kits import Sounds

    return Sounds(options.soundfont, options.kit, options.dry)


def wanted(options: argparse.Namespace) -> dict[str, str]:
    """The requested exports: the flag's name, and the file's.

    Raises:
        OptionError: a name with a suffix that cannot be written, or that of standard output; or the MIDI file's name
            ends as those of sound, pictures or scores.
        MissingExtraError: a package for one of them is not installed.
    """
    target = options.output or ""
    ending = _suffix(target)
    other = next((flag for flag, export in EXPORTS.items() if ending in export.suffixes), None)
    if other or ending in _OTHERS:
        advice = f"; --{spelt(other)} {Path(target).name} writes that" if other else ""
        raise OptionError(f"-o names the MIDI file, and {Path(target).name!r} ends otherwise{advice}")
    names = {flag: name for flag in EXPORTS if (name := getattr(options, flag, None))}
    for flag, name in names.items():
        export = EXPORTS[flag]
        if name == "-":
            raise OptionError(f"--{spelt(flag)} needs a separate file")
        if _suffix(name) not in export.suffixes:
            raise OptionError(
                f"--{spelt(flag)} writes {' or '.join(export.suffixes)}, and {Path(name).name!r} ends otherwise"
            )
        export.check(_suffix(name), sounds(options))
    if options.stems:
        EXPORTS["wav"].check(".wav", sounds(options))
    return names


def write_stems(played: Played, name: str, place: Place, *, overwrite: bool) -> None:
    """Write the stems of the best take into a folder, made if necessary. place: see `keep`.

    Raises:
        OutputError: one of them exists, or cannot be written.
    """
    from seq2drum.show import loudness, sound

    folder = Path(name)
    _, guitars, others = played.takes[0].audible_tracks(played.session)
    names = [*([sound.GUITAR] if guitars else []), *others, sound.MIX]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {name!r} cannot be made ({error.strerror}); name another") from None
    for stem in names:
        files.check(folder / f"{stem}.wav", overwrite=overwrite)
    for stem, heard in deliver.stems(played).items():
        with place(folder / f"{stem}.wav", overwrite=overwrite) as temporary:
            temporary.write_bytes(loudness.stereo_wav(heard))


def spelt(flag: str) -> str:
    """A flag as written, without its dashes."""
    return flag.replace("_", "-")


def write(flag: str, played: Played, name: str, place: Place, *, overwrite: bool) -> None:
    """Make the export of a flag, and write it into a file, whole or not at all. place: see `keep`.

    Raises:
        OutputError: it cannot be written.
    """
    if flag == "wav":
        tell_if_cut(played.takes[0].audible(played.session)[0])
    if flag == "score" and _suffix(name) != ".txt":
        _tell_if_merged(played, name)
    data = EXPORTS[flag].make(played, _suffix(name))
    with place(name, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def tell_if_cut(duet: Duet, span: tuple[int, int] | None = None) -> None:
    """Report that a song is longer than its sound file, if it is."""
    from seq2drum.show import sound

    if (lasts := sound.seconds(duet, span)) > sound.MOST_SECONDS:
        say(f"it lasts {sound.clock(lasts)}; the first {sound.clock(sound.MOST_SECONDS)} of it can be heard")


def _tell_if_merged(played: Played, name: str) -> None:
    """Report how many hits the score of the best take lacks, if any."""
    from seq2drum.formats.score import score

    best = played.counted
    if count := score.merged(best.song, best.standard_part):
        say(
            f"{name}: {count:,} of {len(best.standard_part):,} hits are not in the score: they are nearer than a"
            " sixteenth or a triplet eighth to a louder one that has the same head"
        )


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def keep(
    played: Played,
    options: argparse.Namespace,
    source: str,
    targets: Sequence[str],
    also: Mapping[str, str],
    begun: float,
    *,
    with_guitar: bool,
    once: bool = False,
) -> None:
    """Write the takes and the other requested files, and report on each take.

    All files get their names together, when the last is made: sound is slow, and a program stopped meanwhile can run
    again. once: the takes cannot be made again, and so get their names before the rest is made.

    targets: the file of each take. also: names of files by their flags, see `wanted`. begun: when work on the takes
    began, by `time.perf_counter`.

    Raises:
        OutputError: something could not be made or written. The takes are there, and so is the rest.
    """
    missing = []
    makers = {flag: partial(write, flag, played, name) for flag, name in also.items()}
    if options.stems:
        makers["stems"] = partial(write_stems, played, options.stems)
    with files.together() as place:
        for take, target in zip(played.takes, targets, strict=True):
            data = take.to_bytes(with_guitar=with_guitar, session=played.session)
            if once or target == "-":
                paths.write(data, target, overwrite=options.force)
                continue
            with place(target, overwrite=options.force) as temporary:
                temporary.write_bytes(data)
        for flag, make in makers.items():
            try:
                make(place, overwrite=options.force)
            except Seq2DrumError as error:
                missing.append(f"no --{spelt(flag)}: {error}")
    seconds = (time.perf_counter() - begun) / len(targets)
    for number, (take, target) in enumerate(zip(played.takes, targets, strict=True), start=1):
        report = report_of(take, source, target, seconds, options)
        terminal.show(replace(report, take=number if len(targets) > 1 else 0), as_json=options.json)
    if missing:
        raise OutputError("; ".join(missing))


def report_of(take: Take, source: str, target: str, seconds: float, options: argparse.Namespace) -> terminal.Report:
    """The report on a written take."""
    parts = take.guitar.parts
    return terminal.Report(
        source=source,
        target=target,
        bars=len(take.song.bars()),
        hits=len(take.part),
        seed=take.options.seed,
        seconds=seconds,
        parts=[index + 1 for index in parts],
        guitar=[f"{index + 1} {take.song.parts[index].name}".strip() for index in parts],
        reason=take.guitar.reason,
        score=take.score,
        grooves=take.grooves,
        swaps=take.swaps,
        explanations=take.explain() if options.explain else None,
    )
