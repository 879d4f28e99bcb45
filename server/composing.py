"""Compose in a worker: messages to briefs and back, and beats made bar by bar.

A worker makes one bar of each call in a round, so nobody waits for the end of a long beat. Ids are looked up in tables
and never used as paths.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from seq2drum.errors import LimitError, OptionError
from seq2drum.lattice.patterns import TICKS
from seq2drum.music import choices
from seq2drum.music.brief import USUAL_BPM, check_brief, shares_of
from seq2drum.music.choices import BOOK, GENRES, MOST_BARS
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import Part
from seq2drum.play.checkpoint.folder import CONFIG, SUMS
from seq2drum.play.generators import composer
from seq2drum.play.generators.composer import Beat, Brief, Composer
from seq2drum.rpc import accompaniment_pb2 as pb
from server import convert
from server.convert import MOST_WORD
from server.ipc import Frame
from server.statuses import Refusal

# --- messages ---------------------------------------------------------------------------------------------------------


MOST_CHANGES = MOST_BARS
"""The most bars of a brief at which something new begins."""

_FIELDS: Mapping[str, str] = {"genre": "genres", "metre": "meter"}
"""Fields of a brief with another name in the contract."""
_MS_A_BAR = 10.0  # on one core of a small server; measured, right within a factor of two


def brief_of(message: pb.Brief, limits: Limits = DEFAULT_LIMITS) -> Brief:
    """Return the core's brief for a message. Unset fields get the core's defaults.

    limits: those of input files, which also hold for the new one.

    Raises:
        Refusal: INVALID_OPTION with the field.
    """
    # 1. The fields that are set.
    names = ("bpm", "bars", "variability", "fill", "temperature", "grid")
    given: dict[str, Any] = {field.name: value for field, value in message.ListFields() if field.name in names}
    if message.meter:
        given["metre"] = message.meter
    if message.form:
        given["form"] = message.form
    if len(message.change) > MOST_CHANGES:
        text = f"change has {len(message.change)} values, at most {MOST_CHANGES} are read"
        raise Refusal("INVALID_OPTION", text, field="brief.change")
    if message.change:
        given["change"] = tuple(message.change)
    if message.genres:
        given["genre"] = _genres(message)
    # 2. Check one by one, so that the field can be named. Bars of change are checked against the number of bars.
    for name, value in given.items():
        with_bars = {"bars": given["bars"]} if name == "change" and "bars" in given else {}
        _check(name, lambda one={name: value, **with_bars}: Brief(**one))
    _check("seed", lambda: check_brief("seed", message.seed))
    brief = Brief(**given)
    _check("bars", lambda: _check_length(brief, limits))
    return brief


def endless_brief(message: pb.Brief, limits: Limits = DEFAULT_LIMITS) -> Brief:
    """Return the core's brief for an endless beat: of the longest allowed length, in 4/4 and on any grid.

    Raises:
        Refusal: as `brief_of`.
    """
    asked = pb.Brief()
    asked.CopyFrom(message)
    asked.bars = MOST_BARS
    for name in ("grid", "meter", "form"):
        asked.ClearField(name)
    return brief_of(asked, limits)


def _check(name: str, work: Any) -> None:
    """Run a check, and name the field if it refuses."""
    try:
        work()
    except (OptionError, LimitError) as error:
        raise Refusal("INVALID_OPTION", str(error), field=f"brief.{_FIELDS.get(name, name)}") from None


def _genres(message: pb.Brief) -> Mapping[str, float]:
    weights: dict[str, float] = {}
    for share in message.genres:
        name = share.name.strip().lower()
        if name in weights:
            text = f"the genre {name[:MOST_WORD]} is named twice; name it once"
            raise Refusal("INVALID_OPTION", text, field="brief.genres")
        weights[name] = share.weight if share.HasField("weight") else 1.0
        _check("genre", lambda name=name: shares_of({name: 1.0}))  # the genre exists
    return weights


def _check_length(brief: Brief, limits: Limits) -> None:
    numerator, denominator = choices.metre_of(brief.metre)
    if numerator > limits.numerator or denominator > limits.denominator:
        raise LimitError(
            f"the metre is {brief.metre}, at most {limits.numerator} beats of 1/{limits.denominator} are made"
        )
    quarters = brief.length * 4 * numerator / denominator
    if quarters > limits.quarters:
        raise LimitError(
            f"the beat has {quarters:g} quarters, at most {limits.quarters:,} are made; request fewer bars"
        )


def brief_timeline(brief: Brief) -> pb.TimelineInfo:
    """Return the bars, the tempo and the metre of a beat."""
    numerator, denominator = choices.metre_of(brief.metre)
    quarters = brief.length * 4 * numerator / denominator
    return pb.TimelineInfo(
        bars=brief.length,
        quarters=quarters,
        seconds=quarters * 60 / brief.bpm,
        ticks_per_quarter=TICKS,
        tempos=[pb.TempoChange(quarter=0, bpm=brief.bpm)],
        meters=[pb.MeterChange(quarter=0, numerator=numerator, denominator=denominator)],
    )


def estimate_beats_ms(brief: Brief, takes: int) -> float:
    """Estimate the milliseconds that some beats take on an idle server."""
    return _MS_A_BAR * brief.length * takes


def effective_brief(message: pb.Brief, brief: Brief, model: str) -> pb.Brief:
    """Return the message with its defaults filled in. brief: the result of `brief_of`."""
    filled = pb.Brief()
    filled.CopyFrom(message)
    filled.model, filled.meter, filled.takes = model, brief.metre, message.takes or 1
    filled.seed = message.seed
    for name in ("bpm", "bars", "variability", "temperature", "grid"):
        setattr(filled, name, getattr(brief, name))
    return filled


def beat_message(made: Beat) -> pb.Beat:
    """Return a beat with its file and its statistics."""
    data, song = made.to_bytes(), made.song
    return pb.Beat(
        midi=data,
        sha256=hashlib.sha256(data).digest(),
        seed=made.seed,
        stats=convert.stats(song.parts[0].velocity if song.parts else (), made.brief.length),
    )


def bar_message(number: int, part: Part, brief: Brief) -> pb.StreamComposeResponse:
    """Return a bar of an endless beat; number from 1."""
    return pb.StreamComposeResponse(bar=number, hits=convert.hits(part, TICKS), bpm=brief.bpm)


def generator_list() -> pb.ListGeneratorsResponse:
    """Return the shipped generators, the default first."""
    infos = [_info(name) for name in composer.available()]
    return pb.ListGeneratorsResponse(
        generators=infos,
        default_generator=infos[0].id if infos else "",
        genres=GENRES,
        genre_bpm=[USUAL_BPM[name] for name in GENRES],
    )


def _info(name: str) -> pb.GeneratorInfo:
    folder = composer.find(name)
    about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    parameters = about.get("parameters")
    description = f"a laboratory: {name}" + (f", {parameters:,} parameters" if parameters else "")
    if name == BOOK:
        description = "grooves of the book, played as under a guitar, without one"
    digest = hashlib.sha256((folder / SUMS).read_bytes()).digest()
    return pb.GeneratorInfo(id=name, sha256=digest, description=description, license=str(about.get("licence", "")))


# --- playing ----------------------------------------------------------------------------------------------------------


PROGRESS_SECONDS = 0.1  # between two progress frames of a call


class _EndlessBeat:
    """An endless beat: its generator, its current brief, its bars, and the number of those made."""

    def __init__(self, composer: Composer, brief: Brief, seed: int) -> None:
        self.composer, self.brief, self.number = composer, brief, 0
        self.bars = composer.parts(lambda: self.brief, seed)


class BeatComposer:
    """The beats of a worker. composers: by their ids, the default first. limits, most_takes: of a call."""

    def __init__(self, composers: Mapping[str, Composer], limits: Limits, most_takes: int) -> None:
        self._composers, self._limits, self._most_takes = composers, limits, most_takes
        self._infos = {info.id: info for info in generator_list().generators}
        self._endless: dict[int, _EndlessBeat] = {}

    def end(self, beat: int) -> None:
        """End an endless beat, if it is here."""
        self._endless.pop(beat, None)

    def compose(self, job: int, body: bytes) -> Iterator[Frame | None]:
        """Yield a progress frame or None after each bar of a ComposeRequest, and at last "done" with the response."""
        request = pb.ComposeRequest.FromString(body)
        # 1. Read the request.
        asked = request.brief
        model = convert.model_of(asked, tuple(self._composers), next(iter(self._composers), ""), "brief")
        composer, brief = self._composers[model], brief_of(asked, self._limits)
        _check("form" if brief.form else "genre", lambda: composer.check(brief))
        takes = convert.takes_of(asked, self._most_takes, "brief")
        # 2. Make the beats bar by bar.
        begun = said = time.perf_counter()
        first_bar, done, beats = 0.0, 0, list[pb.Beat]()
        for seed in range(asked.seed, asked.seed + takes):
            bars = []
            for bar in islice(composer.parts(lambda: brief, seed), brief.length):
                bars.append(bar)
                done += 1
                now = time.perf_counter()
                first_bar = first_bar or now - begun
                if now - said > PROGRESS_SECONDS:
                    said = now
                    yield Frame({"what": "progress", "job": job, "done": done, "total": takes * brief.length})
                else:
                    yield None
            beats.append(beat_message(composer.beat(bars, brief, seed)))
            yield None
        # 3. The reply.
        took = 1000 * (time.perf_counter() - begun)
        reply = pb.ComposeResponse(
            beats=beats,
            timeline=brief_timeline(brief),
            timing=pb.Timing(first_bar_ms=1000 * first_bar, generate_ms=took, batch_size=1),
            generator=self._infos[model],
            effective_brief=effective_brief(asked, brief, model),
        )
        yield Frame({"what": "done", "job": job}, reply.SerializeToString())

    def _endless_brief(self, message: pb.Brief, model: str) -> Brief:
        brief = endless_brief(message, self._limits)
        _check("genre", lambda: self._composers[model].check(brief))
        return brief

    def stream(self, job: int, beat: int, body: bytes) -> Iterator[Frame | None]:
        """Yield the bars that a StreamComposeRequest requests, and "done".

        The first request begins the endless beat.
        """
        request = pb.StreamComposeRequest.FromString(body)
        running = self._endless.get(beat)
        if running is None:
            asked = request.brief
            model = convert.model_of(asked, tuple(self._composers), next(iter(self._composers), ""), "brief")
            brief = self._endless_brief(asked, model)
            running = self._endless[beat] = _EndlessBeat(self._composers[model], brief, asked.seed)
        elif request.HasField("brief"):
            running.brief = self._endless_brief(request.brief, running.composer.model)
        for _ in range(request.bars):
            made = next(running.bars)
            running.number += 1
            piece = bar_message(running.number, made, running.brief)
            yield Frame({"what": "bar", "job": job}, piece.SerializeToString())
        yield Frame({"what": "done", "job": job})
