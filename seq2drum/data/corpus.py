"""Folders of songs become one cache of songs: counted, free of copies, and split so that no song is on two sides.

    files -> prepared songs (in parallel) -> copies dropped -> groups -> train / validation / test -> one file

Groups come from a manifest where there is one (`manifest.csv` beside or in the folder, columns `sha256` and `group`),
and from the music itself: songs are one group that have in common half of all the different bars they have together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from seq2drum.data.copies import Candidate, without_copies
from seq2drum.data.packing import unpack
from seq2drum.data.prepared import Prepared, split_of
from seq2drum.data.reading import find_files, name_of, read_manifest, read_song
from seq2drum.errors import CorpusError
from seq2drum.music.shown import Shown


@dataclass
class Account(Shown):
    """What became of the files: how many were read, used, and left out by reason."""

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
        out.append(f"  {self.notes_outside_kit} of {self.drum_notes} drum notes ({share:.2%}) are no piece of the kit")
        return out


def prepare(
    folders: Sequence[Path],
    *,
    workers: int = 1,
    manifest: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Prepared], Account]:
    """Read all songs of some folders: the same for any number of workers, and wherever the folders lie.

    Raises:
        CorpusError: there is nothing to read, the manifest is unusable, or no song is left to learn from.
    """
    # 1. Every file is read, or left out for a reason.
    files = find_files(folders)
    listed = read_manifest(manifest, folders)
    account = Account(files=len(files))
    candidates: list[Candidate] = []
    for done, candidate_or_reason in enumerate(_read(files, folders, workers), 1):
        progress(done, len(files))
        if isinstance(candidate_or_reason, str):
            account.left_out[candidate_or_reason] += 1
        else:
            candidates.append(candidate_or_reason)
    # 2. Copies are dropped, and songs that are alike are one group.
    groups = {sha256: row.group for sha256, row in listed.items() if row.group}
    kept, labels, copies = without_copies(candidates, groups)
    account.left_out += copies
    # 3. The group says which side of the split a song is on.
    songs = []
    for candidate, label in zip(kept, labels, strict=True):
        account.songs += 1
        account.notes_outside_kit += candidate.outside_kit
        account.drum_notes += candidate.drum_notes
        heard, drums = unpack(candidate.packed)
        sha256 = candidate.sha256
        origin = listed[sha256].origin if sha256 in listed else ""
        songs.append(Prepared(candidate.path, sha256, candidate.tag, label, split_of(label), heard, drums, origin))
    if not songs:
        raise CorpusError("no song could be used:\n" + "\n".join(account.lines()))
    return songs, account


def _read(files: Sequence[Path], folders: Sequence[Path], workers: int) -> Iterator[Candidate | str]:
    """What is in each file, in their order, or why it is left out."""
    names = [name_of(path, folders) for path in files]
    if workers <= 1:
        yield from map(read_song, files, names)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(read_song, files, names, chunksize=32)
