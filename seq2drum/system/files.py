"""Files are read up to a limit, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from seq2drum.errors import InputError, LimitError, OutputError

try:
    import fcntl
except ModuleNotFoundError:  # Windows has none
    fcntl = None  # type: ignore[assignment]


_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

Place: TypeAlias = Callable[..., contextlib.AbstractContextManager[Path]]
"""`writing`, or a stand-in for it."""


def named(path: str | os.PathLike[str]) -> str:
    """A file's name for a message, in one line: control characters are escaped."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), os.fspath(path))


def read_file(
    path: str | os.PathLike[str], most: int | Callable[[bytes], int], what: str = "MIDI file", head: int = 0
) -> bytes:
    """The bytes of a file, opened once: it can be a pipe.

    most: the largest size in bytes, or a function from the first `head` bytes to it. what: the kind of file, for
    messages.

    Raises:
        InputError: no such file, a folder, or not readable.
        LimitError: it is larger.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{named(path)} is a folder; name a {what} in it")
        with path.open("rb") as file:
            data = file.read(head)
            most = most if isinstance(most, int) else most(data)
            data += file.read(max(most + 1 - head, 0))
    except FileNotFoundError:
        raise InputError(f"{named(path)} does not exist; give the path of a {what}") from None
    except OSError as error:
        raise InputError(f"{named(path)} cannot be read ({error.strerror}); give a file you may read") from error
    if len(data) > most:
        raise LimitError(f"{named(path)} is larger than {most} bytes, the most that is read")
    return data


def below(folder: Path, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """The files below a folder with wanted names, in any order; links to folders are not followed.

    Unreadable files and folders are included, so that reading them reports the error.
    """
    errors: list[OSError] = []
    for place, _, names in os.walk(folder, onerror=errors.append):
        yield from (path for name in names if wanted(name) and _may_be_file(path := Path(place, name)))
    yield from (Path(error.filename) for error in errors if isinstance(error, PermissionError))


def _may_be_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return True


def check(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that could not be written.

    Raises:
        OutputError: a folder, an existing file if `overwrite` is false, a missing folder, or an impossible name.
    """
    try:
        is_folder, exists, has_place = path.is_dir(), path.exists(), path.parent.is_dir()
    except OSError as error:
        raise OutputError(f"{named(path)} could not be written ({error.strerror}); name another file") from None
    if is_folder:
        raise OutputError(f"{named(path)} is a folder; name a file in it")
    if exists and not overwrite:
        raise OutputError(f"{named(path)} exists already; choose another name or allow overwriting (--force)")
    if not has_place:
        raise OutputError(f"the folder {named(path.parent)} does not exist; make it first")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a folder, made if necessary, for this process until the block or the process ends.

    A folder that was made for it, and in which nothing was written, is removed.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: it cannot be made or read.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    held = None
    try:
        if fcntl is not None:
            held = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:  # some file systems of clusters have no locks: then the user must see to it
                if isinstance(error, BlockingIOError):
                    raise
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if held is not None:
            os.close(held)


def write_file(path: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Write a whole file or nothing.

    Raises:
        OutputError: as `writing`.
    """
    with writing(path, overwrite=overwrite) as temporary, temporary.open("xb") as file:
        file.write(data)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Write a whole file or nothing: a temporary file beside it is filled, flushed to disk and renamed.

    Yields the temporary name, under which the file is to be made.

    Raises:
        OutputError: an existing file if `overwrite` is false, a missing or read-only folder, or a full disk. An
            existing file is untouched.
    """
    path = Path(path)
    check(path, overwrite=overwrite)
    temporary = path.with_name(f".{os.urandom(8).hex()}.part")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if overwrite:
            if path.exists():
                temporary.chmod(path.stat().st_mode)
            temporary.replace(path)
        else:
            _give_name(temporary, path)
    except FileExistsError:
        raise OutputError(f"{named(path)} exists already; choose another name or allow overwriting (--force)") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        text = f"{named(path)} could not be written ({reason}); what was there before is untouched"
        raise OutputError(text) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_written(folder: Path) -> Iterator[Path]:
    """Write a whole folder or nothing: one beside it is filled in the block, and gets its name at the end.

    A folder that is there stays until then, and is replaced.

    Raises:
        OutputError: the place cannot be written.
    """
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            yield made
            if folder.exists():
                folder.rename(Path(temporary) / "before")
            made.rename(folder)
    except OSError as error:
        raise OutputError(f"the folder {str(folder)!r} cannot be written ({error.strerror or error})") from None


@contextlib.contextmanager
def together() -> Iterator[Place]:
    """Write several files, each whole or not at all, that get their names together at the end of the block.

    Yields a stand-in for `writing`. A program stopped before the end leaves none of the files; a file that could not be
    made is left out.

    Raises:
        OutputError: as `writing`; if a name cannot be given at the end, files made before it have none either.
    """
    with contextlib.ExitStack() as made:

        @contextlib.contextmanager
        def one(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
            with contextlib.ExitStack() as own:
                yield own.enter_context(writing(path, overwrite=overwrite))
                made.push(own.pop_all())

        yield one


def _give_name(temporary: Path, path: Path) -> None:
    """Name the file without ever replacing another: a link, unlike a rename, fails if the name is taken."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # memory sticks and some network drives have no links
        temporary.replace(path)
