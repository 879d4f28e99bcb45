"""Named corpora: their licences, their sources, and the songs in their folders.

`--data gigamidi:DIR` names one. Each is a line of CORPORA; metadata of songs come from the files of the corpus. The
layouts are as their makers describe them:

    GigaMIDI  K. J. M. Lee et al., TISMIR 8 (2025); the dataset card on the Hugging Face Hub
    PDMX      P. Long et al., arXiv 2409.10831; Zenodo 15571083
    Slakh     E. Manilow et al., WASPAA 2019; github.com/ethman/slakh-utils
    Lakh      C. Raffel, thesis (Columbia, 2016); colinraffel.com/projects/lmd
    Groove    J. Gillick et al., ICML 2019; magenta.withgoogle.com/datasets/groove
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from seq2drum.errors import CorpusError
from seq2drum.system import files

UNKNOWN = "unknown"
"""The licence of a song of which nobody states any."""

CLEAN = "clean"
"""A word for CC0, CC BY and MIT, in all their versions."""

CC0, CC_BY, PUBLIC_DOMAIN = "CC0", "CC BY 4.0", "public domain"

_CLEAN = re.compile(r"CC0|CC BY( \d\.\d)?|MIT")
_SPELLINGS = (  # licence in lower case with single spaces -> its name here
    (re.compile(r"(cc ?0|cc zero|creative commons zero)( 1\.0)?( universal)?"), CC0),
    (re.compile(r"(?:cc by|creative commons attribution)(?: (\d\.\d))?(?: international)?"), "CC BY"),
    (re.compile(r"(?:the )?mit(?: licen[cs]e)?"), "MIT"),
    (re.compile(r"public ?domain(?: mark(?: 1\.0)?)?"), PUBLIC_DOMAIN),
)


def licence_of(stated: str | None) -> str:
    """The canonical spelling of a licence: "CC BY 4.0" for "cc-by-4.0", "unknown" for nothing; others stay."""
    text = " ".join((stated or "").split())
    plain = re.sub(r"[-_ ]+", " ", text.casefold())
    for spelling, name in _SPELLINGS:
        if match := spelling.fullmatch(plain):
            version = match[1] if name == "CC BY" else None
            return f"{name} {version}" if version else name
    return text or UNKNOWN


def is_clean(licence: str) -> bool:
    """True for CC0, CC BY and MIT, as `licence_of` spells them."""
    return _CLEAN.fullmatch(licence) is not None


class Licences:
    """Licences that songs may have: names, and `CLEAN` for those of `is_clean`. Without names, all of them."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names: tuple[str, ...] = tuple(dict.fromkeys(map(licence_of, names)))
        self._named: Collection[str] = frozenset(self.names) - {CLEAN}  # a keyword, never a stated licence

    def __contains__(self, licence: object) -> bool:
        if not self.names or licence in self._named:
            return True
        return CLEAN in self.names and isinstance(licence, str) and is_clean(licence)

    def __bool__(self) -> bool:
        return bool(self.names)

    def __str__(self) -> str:
        if not self.names:
            return "any"
        return ", ".join("clean (CC0, CC BY, MIT)" if name == CLEAN else name for name in self.names)


ANY = Licences()
"""All licences, and none."""


class Item(NamedTuple):
    """A file of a folder: its name inside the folder, with slashes, and its metadata; None: see the manifest.

    group: the name of all arrangements of one song; "" if unknown.
    """

    name: str
    licence: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Corpus:
    """A named corpus.

    songs: the number of files that it states. licence: of the collection; songs may have others. wants: the expected
    contents of its folder. items: its files by name; None for Parquet.
    """

    name: str
    title: str
    songs: int
    licence: str
    url: str
    wants: str
    items: Callable[[Path], Iterator[Item]] | None = None


COLLECTION = "CC BY 4.0 of the collection, songs of third parties"
"""The licence that Lakh states, and Slakh after it: the collection's, which its songs never had; not clean."""


def _pdmx(folder: Path) -> Iterator[Item]:
    """The MIDI files that PDMX.csv lists. A licence on which the score and the site differ is unknown."""
    table = folder / "PDMX.csv"
    rows = []
    for row in _table(table, {"mid", "license", "subset:no_license_conflict"}):
        name = _inside(row["mid"])
        if name:
            agreed = row["subset:no_license_conflict"].strip().casefold() == "true"
            best = _inside(row.get("best_path")) or _inside(row.get("path")) or name
            rows.append(
                Item(name, licence_of(row["license"]) if agreed else UNKNOWN, f"pdmx:{PurePosixPath(best).stem}")
            )
    yield from sorted(rows)


def _slakh(folder: Path) -> Iterator[Item]:
    """The MIDI file of each track. Its group is the song that the file was matched to in Lakh."""
    for path in sorted(files.below(folder, "all_src.mid".__eq__)):
        group = None
        try:
            metadata = (path.parent / "metadata.yaml").read_text(encoding="utf-8", errors="replace")[:100_000]
        except OSError:
            metadata = ""
        if found := re.search(r"^lmd_midi_dir: *\S*/(TR\w{16})/\w+\.mid", metadata, re.MULTILINE):
            group = f"msd:{found[1]}"
        elif found := re.search(r"^UUID: *(\w+)", metadata, re.MULTILINE):
            group = f"lakh:{found[1]}"
        yield Item(path.relative_to(folder).as_posix(), COLLECTION, group or "")


def _lakh(folder: Path) -> Iterator[Item]:
    """All MIDI files. The group of one is the song of the Million Song Dataset that it matches best."""
    best: dict[str, tuple[float, str]] = {}
    scores = next((path for place in (folder, folder.parent) if (path := place / "match_scores.json").is_file()), None)
    if scores:
        try:
            for song, matches in json.loads(scores.read_text(encoding="utf-8")).items():
                for digest, score in matches.items():
                    best[digest] = max(best.get(digest, (-1.0, "")), (float(score), song))
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise CorpusError(f"{str(scores)!r} is not the table of matches of Lakh: {error}") from None
    for path in sorted(files.below(folder, lambda name: name.endswith(".mid"))):
        parent = path.parent.name  # in lmd_matched the song's own folder
        song = best[path.stem][1] if path.stem in best else parent if re.fullmatch(r"TR\w{16}", parent) else ""
        yield Item(path.relative_to(folder).as_posix(), COLLECTION, f"msd:{song}" if song else f"lakh:{path.stem}")


def _groove(folder: Path) -> Iterator[Item]:
    """The performances that info.csv lists. Performances of one written groove by several drummers are one group."""
    rows = []
    for row in _table(folder / "info.csv", {"id", "session", "style", "midi_filename"}):
        if name := _inside(row["midi_filename"]):
            same = row["style"] if row["session"].endswith("eval_session") else row["id"]
            rows.append(Item(name, CC_BY, f"groove:{same}"))
    yield from sorted(rows)


CORPORA = MappingProxyType(
    {
        corpus.name: corpus
        for corpus in (
            Corpus("gigamidi", "GigaMIDI", 2_100_000, "CC BY-NC 4.0",
                   "https://huggingface.co/datasets/Metacreation/GigaMIDI", "its Parquet files, as in v2.0.0/train"),
            Corpus("pdmx", "PDMX", 254_077, "public domain or CC0, by song",
                   "https://zenodo.org/records/15571083", "PDMX.csv, and mid/ of mid.tar.gz", _pdmx),
            Corpus("slakh", "Slakh2100", 2_100, COLLECTION,
                   "http://www.slakh.com", "folders such as Track00001 with all_src.mid and metadata.yaml", _slakh),
            Corpus("lakh", "Lakh MIDI Dataset", 176_581, COLLECTION,
                   "https://colinraffel.com/projects/lmd", "lmd_full or lmd_matched, and match_scores.json", _lakh),
            Corpus("groove", "Groove MIDI Dataset", 1_150, CC_BY,
                   "https://magenta.withgoogle.com/datasets/groove", "info.csv and the folders of drummers", _groove),
        )
    }
)  # fmt: skip
"""The known corpora, by name."""


class Source(NamedTuple):
    """A value of --data: a folder or a file, and its named corpus, if any."""

    path: Path
    corpus: Corpus | None = None


def source_of(word: str | Path) -> Source:
    """The source that a word names: NAME:DIR, or any other path."""
    name, colon, rest = str(word).partition(":")
    if colon and rest and name in CORPORA:
        return Source(Path(rest), CORPORA[name])
    return Source(Path(word))


def items_of(corpus: Corpus, folder: Path) -> list[Item]:
    """The files of a named corpus that is not Parquet.

    Raises:
        CorpusError: the folder does not have the layout of this corpus.
    """
    items = list(corpus.items(folder)) if corpus.items and folder.is_dir() else []
    if not items:
        raise CorpusError(
            f"{str(folder)!r} holds no song of {corpus.title}; {corpus.name}:DIR wants a folder with {corpus.wants}"
        )
    return items


def _table(path: Path, wanted: set[str]) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, restval="")
            if missing := wanted - set(rows.fieldnames or ()):
                raise CorpusError(f"{str(path)!r} has no column {min(missing)!r}; is it that of another version?")
            yield from rows
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{str(path)!r} cannot be read: {error}") from None


def _inside(name: str | None) -> str | None:
    """A table's file name as a path inside the folder; None if it is empty or leads out of the folder."""
    path = PurePosixPath((name or "").strip())
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in str(path):
        return None
    return path.as_posix()
