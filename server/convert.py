"""Conversions between the contract's messages and the core's values, both ways.

For the workers: it knows music and messages, but neither processes nor the network. All input is untrusted: ids are
looked up in tables, and never used as paths.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import Message

from seq2drum.errors import InputError, LimitError, OptionError
from seq2drum.formats import foreign
from seq2drum.formats.midi import midi
from seq2drum.formats.opening import Opened, open_song
from seq2drum.lattice.beats.performance import Timing
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.music import choices, drum_maps, song_plan, theory
from seq2drum.music.choices import AUTO, STYLES, placed_text
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.file_options import SESSION, TIMING
from seq2drum.music.kit import FULL
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import IntArray, Part, Song
from seq2drum.music.options import OPTIONS, PLACE_FIELDS
from seq2drum.music.song_plan import PlannedSection, SongPlan
from seq2drum.music.theory import GuitarChoice
from seq2drum.play import wishes
from seq2drum.play.arrange.sections import numbered_spans
from seq2drum.play.asked import reference
from seq2drum.play.checkpoint.band import Band, is_drummer, read_band
from seq2drum.play.checkpoint.folder import WEIGHTS, read_config
from seq2drum.play.grooves.book import Book, groove_of
from seq2drum.play.listen import Guitar, with_sections
from seq2drum.play.options import Options, of_band
from seq2drum.play.session import Session
from seq2drum.play.take import DrumBar, Take
from seq2drum.rpc import accompaniment_pb2 as pb
from server.statuses import ERROR_STATUSES, Refusal

MOST_WORD = 64
"""The longest name in a configuration, in characters."""
MOST_NAME = 100
"""The longest name of a track that is sent: a file can give one long name to thousands of parts."""

MOST_SECTIONS = 26
"""The most grooves in a configuration."""
MOST_SECTIONS_TEXT = 4000
"""The longest text of sections in a configuration, in characters."""
_TEXTS = (
    "sections",
    "out",
    "half_time",
    "time",
    "percussion",
    "instead",
    *PLACE_FIELDS.values(),
)  # several names in one text
MOST_FILLS = 2000
"""The most bars or ranges of bars of an option for fills."""

_MOST_VALUES = {"groove": MOST_SECTIONS, "without": MOST_WORD}
"""The most values of a repeated option, unless it is `MOST_FILLS`."""


# --- requests ---------------------------------------------------------------------------------------------------------


def options_of(config: pb.GenerationConfig, limits: Limits = DEFAULT_LIMITS, *, band: Band | None = None) -> Options:
    """Return the core's options for a configuration. Unset fields get the core's defaults.

    Model, takes, with_guitar and explain are not options of the core. limits: those of the files of grooves. band:
    whose own drummer plays; it knows more grooves by name.

    Raises:
        Refusal: INVALID_OPTION with the field, UNKNOWN_DRUM_MAP with the known ids, or the fault of a file in the
            configuration.
        OptionError: two fields contradict each other.
    """
    # 1. Words are short, and a drum map is named: a path must never get to `drum_maps.load`, which would open it.
    for field, value in config.ListFields():
        if field.type == field.TYPE_STRING and field.name not in _TEXTS:
            for word in (value,) if isinstance(value, str) else value:
                _check_word(word, field.name)
    if config.drum_map and config.drum_map not in drum_maps.names():
        known = ", ".join(drum_maps.names())
        raise Refusal(
            "UNKNOWN_DRUM_MAP",
            f"there is no drum map {config.drum_map!r}; there are {known}",
            field="config.drum_map",
            metadata={"drum_maps": known},
        )
    # 2. Collect the set fields.
    for name in _TEXTS:
        if (size := len(getattr(config, name))) > MOST_SECTIONS_TEXT:
            message = f"{name} has {size} characters, at most {MOST_SECTIONS_TEXT} are read"
            raise Refusal("INVALID_OPTION", message, field=f"config.{name}")
    if kind := foreign.recognised(config.like):  # parsers convert other kinds; this process may be a player
        raise Refusal("INVALID_MIDI", f"the song to play like: {kind}", field="config.like")
    given: dict[str, Any] = {}
    fields = _set_fields(config)
    for name, one in OPTIONS.items():
        if (one.field or name) in fields:
            given[name] = _value(name, fields[one.field or name], limits, Book.of(band))
        if (text := fields.get(PLACE_FIELDS.get(name, ""))) is not None:
            given[name] = f"{given[name]},{text}" if name in given else text
    if given.get("style") == AUTO:
        del given["style"]
    # 3. Check one by one, so that the field can be named; together they may still contradict each other.
    for name, value in given.items():
        try:
            Options(**{name: value})
        except OptionError as error:
            own = PLACE_FIELDS.get(name, "") if isinstance(value, str) else ""
            raise Refusal("INVALID_OPTION", str(error), field=f"config.{own or OPTIONS[name].field or name}") from None
    return of_band(Options(**given), band)


def _value(name: str, value: Any, limits: Limits, book: Book) -> Any:
    """Return the core's value of a set field.

    Raises:
        Refusal: there are too many values, or a groove cannot be used.
    """
    if isinstance(value, pb.BarRange):
        return _bars(value)
    if isinstance(value, bool | int | float | str | bytes):
        return value
    if len(value) > (most := _MOST_VALUES.get(name, MOST_FILLS)):
        message = f"{name} has {len(value)} values, at most {most} are read"
        raise Refusal("INVALID_OPTION", message, field=f"config.{name}")
    if name == "groove":
        return _grooves(value, limits, book)
    return tuple(map(_bars, value) if OPTIONS[name].kind is tuple else value)


def _check_word(word: str, name: str, field: str = "") -> None:
    """Refuse a word that is too long. field: of the configuration, if it is not the name."""
    if len(word) > MOST_WORD:
        message = f"{name} has {len(word)} characters, at most {MOST_WORD} are read"
        raise Refusal("INVALID_OPTION", message, field=f"config.{field or name}")


def _bars(bars: pb.BarRange) -> tuple[int, int]:
    return bars.first_bar, bars.last_bar


def _grooves(choices: Sequence[pb.GrooveChoice], limits: Limits, book: Book) -> dict[str, Groove | str]:
    """Return the groove of each section, by name from the book alone, or read from bytes: a name is never opened.

    The name of a family is kept: the song decides which of its grooves is played.
    """
    found: dict[str, Groove | str] = {}
    for choice in choices:
        for name in ("section", "name"):
            _check_word(getattr(choice, name), name, "groove")
        try:
            if choice.section in found:
                raise OptionError(f"two grooves are requested in {choice.section or 'the whole song'!r}; wanted one")
            found[choice.section] = _groove(choice, limits, book)
        except (InputError, OptionError) as error:
            raise Refusal(ERROR_STATUSES[type(error)].reason, str(error), field="config.groove") from None
    return found


def _groove(choice: pb.GrooveChoice, limits: Limits, book: Book) -> Groove | str:
    bars = _bars(choice.bars) if choice.HasField("bars") else None
    if choice.WhichOneof("source") == "midi":
        try:
            return groove_of(midi.parse(choice.midi, limits=limits), bars)
        except (InputError, OptionError) as error:
            raise type(error)(f"the groove's file: {error}") from None
    if bars is not None:
        raise OptionError("a groove has a name and bars; wanted bars of a file, or a name alone")
    if reference(choice.name).is_file:
        return book[choice.name]
    meant = book.meant(choice.name)
    return meant[0] if len(meant) == 1 else choice.name


def _set_fields(message: Message) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields()}


def plan_of(config: pb.GenerationConfig) -> SongPlan:
    """Return the plan of a configuration, () without any.

    Raises:
        Refusal: INVALID_OPTION with the field `plan`, it has impossible values or too many sections.
    """
    try:
        song_plan.check_count(len(config.plan))
        plan = tuple(song_plan.of_fields(_set_fields(row)) for row in config.plan)
        song_plan.check(plan)
    except OptionError as error:
        raise Refusal("INVALID_OPTION", str(error), field="config.plan") from None
    return plan


def timing_of(config: pb.GenerationConfig) -> Timing | None:
    """Return what a configuration says of the beats of its file; None if it says nothing.

    Raises:
        Refusal: INVALID_OPTION with the field, a value is out of its range.
    """
    given = {name: getattr(config, one.field or name) for name, one in TIMING.items()}
    fields = _set_fields(config)
    given = {name: value for name, value in given.items() if (TIMING[name].field or name) in fields}
    for name, value in given.items():
        try:
            Timing.of({name: value})
        except OptionError as error:
            raise Refusal("INVALID_OPTION", str(error), field=f"config.{TIMING[name].field or name}") from None
    return Timing.of(given) if given else None


def song_of(file: bytes, config: pb.GenerationConfig, limits: Limits) -> Opened:
    """Return the song of a request's file, on the beats of its configuration.

    Raises:
        InputError, OptionError: it cannot be read, or the beats do not fit it.
    """
    timing = timing_of(config)
    if timing is None:
        return open_song(file, limits=limits)
    from seq2drum.formats.timed import open_timed  # what finds beats is loaded for those who ask for it

    return Opened(open_timed(file, timing, follow=config.follow, track=config.track or None, limits=limits).song, None)


def excerpt_of(config: pb.GenerationConfig) -> tuple[int, int]:
    """Return the bars of a configuration's excerpt, which has one.

    Raises:
        Refusal: INVALID_OPTION with the field `excerpt`, they are not counted from 1.
    """
    bars = _bars(config.excerpt)
    try:
        choices.check_bars(bars, "an excerpt of bars is")
    except OptionError as error:
        raise Refusal("INVALID_OPTION", str(error), field="config.excerpt") from None
    return bars


def check_song_options(song: Song, choice: GuitarChoice, options: Options, limits: Limits, plan: SongPlan = ()) -> None:
    """Check the options that depend on the song: bars, sections of grooves, the song to play like, and the plan.

    Raises:
        Refusal: with the field `like` or `plan`, that one cannot be used.
        OptionError: another option is wrong.
    """
    try:
        guitar = Guitar(song if options.sections is None else with_sections(song, options.sections), choice)
        wishes.resolve_options(guitar, options, limits)
    except InputError as error:
        raise Refusal(ERROR_STATUSES[type(error)].reason, str(error), field="config.like") from None
    if plan:
        song_grid = guitar.song_grid
        try:
            song_plan.check_fit(plan, numbered_spans(song_grid.guitar_grid, guitar.sections, song_grid.numbers))
        except OptionError as error:
            raise Refusal("INVALID_OPTION", str(error), field="config.plan") from None


def drums_of(request: pb.GenerateDrumsRequest | pb.RenderRequest, limits: Limits) -> Song | None:
    """Return the song of a request's drum file; None if it has none.

    Raises:
        Refusal: with the field `drums`, the file cannot be used.
    """
    if not request.drums:
        return None
    try:
        drums = midi.parse(request.drums, limits=limits)
    except InputError as error:
        raise Refusal(ERROR_STATUSES[type(error)].reason, f"the drums: {error}", field="drums") from None
    if not any(len(drums.parts[index]) for index in theory.drum_parts(drums)):
        raise Refusal("INVALID_OPTION", "the file of the drums has none on the drum channel", field="drums")
    return drums


def takes_of(message: pb.GenerationConfig | pb.Brief, most: int, field: str = "config") -> int:
    """Return the number of requested takes, from 1 to `most`. field: of the request.

    Raises:
        Refusal: INVALID_OPTION, there are more.
    """
    if message.takes > most:
        text = f"{message.takes} takes are requested, wanted 1 to {most}"
        raise Refusal("INVALID_OPTION", text, field=f"{field}.takes")
    return message.takes or 1


def model_of(
    message: pb.GenerationConfig | pb.Brief, known: Collection[str], default: str, field: str = "config"
) -> str:
    """Return the id of the requested model. field: of the request.

    Raises:
        Refusal: UNKNOWN_MODEL with the known ids.
    """
    wanted = message.model or default
    if wanted not in known:
        listed = ", ".join(known)
        raise Refusal(
            "UNKNOWN_MODEL",
            f"there is no model {wanted[:MOST_WORD]!r}; there are {listed}",
            field=f"{field}.model",
            metadata={"models": listed},
        )
    return wanted


def effective(config: pb.GenerationConfig, options: Options, model: str) -> pb.GenerationConfig:
    """Return the configuration with its defaults filled in, without files; values that the model decides stay unset.

    options: the result of `options_of`.
    """
    filled = pb.GenerationConfig()
    filled.CopyFrom(config)
    filled.ClearField("like")
    for groove in filled.groove:
        groove.ClearField("midi")
    filled.model = model
    for name, one in OPTIONS.items():
        if one.default not in (None, ()):
            value = getattr(options, name)
            setattr(filled, one.field or name, placed_text(value) if one.is_placed else value)
    if options.groove is None and options.like is None:
        filled.temperature = options.freedom
    filled.style, filled.takes = options.style or "", config.takes or 1
    return filled


def count_bars(song: Song) -> int:
    """Return the number of bars of `song.bars()` without making them: a small file can have hundreds of thousands."""
    changes = {metre.tick: metre for metre in song.metre_map}
    end = max(song.end, 1)
    places = sorted({tick for tick in changes if tick < end} | {end})
    return sum(
        _bars_between(stop - start, song.ticks_per_quarter, changes[start].numerator, changes[start].denominator)
        for start, stop in pairwise(places)
    )


def _bars_between(ticks: int, ticks_per_quarter: int, numerator: int, denominator: int) -> int:
    full = max(Fraction(4 * numerator * ticks_per_quarter, denominator), Fraction(1))
    count = math.floor(ticks / full)  # never too many: barlines are rounded by at most half a tick
    while round(count * full) < ticks:
        count += 1
    return count


def check_bars(song: Song, most: int) -> None:
    """Check the number of bars of a song.

    Raises:
        LimitError: it is more than `most`.
    """
    if (bars := count_bars(song)) > most:
        raise LimitError(f"the song has {bars} bars, at most {most} are played; is its metre right?")


# --- replies ----------------------------------------------------------------------------------------------------------


def timeline(song: Song) -> pb.TimelineInfo:
    """Return the bars, tempos and metres of a song within the limit of bars."""
    quarter = song.ticks_per_quarter
    return pb.TimelineInfo(
        bars=len(song.bars()),
        quarters=song.end / quarter,
        seconds=song.seconds(song.end),
        ticks_per_quarter=quarter,
        tempos=[pb.TempoChange(quarter=tempo.tick / quarter, bpm=tempo.bpm) for tempo in song.tempo_map],
        meters=[
            pb.MeterChange(quarter=tick / quarter, numerator=numerator, denominator=denominator)
            for tick, numerator, denominator in song.metre_map
        ],
    )


def tracks(song: Song) -> list[pb.TrackSummary]:
    """Return the parts of a song, in order, long names cut."""
    return [
        pb.TrackSummary(
            number=number,
            name=plain(part.name if len(part.name) <= MOST_NAME else part.name[: MOST_NAME - 1] + "…"),
            program=part.program,
            is_drums=part.is_drums,
            notes=len(part),
        )
        for number, part in enumerate(song.parts, start=1)
    ]


def guitar(choice: GuitarChoice) -> pb.GuitarChoice:
    """Return the parts that are the guitar, with the reason."""
    return pb.GuitarChoice(tracks=[index + 1 for index in choice.parts], reason=plain(choice.reason))


def session_of(config: pb.GenerationConfig) -> Session:
    """Return the session options: count-in, click, split, tail and channels.

    Raises:
        Refusal: INVALID_OPTION, the count-in is too long, or there are channels for no tracks.
    """
    try:
        return Session(**{name: getattr(config, name) for name in SESSION})
    except OptionError as error:
        field = "config.channels" if config.channels and not config.split else "config.count_in"
        raise Refusal("INVALID_OPTION", str(error), field=field) from None


def drum_take(take: Take, config: pb.GenerationConfig) -> pb.DrumTake:
    """Return a take with its file and statistics, in the form that the configuration requests."""
    data = take.to_bytes(with_guitar=config.with_guitar, session=session_of(config))
    message = pb.DrumTake(
        midi=data,
        sha256=hashlib.sha256(data).digest(),
        seed=take.options.seed,
        stats=stats(take.part.velocity, len(take.song.bars())),
    )
    if take.score is not None:
        message.score = take.score
    message.grooves.extend(pb.SectionGroove(**groove._asdict()) for groove in take.grooves)
    message.swaps.extend(pb.PieceSwap(**swap._asdict()) for swap in take.swaps)
    message.plan.extend(map(planned_section, take.plan))
    if config.explain:
        for first, last, text, pieces in take.explain():
            said = [pb.ExplanationPiece(what=what, values=values) for what, values in pieces]
            message.explanations.add(first_bar=first, last_bar=last, text=text, pieces=said)
    return message


def planned_section(row: PlannedSection) -> pb.PlannedSection:
    """Return a section of a plan; None is unset."""
    return pb.PlannedSection(**song_plan.fields_of(row))


def stats(velocity: IntArray | Sequence[int], bars: int) -> pb.DrumStats:
    """Return the statistics of a part from its velocities and its number of bars."""
    struck = len(velocity) > 0
    return pb.DrumStats(
        hits=len(velocity),
        hits_per_bar=len(velocity) / bars,
        mean_velocity=float(np.mean(velocity)) if struck else 0.0,
        velocity_sd=float(np.std(velocity)) if struck else 0.0,
    )


def bar_events(take_index: int, seed: int, bar: DrumBar, ticks_per_quarter: int) -> pb.BarEvents:
    """Return a bar of a take; take_index from 0."""
    return pb.BarEvents(
        take=take_index,
        bar=bar.bar.index + 1,
        seed=seed,
        hits=hits(bar.part, ticks_per_quarter),
        plan=map(planned_section, bar.plan),
    )


def hits(part: Part, ticks_per_quarter: int) -> Iterator[pb.DrumHit]:
    """Yield the notes of a drum part, in order."""
    for note in part:
        yield pb.DrumHit(
            tick=note.onset,
            quarter=note.onset / ticks_per_quarter,
            length_ticks=note.duration,
            note=note.pitch,
            velocity=note.velocity,
        )


def maps() -> pb.ListDrumMapsResponse:
    """Return the drum maps, "gm" first."""
    return pb.ListDrumMapsResponse(maps=map(_map_info, map(drum_maps.load, drum_maps.names())))


def _map_info(drum_map: DrumMap) -> pb.DrumMapInfo:
    pairs = zip(FULL.voices, drum_map.notes, strict=True)
    return pb.DrumMapInfo(
        id=drum_map.name,
        pieces=[pb.PieceNotes(piece=voice.name, notes=notes) for voice, notes in pairs],
        about=drum_map.about,
        source=drum_map.source,
        tried=drum_map.tried,
    )


def grooves() -> pb.ListGroovesResponse:
    """Return the grooves of the book, by metre."""
    return pb.ListGroovesResponse(grooves=map(_groove_info, Book.load()))


def offered(fits: Sequence[tuple[Groove, float]]) -> pb.ListGroovesResponse:
    """Return grooves that fit a song, each with its expected F1."""
    infos = [_groove_info(groove) for groove, _ in fits]
    for info, (_, expected) in zip(infos, fits, strict=True):
        info.expected_f1 = expected
    return pb.ListGroovesResponse(grooves=infos)


def _groove_info(groove: Groove) -> pb.GrooveInfo:
    return pb.GrooveInfo(
        name=groove.name,
        title=groove.title,
        numerator=groove.numerator,
        denominator=groove.denominator,
        style=groove.style or "",
        min_bpm=groove.tempo[0],
        max_bpm=groove.tempo[1],
    )


def model_info(model_id: str, folder: Path) -> pb.ModelInfo:
    """Return the description of a checkpoint from its configuration.

    Raises:
        CheckpointError: the configuration is invalid.
        OSError: the weights cannot be read.
    """
    band = None
    if is_drummer(folder):
        band, folder = read_band(folder)
    about = read_config(folder)
    bars = about.get("progress", {}).get("bars")
    description = f"a drummer of the family {about.get('family', '?')}, with the kit {about.get('kit', '?')!r}"
    if band is not None:
        description = band_description(band, description)
    with (folder / WEIGHTS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return pb.ModelInfo(
        id=model_id,
        sha256=digest,
        description=description + (f", trained on {bars:,} bars" if isinstance(bars, int) else ""),
        license=str(about.get("license", "")),
        styles=STYLES,
        live=about.get("unit") == "song" and bool(about.get("recipe", {}).get("future_hidden")),
        band=None if band is None else band_info(band, is_taught=False),
    )


def taught_info(model_id: str, band: Band, base: pb.ModelInfo, *, is_live: bool) -> pb.ModelInfo:
    """Return the description of a drummer that a server was taught.

    base: of the model that it plays through. is_live: whether it can jam.
    """
    info = pb.ModelInfo()
    info.CopyFrom(base)
    info.id, info.live, info.description = model_id, is_live, band_description(band, base.description)
    info.band.CopyFrom(band_info(band, is_taught=True))
    return info


def band_description(band: Band, base: str) -> str:
    """Return a sentence about a band's drummer. base: about its model."""
    return plain(f"{band.name}, learnt from {len(band.titles)} songs: {base}")


def band_info(band: Band, *, is_taught: bool) -> pb.BandInfo:
    """Return what a drummer learnt of a band."""
    songs = [plain(title) for title in band.titles]
    return pb.BandInfo(name=plain(band.name), songs=songs, grooves=len(band.grooves), taught=is_taught)


def plain(text: str) -> str:
    """Return the text without lone surrogates, which have no UTF-8 form."""
    return text.encode("utf-8", "replace").decode()
