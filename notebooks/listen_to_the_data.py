# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Listen to the data
#
# What does a model learn from, and what of it does it ever get to see? This notebook goes the way of a song: from a
# folder of files to songs, from a song to bars, from bars to pairs of guitar and drums, and from a pair to the
# lattice that the model reads. At each station it counts what is lost.
#
# It runs on the 22 pieces in `examples/training/`, which were written for this project. Put a folder of your own
# into `DATA`: any MIDI files that have both guitar and drums. Where it speaks of the 6,038 songs that the model in the
# package was chosen from, the figures are from `notebooks/LOG.md` and the model's card; those songs are not part of the
# project. What is said of the pieces here, a cell asserts.

# %%
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from seq2drum.data.corpus import build
from seq2drum.data.corpus.reading import find_files
from seq2drum.formats.midi import midi
from seq2drum.lattice import grid, phrases
from seq2drum.lattice.conditions import drums_of, hits_per_quarter, measure
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import lattice_of
from seq2drum.music import theory
from seq2drum.music.kit import FULL
from seq2drum.music.notes import merge_parts
from seq2drum.show.page import Table

EXAMPLES = Path("../examples/training")
DATA = EXAMPLES
plt.rcParams.update({"figure.dpi": 72, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
BLUE = "#1f5fa8"

# %% [markdown]
# ## 1. From files to songs
#
# `corpus.prepare` is what `--mode prepare` calls. It reads every file, chooses the guitar, and leaves out what cannot
# teach: files that are damaged, that have no guitar or no drums, fewer than four bars with both, or notes that do not
# sit on their own barlines. Of exact and near copies one stays, or a song would be on both sides of the split.
# Nothing is left out in silence: the account says what, and why.

# %% tags=["keep-output"]
songs, account = build.prepare([DATA])
account

# %% [markdown]
# A prepared song is the guitar on the lattice, the drums on the lattice, and where they come from.

# %% tags=["keep-output"]
songs[-1]

# %% [markdown]
# ## 2. What the songs are like
#
# Metres, tempos, lengths, how dense the drums are, and which style the rules of `conditions` hear in them.
#
# These pieces were written to have a little of everything. Real collections are lopsided: of the 6,038 songs, 95 % are
# in 4/4, and four of five are filed under "pop/rock/other", which is why styles are derived by rules from which pieces
# are struck where.


# %% tags=["keep-output"]
def shares(axes, names, title):
    """Bars of how often each name comes, the most frequent on top."""
    counts = Counter(names).most_common()[::-1]
    axes.barh([name for name, _ in counts], [count for _, count in counts], color=BLUE)
    axes.set_title(title)


forms = [song.guitar_grid.form for song in songs]
drums = [drums_of(song.drums, form) for song, form in zip(songs, forms, strict=True)]
density = np.concatenate([hits_per_quarter(one) for one in drums])

figure, panels = plt.subplots(2, 3, figsize=(13, 6), layout="constrained")
shares(panels[0, 0], [form.metre for form in forms], "metre (songs)")
shares(panels[0, 1], [measure(song.drums, song.guitar_grid.form).style for song in songs], "style by rule (songs)")
panels[0, 2].hist([form.bpm[0] for form in forms], bins=12, color=BLUE)
panels[0, 2].set_title("tempo, quarters a minute (songs)")
panels[1, 0].hist([len(form.steps) for form in forms], bins=12, color=BLUE)
panels[1, 0].set_title("length in bars (songs)")
panels[1, 1].hist(density, bins=np.arange(0, 10, 0.5), color=BLUE)
panels[1, 1].set_title("drum hits a quarter (bars)")
velocities = np.concatenate([song.drums.velocity for song in songs])
panels[1, 2].hist(velocities, bins=np.arange(0, 130, 5), color=BLUE)
panels[1, 2].set_title("velocity (drum hits)")
plt.show()

# %% [markdown]
# And which pieces of the kit are struck. In the jazz songs of the real corpus 21 % of the notes are closed hat, 13 %
# kick, 10 % ride and 10 % snare; but 5.3 % are cabasa, 4.6 % maracas and 5.5 % congas. So the kit has 24 pieces and
# not the nine that are usual: all that is in no piece is lost.

# %% tags=["keep-output"]
struck = np.bincount(np.concatenate([song.drums.key for song in songs]), minlength=len(FULL))
order = [index for index in np.argsort(-struck, kind="stable") if struck[index]]
figure, axes = plt.subplots(figsize=(13, 3), layout="constrained")
axes.bar([FULL.voices[index].name for index in order], struck[order] / struck.sum(), color=BLUE)
axes.set_ylabel("share of all hits")
axes.tick_params(axis="x", rotation=30)
plt.show()

# %% [markdown]
# ## 3. From a song to bars
#
# A song as it is read: nothing is rounded. `bars()` covers it from its first tick to its last, whatever the metre
# does. Of the examples it is a piece in 7/8, which goes 2+2+3.

# %% tags=["keep-output"]
used = {Path(prepared.path).name for prepared in songs}
files = [path for path in find_files([DATA]) if path.name in used]
file = next((path for path in files if "seven" in path.name), files[0])
song = midi.read(file)
song

# %% [markdown]
# ## 4. From bars to pairs
#
# A pair is what guitar and drums play in the same whole bars. It ends before the bar that would bring either side
# over 150 notes, or after eight bars: that bounds memory, and makes batches dense. At play time the drummer's memory
# goes on across pairs, so that a song is never cut.

# %% tags=["keep-output"]
guitar = merge_parts([song.parts[index] for index in theory.guitar_parts(song).parts])
kit_part = merge_parts([song.parts[index] for index in theory.drum_parts(song)])
pairs, cut = phrases.pairs(song, guitar, kit_part)
rows = [
    [
        f"{pair.guitar.bars[0].index + 1} to {pair.guitar.bars[-1].index + 1}",
        *(str(len(side.part)) for side in (pair.guitar, pair.drums)),
    ]
    for pair in pairs
]
Table(["bars", "guitar notes", "drum notes"], rows)

# %%
for pair in pairs:
    assert len(pair.guitar.bars) <= 8
    assert max(len(pair.guitar.part), len(pair.drums.part)) <= 150

# %% tags=["keep-output"]
pairs[0]

# %% [markdown]
# The account of the cut has the bars that are in no pair, by reason. Over the whole folder:

# %% tags=["keep-output"]
total, reasons, sizes = 0, Counter(), []
for prepared in songs:
    form = prepared.guitar_grid.form
    counts = [
        np.bincount(form.bar_of(side.step), minlength=len(form.steps)).tolist()
        for side in (prepared.guitar_grid.guitar, prepared.drums)
    ]
    cut = phrases.cut_bars(*counts)
    total += len(form.steps)
    reasons += cut.left_out
    sizes += [stop - first for first, stop in cut.ranges]
print(
    f"{total} bars, {len(sizes)} pairs of {np.mean(sizes):.1f} bars on average; in no pair: {dict(reasons) or 'none'}"
)

# %% [markdown]
# ## 5. From a pair to the lattice
#
# Six places in every quarter may have a hit: the sixteenths and the eighth-note triplets. A note is kept as its
# nearest place (`step`) and how far into the gap to the next place it fell (`offset`, in 254ths of the gap). So a 4/4
# bar has 24 steps, a 7/8 bar 21, and swing and rushed hits are not flattened.

# %% tags=["keep-output"]
steps = {form.metre: int(form.steps[0]) for form in forms}
assert steps["4/4"] == 24 and steps.get("7/8", 21) == 21

lattice = pairs[0].drums.lattice
encoded = grid.encode(pairs[0].drums.part, lattice, FULL)
encoded

# %% [markdown]
# Where in a quarter do drum onsets fall? In the examples there are six combs, and nearly nothing between them. Dotted
# lines are the six places.

# %% tags=["keep-output"]
within = []
for path in files:
    whole = midi.read(path)
    starts = np.array([bar.start for bar in whole.bars()])
    for index in theory.drum_parts(whole):
        onset = whole.parts[index].onset
        bar = np.searchsorted(starts, onset, side="right") - 1
        within.append((onset - starts[bar]) % whole.ticks_per_quarter / whole.ticks_per_quarter)
within = np.concatenate(within)
figure, axes = plt.subplots(figsize=(13, 2.6), layout="constrained")
axes.hist((within + 1 / 24) % 1 - 1 / 24, bins=np.linspace(-1 / 24, 23 / 24, 193), color=BLUE, log=True)
for place in grid.PLACES / grid.TWELFTHS:
    axes.axvline(place, color="grey", linestyle=":", zorder=0)
axes.set(xlabel="place in the quarter", ylabel="drum onsets (log)")
plt.show()

distance_six = np.abs(within[:, None] - np.append(grid.PLACES / grid.TWELFTHS, 1)).min(axis=1)
print(f"{np.mean(distance_six <= 1 / 48):.1%} of the onsets are within 1/48 of a quarter of a place")

# %% [markdown]
# ## 6. What is lost
#
# All loss of information happens in one function, `quantise`, and a law says so: `decode(encode(part)) ==
# quantise(part)`. The two sides are written apart; here the law is tried on every piece.

# %%
moved = []
for path in files:
    whole = midi.read(path)
    lattice = lattice_of(whole)
    for index in theory.drum_parts(whole):
        part = whole.parts[index]
        kept = grid.quantise(part, lattice, FULL)
        assert grid.decode(grid.encode(part, lattice, FULL), lattice, FULL) == kept
        step, offset = lattice.nearest(part.onset)
        moved.append([len(part), len(kept), np.abs(part.onset - lattice.onset(step, offset)).max() if len(part) else 0])
moved = np.array(moved)
assert DATA != EXAMPLES or moved[:, 2].max() == 0  # 480 ticks a quarter: to the tick

# %% [markdown]
# What it loses, counted. The offset keeps an onset to the tick in files of up to 508 ticks a quarter; lost are the
# lengths of drum notes (a drum has none), notes that are no piece of the kit, and the softer of two equal notes at
# one step.

# %% tags=["keep-output"]
print(
    f"{moved[:, 0].sum():,} drum notes are read, {moved[:, 1].sum():,} are kept; "
    f"onsets move by {moved[:, 2].max()} ticks at most"
)

# %% [markdown]
# And what would be lost without offsets, on coarser lattices? The share of onsets within 1/48 of a quarter of a
# place. On 10.8 million drum onsets of the real corpus it is 92.3 % for the six places and 87.1 % for plain
# sixteenths (`python -m bench lattice DIR`); the offset keeps what is left. These pieces were written, and are
# cleaner than most files.

# %% tags=["keep-output"]
rows = []
for name, places in {
    "six places": grid.PLACES / 12,
    "sixteenths": np.arange(4) / 4,
    "eighths": np.arange(2) / 2,
    "triplets": np.arange(3) / 3,
}.items():
    distance = np.abs(within[:, None] - np.append(places, 1)).min(axis=1)
    rows.append([name, f"{len(places)}", f"{np.mean(distance <= 1 / 48):.1%}"])
Table(["lattice", "places a quarter", "onsets within 1/48 of a quarter"], rows)

# %%
assert DATA != EXAMPLES or np.mean(distance_six <= 1 / 48) > 0.923  # cleaner than most

# %% [markdown]
# ## 7. What the model hears of the guitar
#
# The guitar goes onto the same lattice, with its pitches. Of it the model gets features (`features.py`): onsets,
# loudness, register, pitch classes and chord changes for each step, likeness of bars for each bar, and a summary of
# the whole part. What it does not get is anything else of the song: no bass, no singer, no name.

# %% tags=["keep-output"]
SongGrid.of(song, theory.guitar_parts(song).parts).guitar_grid

# %% [markdown]
# Next: `train_your_own` makes a model of a folder like this one; `inside_the_drummer` shows what it remembers.
