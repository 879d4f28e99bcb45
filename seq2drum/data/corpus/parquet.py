"""Songs in Parquet, the only place that knows pyarrow: many files in one, read and written a row group at a time.

Our own tables have the columns `path, sha256, bytes, licence, group`. GigaMIDI's have `md5, music` and others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2drum.data.corpus.corpora import licence_of
from seq2drum.errors import CorpusError, MissingExtraError
from seq2drum.system import files

if TYPE_CHECKING:
    import pyarrow.parquet

SUFFIX = ".parquet"
GROUP_BYTES = 32 << 20  # of songs in a row group that is written
GROUP_ROWS = 1024  # songs in a row group that is written
MOST_GROUP_BYTES = 1 << 30  # of a row group that is read, by its own metadata
MOST_PACKING = 200  # largest ratio to the file of a row group above LEAST_GROUP_BYTES
LEAST_GROUP_BYTES = 64 << 20
MOST_ROW_BYTES = 32 << 20  # bytes of a row: the largest file of music that is read
_MOST_TEXT = 4096  # letters of a path, a licence or a group


class Row(NamedTuple):
    """The bytes of a song's file and its metadata, "" where unknown.

    path: its name in the corpus. sha256: of the bytes. licence: as `licence_of` spells it. group: the name of all
    arrangements of the song. source: as a manifest states it; tables have no column for it.
    """

    path: str
    sha256: str
    data: bytes
    licence: str
    group: str
    source: str = ""


def _own(row: Mapping[str, Any]) -> Row:
    return Row(row["path"], row["sha256"], _bytes(row["bytes"]), licence_of(row["licence"]), row["group"])


def _gigamidi(row: Mapping[str, Any]) -> Row:
    title, artist = (row.get(name) or row.get(f"{name}_scraped") or "" for name in ("title", "artist"))
    group = f"gigamidi:{artist}/{title}".casefold() if artist and title else ""
    return Row(f"gigamidi/{row['md5']}.mid", "", _bytes(row["music"]), "CC BY-NC 4.0", group, "GigaMIDI")


def _bytes(cell: Any) -> bytes:
    """The bytes of a cell, plain or as the library `datasets` writes a file: {path, bytes}."""
    return (cell.get("bytes") if isinstance(cell, dict) else cell) or b""


class Layout(NamedTuple):
    """A kind of table: required columns with their types, optional columns, and the conversion of a row."""

    wanted: Mapping[str, str]
    others: tuple[str, ...]
    row: Callable[[Mapping[str, Any]], Row]


_TEXT = "text"
_OWN = ("path", "sha256", "data", "licence", "group")  # of a `Row`, in the order of our columns
LAYOUTS = MappingProxyType(
    {
        "": Layout({"path": _TEXT, "sha256": _TEXT, "bytes": "bytes", "licence": _TEXT, "group": _TEXT}, (), _own),
        "gigamidi": Layout(
            {"md5": _TEXT, "music": "bytes"}, ("title", "artist", "title_scraped", "artist_scraped"), _gigamidi
        ),
    }
)
"""The kinds of tables, by the name of the corpus; "" are our own."""


def row_groups(path: Path, layout: str = "") -> list[int]:
    """The number of rows in each row group of a file, after checking that all can be read.

    Raises:
        CorpusError: not a Parquet file, a column is missing or of another type, or a row group is too large.
        MissingExtraError: pyarrow is not installed.
    """
    with _opened(path) as table:
        schema = table.schema_arrow
        for name, kind in LAYOUTS[layout].wanted.items():
            if (times := schema.names.count(name)) != 1:
                found = f"{times} columns" if times else "no column"
                raise CorpusError(f"{str(path)!r} has {found} {name!r}; wanted {', '.join(LAYOUTS[layout].wanted)}")
            if not _is(schema.field(name).type, kind):
                raise CorpusError(f"{str(path)!r} has {schema.field(name).type} in column {name!r}, wanted {kind}")
        sizes = []
        for number in range(table.num_row_groups):
            size = table.metadata.row_group(number).total_byte_size
            sizes.append(int(table.metadata.row_group(number).num_rows))
            if size > MOST_GROUP_BYTES:
                raise CorpusError(
                    f"row group {number} of {str(path)!r} has {size >> 20} MB, and at most {MOST_GROUP_BYTES >> 20} can"
                    " be read; rewrite it in smaller groups"
                )
            if size > max(LEAST_GROUP_BYTES, MOST_PACKING * path.stat().st_size):
                raise CorpusError(
                    f"row group {number} of {str(path)!r} has {size >> 20} MB, more than {MOST_PACKING} times those of"
                    " its file; no songs are packed so tightly"
                )
        return sizes


def read(path: Path, number: int, layout: str = "") -> Iterator[Row | str]:
    """The songs of a row group in order, with a reason in place of an unusable row.

    One row is in memory at a time, because rows may share a value that the file has once.

    Raises:
        CorpusError: the file is damaged there.
    """
    kind = LAYOUTS[layout]
    with _opened(path) as table:
        names = [name for name in (*kind.wanted, *kind.others) if name in table.schema_arrow.names]
        try:
            for batch in table.iter_batches(1, row_groups=[number], columns=names, use_threads=False):
                if batch.nbytes > MOST_ROW_BYTES:
                    yield "more bytes in a row of the table than a song has"
                    continue
                yield from (_checked(kind.row(row)) for row in batch.to_pylist())
        except (OSError, ValueError, MemoryError) as error:  # pyarrow's errors derive from these
            raise CorpusError(f"row group {number} of {str(path)!r} is damaged: {_first_line(error)}") from None


def _checked(row: Row) -> Row | str:
    if not row.path or "\0" in row.path or max(map(len, (row.path, row.licence, row.group or ""))) > _MOST_TEXT:
        return "no usable path, licence or group in the table"
    sha256 = hashlib.sha256(row.data).hexdigest()
    if (row.sha256 or sha256).strip().lower() != sha256:
        return "bytes that are not those of their digest in the table"
    return row._replace(sha256=sha256, group=row.group or "")


def write(path: Path, rows: Iterable[Row], *, overwrite: bool) -> int:
    """Write a table in our layout, whole or not at all, one row group at a time; returns its number of songs.

    Raises:
        OutputError: the file cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    types = {_TEXT: arrow.string(), "bytes": arrow.binary()}
    schema = arrow.schema([(name, types[kind]) for name, kind in LAYOUTS[""].wanted.items()])
    options = {"compression": "zstd", "use_dictionary": ["licence", "group"], "write_statistics": ["path"]}
    count = 0
    with (
        files.writing(path, overwrite=overwrite) as temporary,
        parquet.ParquetWriter(temporary, schema, store_schema=False, **options) as writer,
    ):
        for group in _grouped(rows):
            columns = ([getattr(row, field) for row in group] for field in _OWN)
            arrays = [arrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count


def _grouped(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows of each row group."""
    group: list[Row] = []
    size = 0
    for row in rows:
        if group and (len(group) == GROUP_ROWS or size + len(row.data) > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(row)
        size += len(row.data)
    if group:
        yield group


def _is(found: Any, wanted: str) -> bool:
    arrow = _pyarrow()[0]
    if arrow.types.is_dictionary(found):
        found = found.value_type
    if wanted == _TEXT:
        return any(kind(found) for kind in (arrow.types.is_string, arrow.types.is_large_string, arrow.types.is_null))
    if arrow.types.is_struct(found):  # see `_bytes`
        names = [field.name for field in found]
        return "bytes" in names and _is(found.field("bytes").type, wanted)
    return bool(arrow.types.is_binary(found) or arrow.types.is_large_binary(found))


def _opened(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        return _pyarrow()[1].ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=1 << 20)
    except (OSError, ValueError) as error:
        problem = f"{str(path)!r} is not a readable Parquet file: {_first_line(error)}"
        raise CorpusError(f"{problem}; make it again, as --mode pack does") from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtraError("Parquet needs pyarrow: pip install 'seq2drum[corpus]'") from None
    return pyarrow, pyarrow.parquet
