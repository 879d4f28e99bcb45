"""A corpus of songs becomes one cache of songs: counted, free of copies, and split so that no song is on two sides.

    files -> prepared songs (in parallel) -> copies dropped -> groups -> train / validation / test -> one file

Groups come from a manifest where there is one (`manifest.csv` beside or in the folder, columns `sha256` and `group`),
and from the music itself: songs are one group that have in common half of all the different bars they have together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seq2drum.data.corpus.cache import Packed, unpacked
from seq2drum.data.corpus.copies import Candidate, without_copies
from seq2drum.data.corpus.corpora import ANY, Licences, source_of
from seq2drum.data.corpus.parquet import Row
from seq2drum.data.corpus.parts import Part, parts_of, rows_of
from seq2drum.data.corpus.prepared import Prepared, split_of
from seq2drum.data.corpus.reading import manifests_of, read_manifests, read_song
from seq2drum.errors import CorpusError
from seq2drum.music.choices import SYMUSIC
from seq2drum.music.shown import Shown
from seq2drum.system.workers import results_of

OTHER_LICENCE = "a licence not requested"


@dataclass
class Account(Shown):
    """Counts of the files that were read, used, and left out by reason."""

    files: int = 0
    songs: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes_outside_kit: int = 0
    drum_notes: int = 0

    def lines(self) -> list[str]:
        """The account as lines for a terminal."""
        out = [f"{self.files} files, {self.songs} songs used"]
        out += [f"  {count:6d} left out: {reason}" for reason, count in self.left_out.most_common()]
        share = self.notes_outside_kit / max(self.drum_notes, 1)
        out.append(f"  {self.notes_outside_kit} of {self.drum_notes} drum notes ({share:.2%}) are not in the kit")
        return out


def prepare(
    data: Sequence[str | Path],
    *,
    workers: int = 1,
    manifest: Path | None = None,
    licences: Licences = ANY,
    reader: str = SYMUSIC,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Prepared], Account]:
    """Read all songs of a corpus, see `prepare_packed`, and unpack them."""
    songs, account = prepare_packed(
        data, workers=workers, manifest=manifest, licences=licences, reader=reader, progress=progress
    )
    return [unpacked(song) for song in songs], account


def prepare_packed(
    data: Sequence[str | Path],
    *,
    workers: int = 1,
    manifest: Path | None = None,
    licences: Licences = ANY,
    reader: str = SYMUSIC,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Packed], Account]:
    """Read all songs of a corpus, packed as `cache.save_packed` wants them.

    The result depends neither on the number of workers nor on where the folders lie.

    data: folders, files, Parquet files, and named corpora such as "lakh:DIR". licences: those that songs may have.
    reader: of MIDI, one of `choices.READERS`. progress: called with the number of files read, and of all files.

    Raises:
        CorpusError: there is nothing to read, it is damaged, the manifest is unusable, or no song is left.
    """
    # 1. Read every file, or leave it out for a reason.
    parts = parts_of(data)
    manifests = manifests_of(manifest, [source_of(word).path for word in data])
    read_manifests(manifests)
    account = Account()
    candidates: list[Candidate] = []
    total = sum(part.size for part in parts)
    for found in results_of(Reader(manifests, licences, reader), parts, workers):
        for _ in found:
            account.files += 1
            progress(account.files, total)
        account.left_out.update(one for one in found if isinstance(one, str))
        candidates += [one for one in found if not isinstance(one, str)]
    # 2. Drop copies, and group similar songs.
    kept, groups, copies = without_copies(candidates)
    account.left_out += copies
    # 3. The group decides a song's side of the split.
    songs = []
    for candidate, group in zip(kept, groups, strict=True):
        account.songs += 1
        account.notes_outside_kit += candidate.said.outside_kit
        account.drum_notes += candidate.said.drum_notes
        songs.append(_packed(candidate, group))
    if not songs:
        raise CorpusError("no song could be used:\n" + "\n".join(account.lines()))
    return songs, account


@dataclass(frozen=True)
class Reader:
    """A picklable reader of the songs of a part of a corpus, for worker processes.

    manifests: tables with more about songs. licences: allowed ones. name: the reader of MIDI.
    """

    manifests: tuple[Path, ...]
    licences: Licences
    name: str = SYMUSIC

    def __call__(self, part: Part) -> list[Candidate | str]:
        """For each song, in order, a candidate or the reason it is left out."""
        rows = rows_of(part, read_manifests(self.manifests))
        return [row if isinstance(row, str) else self._song(row) for row in rows]

    def _song(self, row: Row) -> Candidate | str:
        return read_song(row, self.name) if row.licence in self.licences else OTHER_LICENCE


def _packed(candidate: Candidate, group: str) -> Packed:
    """A candidate as a packed song, on the side of the split of its group."""
    path, sha256, tag, _, origin, licence, bars, *_ = candidate.said
    return Packed(path, sha256, tag, group, split_of(group), origin, licence, bars, candidate.packed)
