"""What is in a zip file, unpacked within bounds: the size that a header says may be wrong, and so may all else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from seq2drum.errors import NotationError

_KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of the others Python unpacks all at once, however large
_ENTRY = b"PK\x01\x02"  # what the entry of a member begins with
_MOST_MEMBERS = 10_000


class Packed(NamedTuple):
    """What is packed, in words for messages, and how much of it there may be.

    again, otherwise: what to do where it is damaged, and where it is too large.
    most: bytes of a member, unpacked. ratio: these, to the bytes it has in the file.
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
    """The zip file that some bytes are.

    Raises:
        NotationError: it is damaged or encrypted, also of what is read of it while it is open; it has too many members.
    """
    if data.count(_ENTRY) > _MOST_MEMBERS:
        raise NotationError(
            f"the packed {packed.what} has more than {_MOST_MEMBERS:,} files in it; wanted are a few: {packed.again}"
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
        NotationError: it is larger than the bounds allow, or packed in a way that programs of music do not use.
    """
    if info.compress_type not in _KNOWN:
        raise NotationError(
            f"the {packed.what} is packed by method {info.compress_type} of zip files; wanted is 0 or 8 (deflated):"
            f" {packed.again}"
        )
    with archive.open(info) as file:
        data = file.read(packed.most + 1)
    if len(data) > packed.most or len(data) > packed.ratio * max(info.compress_size, 100):
        raise packed.too_large()
    return data


def _short(error: Exception) -> str:
    """What zipfile says, without all of a name that is damaged."""
    return str(error)[:80]
