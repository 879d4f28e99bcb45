"""Tabs of TuxGuitar for tests, written by hand: version 2, which is XML in a zip file, and version 1, bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

STANDARD = (64, 59, 55, 50, 45, 40)  # the strings of a guitar, from the highest
QUARTER = 2_882_880  # TuxGuitar's units of time in a quarter
_EFFECTS = {"deadNote": 0x80, "hammer": 0x200, "ghostNote": 0x400, "accentuatedNote": 0x800, "palmMute": 0x2000,
            "letRing": 0x80000}  # fmt: skip


class Beat(NamedTuple):
    """Notes as (string from 1, fret), of a length such as 8; enters: 3 for a triplet. effects: of all notes."""

    notes: tuple[tuple[int, int], ...]
    length: int = 8
    dots: int = 0
    enters: int = 1
    effects: tuple[str, ...] = ()
    velocity: int = 95
    tied: bool = False
    tremolo: int = 0
    grace: int = -1

    @property
    def quarters(self) -> float:
        return 4 / self.length * (1.5 if self.dots else 1) * (2 / 3 if self.enters == 3 else 1)


def beat(*notes: tuple[int, int], **more: Any) -> Beat:
    """A beat; no notes is a rest."""
    return Beat(notes, **more)


def head(numerator: int = 4, denominator: int = 4, bpm: int = 120, **more: Any) -> dict[str, Any]:
    """What the tracks share in a measure. more: opens, repeats, endings (from 1), section, feel (1 for eighths)."""
    named = {"opens": False, "repeats": 0, "endings": (), "section": "", "feel": 0}
    return {"metre": (numerator, denominator), "bpm": bpm} | named | more


def track(*bars: Sequence[Beat], **more: Any) -> dict[str, Any]:
    """A track: the beats of each measure. more: second, the bars of the second voice; name, tuning and others."""
    named = {"second": (), "name": "Guitar", "program": 29, "tuning": STANDARD, "offset": 0, "is_drums": False}
    return {"bars": bars} | named | more


def riff(bars: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """So many bars of eighths on a guitar: the measures and the track."""
    return [head()] * bars, [track(*[[beat((6, fret)) for fret in range(8)]] * bars)]


# --- version 2 --------------------------------------------------------------------------------------------------------


def content(heads: Sequence[dict[str, Any]], tracks: Sequence[dict[str, Any]]) -> bytes:
    """The XML of a tab of version 2."""
    channels = "".join(
        f"<TGChannel><id>{number}</id><bank>{128 if each['is_drums'] else 0}</bank><program>{each['program']}</program>"
        f"<name>{each['name']}</name></TGChannel>"
        for number, each in enumerate(tracks, 1)
    )
    measures = "".join(map(_head, heads))
    bodies = "".join(_track(number, each, heads) for number, each in enumerate(tracks, 1))
    inside = f'<TGVersion major="2"/><TGSong><name>A song</name>{channels}{measures}{bodies}</TGSong>'
    return f'<?xml version="1.0" encoding="UTF-8"?><TuxGuitarFile>{inside}</TuxGuitarFile>'.encode()


def packed(text: bytes) -> bytes:
    """A file of version 2."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("version.txt", "TuxGuitar_file_format 2.0")
        archive.writestr("content.xml", text)
    return data.getvalue()


def _head(each: dict[str, Any]) -> str:
    numerator, denominator = each["metre"]
    endings = "".join(f"<alternative>{number}</alternative>" for number in each["endings"])
    return (
        f'<TGMeasureHeader><timeSignature numerator="{numerator}" denominator="{denominator}"/>'
        f"<tempo>{each['bpm']}</tempo>{'<repeatOpen/>' * each['opens']}"
        + (f"<repeatClose>{each['repeats']}</repeatClose>" if each["repeats"] else "")
        + (f"<repeatAlternative>{endings}</repeatAlternative>" if endings else "")
        + (f'<marker R="0" G="0" B="0">{each["section"]}</marker>' if each["section"] else "")
        + (f"<tripletFeel>{('', 'eighth', 'sixteenth')[each['feel']]}</tripletFeel>" if each["feel"] else "")
        + "</TGMeasureHeader>"
    )


def _track(number: int, each: dict[str, Any], heads: Sequence[dict[str, Any]]) -> str:
    begun, measures = 1.0, ""
    for bar, written in enumerate(heads):
        starts: dict[float, dict[int, str]] = {}
        for voice, bars in enumerate((each["bars"], each["second"])):
            at = begun
            for one in bars[bar] if bar < len(bars) else ():
                starts.setdefault(at, {})[voice] = _voice(one)
                at += one.quarters
        measures += "<TGMeasure>"
        for at, voices in sorted(starts.items()):
            both = "".join(voices.get(voice, '<voice empty="true"/>') for voice in (0, 1))
            measures += f"<TGBeat><preciseStart>{round(at * QUARTER)}</preciseStart>{both}</TGBeat>"
        measures += "</TGMeasure>"
        begun += 4 * written["metre"][0] / written["metre"][1]
    strings = "".join(f"<TGString>{pitch}</TGString>" for pitch in each["tuning"])
    return (
        f"<TGTrack><name>{each['name']}</name><channelId>{number}</channelId><offset>{each['offset']}</offset>"
        f"{strings}{measures}</TGTrack>"
    )


def _voice(one: Beat) -> str:
    dotted = ' dotted="dotted"' if one.dots else ""
    times = 2 if one.enters == 3 else 1
    effects = "".join(f"<{name}/>" for name in one.effects)
    effects += f'<tremoloPicking duration="{one.tremolo}"/>' if one.tremolo else ""
    if one.grace >= 0:
        effects += f'<grace fret="{one.grace}" duration="32" dynamic="79" dead="false" onBeat="false"/>'
    tied = ' tiedNote="true"' if one.tied else ""
    notes = "".join(
        f'<note string="{string}" value="{fret}" velocity="{one.velocity}"{tied}>{effects}</note>'
        for string, fret in one.notes
    )
    division = f'<divisionType enters="{one.enters}" times="{times}"/>'
    return f'<voice><duration value="{one.length}"{dotted}>{division}</duration>{notes}</voice>'


# --- version 1 --------------------------------------------------------------------------------------------------------


def old(heads: Sequence[dict[str, Any]], tracks: Sequence[dict[str, Any]], minor: int = 5) -> bytes:
    """A file of version 1.minor: 0, 1, 2, 3 or 5. A second voice is left out before 1.1."""
    out = _text(f"TuxGuitar File Format - 1.{minor}") + _text("A song") + _text("") * (7 if minor >= 2 else 3)
    if minor >= 2:
        out += bytes(4)
    if minor >= 3:
        out += bytes([len(tracks)])
        for number, each in enumerate(tracks, 1):
            out += _short(number) + bytes([128 if each["is_drums"] else 0, each["program"], *[64] * 6])
            out += _text(each["name"]) + _short(1) + _text("key") + (5).to_bytes(4, "big") + "value".encode("utf-16-be")
    out += _short(len(heads)) + b"".join(map(_old_head, heads)) + bytes([len(tracks)])
    return out + b"".join(_old_track(number, each, minor) for number, each in enumerate(tracks, 1))


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-be")


def _short(number: int) -> bytes:
    return number.to_bytes(2, "big", signed=True)


def _old_head(each: dict[str, Any]) -> bytes:
    out = bytes([each["metre"][0], 0, each["metre"][1]]) + _short(each["bpm"])
    flags = 1 | 2 | 4 * each["opens"]
    if each["repeats"]:
        flags, out = flags | 8, out + _short(each["repeats"])
    if each["endings"]:
        flags, out = flags | 16, out + bytes([sum(1 << number - 1 for number in each["endings"])])
    if each["section"]:
        flags, out = flags | 32, out + _text(each["section"]) + bytes(3)
    return bytes([flags | 64]) + out + bytes([each["feel"]])


def _old_track(number: int, each: dict[str, Any], minor: int) -> bytes:
    lyrics = 1 if minor == 0 else 4
    out = bytes([lyrics]) + _text(each["name"])
    if minor >= 3:
        out += _short(number)
    else:
        out += bytes(minor == 0) + bytes([9 if each["is_drums"] else 0, 1, each["program"], *[64] * 6])
    for bar, beats in enumerate(each["bars"]):
        second = each["second"][bar] if bar < len(each["second"]) and minor else ()
        out += bytes([0]) + _old_beats(beats, second, minor)
    out += bytes([len(each["tuning"]), *each["tuning"], 24 + each["offset"]]) + bytes(3)
    return out + _short(1) + (2).to_bytes(4, "big") + "la".encode("utf-16-be")


def _old_beats(first: Sequence[Beat], second: Sequence[Beat], minor: int) -> bytes:
    starts: dict[float, dict[int, Beat]] = {}
    for voice, beats in enumerate((first, second)):
        at = 0.0
        for one in beats:
            starts.setdefault(at, {})[voice] = one
            at += one.quarters
    out, left = b"", len(starts)
    for _, voices in sorted(starts.items()):
        left -= 1
        more = int(left > 0)
        if minor == 0:
            out += bytes([more | 2 | 4 * bool(voices[0].notes)]) + _old_beat(voices[0])
            continue
        out += bytes([more | sum(48 << 2 * voice for voice in voices)])
        for one in voices.values():
            out += bytes([2 | bool(one.notes)]) + _old_beat(one)
    return out


def _old_beat(one: Beat) -> bytes:
    out = bytes([bool(one.dots) | 4, one.length, one.enters, 2 if one.enters == 3 else 1])
    for number, (string, fret) in enumerate(one.notes, 1):
        flags = sum(_EFFECTS[name] for name in one.effects) | (0x20 if one.tremolo else 0) | 8 * (one.grace >= 0)
        effects = flags.to_bytes(3, "big") + (bytes([0, one.grace, 2, 79, 0]) if one.grace >= 0 else b"")
        effects += bytes([one.tremolo]) if one.tremolo else b""
        out += bytes([int(number < len(one.notes)) | 2 * one.tied | 4 * bool(flags) | 8, fret, string, one.velocity])
        out += effects if flags else b""
    return out
