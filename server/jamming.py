"""Jam in a worker: drummers that play along, each of which decides a bar as soon as its notes are known.

All values of messages are checked here, except how much they hold and when they come, which `sessions` checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from seq2drum.errors import OptionError
from seq2drum.lattice.form import lattice_of
from seq2drum.music import drum_maps, duet
from seq2drum.music.limits import MOST_TICKS_PER_QUARTER, Limits
from seq2drum.music.notes import Metre, Part, Song, Tempo
from seq2drum.music.options import OPTIONS
from seq2drum.play.checkpoint.band import Band
from seq2drum.play.decode.engine import Engine
from seq2drum.play.jam.jam import LEAD, Jam, JamBar, Told
from seq2drum.play.jam.live_input import Strike, in_order
from seq2drum.play.jam.signs import FILL, INTENSITY, SECTION, STOP, TEMPO, Sign
from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb
from server import convert
from server.ipc import Frame
from server.statuses import Refusal

JAM_OPTIONS = frozenset(
    {name for name, one in OPTIONS.items() if one.jam and name != "track"} | {"model", "daring", "count_in"}
)
"""The fields of a GenerationConfig that apply to a jam."""
MOST_BARS = 8192
"""The most bars of a jam: four hours at 120 quarters a minute."""
TICKS, LEAST_TICKS = 480, 24
_SIGNS = {"fill": FILL, "section": SECTION, "stop": STOP, "intensity": INTENSITY, "bpm": TEMPO}


class _RunningJam:
    """A drummer that plays along, and the tempos by which it counts."""

    def __init__(self, engine: Engine, options: Options, song: Song, program: int) -> None:
        self.jam, self.song = Jam(engine, options, song, program=program), song

    def bar(self, made: JamBar) -> pb.JamResponse:
        """Return a bar as a message."""
        quarter, bar = self.song.ticks_per_quarter, made.bar
        begins = bar.start / quarter
        message = pb.JamBar(
            bar=made.number + 1,
            quarter=begins,
            quarters=bar.length / quarter,
            beats=bar.numerator,
            bpm=self.jam.score.tempo_at(bar.start).bpm,
            decided=begins - LEAD,
            hits=convert.hits(made.part, quarter),
            section=made.letter,
            fill=made.is_fill,
            last=made.is_last,
        )
        if made.groove:
            message.groove.CopyFrom(pb.SectionGroove(section=made.letter, name=made.groove, title=made.title))
        return pb.JamResponse(bar=message)


class JamRunner:
    """The jams of a worker.

    engines: the models that can play along, by their ids, the default first. infos: of all models. limits: of tempos
    and metres. taught: what a drummer that the server was taught learnt of its band, and its description, by its id;
    None for no such id.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        infos: Sequence[pb.ModelInfo],
        limits: Limits,
        taught: Callable[[str], tuple[Band, pb.ModelInfo] | None] = lambda model: None,
    ) -> None:
        self._engines, self._limits, self._taught = engines, limits, taught
        self._infos = {info.id: info for info in infos}
        self._jams: dict[int, _RunningJam] = {}

    def end(self, jam: int) -> None:
        """End a jam, if it is here."""
        self._jams.pop(jam, None)

    def advance(self, job: int, jam: int, body: bytes) -> Iterator[Frame | None]:
        """Yield the frames that follow from a JamRequest, and "done". The first request begins the jam.

        "done" has `point`, the quarter at which the next bar will be decided; None if the jam is over.
        """
        request = pb.JamRequest.FromString(body)
        running = self._jams.get(jam)
        if running is None:
            running, begun = self._begin(request.config)
            self._jams[jam] = running
            yield Frame({"what": "begun", "job": job}, pb.JamResponse(begun=begun).SerializeToString())
        drummer = running.jam
        strikes = in_order(Strike(note.quarter, note.pitch, note.velocity) for note in request.notes)
        events: list[Told] = [*strikes, *_signs(request.signs)]
        drummer.hear(events, -math.inf)
        while request.HasField("until") and not drummer.is_over and drummer.point <= request.until:
            if drummer.number == MOST_BARS:
                raise Refusal("INVALID_OPTION", f"the jam has {MOST_BARS:,} bars, the limit; begin another")
            for made in drummer.hear((), drummer.point):
                yield Frame({"what": "bar", "job": job}, running.bar(made).SerializeToString())
        yield Frame({"what": "done", "job": job, "point": None if drummer.is_over else drummer.point})

    def _begin(self, asked: pb.JamConfig) -> tuple[_RunningJam, pb.JamBegun]:
        """Begin a jam.

        Raises:
            Refusal: a field is wrong; it names the field.
        """
        config = asked.config
        # 1. Read the request.
        for field, value in config.ListFields():
            is_default = field.name in OPTIONS and value == OPTIONS[field.name].default
            if field.name not in JAM_OPTIONS and not is_default:
                text = f"{field.name} does not apply to a jam; leave it out"
                raise Refusal("INVALID_OPTION", text, field=f"config.{field.name}")
        if any(groove.WhichOneof("source") != "name" or groove.HasField("bars") for groove in config.groove):
            text = "a groove has the bytes of a file, or bars of one; a jam takes grooves by name"
            raise Refusal("INVALID_OPTION", text, field="config.groove")
        engine, info = self._model(config)
        options, song = convert.options_of(config, self._limits, band=engine.band), _timeline(asked, self._limits)
        program = asked.program if asked.HasField("program") else 24
        if program > 127:
            raise Refusal("INVALID_OPTION", f"program is {program}, wanted 0 to 127", field="config.program")
        # 2. Make the drummer and the count-in.
        running = _RunningJam(engine, options, song, program)
        begun = pb.JamBegun(
            model=info,
            effective_config=convert.effective(config, options, info.id),
            request_id=asked.request_id,
            count_in=_count_in(song, convert.session_of(config).count_in, options.drum_map),
        )
        return running, begun

    def _model(self, config: pb.GenerationConfig) -> tuple[Engine, pb.ModelInfo]:
        """Return what plays, and its description."""
        live = ", ".join(self._engines)
        if not live:
            text = "no model of this server can play along; serve one that can, such as live=live"
            raise Refusal("UNKNOWN_MODEL", text, field="config.model")
        if config.model not in self._infos and (found := self._taught(config.model)) is not None:
            band, info = found
            return replace(next(iter(self._engines.values())), band=band), info
        model = convert.model_of(config, tuple(self._infos), next(iter(self._engines)))
        if model not in self._engines:
            text = f"the model {model!r} cannot play along; wanted {live}"
            raise Refusal("INVALID_OPTION", text, field="config.model")
        return self._engines[model], self._infos[model]


def _timeline(asked: pb.JamConfig, limits: Limits) -> Song:
    """Return the tempos and metres of a jam, as a song without notes.

    Raises:
        Refusal: one is wrong; it names the field.
    """
    quarter = asked.ticks_per_quarter if asked.HasField("ticks_per_quarter") else TICKS
    if not LEAST_TICKS <= quarter <= MOST_TICKS_PER_QUARTER:
        text = f"ticks_per_quarter is {quarter}, wanted {LEAST_TICKS} to {MOST_TICKS_PER_QUARTER}"
        raise Refusal("INVALID_OPTION", text, field="config.ticks_per_quarter")
    for name, given, most in (("tempos", asked.tempos, limits.tempos), ("meters", asked.meters, limits.metres)):
        places: list[float] = [one.quarter for one in given]
        if len(given) > most:
            text = f"there are {len(given)} {name}, at most {most} are read"
            raise Refusal("INVALID_OPTION", text, field=f"config.{name}")
        if not all(0 <= place <= limits.quarters for place in places) or any(a > b for a, b in pairwise(places)):
            text = f"the {name} are not in order, or not at quarters of 0 to {limits.quarters:,}"
            raise Refusal("INVALID_OPTION", text, field=f"config.{name}")
    for tempo in asked.tempos:
        if not limits.slowest <= tempo.bpm <= limits.fastest:
            text = f"the tempo is {tempo.bpm}, wanted {limits.slowest:g} to {limits.fastest:g} quarters a minute"
            raise Refusal("INVALID_OPTION", text, field="config.tempos")
    for metre in asked.meters:
        under = metre.denominator
        if not 1 <= metre.numerator <= limits.numerator or under not in [
            1 << place for place in range(limits.denominator.bit_length())
        ]:
            text = f"the metre is {metre.numerator}/{under}, wanted 1 to {limits.numerator} beats of a power of two"
            raise Refusal("INVALID_OPTION", f"{text} up to {limits.denominator}", field="config.meters")
    return Song(
        quarter,
        tempos=tuple(Tempo(round(one.quarter * quarter), round(6e7 / one.bpm)) for one in asked.tempos),
        metres=tuple(Metre(round(one.quarter * quarter), one.numerator, one.denominator) for one in asked.meters),
    )


def _count_in(song: Song, bars: int, drum_map: str) -> list[pb.DrumHit]:
    """Return the hits of the count-in of a jam."""
    if not bars:
        return []
    lattice = lattice_of(song)
    counted = duet.counted_in(Song(song.ticks_per_quarter, (), song.tempos, song.metres, lattice.bars[0].end), bars)
    part = drum_maps.load(drum_map).apply(Part.of(counted.hits, is_drums=True))
    hits = list(convert.hits(part, song.ticks_per_quarter))
    for hit in hits:
        hit.quarter -= counted.shift / song.ticks_per_quarter
    return hits


def _signs(signs: Sequence[pb.JamSign]) -> list[Sign]:
    """Return the signs of a message.

    Raises:
        Refusal: one is empty, or its letter is too long.
    """
    found = []
    for sign in signs:
        what = sign.WhichOneof("sign")
        if what is None:
            raise Refusal("INVALID_OPTION", "a sign is empty, wanted one such as fill or stop", field="signs")
        value: Any = None if what in ("fill", "stop") else getattr(sign, what)
        if what == "section":
            if len(value) > convert.MOST_WORD:
                text = f"the letter of a section has {len(value)} characters, at most {convert.MOST_WORD} are read"
                raise Refusal("INVALID_OPTION", text, field="signs")
            value = value or None
        one = Sign(sign.quarter, _SIGNS[what], value)
        try:
            one.check()
        except OptionError as error:
            raise Refusal("INVALID_OPTION", str(error), field="signs") from None
        found.append(one)
    return found
