"""Which songs an evaluation plays, and which its baselines may know."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from seq2drum.data.excerpts import shortened
from seq2drum.data.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.judge.measures import judged_bars
from seq2drum.lattice.drums import drums_of


def choose(
    songs: Sequence[Prepared],
    *,
    split: str = "test",
    metre: str | None = None,
    tag: str | None = None,
    most: int | None = None,
    bars: int | None = None,
    seed: int = 0,
) -> list[Prepared]:
    """The songs to be played: of one side of the split (or "all"), in one metre throughout, of one folder.

    At most so many of them, and of each at most so many bars, from the first in which guitar and drums both play.

    Raises:
        CorpusError: there is none; the message says what there is.
    """
    # 1. Of the side, the folder and the metre, each said where nothing is left.
    chosen = [song for song in songs if split in ("all", song.split)]
    if not chosen:
        there = {side: sum(song.split == side for song in songs) for side in sorted({song.split for song in songs})}
        sides = ", ".join(f"{count} {side}" for side, count in there.items()) or "none at all"
        raise CorpusError(
            f"no song is on the {split} side of the split; there are {sides}. Name another with --split, "
            "or take all songs of a folder that no model has seen with --split all"
        )
    if tag is not None:
        tags = sorted({song.tag for song in chosen})
        chosen = [song for song in chosen if song.tag == tag]
        if not chosen:
            raise CorpusError(f"no song lies in a folder {tag!r}; there are {', '.join(tags)}")
    if metre is not None:
        metres = sorted({song.heard.form.metre for song in chosen})
        chosen = [song for song in chosen if song.heard.form.metre == metre]
        if not chosen:
            raise CorpusError(f"no song is in {metre} throughout; there are {', '.join(metres)}")
    chosen = [song for song in chosen if len(song.drums.step) and len(song.heard.guitar.step)]
    if not chosen:
        raise CorpusError("none of these songs has both guitar and drums, so there is nothing to compare with")
    # 2. Some of them, by digest: the same songs are drawn, in the same order, in whatever order they come.
    chosen = sorted(chosen, key=lambda song: (song.sha256, song.path))
    if most is not None and most < len(chosen):
        drawn = np.random.default_rng([seed, 1]).permutation(len(chosen))[:most]
        chosen = [chosen[index] for index in np.sort(drawn).tolist()]
    return [shortened(song, bars) for song in chosen] if bars else chosen


def passage(song: Prepared, most: int) -> tuple[int, int] | None:
    """Bars [first, stop) of a song that are shown or heard, at most so many; None if the drummer never plays.

    From the second eighth of the bars that count on: past the beginning, which is the hardest and the least typical.
    """
    form = song.heard.form
    bars = np.flatnonzero(judged_bars(drums_of(song.drums, form)))
    if not len(bars):
        return None
    first = int(bars[len(bars) // 8])
    return first, min(first + most, len(form.steps))


def reference(songs: Sequence[Prepared], chosen: Sequence[Prepared], *, all_of: bool = False) -> list[Prepared]:
    """What baselines may know: the training side of some songs, or all of them; never a group that is played."""
    groups, digests = {song.group for song in chosen}, {song.sha256 for song in chosen}
    return [
        song
        for song in songs
        if (all_of or song.split == "train") and song.group not in groups and song.sha256 not in digests
    ]


def split_hash(songs: Sequence[Prepared]) -> str:
    """A name for a set of songs, by their digests."""
    return hashlib.sha256("\n".join(sorted(song.sha256 for song in songs)).encode()).hexdigest()[:16]
