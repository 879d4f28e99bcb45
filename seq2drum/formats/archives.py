"""Members of zip files and Guitar Pro archives, unpacked within bounds, since no header can be trusted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from seq2drum.errors import NotationError
from seq2drum.formats import foreign
from seq2drum.music.limits import TAB_LIMITS

_METHODS = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
)  # Python unpacks members of other methods in one piece, however large
_ENTRY = b"PK\x01\x02"  # the signature of a member's entry
_MOST_MEMBERS = 10_000


class Packed(NamedTuple):
    """The kind of a packed file, in words for messages, and bounds of its members.

    again, otherwise: the advice if it is damaged, and if it is too large.
    most: bytes of a member, unpacked. ratio: its largest ratio to the packed bytes.
    """

    what: str
    again: str
    otherwise: str
    most: int
    ratio: int

    def too_large(self) -> NotationError:
        """The error of a member beyond the bounds."""
        return NotationError(
            f"the packed {self.what} grows beyond {self.most:,} bytes or {self.ratio} times its size; {self.otherwise}"
        )


@contextmanager
def archive_of(data: bytes, packed: Packed) -> Iterator[zipfile.ZipFile]:
    """The zip file in some bytes.

    Raises:
        NotationError: it is damaged or encrypted, even if this shows only while members are read; too many members.
    """
    if data.count(_ENTRY) > _MOST_MEMBERS:
        raise NotationError(
            f"the packed {packed.what} has more than {_MOST_MEMBERS:,} files in it; wanted a few: {packed.again}"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        problem = f"is damaged or encrypted ({_short(error)})"
        raise NotationError(f"the packed {packed.what} {problem}; {packed.again}") from error
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma", "_lzma"):
            raise NotationError(f"the packed {packed.what} is damaged ({_short(error)}); {packed.again}") from error
        raise


def member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, packed: Packed) -> bytes:
    """The bytes of a member.

    Raises:
        NotationError: it exceeds the bounds, or is packed by a method that music programs do not use.
    """
    if info.compress_type not in _METHODS:
        raise NotationError(
            f"the {packed.what} is packed by method {info.compress_type} of zip files; wanted 0 or 8 (deflated):"
            f" {packed.again}"
        )
    with archive.open(info) as file:
        data = file.read(packed.most + 1)
    if len(data) > packed.most or len(data) > packed.ratio * max(info.compress_size, 100):
        raise packed.too_large()
    return data


def _short(error: Exception) -> str:
    """The message of zipfile, with a damaged name shortened."""
    return str(error)[:80]


NAME = "score.gpif"
_PACKED = Packed("tab", "save it again", "save it as .gp5", TAB_LIMITS.score_bytes, TAB_LIMITS.packing)
_BLOCK = 0x1000  # bytes of a block
_FILE = 2  # the first number of a block that describes a file
_NAME_AT, _NAME_BYTES, _SIZE_AT, _BLOCKS_AT = 4, 127, 0x8C, 0x94  # in such a block
_MOST_IDLE = 1000  # steps of a compressed file without output
_REVERSED = tuple(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def gpif_text(data: bytes) -> bytes:
    """The XML text of a tab, from the bytes of a .gp or .gpx file.

    Raises:
        NotationError: another kind of file, damaged, or beyond TAB_LIMITS.
    """
    if data.startswith(b"BCFZ"):
        return _text_of(_expanded(data))
    if data.startswith(b"BCFS"):
        return _text_of(data)
    if not data.startswith(b"PK\x03\x04"):
        raise NotationError(
            f"this is not a file of Guitar Pro 6 to 8: it begins with {foreign.beginning(data)}; save it again there"
        )
    with archive_of(data, _PACKED) as archive:
        found = next((info for info in archive.infolist() if info.filename.rpartition("/")[2] == NAME), None)
        if found is None:
            raise NotationError(f"the zip file has no {NAME} in it; wanted a tab of Guitar Pro 7 or 8 (.gp)")
        return member(archive, found, _PACKED)


# --- Guitar Pro 6 -----------------------------------------------------------------------------------------------------


def _text_of(data: bytes) -> bytes:
    """The tab in a file system of blocks; its first four bytes are BCFS, and blocks are counted from there."""
    data = data[4:]
    for at in range(_BLOCK, len(data) - _BLOCKS_AT, _BLOCK):
        name = data[at + _NAME_AT : at + _NAME_AT + _NAME_BYTES].partition(b"\0")[0]
        if _number(data, at) != _FILE or name != NAME.encode():
            continue
        size = _number(data, at + _SIZE_AT)
        if size > TAB_LIMITS.score_bytes:
            raise _PACKED.too_large()
        text, place = bytearray(), at + _BLOCKS_AT
        while len(text) < size and (block := _number(data, place)):
            piece = data[block * _BLOCK : (block + 1) * _BLOCK]
            if not piece:
                break
            text += piece
            place += 4
        if len(text) < size:
            raise NotationError("the tab is cut off: not all of its blocks are there; save it again")
        return bytes(text[:size])
    raise NotationError(f"the file has no {NAME} in it; wanted a tab of Guitar Pro 6 (.gpx)")


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _expanded(data: bytes) -> bytes:
    """A file system of blocks, decompressed from bits, the highest of each byte first.

    A 1 precedes a back reference: 4 bits with the width of distance and length, and these two, lowest bit first. A 0
    precedes up to 3 literal bytes: 2 bits with their number, lowest first.
    """
    if len(data) > TAB_LIMITS.binary_bytes:
        raise NotationError(f"the tab has {len(data):,} bytes; at most {TAB_LIMITS.binary_bytes:,} are read")
    size = _number(data, 4)
    if size > min(TAB_LIMITS.score_bytes, TAB_LIMITS.packing * len(data)):
        raise _PACKED.too_large()
    bits, end, out, idle = 64, 8 * len(data), bytearray(), 0
    while len(out) < size and bits < end:
        before = len(out)
        window = int.from_bytes(data[bits >> 3 : (bits >> 3) + 6].ljust(6, b"\0"), "big") << (bits & 7)
        if window >> 47 & 1:
            width = window >> 43 & 15
            distance = _lowest_first(window >> (43 - width), width)
            length = min(_lowest_first(window >> (43 - 2 * width), width), distance)
            start = len(out) - distance
            if start < 0:
                raise NotationError("the packed tab is damaged: it repeats bytes before its start; save it again")
            out += out[start : start + length]
            bits += 5 + 2 * width
        else:
            count = _lowest_first(window >> 45, 2)
            out += (window >> (45 - 8 * count) & ((1 << 8 * count) - 1)).to_bytes(count, "big")
            bits += 3 + 8 * count
        idle += len(out) == before
        if idle > _MOST_IDLE:
            raise NotationError("the packed tab is damaged: it never ends; save it again")
    if not out.startswith(b"BCFS"):
        raise NotationError("the packed tab is damaged: there is no file system in it; save it again")
    return bytes(out[:size])


def _lowest_first(value: int, width: int) -> int:
    """The last `width` bits of a number, at most 16, reversed."""
    value &= (1 << width) - 1
    return (_REVERSED[value & 255] << 8 | _REVERSED[value >> 8]) >> (16 - width)
