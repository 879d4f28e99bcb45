"""Files that were damaged: bytes flipped, cut out, repeated, overwritten with extremes, and the end cut off."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests import gpif_files, tabs

EXTREMES = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x00\x00\x00\x00", b"\x00\x00\x01\x00")


def mutant(data: bytes, chance: random.Random) -> bytes:
    """A damaged copy of a file."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(out)) if out else 0
        kind = chance.randrange(6)
        if kind == 0 and out:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and out:
            out[at] = chance.randrange(256)
        elif kind == 2:
            out[at : at + 4] = chance.choice(EXTREMES)
        elif kind == 3:
            del out[at : at + chance.randrange(1, 64)]
        elif kind == 4:
            out[at:at] = out[at : at + chance.randrange(1, 64)] * chance.choice((1, 1, 50))
        else:
            del out[at:]
    return bytes(out)


def reworded(text: bytes, chance: random.Random) -> bytes:
    """A text with some of its numbers, or of what stands in tags, changed to others, or to nonsense."""
    import re

    words = [found.span() for found in re.finditer(rb"(?<=>)[^<>]+(?=<)|(?<=\")[^<>\"]+(?=\")", text)]
    for start, end in sorted(chance.sample(words, min(len(words), chance.choice((1, 2, 8)))), reverse=True):
        other = chance.choice(words)
        nonsense = [b"-1", b"0", b"999999999", b"nan", b"1e308", b"", b"x" * 5000, b"0 " * 3000]
        nonsense.append(text[other[0] : other[1]])
        text = text[:start] + chance.choice(nonsense) + text[end:]
    return text


def ten_tabs() -> list[bytes]:
    """Ten tabs: all versions, with effects, repeats, drums, swing, tempos and sections."""
    from guitarpro import models

    slide, bend = models.SlideType.shiftSlideTo, models.BendEffect(models.BendType.bend, 100, [models.BendPoint(0, 4)])
    lead = [
        tabs.beat((1, 12), (2, 12), length=4, letRing=True),
        tabs.beat((3, 5), hammer=True),
        tabs.beat((3, 7), slides=[slide], tremoloPicking=models.TremoloPickingEffect(models.Duration(32))),
        tabs.beat((6, 0), length=4, palmMute=True, tempo=140, grace=models.GraceEffect(fret=3)),
        tabs.beat((2, 3), length=4, bend=bend, kind="tie"),
    ]
    kit = [tabs.beat((1, 42), (5, 36), length=4), tabs.beat((4, 38), length=4)] * 2
    headers: dict[int, dict[str, Any]] = {
        0: {"isRepeatOpen": True, "section": "Verse"},
        2: {"repeatClose": 1},
        3: {"section": "Chorus"},
    }
    song = tabs.song(
        tabs.track([lead] * 5),
        tabs.track([kit] * 5, isPercussionTrack=True, tuning=(0,) * 6, name="Drums"),
        headers=headers,
    )
    bars = [[gpif_files.xbeat((0, fret), (3, 2), note="<LetRing/>") for fret in range(8)]] * 4
    drums = gpif_files.xtrack([[gpif_files.drum(0, 2), gpif_files.drum(1)] * 4] * 4, is_drums=True)
    measures = {0: '<Repeat start="true" end="false" count="0"/>', 3: '<Repeat start="false" end="true" count="2"/>'}
    plain = gpif_files.gpif(gpif_files.xtrack(bars), drums, measures=measures)
    pickup = gpif_files.gpif(gpif_files.xtrack(bars), master="<Anacrusis/>", measures={1: "<Time>7/8</Time>"})
    old = [tabs.written(song, version) for version in ((3, 0, 0), (4, 0, 6), (5, 0, 0), (5, 1, 0))]
    new = [pack(text) for pack in (gpif_files.gp, gpif_files.bcfs) for text in (plain, pickup)]
    return [*old, *new, gpif_files.bcfz(plain), plain]


def damaged_tabs(count: int, seed: int) -> Iterator[bytes]:
    """So many damaged copies of them, in turn; of the last, which is XML, the text is damaged before it is packed."""
    chance, given = random.Random(seed), ten_tabs()
    text = given[-1]
    for number in range(count):
        data = given[number % len(given)]
        if data is text:
            yield gpif_files.gp(reworded(text, chance) if chance.random() < 0.8 else mutant(text, chance))
        else:
            yield mutant(data, chance)


def damaged(data: bytes, seed: int) -> bytes:
    """A file with one to four things wrong."""
    rng = random.Random(seed)
    mutant = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(mutant))
        match rng.randrange(8):
            case 0 | 1:
                mutant[at] ^= 1 << rng.randrange(8)
            case 2:
                mutant[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 3:
                del mutant[at : at + rng.randint(1, 20)]
            case 4:
                mutant[at:at] = rng.randbytes(rng.randint(1, 20))
            case 5:
                mutant[at:at] = b"\xff" * rng.choice((3, 40, 400))
            case 6:
                mutant[at:at] = mutant[rng.randrange(len(mutant)) :][:50]
            case _:
                del mutant[rng.randrange(len(mutant)) :]
        if not mutant:
            return b"\0"
    return bytes(mutant)
