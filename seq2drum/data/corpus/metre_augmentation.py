"""Metre augmentation: songs in 4/4 turned into songs in metres of which a corpus has few.

A bar loses or repeats half a beat or a beat, at the same place in every bar of a song, in guitar, bass and drums alike.
A song that swings is written in 12/8 or 6/8: it sounds the same, with a dotted quarter for each quarter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import (
    HALF_GAP,
    HIT_LENGTH,
    LENGTH_UNITS,
    OFFSET_UNITS,
    PLACES,
    STEPS_PER_QUARTER,
    TWELFTHS,
    Grid,
    Lattice,
)
from seq2drum.music.notes import Bar, IntArray

Metre = tuple[int, int]
PLACES_OF: dict[Metre, tuple[int, ...]] = {(7, 8): (21, 21, 15), (5, 4): (18, 12), (3, 4): (12, 6)}
"""Steps of the 4/4 bar at which `augmented` cuts or repeats; one that stands twice is drawn twice as often.

With a backbeat, kick K and snare S on the beats, they give K S K S' (its last beat an eighth long) and K S K' S in 7/8,
K S K S S and K S K K S in 5/4, K S S and K K S in 3/4. Real songs in these metres have most snares in the same places.
"""
SWUNG: tuple[Metre, ...] = ((12, 8), (6, 8))
"""Metres as which a song that swings is written."""
STRAIGHT = 0.1  # share of notes on straight eighths and sixteenths, above which a part does not swing
TRIPLETS = 0.1  # share of hits on eighth triplets, below which the drums do not swing
SLOW = 120  # quarters a minute of a song that swings; above, a part in 12/8 would be faster than most are
_METRE, _STEPS = (4, 4), 4 * STEPS_PER_QUARTER  # of the songs that are altered
_HALF = STEPS_PER_QUARTER // 2
_QUARTER = TWELFTHS * OFFSET_UNITS  # ticks: every offset is a whole number of them
_LENGTH = _QUARTER // LENGTH_UNITS  # ticks of the unit in which lengths are kept


def change_metre(song: Prepared, metre: Metre, at: int = 0) -> Prepared | None:
    """A song in 4/4 turned into one in another metre, with the same sections and tempo.

    at: for 7/8 and 3/4 the step of each bar at which half a beat or a beat is taken out, for 9/8 and 5/4 that of the
    half beat or beat that is repeated. A cut shortens notes that reach over it; a note that begins inside it and sounds
    for half a beat after it moves to the cut. 12/8 and 6/8 have no such place. The 9/8 counts 2 + 2 + 2 + 3 eighths,
    while a model's clock counts threes, so `augmented` makes none.

    Returns:
        The new song, with a path and a digest of its own, or None if the song is not in 4/4 throughout or, for 12/8
        and 6/8, does not swing: see `swings`.

    Raises:
        ValueError: another metre, or `at` is not on a half beat of the bar or leaves too little of it.
    """
    if metre not in SWUNG:
        _check(metre, at)
    if not _is_common(song.guitar_grid.form) or (metre in SWUNG and not swings(song)):
        return None
    guitar_grid, name = song.guitar_grid, "{}-{}".format(*metre)
    if metre in SWUNG:
        altered, drums = _dotted(guitar_grid, song.drums, metre)
    else:
        altered, drums = _resized(guitar_grid, song.drums, metre, at)
        name += f" at step {at}"
    sha256 = hashlib.sha256(f"{song.sha256} {name}".encode()).hexdigest()
    drums = drums._replace(length=np.full_like(drums.step, HIT_LENGTH))
    return replace(song, path=f"{song.path} as {name}", sha256=sha256, guitar_grid=altered, drums=drums)


def augmented(songs: Sequence[Prepared], share: float, seed: int) -> list[Prepared]:
    """Altered copies of a share of the training songs in 4/4, a fifth each in 12/8, 6/8, 7/8, 5/4 and 3/4.

    Each song is used once. Where too few slow songs swing, 12/8 and 6/8 share them equally. The choice of songs and the
    place of the cut depend only on the songs' digests and the seed.
    """
    digests = {song.sha256: hashlib.sha256(f"{seed} {song.sha256}".encode()).digest() for song in songs}
    common = [song for song in songs if song.split == "train" and _is_common(song.guitar_grid.form)]
    left = sorted(common, key=lambda song: digests[song.sha256])
    wanted = round(share * len(left) / (len(SWUNG) + len(PLACES_OF)))
    found: list[Prepared] = []
    for metre in (*SWUNG, *PLACES_OF):
        places = PLACES_OF.get(metre, (0,))
        able = [song for song in left if _suits(song, metre)]
        most = len(able) // 2 if metre == SWUNG[0] else len(able)  # the other half is for 6/8
        taken = able[: min(wanted, most)]
        altered = (change_metre(song, metre, places[digests[song.sha256][-1] % len(places)]) for song in taken)
        found += [song for song in altered if song is not None]
        names = {song.sha256 for song in taken}
        left = [song for song in left if song.sha256 not in names]
    return found


def swings(song: Prepared) -> bool:
    """True if drums and guitar play eighth triplets and hardly any straight eighths or sixteenths."""
    drums, guitar = _subdivisions(song.drums), _subdivisions(song.guitar_grid.guitar)
    return drums[1] >= TRIPLETS and max(drums[0], guitar[0]) <= STRAIGHT


def _suits(song: Prepared, metre: Metre) -> bool:
    """True if a song in 4/4 makes a good one in the metre.

    12/8 and 6/8 need a slow song that swings; half a beat is only cut from songs that do not swing.
    """
    if metre in SWUNG:
        return float(np.median(song.guitar_grid.form.bpm)) <= SLOW and swings(song)
    straight, triplets = _subdivisions(song.drums)
    return metre[1] == 4 or triplets <= straight


def _subdivisions(grid: Grid) -> tuple[float, float]:
    """The shares of notes on straight eighths and sixteenths, and on eighth triplets that are not on a beat."""
    at = PLACES[grid.step % STEPS_PER_QUARTER]
    counts = np.bincount(at, minlength=TWELFTHS)
    straight, triplets = int(counts[[3, 6, 9]].sum()), int(counts[[4, 8]].sum())
    return straight / max(len(at), 1), triplets / max(len(at), 1)


def _is_common(form: Form) -> bool:
    """True if all bars are full bars of 4/4."""
    return len(form.steps) > 0 and form.metre == "{}/{}".format(*_METRE) and bool((form.steps == _STEPS).all())


def _check(metre: Metre, at: int) -> None:
    """Raise a ValueError unless the metre's bar is longer or shorter by half a beat or a beat, and `at` fits."""
    sizes = {(7, 8): -_HALF, (9, 8): _HALF, (3, 4): -STEPS_PER_QUARTER, (5, 4): STEPS_PER_QUARTER}
    if metre not in sizes:
        known = ", ".join("{}/{}".format(*one) for one in (*sizes, *SWUNG))
        raise ValueError(f"cannot change 4/4 to {metre[0]}/{metre[1]}: the metre is one of {known}")
    last = _STEPS - abs(sizes[metre])
    if at % _HALF or not _HALF <= at <= last:
        raise ValueError(f"at is {at}; it is a step from {_HALF} to {last} that a half beat begins at, as {last} is")


def _lattice(metre: Metre, bars: int) -> Lattice:
    """A number of bars of a metre."""
    length = 4 * _QUARTER * metre[0] // metre[1]
    return Lattice(tuple(Bar(bar, bar * length, length, *metre) for bar in range(bars)), _QUARTER)


def _form(lattice: Lattice, metre: Metre, bpm: NDArray[np.float64]) -> Form:
    """The bars of a lattice, all of one metre, at their tempos (B,)."""
    numerator, denominator = (np.full(len(bpm), number) for number in metre)
    return Form(lattice.counts, numerator, denominator, bpm)


# --- a bar of another length ------------------------------------------------------------------------------------------


def _resized(guitar_grid: GuitarGrid, drums: Grid, metre: Metre, at: int) -> tuple[GuitarGrid, Grid]:
    """Each bar with the notes from step `at` on as much later, or earlier, as the metre is longer or shorter."""
    bars = len(guitar_grid.form.steps)
    old, new = _lattice(_METRE, bars), _lattice(metre, bars)
    guitar, bass, drums = (_moved(grid, old, new, at) for grid in (guitar_grid.guitar, guitar_grid.bass, drums))
    return replace(guitar_grid, form=_form(new, metre, guitar_grid.form.bpm), guitar=guitar, bass=bass), drums


def _moved(grid: Grid, old: Lattice, new: Lattice, at: int) -> Grid:
    """The notes of bars on the lattice `old` in bars on `new`, which are longer or shorter from step `at` on."""
    before, after = old.bars[0].length, new.bars[0].length
    more, cut = after - before, int(old.ticks[at])
    # 1. The new step and end of each note; it keeps its offset from its step.
    start, late = _placed(grid, old)
    bar, place = np.divmod(start, before)
    end = start + grid.length * _LENGTH
    last = np.minimum((end - 1) // before, len(old.bars) - 1)
    begins = bar * after + np.where(place >= cut, place + more, place)
    inside = end - last * before
    ends = last * after + np.where(inside > cut, np.maximum(inside + more, cut), inside)
    if more > 0:
        # 2. Repeated notes also stay in their old place.
        again = np.flatnonzero((place >= cut) & (place < cut + more))
        every = np.concatenate([np.arange(len(place)), again])
        ends = np.concatenate([ends, np.minimum(ends[again] - more, begins[again])])
        begins = np.concatenate([begins, begins[again] - more])
        return _encoded(grid.select(every), new, begins, ends, late[every])
    # 3. Notes that begin in the cut survive only if they sound after it, from its end on.
    lost = (place >= cut) & (place < cut - more)
    begins, late = np.where(lost, bar * after + cut, begins), np.where(lost, 0, late)
    kept = ~lost | (np.minimum(ends, new.bars[-1].end) - begins >= _QUARTER // 2)
    return _encoded(grid.select(kept), new, begins[kept], ends[kept], late[kept])


def _placed(grid: Grid, lattice: Lattice) -> tuple[IntArray, IntArray]:
    """The ticks of the steps of some notes, and the delays of the notes."""
    start = lattice.ticks[grid.step].astype(np.int64)
    return start, lattice.onset(grid.step, grid.offset) - start


def _encoded(grid: Grid, lattice: Lattice, begins: IntArray, ends: IntArray, late: IntArray) -> Grid:
    """The notes from one tick to another, moved by a delay; of two of one key on one step, the louder.

    A note keeps its new step, even if another step is nearer to its time.
    """
    (own, _), (step, offset) = lattice.nearest(begins), lattice.nearest(begins + late)
    strayed = (lattice.ticks[own] == begins) & (step != own)
    step, offset = np.where(strayed, own, step), np.where(strayed, np.sign(late) * HALF_GAP, offset)
    length = np.maximum(np.rint((ends - begins) / _LENGTH).astype(np.int64), 1)
    order = np.lexsort((-grid.velocity, grid.key, step))
    notes = Grid(step, grid.key, grid.velocity, offset, length).select(order)
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(notes.step) != 0) | (np.diff(notes.key) != 0)
    return notes.select(first)


# --- a dotted quarter for a quarter -----------------------------------------------------------------------------------


def _dotted(guitar_grid: GuitarGrid, drums: Grid, metre: Metre) -> tuple[GuitarGrid, Grid]:
    """All notes half as long again, at a tempo half as fast again; a bar of 4/4 is one of 12/8 or two of 6/8."""
    parts = SWUNG[0][0] // metre[0]  # bars for each bar
    bars = len(guitar_grid.form.steps)
    old, new = _lattice(_METRE, bars), _lattice(metre, parts * bars)

    def dotted(grid: Grid) -> Grid:
        start, late = _placed(grid, old)
        return _encoded(grid, new, 3 * start // 2, 3 * (start + grid.length * _LENGTH) // 2, 3 * late // 2)

    form = _form(new, metre, np.repeat(guitar_grid.form.bpm * 1.5, parts))
    marks = tuple((parts * bar, name) for bar, name in guitar_grid.marks)
    altered = replace(
        guitar_grid, form=form, guitar=dotted(guitar_grid.guitar), bass=dotted(guitar_grid.bass), marks=marks
    )
    return altered, dotted(drums)
