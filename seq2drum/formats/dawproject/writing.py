"""A song and its drums as a DAWproject: a track for each instrument, the tempo and metre map, and the markers.

Bitwig Studio, Studio One, Cubase and others open it (https://github.com/bitwig/dawproject). It is a zip file with
`project.xml` and `metadata.xml`. Times are quarters, which the format calls beats, as decimals that give the tick back.
`reading` is the way back.

The format knows nothing of General MIDI, so the comment of a track says its program and `reading` looks there. It has
no word for a bar that is cut short either, such as a pickup: such a bar has the metre of its length.

The same song and drums give the same bytes.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

from seq2drum.formats.midi.events import DRUM_CHANNEL, PEDAL
from seq2drum.music.notes import Metre, Part, Song
from seq2drum.music.theory import part_name

DRUM_TRACK = "Drums (seq2drum)"
APPLICATION = "seq2drum"
PROGRAM = "General MIDI program {}"
"""The comment of a track; the number is counted from 1."""
XG = "Yamaha XG"
"""What the comment of drums on a kit of Yamaha XG says, too."""
_VERSION = "1.0"  # of the format
_FINEST = 64  # the largest denominator of the metre of a cut bar
_MOST_BEATS = 128  # its largest numerator


def write_dawproject(
    song: Song,
    takes: Sequence[Part],
    name: str = "Drums",
    beside: Mapping[str, Sequence[Part]] = MappingProxyType({}),
) -> bytes:
    """A DAWproject of a song's pitched parts and markers and, below them, the drums.

    takes: drum parts in ticks of the song; several have a track each, and all but the first are muted. name: the title,
    and the name of the takes' clips. beside: further tracks by name, each with its takes. The song's own drums are left
    out.
    """
    # 1. The tracks: name, notes, and whether they are muted.
    tracks = [(part_name(part, n), part, False) for n, part in enumerate(song.parts, 1) if not part.is_drums]
    for called, parts in ((DRUM_TRACK, takes), *beside.items()):
        tracks += [(f"{called} {n}" if n > 1 else called, part, n > 1) for n, part in enumerate(parts, 1)]
    # 2. The frame of the project.
    ids = _Ids()
    first_metre = _metres(song)[0]
    root = ET.Element("Project", version=_VERSION)
    _add(root, "Application", name=APPLICATION, version=_VERSION)
    transport, structure = _add(root, "Transport"), _add(root, "Structure")
    tempo = _add(transport, "Tempo", id=ids.next(), name="Tempo", unit="bpm", value=_decimal(_bpm(song, 0)))
    metre = _add(transport, "TimeSignature", id=ids.next(), **_signature(first_metre))
    arrangement = _add(root, "Arrangement", id=ids.next())
    lanes = _add(arrangement, "Lanes", id=ids.next(), timeUnit="beats")
    # 3. The tracks, and the notes of each.
    master = ids.next()
    begun = (int(part.onset[-1]) + 1 for _, part, _ in tracks if len(part))  # a clip lasts beyond what begins in it
    end = max([song.end, 1, *begun, *(part.end for _, part, _ in tracks)])
    for called, part, muted in tracks:
        track = _track(structure, called, _comment(part), ids, to=master, muted=muted)
        own = _add(lanes, "Lanes", id=ids.next(), track=track)
        clip = _add(
            _add(own, "Clips", id=ids.next()),
            "Clip",
            name=_text(name if part.is_drums else called),
            time="0.0",
            duration=_quarters(song, end),
            playStart="0.0",
        )
        _notes(clip, part, song, ids)
    _track(structure, "Master", "", ids, channel=master, role="master")
    # 4. Markers, tempos and metres.
    if song.markers:
        markers = _add(arrangement, "Markers", id=ids.next(), timeUnit="beats")
        for marker in song.markers:
            _add(markers, "Marker", time=_quarters(song, marker.tick), name=_text(marker.text))
    points = _add(arrangement, "TempoAutomation", id=ids.next(), timeUnit="beats", unit="bpm")
    _add(points, "Target", parameter=tempo.get("id", ""))
    for change in song.tempo_map:
        value = _decimal(_bpm(song, change.tick))
        _add(points, "RealPoint", time=_quarters(song, change.tick), value=value, interpolation="hold")
    points = _add(arrangement, "TimeSignatureAutomation", id=ids.next(), timeUnit="beats")
    _add(points, "Target", parameter=metre.get("id", ""))
    for signature in _metres(song):
        _add(points, "TimeSignaturePoint", time=_quarters(song, signature.tick), **_signature(signature))
    # 5. The files.
    about = ET.Element("MetaData")
    _add(about, "Title").text = _text(name)
    return _zipped({"project.xml": root, "metadata.xml": about})


class _Ids:
    """Names of elements, counted."""

    def __init__(self) -> None:
        self._count = 0

    def next(self) -> str:
        self._count += 1
        return f"id{self._count}"


def _track(
    structure: ET.Element,
    name: str,
    comment: str,
    ids: _Ids,
    *,
    to: str = "",
    muted: bool = False,
    channel: str = "",
    role: str = "regular",
) -> str:
    """Add a track with its mixer channel; returns its id. to: the id of the channel that it goes to."""
    content = "audio notes" if role == "master" else "notes"
    said = {"comment": comment} if comment else {}
    track = _add(structure, "Track", id=ids.next(), name=_text(name), contentType=content, loaded="true", **said)
    sent = {"destination": to} if to else {}
    own = _add(track, "Channel", id=channel or ids.next(), audioChannels="2", role=role, solo="false", **sent)
    _add(own, "Mute", id=ids.next(), name="Mute", value="true" if muted else "false")
    _add(own, "Pan", id=ids.next(), name="Pan", unit="normalized", min="0.0", max="1.0", value="0.5")
    _add(own, "Volume", id=ids.next(), name="Volume", unit="linear", min="0.0", max="2.0", value="1.0")
    return track.get("id", "")


def _notes(clip: ET.Element, part: Part, song: Song, ids: _Ids) -> None:
    """Add the notes of a part to a clip, and the positions of a hat's pedal beside them."""
    channel = str(DRUM_CHANNEL if part.is_drums else 0)
    into = _add(clip, "Lanes", id=ids.next()) if len(part.pedal) else clip
    notes = _add(into, "Notes", id=ids.next())
    for onset, duration, pitch, velocity in part:
        _add(
            notes,
            "Note",
            time=_quarters(song, onset),
            duration=_quarters(song, duration),
            channel=channel,
            key=str(pitch),
            vel=_decimal(Fraction(velocity, 127)),
        )
    if len(part.pedal):
        points = _add(into, "Points", id=ids.next(), unit="normalized")
        _add(points, "Target", expression="channelController", channel=channel, controller=str(PEDAL))
        for tick, value in part.pedal.tolist():
            place = _quarters(song, tick)
            _add(points, "RealPoint", time=place, value=_decimal(Fraction(value, 127)), interpolation="hold")


def _comment(part: Part) -> str:
    return ", ".join([PROGRAM.format(part.program + 1), *([XG] if part.is_xg else [])])


def _metres(song: Song) -> list[Metre]:
    """The metre map, where a bar that a change of metre cuts short has the metre of its length, if there is one."""
    changes = {metre.tick: metre for metre in song.metre_map}
    bars = song.bars()
    for bar, after in zip(bars, [*bars[1:], None], strict=True):
        whole = Fraction(4 * bar.numerator * song.ticks_per_quarter, bar.denominator)
        if after is None or after.start not in changes or abs(bar.length - whole) < 1:
            continue
        length = Fraction(bar.length, 4 * song.ticks_per_quarter)
        denominator = max(length.denominator, bar.denominator)
        beats = length * denominator
        if beats.denominator == 1 and denominator <= _FINEST and beats <= _MOST_BEATS:
            changes[bar.start] = Metre(bar.start, int(beats), denominator)
    return [changes[tick] for tick in sorted(changes)]


# --- text -------------------------------------------------------------------------------------------------------------


def _add(to: ET.Element, tag: str, /, **attributes: str) -> ET.Element:
    return ET.SubElement(to, tag, attributes)


def _signature(metre: Metre) -> dict[str, str]:
    return {"numerator": str(metre.numerator), "denominator": str(metre.denominator)}


def _bpm(song: Song, tick: int) -> Fraction:
    return Fraction(60_000_000, song.tempo_at(tick).microseconds)


def _quarters(song: Song, ticks: int) -> str:
    return _decimal(Fraction(ticks, song.ticks_per_quarter))


def _decimal(value: Fraction) -> str:
    """The shortest decimal of the nearest binary number, without an exponent."""
    text = repr(float(value))
    return f"{float(value):.20f}" if "e" in text else text


def _text(text: str) -> str:
    """A name of printable characters, all of which XML may contain."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _zipped(files: Mapping[str, ET.Element]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, root in files.items():
            ET.indent(root)
            info = zipfile.ZipInfo(name)  # of 1980, so that the same song gives the same bytes
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, ET.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n")
    return data.getvalue()
