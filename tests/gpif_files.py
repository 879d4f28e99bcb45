"""Tabs of Guitar Pro 6 to 8 for tests, written by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

STANDARD = (40, 45, 50, 55, 59, 64)  # the strings of a guitar, from the lowest
KIT = (36, 38, 42, 46)  # what the articulations of our drum tracks sound as


class XBeat(NamedTuple):
    """A beat as XML: its notes, its rhythm, what else it has."""

    notes: tuple[str, ...]
    rhythm: str
    more: str


def xbeat(
    *notes: tuple[int, int],
    value: str = "Eighth",
    dots: int = 0,
    tuplet: tuple[int, int] = (1, 1),
    properties: Sequence[str] = (),
    note: str = "",
    more: str = "<Dynamic>F</Dynamic>",
) -> XBeat:
    """A beat of (string from 0, the lowest; fret); no notes is a rest.

    properties: names of what is switched on of the notes. note, more: further XML of the notes, and of the beat.
    """
    rhythm = f"<NoteValue>{value}</NoteValue>" + (f'<AugmentationDot count="{dots}"/>' if dots else "")
    if tuplet != (1, 1):
        rhythm += f'<PrimaryTuplet num="{tuplet[0]}" den="{tuplet[1]}"/>'
    switched = "".join(f'<Property name="{name}"><Enable/></Property>' for name in properties)
    texts = tuple(
        f'{note}<Properties><Property name="Fret"><Fret>{fret}</Fret></Property>'
        f'<Property name="String"><String>{string}</String></Property>{switched}</Properties>'
        for string, fret in notes
    )
    return XBeat(texts, rhythm, more)


def drum(*articulations: int, value: str = "Eighth") -> XBeat:
    """A beat of a drum track, by places in KIT."""
    texts = tuple(f"<InstrumentArticulation>{place}</InstrumentArticulation><Properties/>" for place in articulations)
    return XBeat(texts, f"<NoteValue>{value}</NoteValue>", "<Dynamic>F</Dynamic>")


def xtrack(bars: Sequence[Sequence[XBeat]], **more: Any) -> dict[str, Any]:
    """A track: for each measure its beats. more: name, program, tuning, capo, is_drums."""
    named = {"name": "Guitar", "program": 29, "tuning": STANDARD, "capo": 0, "is_drums": False}
    return {"bars": bars} | named | more


def gpif(
    *tracks: dict[str, Any],
    measures: dict[int, str] | None = None,
    tempos: Sequence[tuple[int, float, str]] = ((0, 0.0, "120 2"),),
    master: str = "",
) -> bytes:
    """A `score.gpif`. measures: XML of each by its index, 4/4 if nothing is said. tempos: measure, share, value."""
    tables: dict[str, list[str]] = {name: [] for name in ("Bars", "Voices", "Beats", "Notes", "Rhythms")}

    def add(table: str, text: str, inside: str = "") -> int:
        tables[table].append(f'<{table[:-1]} id="{len(tables[table])}"{inside}>{text}</{table[:-1]}>')
        return len(tables[table]) - 1

    rows = []
    for index in range(len(tracks[0]["bars"])):
        bars = []
        for track in tracks:
            beats = []
            for each in track["bars"][index]:
                notes = " ".join(str(add("Notes", text)) for text in each.notes)
                rhythm = add("Rhythms", each.rhythm)
                beats.append(
                    add("Beats", f'<Rhythm ref="{rhythm}"/>{each.more}' + (f"<Notes>{notes}</Notes>" if notes else ""))
                )
            voice = add("Voices", f"<Beats>{' '.join(map(str, beats))}</Beats>")
            bars.append(add("Bars", f"<Voices>{voice} -1 -1 -1</Voices>"))
        own = (measures or {}).get(index, "")
        time = "" if "<Time>" in own else "<Time>4/4</Time>"
        rows.append(f"<MasterBar>{time}{own}<Bars>{' '.join(map(str, bars))}</Bars></MasterBar>")
    automations = "".join(
        f"<Automation><Type>Tempo</Type><Linear>false</Linear><Bar>{bar}</Bar><Position>{place}</Position>"
        f"<Visible>true</Visible><Value>{value}</Value></Automation>"
        for bar, place, value in tempos
    )
    parts = [f"<{name}>{''.join(items)}</{name}>" for name, items in tables.items()]
    return (
        '<?xml version="1.0" encoding="utf-8"?><GPIF><GPVersion>7</GPVersion><Score><Title>A song</Title></Score>'
        f"<MasterTrack><Tracks>{' '.join(map(str, range(len(tracks))))}</Tracks>{master}"
        f"<Automations>{automations}</Automations></MasterTrack>"
        f"<Tracks>{''.join(_track(number, track) for number, track in enumerate(tracks))}</Tracks>"
        f"<MasterBars>{''.join(rows)}</MasterBars>{''.join(parts)}</GPIF>"
    ).encode()


def _track(number: int, track: dict[str, Any]) -> str:
    pitches = " ".join(map(str, track["tuning"]))
    staff = (
        f'<Staff><Properties><Property name="CapoFret"><Fret>{track["capo"]}</Fret></Property>'
        f'<Property name="Tuning"><Pitches>{pitches}</Pitches></Property></Properties></Staff>'
    )
    kit = "".join(
        f"<Articulation><Name/><InputMidiNumbers>{note}</InputMidiNumbers><OutputMidiNumber>{note}</OutputMidiNumber></Articulation>"
        for note in KIT
    )
    instruments = (
        f"<InstrumentSet><Type>drumKit</Type><Elements><Element><Name>Kit</Name><Articulations>{kit}</Articulations>"
        "</Element></Elements></InstrumentSet>"
        if track["is_drums"]
        else ""
    )
    channel = 9 if track["is_drums"] else number
    return (
        f'<Track id="{number}"><Name>{track["name"]}</Name>{instruments}<Sounds><Sound><Name/><MIDI>'
        f"<Program>{track['program']}</Program></MIDI></Sound></Sounds>"
        f"<MidiConnection><PrimaryChannel>{channel}</PrimaryChannel></MidiConnection><Staves>{staff}</Staves></Track>"
    )


def gp(text: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A file of Guitar Pro 7."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("VERSION", "7.0")
        archive.writestr("Content/score.gpif", text)
    return file.getvalue()


def bcfs(text: bytes, name: str = "score.gpif") -> bytes:
    """A file of Guitar Pro 6 whose file system is not compressed."""
    blocks = [text[at : at + 0x1000] for at in range(0, len(text), 0x1000)]
    entry = bytearray(0x1000)
    entry[:4] = (2).to_bytes(4, "little")
    entry[4 : 4 + len(name)] = name.encode()
    entry[0x8C:0x90] = len(text).to_bytes(4, "little")
    for place in range(len(blocks)):
        entry[0x94 + 4 * place : 0x98 + 4 * place] = (place + 2).to_bytes(4, "little")
    return b"BCFS" + bytes(0x1000) + bytes(entry) + b"".join(block.ljust(0x1000, b"\0") for block in blocks)


def bcfz(text: bytes) -> bytes:
    """A file of Guitar Pro 6 that is compressed: what came up to 4,095 bytes before is copied, all else written out."""
    data = bcfs(text)
    bits: list[str] = []
    at = 0
    while at < len(data):
        start = max(at - 4095, 0)
        length = 0
        for wanted in (64, 16, 6):
            found = data.rfind(data[at : at + wanted], start, at)
            if found >= 0 and len(data[at : at + wanted]) == wanted and at - found >= wanted:
                length, distance = wanted, at - found
                break
        if length:
            bits.append("1" + f"{12:04b}" + f"{distance:012b}"[::-1] + f"{length:012b}"[::-1])
        else:
            length = min(3, len(data) - at)
            bits.append("0" + f"{length:02b}"[::-1] + "".join(f"{byte:08b}" for byte in data[at : at + length]))
        at += length
    text_of_bits = "".join(bits)
    text_of_bits += "0" * (-len(text_of_bits) % 8)
    packed = int(text_of_bits, 2).to_bytes(len(text_of_bits) // 8, "big")
    return b"BCFZ" + len(data).to_bytes(4, "little") + packed
