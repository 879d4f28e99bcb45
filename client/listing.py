"""Models, grooves, drum maps and results of a server as printed lines, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from seq2drum.console.terminal import Report, standard_output
from seq2drum.music.explanation import origin
from seq2drum.music.shown import visible
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.system import files

if TYPE_CHECKING:
    from client.messages import RemoteTake
    from client.sessions import RemoteBeat

_LETS_IN = {1: "everyone", 2: "callers with the token", 3: "callers with a certificate"}  # by the number of an AuthMode


class Line(NamedTuple):
    """A printed line: its text for a person, and its fields for a program."""

    text: str
    fields: dict[str, object]


def model(info: pb.ModelInfo) -> Line:
    """Return the line of a model and its styles."""
    styles = list(info.styles)
    fields = {"description": info.description, "license": info.license, "styles": styles, "sha256": info.sha256.hex()}
    text = f"{info.id}: {info.description}\n  styles: {', '.join(styles) or 'none'}"
    return Line(text, {"model": info.id, **fields})


def generator(info: pb.GeneratorInfo) -> Line:
    """Return the line of a generator of beats."""
    fields = {"description": info.description, "license": info.license, "sha256": info.sha256.hex()}
    return Line(f"{info.id}: {info.description}", {"generator": info.id, **fields})


def beat(made: RemoteBeat, target: str, drums: str) -> Line:
    """Return the line of a written beat, and of the drums to a guitar, if any."""
    bars, hits, model = made.timeline.bars, made.stats.hits, made.generator.id
    also = [drums] if drums else []
    line = f"{files.named(target)}: {bars} bars, {hits} hits; {model}, seed {made.seed}"
    text = line + "".join(f"; {name}" for name in also)
    fields = {"also": also, "model": model, "seed": made.seed, "bpm": made.brief.bpm, "bars": bars, "hits": hits}
    genres = {share.name: share.weight for share in made.brief.genres}
    return Line(text, {"output": target, **fields, "genres": genres, "request": made.request_id})


def take(made: RemoteTake, source: str, target: str, seconds: float) -> Report:
    """Return the report of a written take. seconds: that it took."""
    return Report(
        source=source,
        target=target,
        bars=made.timeline.bars,
        hits=made.stats.hits,
        seed=made.seed,
        seconds=seconds,
        parts=made.guitar.tracks,
        guitar=[str(number) for number in made.guitar.tracks],
        reason=made.guitar.reason,
        score=made.score,
        grooves=made.grooves,
        swaps=made.swaps,
        explanations=made.explain() if made.options.explain else None,
        more={"model": made.model.id, "request": made.request_id},
    )


def groove(info: pb.GrooveInfo) -> Line:
    """Return the line of a groove."""
    metre, tempo = f"{info.numerator}/{info.denominator}", [info.min_bpm, info.max_bpm]
    about = [metre, *filter(None, [info.style]), f"{info.min_bpm:g}-{info.max_bpm:g} a minute"]
    fields: dict[str, object] = {"title": info.title, "metre": metre, "style": info.style or None, "tempo": tempo}
    if info.HasField("expected_f1"):
        about.append(f"expected F1 {info.expected_f1:.2f}")
        fields["expected_f1"] = round(info.expected_f1, 4)
    return Line(f"{info.name}: {info.title} ({', '.join(about)})", {"groove": info.name, **fields})


def drum_map(info: pb.DrumMapInfo) -> Line:
    """Return the lines of a drum map: its sampler, its notes, and their source."""
    pieces = {piece.piece: list(piece.notes) for piece in info.pieces}
    notes = ", ".join(f"{name} {' '.join(map(str, notes)) or '-'}" for name, notes in pieces.items())
    fields = {"for": info.about, "source": info.source, "tried": info.tried, "pieces": pieces}
    text = f"{info.id}: {info.about}\n  {notes}\n  {origin(info.source, info.tried)}"
    return Line(text, {"drum_map": info.id, **fields})


def server(info: pb.GetServerInfoResponse, address: str) -> Line:
    """Return the lines of the server: its version, its credentials, its limits."""
    limits = {field.name: getattr(info.limits, field.name) for field in info.limits.DESCRIPTOR.fields}
    lets_in = _LETS_IN.get(info.auth, "it does not say whom")
    text = f"seq2drum {info.version} at {address}, contract {', '.join(info.api_versions)}, lets in {lets_in}"
    text = "\n".join([text, *(f"  {name}: {value:g}" for name, value in limits.items())])
    fields = {"version": info.version, "api_versions": list(info.api_versions), "auth": info.auth, "limits": limits}
    return Line(text, {"address": address, **fields})


def show(lines: Iterable[Line], *, as_json: bool) -> None:
    """Print the lines.

    Raises:
        StandardOutputError: standard output takes no more.
    """
    for line in lines:
        with standard_output():
            print(json.dumps(line.fields) if as_json else visible(line.text), flush=True)
