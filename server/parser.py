"""A worker that parses callers' files: `python -m server.parser`, frames in and frames out.

It analyses one file at a time, or says why it cannot be played, before the file takes a turn. A file that takes too
much memory is refused here; if one takes too much time, the front kills the process and starts another. The kernel's
limit on processor time does not fit: it counts all files that a process has ever read.

It knows MIDI and messages, of models only their names, and nothing of networks. No part of a file is logged, nor left
behind in a core file.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from seq2drum.errors import ModelError
from seq2drum.formats.midi import midi
from seq2drum.formats.opening import open_drums
from seq2drum.lattice.beats import placing
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.gestures import rests, stopped
from seq2drum.lattice.grid import STEPS_PER_QUARTER
from seq2drum.lattice.sections import sections
from seq2drum.music import theory
from seq2drum.music.duet import redrummed
from seq2drum.music.excerpt import excerpt
from seq2drum.music.limits import Limits
from seq2drum.music.notes import Note, Part, Song
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.generators import composer
from seq2drum.play.grooves.book import Book
from seq2drum.play.listen import with_sections
from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb
from server import composing, convert, ipc, logs, statuses
from server.ipc import Frame, bound_memory
from server.statuses import Refusal
from server.taught import band_of, drummers_in

# Milliseconds of one take on one core of a small server; measured, right within a factor of three.
_MS_A_CALL, _MS_A_QUARTER, _MS_A_STILL_QUARTER = 10.0, 1.2, 0.15


@dataclass(frozen=True, slots=True)
class RequestRules:
    """The rules for requests: limits of a file, most bars and takes, ids of the models and the default one.

    drummers: the folder of those that the server is taught; "": none. folders: of the models, or names, by their ids.
    """

    limits: Limits
    max_bars: int
    max_takes: int
    models: tuple[str, ...]
    default: str
    drummers: str = ""
    folders: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @staticmethod
    def of(start: Mapping[str, Any]) -> RequestRules:
        """Return the rules in the head of the first frame."""
        limits = Limits(**start["limits"])
        models, default = tuple(start["models"]), start["default"]
        return RequestRules(
            limits, start["max_bars"], start["max_takes"], models, default, start["drummers"], dict(start["models"])
        )

    def known(self, wanted: str) -> tuple[str, ...]:
        """Return the ids of the models that may be meant, for `convert.model_of`."""
        if wanted in self.models or not self.drummers:
            return self.models
        return (*self.models, *drummers_in(self.drummers))


def analyze(body: bytes, rules: RequestRules, *, music: bool = False) -> pb.AnalyzeGuitarResponse:
    """Return the analysis of a GenerateDrumsRequest's song, and the song as MIDI if it came as another kind.

    music: whether to add its notes, bars and sections.

    Raises:
        InputError, OptionError, Refusal: the song cannot be played.
    """
    request = pb.GenerateDrumsRequest.FromString(body)
    if not request.midi:
        raise Refusal("MIDI_MISSING", "there are no bytes of a MIDI file, wanted a guitar to play to", field="midi")
    model = request.config.model or rules.default
    band = band_of(model, rules.folders, rules.drummers)
    options, plan = convert.options_of(request.config, rules.limits, band=band), convert.plan_of(request.config)
    convert.takes_of(request.config, rules.max_takes)
    convert.session_of(request.config)
    convert.model_of(request.config, rules.known(model), rules.default)
    song, written, track = _song_of(request, options, rules)
    drums = convert.drums_of(request, rules.limits)
    if drums is not None:
        song = redrummed(song, drums)
    choice = theory.choose_parts(song, track)
    convert.check_song_options(song, choice, options, rules.limits, plan)
    analysis = pb.AnalyzeGuitarResponse(
        timeline=convert.timeline(song),
        guitar=convert.guitar(choice),
        tracks=convert.tracks(song),
        estimated_ms=estimate_take_ms(song),
        song=written,
    )
    if music:
        _add_music(analysis, song if options.sections is None else with_sections(song, options.sections), choice)
    return analysis


def _song_of(request: pb.GenerateDrumsRequest, options: Options, rules: RequestRules) -> tuple[Song, bytes, str | None]:
    """Return the song to play to, its file if that is not the request's, and its guitar as in `theory.choose_parts`.

    Raises:
        InputError, OptionError: it cannot be read, or has no such guitar or bars.
    """
    opened = convert.song_of(request.midi, request.config, rules.limits)
    song, track = opened.song, options.track
    convert.check_bars(song, rules.max_bars)
    if request.config.HasField("excerpt"):
        song, guitars = excerpt(song, convert.excerpt_of(request.config), theory.choose_parts(song, track).parts)
        track = f"1-{guitars}"
    elif opened.midi is not None:
        return song, b"", track
    written = midi.serialise(song)
    return midi.parse(written, limits=rules.limits), written, track  # with the parts that a player will parse from it


def estimate_take_ms(song: Song) -> float:
    """Estimate the milliseconds of playing one take on an idle server; bars of a long rest cost next to nothing."""
    lattice = lattice_of(song)
    quarters = lattice.counts / STEPS_PER_QUARTER
    played = float(quarters[~stopped(rests(song, lattice))].sum())
    return _MS_A_CALL + _MS_A_QUARTER * played + _MS_A_STILL_QUARTER * (float(quarters.sum()) - played)


def _add_music(analysis: pb.AnalyzeGuitarResponse, song: Song, choice: GuitarChoice) -> None:
    """Add the guitar's notes, the bars and the sections of a song to its analysis, and how well it fits the beats."""
    quarter = song.ticks_per_quarter
    parts = [song.parts[index] for index in choice.parts]
    rows = np.concatenate([part.rows for part in parts])
    for onset, ticks, pitch, velocity in rows[np.lexsort((rows[:, 2], rows[:, 0]))].tolist():
        analysis.notes.add(quarter=onset / quarter, quarters=ticks / quarter, pitch=pitch, velocity=velocity)
    for bar in song.bars():
        place = {"quarter": bar.start / quarter, "quarters": bar.length / quarter}
        analysis.bars.add(number=bar.index + 1, beats=bar.numerator, **place)
    analysis.fit.CopyFrom(_fit(song, choice))
    song_grid = SongGrid.of(song, choice.parts)
    numbers, passages = song_grid.numbers.tolist(), sections(song_grid.guitar_grid)
    ends = [*(numbers[passage.bar] - 1 for passage in passages[1:]), numbers[-1]]
    for passage, end in zip(passages, ends, strict=True):
        first = numbers[passage.bar]
        analysis.sections.add(
            name=convert.plain(passage.letter[: convert.MOST_WORD]), first_bar=first, last_bar=max(end, first)
        )


def _fit(song: Song, choice: GuitarChoice) -> pb.BeatFit:
    missed = placing.missed(song, choice.parts)
    return pb.BeatFit(strikes=missed.strikes, misses=missed.misses, by_ms=1000 * missed.by, is_free=missed.is_free)


def convert_to_midi(file: bytes, rules: RequestRules) -> bytes:
    """Return a song with drums, of any kind, as a MIDI file.

    Raises:
        InputError: the song cannot be read, or is a recording.
    """
    opened = open_drums(file, limits=rules.limits)
    return opened.midi or midi.serialise(opened.song)


def check_brief(body: bytes, rules: RequestRules) -> pb.AnalyzeGuitarResponse:
    """Return the bars and the estimated time of the beats of a ComposeRequest. Its guitar is not read.

    Raises:
        Refusal: the beats cannot be made.
    """
    asked = pb.ComposeRequest.FromString(body).brief
    generators = composer.available()
    convert.model_of(asked, generators, next(iter(generators), ""), "brief")
    takes = convert.takes_of(asked, rules.max_takes, "brief")
    brief = composing.brief_of(asked, rules.limits)
    if brief.bars > rules.max_bars:
        text = f"{brief.bars} bars are requested, wanted at most {rules.max_bars}"
        raise Refusal("INVALID_OPTION", text, field="brief.bars")
    return pb.AnalyzeGuitarResponse(
        timeline=composing.brief_timeline(brief), estimated_ms=composing.estimate_beats_ms(brief, takes)
    )


def _rendered(body: bytes, rules: RequestRules) -> bytes:
    from server import rendering  # lazily: it imports all that draws and sounds

    return rendering.render(body, rules.limits, rules.max_bars)


def _learnt(what: str) -> Callable[[bytes, RequestRules], bytes]:
    """Return the answer to a frame that is about a band's drummer."""

    def answer_of(body: bytes, rules: RequestRules) -> bytes:
        from server import learning  # lazily: it imports all that learns without torch

        if what == "hear":
            return learning.hear(body)
        if what == "teach":
            return learning.teach(body, rules.drummers, rules.models)
        return (learning.rename if what == "rename" else learning.remove)(body, rules.drummers)

    return answer_of


_ANSWERS: Mapping[str, Callable[[bytes, RequestRules], bytes]] = MappingProxyType(
    {
        "analyze": lambda body, rules: analyze(body, rules).SerializeToString(),
        "music": lambda body, rules: analyze(body, rules, music=True).SerializeToString(),
        "brief": lambda body, rules: check_brief(body, rules).SerializeToString(),
        "convert": convert_to_midi,
        "render": _rendered,
        **{what: _learnt(what) for what in ("hear", "teach", "rename", "remove")},
    }
)


def answer(frame: Frame, rules: RequestRules) -> Frame:
    """Return the frame that answers a frame whose head names one of `_ANSWERS`; a failure becomes a status."""
    job = frame.head["job"]
    try:
        return Frame({"what": "done", "job": job}, _ANSWERS[frame.head["what"]](frame.body, rules))
    except MemoryError:
        status = statuses.to_status(
            Refusal(
                "MIDI_TOO_COMPLEX",
                "reading the file takes more memory than allowed; does it have thousands of tracks or channels?",
                field="midi",
            )
        )
    except Exception as error:
        status = statuses.to_status(error)
        if error_id := statuses.error_id_of(status):
            event = "a file could not be read because of an internal error"
            logs.log(event, logging.ERROR, error_id=error_id, trace=statuses.trace_of(error))
    return Frame({"what": "failed", "job": job}, status.SerializeToString())


def serve(source: BinaryIO, sink: BinaryIO) -> int:
    """Answer frames until the source ends; return the exit code."""
    start = ipc.read_frame(source)
    if start is None:
        return 0
    rules = RequestRules.of(start.head)
    # A first file reads the tables and loads the libraries, so that no caller waits for them. A model that cannot be
    # used is the players' to report.
    with contextlib.suppress(ModelError):
        analyze(_riff(rules.default), rules)
    Book.load()
    bound_memory(start.head.get("screen_mebibytes"))
    ipc.write_frame(sink, Frame({"what": "ready"}))
    while (frame := ipc.read_frame(source)) is not None:
        for piece in ipc.split_answer(answer(frame, rules)):
            ipc.write_frame(sink, piece)
    return 0


def _riff(model: str) -> bytes:
    guitar = Part.of([Note(at, 240, 52, 90) for at in range(0, 1920, 240)], program=27, name="Guitar")
    request = pb.GenerateDrumsRequest(midi=midi.serialise(Song(480, (guitar,))))
    request.config.model = model
    return request.SerializeToString()


def main() -> int:
    """Run the worker process; return its exit code."""
    return ipc.run_worker(serve)


if __name__ == "__main__":
    sys.exit(main())
