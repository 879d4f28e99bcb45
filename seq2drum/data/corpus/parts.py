"""Parts of a corpus for one process to read: some files of a folder, or a row group of a Parquet table.

The parts and their contents depend on the corpus alone, not on the number of readers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from seq2drum.data.corpus import parquet
from seq2drum.data.corpus.corpora import CORPORA, Item, Source, items_of, licence_of, source_of
from seq2drum.data.corpus.parquet import Row
from seq2drum.data.corpus.reading import MOST_BYTES, UNREADABLE, Listed, find_files
from seq2drum.system import files

UNOPENED = "a file or folder that could not be opened"
FILES_PER_PART = 32  # of a part of a folder


class Files(NamedTuple):
    """Some files of a folder. tag: prefix of their names in the corpus."""

    folder: str
    tag: str
    items: tuple[Item, ...]

    @property
    def size(self) -> int:
        """Number of songs."""
        return len(self.items)

    def named(self, item: Item) -> str:
        """A file's name in the corpus, independent of the folder's location: jazz/song.mid."""
        return f"{self.tag}/{item.name}" if self.tag else item.name


class RowGroup(NamedTuple):
    """A row group of a Parquet table. layout: its columns, a key of `parquet.LAYOUTS`."""

    file: str
    number: int
    layout: str
    rows: int

    @property
    def size(self) -> int:
        """Number of songs."""
        return self.rows


Part = Files | RowGroup


def parts_of(data: Sequence[str | Path]) -> list[Part]:
    """The parts of a corpus: files of plain folders by name, then tables and named corpora.

    data: folders, files, Parquet files, and named corpora such as "lakh:DIR".

    Raises:
        CorpusError: a source is missing, has the wrong layout, or holds no song.
        MissingExtraError: a table wants pyarrow, which is not installed.
    """
    sources = [source_of(word) for word in data]
    plain = [source.path for source in sources if source.corpus is None and not _is_table(source)]
    parts: list[Part] = []
    by_folder: dict[Path, list[Path]] = {}
    for path in find_files(plain) if plain else []:
        folder = next((folder for folder in plain if folder in path.parents), path.parent)
        by_folder.setdefault(folder, []).append(path)
    for folder, paths in by_folder.items():
        tag = folder.resolve().name if folder in plain else ""
        parts += _in_files(folder, tag, [Item(path.relative_to(folder).as_posix()) for path in paths])
    for source in sources:
        if _is_table(source):
            parts += _in_row_groups(source.path, "")
        elif source.corpus and source.corpus.items is None:
            parts += _in_tables(source)
        elif source.corpus:
            parts += _in_files(source.path, source.corpus.name, items_of(source.corpus, source.path))
    return parts


def _is_table(source: Source) -> bool:
    return source.corpus is None and source.path.suffix.lower() == parquet.SUFFIX and source.path.is_file()


def _in_files(folder: Path, tag: str, items: Sequence[Item]) -> Iterator[Files]:
    for first in range(0, len(items), FILES_PER_PART):
        yield Files(str(folder.resolve()), tag, tuple(items[first : first + FILES_PER_PART]))


def _in_row_groups(path: Path, layout: str) -> Iterator[RowGroup]:
    for number, rows in enumerate(parquet.row_groups(path, layout)):
        yield RowGroup(str(path.resolve()), number, layout, rows)


def _in_tables(source: Source) -> Iterator[RowGroup]:
    assert source.corpus
    paths = sorted(files.below(source.path, lambda name: name.endswith(parquet.SUFFIX)))
    if not paths:
        items_of(source.corpus, source.path)  # says what was expected
    for path in paths:
        yield from _in_row_groups(path, source.corpus.name)


def rows_of(part: Part, listed: Mapping[str, Listed]) -> Iterator[Row | str]:
    """The songs of a part in order, with a reason in place of one that cannot be opened.

    listed: entries of manifests by digest.

    Raises:
        CorpusError: a table is damaged.
    """
    if isinstance(part, RowGroup):
        yield from parquet.read(Path(part.file), part.number, part.layout)
        return
    source = CORPORA[part.tag].title if part.items[0].licence is not None else ""
    for item in part.items:
        path = Path(part.folder) / item.name
        try:
            data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
        except OSError:
            yield UNOPENED
            continue
        if data is None:
            yield UNREADABLE
            continue
        sha256 = hashlib.sha256(data).hexdigest()
        if item.licence is not None:
            yield Row(_text(part.named(item)), sha256, data, item.licence, _text(item.group or ""), source)
        else:
            listing = listed.get(sha256, Listed("", "", ""))
            yield Row(_text(part.named(item)), sha256, data, licence_of(listing.licence), listing.group, listing.source)


def _text(name: str) -> str:
    """A name as valid UTF-8: undecodable bytes become escapes."""
    return name.encode(errors="backslashreplace").decode()


def digest(parts: Sequence[Part], *extra: str) -> str:
    """A digest of a corpus and the options of its preparation, to name its cache.

    It changes with the names, sizes and times of files, and with the metadata of a corpus.
    """
    state = hashlib.sha256("".join(f"{one}\n" for one in extra).encode())
    for part in parts:
        if isinstance(part, Files):
            found = [
                (Path(part.folder) / item.name, " ".join([part.named(item), *filter(None, item[1:])]))
                for item in part.items
            ]
        else:
            found = [(Path(part.file), f"{Path(part.file).name} {part.number}")]
        for path, name in found:
            try:
                status = path.stat()
                stamp = f"{status.st_size} {status.st_mtime_ns}"
            except OSError:
                stamp = "missing"
            state.update(f"{name} {stamp}\n".encode(errors="surrogateescape"))
    return state.hexdigest()[:16]
