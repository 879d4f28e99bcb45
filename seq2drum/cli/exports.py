"""What else is made of a take, besides its MIDI file: a score, a picture, sound, a REAPER project, a tab.

Each is a flag that names a file, and a line in `EXPORTS`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from seq2drum.cli import paths, report
from seq2drum.cli.shared import Container
from seq2drum.cli.terminal import say
from seq2drum.errors import OptionError, OutputError, Seq2DrumError

if TYPE_CHECKING:
    from seq2drum.music.duet import Duet
    from seq2drum.music.notes import Part, Song
    from seq2drum.play.session import Session
    from seq2drum.play.take import Take
    from seq2drum.show.samples import Sound


class Played(NamedTuple):
    """What they are made of.

    takes: of one song, the best first. title: of the song. options: what was asked for. recording: the bytes of the
    sound file that was played to, if it was one.
    """

    takes: Sequence[Take]
    title: str
    options: argparse.Namespace
    recording: bytes | None = None


class Export(NamedTuple):
    """One of them.

    suffixes: how its file's name may end. make: the file's bytes. check: raises an error if it cannot be made on this
    machine.
    """

    suffixes: tuple[str, ...]
    make: Callable[[Played], bytes]
    check: Callable[[argparse.Namespace], None] = lambda options: None


def _score(played: Played) -> bytes:
    from seq2drum.formats import musicxml

    best = _counted(played)
    if _suffix(played.options.score) == ".txt":
        from seq2drum.lattice import drum_tab

        return drum_tab.drum_tab(best.song, best.standard_part, played.title, best.sections).encode()
    data = musicxml.write_score(best.song, best.standard_part, played.title)
    if _suffix(played.options.score) != ".svg":
        return data
    from seq2drum.show import engraving

    return engraving.svg(data)


def _counted(played: Played) -> Take:
    """The best take, with its count-in."""
    return played.takes[0].behind(played.options.count_in)


def _json_take(played: Played) -> bytes:
    from seq2drum.play import take_json

    return take_json.as_json(played.takes[0])


def _check_score(options: argparse.Namespace) -> None:
    if _suffix(options.score) == ".svg":
        from seq2drum.show import engraving

        engraving.check()


def _picture(played: Played) -> bytes:
    from seq2drum.show import draw

    return draw.picture(_counted(played).duet, _suffix(played.options.picture)[1:], title=played.title)


def session(options: argparse.Namespace) -> Session:
    """What a session wants beside the drums.

    Raises:
        OptionError: the count-in is longer than it may be.
    """
    from seq2drum.play.session import Session

    return Session(options.count_in, options.click, options.split, options.tail)


def _wav(played: Played) -> bytes:
    from seq2drum.show import sound

    duet, click = played.takes[0].heard(session(played.options))
    tell_if_cut(duet)
    return sound.wav(
        duet, soundfont=played.options.soundfont, beside=click, recording=_recording(played, duet.song, duet.guitars)
    )


def _recording(played: Played, song: Song, guitars: Sequence[Part]) -> Sound | None:
    """The recording that was played to, with silence before it for as long as there is a count-in.

    song, guitars: what is heard, behind the count-in.
    """
    import numpy as np

    from seq2drum.formats import soundfiles
    from seq2drum.show import samples

    if played.recording is None:
        return None
    take = played.takes[0]
    first, counted = (min(int(part.onset[0]) for part in parts) for parts in (take.duet.guitars, guitars))
    silence = round((song.seconds(counted) - take.song.seconds(first)) * samples.RATE)
    return np.pad(soundfiles.stereo(played.recording, samples.RATE), ((max(silence, 0), 0), (0, 0)))


def check_wav(options: argparse.Namespace) -> None:
    """Refuse sound that cannot be made on this machine."""
    from seq2drum.show import sound

    sound.check(options.soundfont)


def _rpp(played: Played) -> bytes:
    from seq2drum.formats import rpp
    from seq2drum.music.notes import Part

    split = played.options.split
    given = [take.delivered(session(played.options)) for take in played.takes]
    tracks: dict[str, list[Part]] = {part.name: [] for one in given for part in one.drums} if split else {}
    for name, parts in tracks.items():
        empty = Part.of([], name=name, is_drums=True)
        parts += [next((part for part in one.drums if part.name == name), empty) for one in given]
    whole = [] if split else [one.drums[0] for one in given]
    beside = {part.name: [part] for part in given[0].click}
    return rpp.write_rpp(given[0].song, whole, played.title, beside={**tracks, **beside})


def _gp(played: Played) -> bytes:
    from seq2drum.formats import guitarpro

    best = _counted(played)
    return guitarpro.write_guitarpro(best.song, best.standard_part, played.title)


def _check_gp(options: argparse.Namespace) -> None:
    from seq2drum.formats import guitarpro

    guitarpro.check()


EXPORTS: Mapping[str, Export] = MappingProxyType(
    {
        "score": Export((".musicxml", ".xml", ".svg", ".txt"), _score, _check_score),
        "picture": Export((".png", ".svg"), _picture),
        "wav": Export((".wav",), _wav, check_wav),
        "rpp": Export((".rpp",), _rpp),
        "json_take": Export((".json",), _json_take),
        "gp": Export((".gp5",), _gp, _check_gp),
    }
)


_OTHERS = (".mp3", ".ogg", ".flac", ".pdf", ".jpg", ".jpeg", ".mxl")  # what nothing here writes


def add_options(to: Container) -> None:
    """Add the options that name the files."""
    to.add_argument(
        "--score",
        metavar="FILE",
        help="also write the drums as a score: .musicxml, .svg to look at, or drum tablature, .txt",
    )
    to.add_argument("--picture", metavar="FILE", help="also draw the guitar and the drums: .png or .svg")
    to.add_argument("--wav", metavar="FILE", help="also write guitar and drums as sound (needs FluidSynth)")
    to.add_argument(
        "--stems", metavar="DIR", help="also write a WAV of the guitar and of each track of drums, and their mix"
    )
    add_soundfont(to)
    to.add_argument("--json-take", metavar="FILE", help="also write the bars and hits of the take as .json")
    to.add_argument("--rpp", metavar="FILE", help="also write a REAPER project: the song's tracks and these drums")
    to.add_argument("--gp", metavar="FILE", help="also write a Guitar Pro tab, .gp5: the song and these drums")


def add_soundfont(to: Container) -> None:
    """Add --soundfont."""
    to.add_argument("--soundfont", metavar="FILE", help="what it sounds with: .sf2 or .sf3 (default: what is found)")


def wanted(options: argparse.Namespace) -> dict[str, str]:
    """Which of them are asked for: the flag's name, and the file's.

    Raises:
        OptionError: a name ends in what cannot be written, or is that of standard output.
        MissingExtraError: what makes it is not installed.
    """
    _check_midi(options.output or "")
    names = {flag: name for flag in EXPORTS if (name := getattr(options, flag))}
    for flag, name in names.items():
        export = EXPORTS[flag]
        if name == "-":
            raise OptionError(f"--{spelt(flag)} wants a file of its own")
        if _suffix(name) not in export.suffixes:
            raise OptionError(
                f"--{spelt(flag)} writes {' or '.join(export.suffixes)}, and {Path(name).name!r} ends otherwise"
            )
        export.check(options)
    if options.stems:
        check_wav(options)
    return names


def write_stems(played: Played) -> None:
    """Write the stems of the best take into the folder that --stems names, which is made if it is not there.

    Raises:
        OutputError: one of them is there already, or cannot be written.
    """
    from seq2drum import files
    from seq2drum.show import samples, stems

    options = played.options
    folder = Path(options.stems)
    _, guitars, others = played.takes[0].heard_apart(session(options))
    names = [*([stems.GUITAR] if guitars else []), *others, stems.MIX]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {options.stems!r} cannot be made ({error.strerror}); name another") from None
    for name in names:
        files.check(folder / f"{name}.wav", overwrite=options.force)
    for name, one in stems_of(played).items():
        files.write_file(folder / f"{name}.wav", samples.float_wav(one), overwrite=options.force)


def stems_of(played: Played) -> dict[str, Sound]:
    """The stems of the best take, and their mix, by name."""
    from seq2drum.show import stems

    song, guitars, others = played.takes[0].heard_apart(session(played.options))
    recording = _recording(played, song, guitars)
    return stems.stems(song, guitars, others, soundfont=played.options.soundfont, recording=recording)


def spelt(flag: str) -> str:
    """A flag as it is written, without its dashes."""
    return flag.replace("_", "-")


def _check_midi(name: str) -> None:
    """Refuse to call a MIDI file what it is not.

    Raises:
        OptionError: the name ends as those of sound, pictures or scores.
    """
    ending = _suffix(name)
    flag = next((flag for flag, export in EXPORTS.items() if ending in export.suffixes), None)
    if flag or ending in _OTHERS:
        advice = f"; --{spelt(flag)} {Path(name).name} writes that" if flag else ""
        raise OptionError(f"-o names the MIDI file, and {Path(name).name!r} ends otherwise{advice}")


def write(flag: str, played: Played) -> None:
    """Make one of them and write it where its flag says, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from seq2drum import files

    data = EXPORTS[flag].make(played)
    files.write_file(getattr(played.options, flag), data, overwrite=played.options.force)


def tell_if_cut(duet: Duet, span: tuple[int, int] | None = None) -> None:
    """Say that a song is longer than what is made of it as sound, if it is."""
    from seq2drum.show import sound

    if (lasts := sound.seconds(duet, span)) > sound.MOST_SECONDS:
        say(f"it lasts {clock(lasts)}; the first {clock(sound.MOST_SECONDS)} of it can be heard")


def clock(seconds: float) -> str:
    """Minutes and seconds, as players show them."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def keep(
    played: Played, source: str, targets: Sequence[str], also: Iterable[str], begun: float, *, with_guitar: bool
) -> None:
    """Write the takes and what else was asked for, and say of each take what there is to say.

    targets: the file of each take. also: flags of `EXPORTS`. begun: when work on the takes began, by
    `time.perf_counter`.

    Raises:
        OutputError: something could not be made or written. The takes are there, and so is the rest.
    """
    options = played.options
    for take, target in zip(played.takes, targets, strict=True):
        data = take.to_bytes(with_guitar=with_guitar, session=session(options))
        paths.write(data, target, overwrite=options.force)
    missing = []
    makers = {flag: partial(write, flag) for flag in also} | ({"stems": write_stems} if options.stems else {})
    for flag, make in makers.items():
        try:
            make(played)
        except Seq2DrumError as error:
            missing.append(f"no --{spelt(flag)}: {error}")
    seconds = (time.perf_counter() - begun) / len(targets)
    for number, (take, target) in enumerate(zip(played.takes, targets, strict=True), start=1):
        told = report_of(take, source, target, seconds, options)
        report.show(replace(told, take=number if len(targets) > 1 else 0), as_json=options.json)
    if missing:
        raise OutputError("; ".join(missing))


def report_of(take: Take, source: str, target: str, seconds: float, options: argparse.Namespace) -> report.Report:
    """What there is to say of a take that was written."""
    parts = take.guitar.parts
    return report.Report(
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
