"""Files that were damaged: bytes flipped, cut out, repeated, overwritten with extremes, and the end cut off."""

from __future__ import annotations

import random

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
