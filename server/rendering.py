"""Render in a worker: guitar and drums as a file of another kind, as `--mode infer` writes it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from seq2drum.deliver import export
from seq2drum.deliver.export import EXPORTS, Played
from seq2drum.errors import MissingExtraError, OptionError
from seq2drum.formats import foreign
from seq2drum.music import drum_maps, song_plan, theory
from seq2drum.music.duet import redrummed
from seq2drum.music.kit import FULL
from seq2drum.music.limits import Limits
from seq2drum.music.notes import Part, Song, merge_drums
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options
from seq2drum.play.take import TRACK_NAME, Take
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.show import loudness, sound
from server import convert
from server.statuses import Refusal

_HIT = 8
"""The divisor of a quarter that gives the length of a hit: drums are struck, not held."""
_MAKERS: Mapping[int, Callable[[Played], bytes]] = MappingProxyType(
    {
        pb.RENDER_FORMAT_MIDI: lambda played: played.takes[0].to_bytes(session=played.session),
        pb.RENDER_FORMAT_MIDI_WITH_GUITAR: lambda played: played.takes[0].to_bytes(
            with_guitar=True, session=played.session
        ),
        pb.RENDER_FORMAT_WAV: lambda played: EXPORTS["wav"].make(played, ".wav"),
        pb.RENDER_FORMAT_STEMS: lambda played: _zipped(played),
        pb.RENDER_FORMAT_MUSICXML: lambda played: EXPORTS["score"].make(played, ".musicxml"),
        pb.RENDER_FORMAT_PICTURE: lambda played: EXPORTS["picture"].make(played, ".png"),
        pb.RENDER_FORMAT_RPP: lambda played: EXPORTS["rpp"].make(played, ".rpp"),
        pb.RENDER_FORMAT_DAWPROJECT: lambda played: EXPORTS["dawproject"].make(played, ".dawproject"),
        pb.RENDER_FORMAT_FLAC: lambda played: EXPORTS["wav"].make(played, ".flac"),
        pb.RENDER_FORMAT_TAB: lambda played: EXPORTS["score"].make(played, ".txt"),
        pb.RENDER_FORMAT_GUITAR_PRO: lambda played: EXPORTS["gp"].make(played, ".gp5"),
    }
)
_AUDIBLE = (pb.RENDER_FORMAT_WAV, pb.RENDER_FORMAT_STEMS, pb.RENDER_FORMAT_FLAC)
_CHECKS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {pb.RENDER_FORMAT_FLAC: ("wav", ".flac"), pb.RENDER_FORMAT_GUITAR_PRO: ("gp", ".gp5")}
)
"""The exports of formats that need a library, and their suffixes."""


def render(body: bytes, limits: Limits, max_bars: int) -> bytes:
    """Return the bytes of the file for a RenderRequest.

    Raises:
        Refusal, InputError, OptionError: it cannot be made.
    """
    # 1. Read the request.
    request = pb.RenderRequest.FromString(body)
    config = request.config
    # The fields about writing drums; the others are about playing them.
    written = pb.GenerationConfig(track=config.track, drum_map=config.drum_map, sections=config.sections)
    options = convert.options_of(written, limits)
    session, plan = convert.session_of(config), convert.plan_of(config)
    make = _MAKERS.get(request.format)
    if make is None:
        raise Refusal("INVALID_OPTION", "the format is missing, wanted one of RenderFormat", field="format")
    # 2. Make the take.
    take = replace(_take(request, options, limits, max_bars), plan=plan)
    _check_end(take)
    recording = request.midi if foreign.is_recording(request.midi[:16]) else None
    played = Played((take,), request.title or "drums", session, recording=recording)
    if request.format in _AUDIBLE:
        _check_sound(take)
    _check_library(request.format)
    # 3. Render it.
    return make(played)


def _take(request: pb.RenderRequest, options: Options, limits: Limits, max_bars: int) -> Take:
    """Return the guitar and the drums of a request as a take."""
    given = convert.drums_of(request, limits)
    song, source = convert.song_of(request.midi, request.config, limits) if request.midi else (given, None)
    if song is None:
        raise Refusal("MIDI_MISSING", "there is neither a guitar nor a file with drums, wanted one", field="midi")
    convert.check_bars(song, max_bars)
    drum_map = drum_maps.load(options.drum_map)
    part = _merged(redrummed(song, given)) if given else drum_map.apply(_struck(request.hits, song, limits))
    if all(each.is_drums or not len(each) for each in song.parts):
        return Take(song, part, GuitarChoice((), "there are only drums"), options, source)
    guitar = Guitar(song, theory.choose_parts(song, options.track), source)
    return Take(song, part, guitar.choice, options, source, sections=guitar.markers, named=guitar.is_named)


def _merged(song: Song) -> Part:
    """Return all drums of a song as one part."""
    parts = [song.parts[index] for index in theory.drum_parts(song) if len(song.parts[index])]
    return merge_drums(parts, kit=max(parts, key=len), name=TRACK_NAME)


def _struck(placed: pb.PlacedHits, song: Song, limits: Limits) -> Part:
    """Return hits of pieces as a part in General MIDI notes.

    Raises:
        Refusal: INVALID_OPTION with the field.
    """
    if not placed.hits:
        raise Refusal("INVALID_OPTION", "there are no drums, wanted a MIDI file of them or hits", field="drums")
    if 2 * len(placed.hits) > limits.events:
        raise Refusal(
            "INVALID_OPTION", f"{len(placed.hits):,} hits, wanted at most {limits.events // 2:,}", field="hits"
        )
    rows = []
    for hit in placed.hits:
        if hit.piece not in FULL.names:
            known = ", ".join(FULL.names)
            raise Refusal("INVALID_OPTION", f"there is no piece {hit.piece[:64]!r}; there are {known}", field="hits")
        if not 1 <= hit.velocity <= 127:
            raise Refusal("INVALID_OPTION", f"a velocity is {hit.velocity}, wanted 1 to 127", field="hits")
        if hit.tick >= song.end:
            raise Refusal("INVALID_OPTION", f"a hit is at tick {hit.tick:,}, wanted below {song.end:,}", field="hits")
        note = int(FULL.note_of[FULL.names.index(hit.piece)])
        rows.append((hit.tick, max(song.ticks_per_quarter // _HIT, 1), note, hit.velocity))
    return Part.of(np.array(rows, dtype=np.int64), name=TRACK_NAME, is_drums=True)


def _check_end(take: Take) -> None:
    """Refuse a plan that is longer than the song."""
    try:
        song_plan.check_end(take.plan, len(take.song.bars()))
    except OptionError as error:
        raise Refusal("INVALID_OPTION", str(error), field="config.plan") from None


def _check_sound(take: Take) -> None:
    """Refuse sound that cannot be made, or is too long."""
    try:
        sound.check()
    except MissingExtraError as error:
        raise Refusal("READER_MISSING", str(error), field="format") from None
    if (lasts := sound.seconds(take.duet)) > sound.MOST_SECONDS:
        text = f"it lasts {sound.clock(lasts)}, and at most {sound.clock(sound.MOST_SECONDS)} are made as sound"
        raise Refusal("INVALID_OPTION", text, field="format")


def _check_library(format: int) -> None:
    """Refuse a format whose library is not installed."""
    if format in _CHECKS:
        name, suffix = _CHECKS[format]
        try:
            EXPORTS[name].check(suffix, None)
        except MissingExtraError as error:
            raise Refusal("READER_MISSING", str(error), field="format") from None


def _zipped(played: Played) -> bytes:
    """Return the stems and their mix, 16 bits each, as a zip file."""
    data = io.BytesIO()
    stems = export.stems(played)
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in [*stems]:  # freed as soon as it is packed: stems are large
            archive.writestr(zipfile.ZipInfo(f"{name}.wav"), loudness.stereo_wav(stems.pop(name)))
    return data.getvalue()
