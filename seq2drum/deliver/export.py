"""Exports of takes besides their MIDI files: a score, a picture, sound, projects of DAWs, a tab.

Each is a line in `EXPORTS`, made from a `Played` and nothing else. The command line and the service both use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # imported on use, since the command line reads the table at its start
    from seq2drum.music.notes import Part, Song
    from seq2drum.play.session import Session
    from seq2drum.play.take import Take
    from seq2drum.show.kits import Sounds
    from seq2drum.show.loudness import Sound


@dataclass(frozen=True)
class Played:
    """The input of exports.

    takes: of one song, the best first. title: of the song. session: contents of the files beside the drums. sounds:
    what sound is made with; None finds it. recording: the bytes of the guitar's sound file, if it was one.
    """

    takes: Sequence[Take]
    title: str
    session: Session
    sounds: Sounds | None = None
    recording: bytes | None = None

    @property
    def counted(self) -> Take:
        """The best take, behind its count-in."""
        return self.takes[0].behind(self.session.count_in)


class Export(NamedTuple):
    """One kind of export.

    suffixes: of its file's name. make: returns the file's bytes, for one of these suffixes. check: raises an error if
    this machine cannot make it for a suffix and with some sounds.
    """

    suffixes: tuple[str, ...]
    make: Callable[[Played, str], bytes]
    check: Callable[[str, Sounds | None], None] = lambda suffix, sounds: None


def stems(played: Played) -> dict[str, Sound]:
    """The stems of the best take, and their mix, by name.

    Raises:
        MissingExtraError, OptionError, OutputError: see `sound.rendered_stems`.
    """
    from seq2drum.show import sound

    song, guitars, others = played.takes[0].audible_tracks(played.session)
    recording = _recording(played, song, guitars)
    return sound.rendered_stems(song, guitars, others, sounds=played.sounds, recording=recording)


def _score(played: Played, suffix: str) -> bytes:
    from seq2drum.formats.score import musicxml

    best = played.counted
    if suffix == ".txt":
        from seq2drum.lattice.grooves import tabs

        return tabs.drum_tab(best.song, best.standard_part, played.title, best.sections).encode()
    data = musicxml.write_score(best.song, best.standard_part, played.title)
    if suffix != ".svg":
        return data
    from seq2drum.show import engraving

    return engraving.svg(data)


def _check_score(suffix: str, sounds: Sounds | None) -> None:
    if suffix == ".svg":
        from seq2drum.show import engraving

        engraving.check()


def _picture(played: Played, suffix: str) -> bytes:
    from seq2drum.show import draw

    return draw.picture(played.counted.duet, suffix[1:], title=played.title, plan=played.counted.plan)


def _wav(played: Played, suffix: str) -> bytes:
    from seq2drum.show import sound

    duet, click = played.takes[0].audible(played.session)
    recording = _recording(played, duet.song, duet.guitars)
    data = sound.wav(duet, sounds=played.sounds, beside=click, recording=recording)
    if suffix != ".flac":
        return data
    from seq2drum.formats.audio import recording as soundfiles

    return soundfiles.flac(data)


def _recording(played: Played, song: Song, guitars: Sequence[Part]) -> Sound | None:
    """The guitar's recording, with silence before it for the length of the count-in.

    song, guitars: those of the export, behind the count-in.
    """
    import numpy as np

    from seq2drum.formats.audio import recording as soundfiles
    from seq2drum.show import loudness

    if played.recording is None:
        return None
    take = played.takes[0]
    first, counted = (min(int(part.onset[0]) for part in parts) for parts in (take.duet.guitars, guitars))
    silence = round((song.seconds(counted) - take.song.seconds(first)) * loudness.RATE)
    return np.pad(soundfiles.stereo(played.recording, loudness.RATE), ((max(silence, 0), 0), (0, 0)))


def _check_wav(suffix: str, sounds: Sounds | None) -> None:
    from seq2drum.show import sound

    sound.check(sounds)
    if suffix == ".flac":
        from seq2drum.formats.audio import recording as soundfiles

        soundfiles.check_library()


def _rpp(played: Played, suffix: str) -> bytes:
    from seq2drum.formats import rpp

    return rpp.write_rpp(*_tracks(played))


def _dawproject(played: Played, suffix: str) -> bytes:
    from seq2drum.formats.dawproject import writing

    return writing.write_dawproject(*_tracks(played))


def _tracks(played: Played) -> tuple[Song, list[Part], str, dict[str, list[Part]]]:
    """The song as the session delivers it, the takes, their title, and the further tracks, each with its takes.

    A split take is further tracks alone.
    """
    from seq2drum.music.notes import Part

    split = played.session.split
    given = [take.delivered(played.session) for take in played.takes]
    tracks: dict[str, list[Part]] = {part.name: [] for one in given for part in one.drums} if split else {}
    for name, parts in tracks.items():
        empty = Part.of([], name=name, is_drums=True)
        parts += [next((part for part in one.drums if part.name == name), empty) for one in given]
    whole = [] if split else [one.drums[0] for one in given]
    return given[0].song, whole, played.title, {**tracks, **{part.name: [part] for part in given[0].click}}


def _json_take(played: Played, suffix: str) -> bytes:
    from seq2drum.play import take as take_json

    return take_json.as_json(played.takes[0])


def _plan(played: Played, suffix: str) -> bytes:
    from seq2drum.music import song_plan

    return song_plan.as_json(played.takes[0].plan)


def _gp(played: Played, suffix: str) -> bytes:
    from seq2drum.formats.guitarpro import binary

    best = played.counted
    return binary.write_guitarpro(best.song, best.standard_part, played.title)


def _check_gp(suffix: str, sounds: Sounds | None) -> None:
    from seq2drum.formats.guitarpro import binary

    binary.check()


EXPORTS: Mapping[str, Export] = MappingProxyType(
    {
        "score": Export((".musicxml", ".xml", ".svg", ".txt"), _score, _check_score),
        "picture": Export((".png", ".svg"), _picture),
        "wav": Export((".wav", ".flac"), _wav, _check_wav),
        "rpp": Export((".rpp",), _rpp),
        "dawproject": Export((".dawproject",), _dawproject),
        "json_take": Export((".json",), _json_take),
        "plan_out": Export((".json",), _plan),
        "gp": Export((".gp5",), _gp, _check_gp),
    }
)
"""Every export, by the name of its option."""
