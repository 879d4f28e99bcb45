"""Scores of MuseScore for tests, written by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

_SPELLED = (14, 21, 16, 11, 18, 13, 20, 15, 22, 17, 12, 19)  # the letters of the twelve tones, as MuseScore counts them
STYLE = "<Style><swingRatio>60</swingRatio><swingUnit>{}</swingUnit></Style>"


def chord(*pitches: int, kind: str = "quarter", dots: int = 0, note: str = "", more: str = "") -> str:
    """A chord; no pitches is a rest. kind: its length. note, more: further XML of each note, and of the chord."""
    own = more + (f"<dots>{dots}</dots>" if dots else "") + f"<durationType>{kind}</durationType>"
    if not pitches:
        return f"<Rest>{own}</Rest>"
    notes = "".join(f"<Note>{note}<pitch>{pitch}</pitch><tpc>{_SPELLED[pitch % 12]}</tpc></Note>" for pitch in pitches)
    return f"<Chord>{own}{notes}</Chord>"


def tie(*, forward: bool) -> str:
    """A tie to the note behind, or from that before."""
    if forward:
        return '<Spanner type="Tie"><Tie></Tie><next><location><fractions>1/4</fractions></location></next></Spanner>'
    return '<Spanner type="Tie"><prev><location><fractions>-1/4</fractions></location></prev></Spanner>'


def volta(passes: str, measures: int = 1, hook: int = 1) -> str:
    """An ending that begins here."""
    about = f"<Volta><endHookType>{hook}</endHookType><endings>{passes}</endings></Volta>"
    return f'<Spanner type="Volta">{about}<next><location><measures>{measures}</measures></location></next></Spanner>'


def volta_end() -> str:
    """The end of an ending of one measure, in the measure behind it; MuseScore wants it."""
    return '<Spanner type="Volta"><prev><location><measures>-1</measures></location></prev></Spanner>'


def tempo(quarters: float) -> str:
    """A tempo in quarters a minute."""
    return f"<Tempo><tempo>{quarters / 60:.6g}</tempo></Tempo>"


def time(numerator: int, denominator: int) -> str:
    """A time signature."""
    return f"<TimeSig><sigN>{numerator}</sigN><sigD>{denominator}</sigD></TimeSig>"


def measure(*voices: Sequence[str], signs: str = "", length: str = "") -> str:
    """A measure of MuseScore 3 and 4. signs: what stands before its voices. length: its own, such as 1/4."""
    inside = "".join(f"<voice>{''.join(voice)}</voice>" for voice in voices)
    return f"<Measure{f' len={chr(34)}{length}{chr(34)}' if length else ''}>{signs}{inside}</Measure>"


def part(*staves: Sequence[str], name: str = "Guitar", program: int = 29, is_drums: bool = False) -> dict[str, Any]:
    """An instrument: the measures of each of its staves."""
    return {"staves": staves, "name": name, "program": program, "is_drums": is_drums}


def mscx(*parts: Mapping[str, Any], version: str = "3.01", style: str = "") -> bytes:
    """A score."""
    heads, bodies, number = "", "", 0
    for each in parts:
        listed = ""
        for staff in each["staves"]:
            number += 1
            listed += f'<Staff id="{number}"><StaffType group="pitched"/></Staff>'
            bodies += f'<Staff id="{number}">{"".join(staff)}</Staff>'
        drums = "<useDrumset>1</useDrumset>" if each["is_drums"] else ""
        sound = f'<Channel><program value="{each["program"]}"/></Channel>'
        heads += (
            f"<Part>{listed}<trackName>{each['name']}</trackName>"
            f"<Instrument><longName>{each['name']}</longName>{drums}{sound}</Instrument></Part>"
        )
    declared = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{declared}<museScore version="{version}"><Score>{style}{heads}{bodies}</Score></museScore>'.encode()


def mscz(text: bytes, **others: bytes) -> bytes:
    """A packed score, as MuseScore 4 packs it. others: further files by name."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in others.items():
            archive.writestr(name, content)
        archive.writestr("song.mscx", text)
        archive.writestr("Excerpts/Guitar/Guitar.mscx", text[:200])
        archive.writestr("META-INF/container.xml", "<container/>")
    return data.getvalue()


def riff(bars: int) -> bytes:
    """So many bars of eighths on a guitar."""
    bar = [chord(40 + at, kind="eighth") for at in range(8)]
    return mscx(part([measure(bar)] * bars))
