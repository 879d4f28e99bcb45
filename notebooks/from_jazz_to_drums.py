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
# # From jazz to drums
#
# The whole road, with the tools that a course on sequences would take: music21 reads MIDI, guitar and drums are
# aligned and cut into pairs, torchtext puts the pairs into padded batches, an LSTM encoder-decoder learns to answer a
# guitar with drums, then a variant with attention, and gRPC lets somebody else ask for them. Each station shows real
# data, and says what the drummer that ships with the project does differently there, and why.
#
# As it stands, it learns from the pieces in `examples/training`, which were written for this project. Two of them are
# jazz; these are kept for the end, as songs that no model has seen. For a folder of jazz of your own, MIDI files with
# a guitar and drums, start Jupyter with `SEQ2DRUM_JAZZ` set to that folder. Training takes some three minutes, 1,000
# batches a model; `SEQ2DRUM_BATCHES` sets another number. What the text claims, a cell asserts. You need
# `pip install -e '.[notebooks,torchtext,client,server]'`.

# %%
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib import metadata
from itertools import count, islice
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image, display

from client import RemoteDrummer
from seq2drum.data.batches import batches
from seq2drum.data.batches.torchtext import bucket_iterator
from seq2drum.data.corpus import build, excerpts
from seq2drum.data.corpus.reading import find_files
from seq2drum.formats.midi import midi, streams
from seq2drum.judge.players import play_heard
from seq2drum.lattice import phrases
from seq2drum.lattice.conditions import drums_of
from seq2drum.learn.accompaniment import validation_nats
from seq2drum.models import base, checkpoint
from seq2drum.models.families import family
from seq2drum.music import theory
from seq2drum.music.choices import MUSIC21
from seq2drum.music.kit import FULL
from seq2drum.music.notes import merge_parts
from seq2drum.play.checkpoint.folder import find, read_config
from seq2drum.play.decode.recall import recall
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.show import draw
from seq2drum.show.page import Table

EXAMPLES = Path("../examples/training")
DATA = Path(os.environ.get("SEQ2DRUM_JAZZ", EXAMPLES))
BATCHES = int(os.environ.get("SEQ2DRUM_BATCHES", 1000))  # for each of two models
MOST = 60  # songs of a folder that are read: music21 takes its time
SEED = 0

plt.rcParams.update({"figure.dpi": 72, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
BLUE, BROWN, GREY = "#1f5fa8", "#b3541e", "#9a9a9a"
torch.set_num_threads(1)

# %% [markdown]
# ## 1. music21 reads a file
#
# A MIDI file is a list of events. music21 makes a *stream* of them: notes and chords with offsets in quarters. The
# reader here takes the notes from such streams and gives them back in ticks, as a `Song`. Above is the guitar, each
# note at its pitch; below are the drums, crosses for cymbals and dots for drums, the darker the louder.

# %% tags=["keep-output"]
files = find_files([DATA])[:MOST]
jazz = next((path for path in files if "jazz_swing" in path.name), files[0])
song = streams.parse(jazz.read_bytes())
song

# %% [markdown]
# **The shipped drummer** has its MIDI read by symusic. The notes are the same, the time is not.


# %% tags=["keep-output"]
def timed(parse):
    """(what a reader makes of the file, the processor time in seconds: the shortest of three)."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        read = parse(jazz.read_bytes())
        times.append(time.process_time() - begun)
    return read, min(times)


(by_symusic, fast), (by_music21, slow) = timed(midi.parse), timed(streams.parse)
same = [(note.onset, note.pitch, note.velocity) for part in by_symusic.parts for note in part]
assert same == [(note.onset, note.pitch, note.velocity) for part in by_music21.parts for note in part]
assert (by_symusic.tempos, by_symusic.metres) == (by_music21.tempos, by_music21.metres)
print(f"{len(same):,} notes by either; music21 takes {slow / fast:.0f} times as long")

# %% [markdown]
# (The reader has to talk music21 out of some habits: its own way from a file to a score rounds notes to sixteenths and
# triplets, and cuts them at barlines. `docs/researchers/data.md` lists them.)
#
# ## 2. Guitar and drums, aligned
#
# Both lie on one lattice of six places a quarter, bar by bar: the sixteenths and the triplets of eighths. So step 12
# of bar 5 is the same moment in both. `build.prepare` does it for a folder: it finds the guitar and the drums of each
# song and leaves out copies and what cannot teach. The account names the reasons.

# %% tags=["keep-output"]
songs, account = build.prepare(files, reader=MUSIC21)
account

# %% [markdown]
# Songs that share half of their bars are one *group*. A group is either learnt from, or watched while learning, or kept
# for the end: else a model could know a song by its sister.

# %% tags=["keep-output"]
kept = {each.group for each in songs if "jazz_swing" in each.path} or {songs[-1].group}
unseen = [each for each in songs if each.group in kept]
watched = [each for each in songs if each.group not in kept and each.split != "train"]
known = [each for each in songs if each.group not in kept and each.split == "train"]
watched = watched or known[::10]
test = unseen[0]
groups = [{each.group for each in side} for side in (known, unseen)]
assert not groups[0] & groups[1]
print(f"{len(known)} songs to learn from, {len(watched)} to watch, {len(unseen)} unseen")
display(Image(draw.picture(excerpts.duet_of(test.guitar_grid, test.drums), "png", title="unseen", last_bar=8)))

# %% [markdown]
# **The shipped drummer** does exactly this, with thousands of songs in place of a few, and hears the bass as well.

# %%
shipped_config = read_config(find("default"))
assert shipped_config["config"]["band"] > 0  # inputs of a step for the bass
assert sum(row["train"] for row in shipped_config["data"]) > 1000

# %% [markdown]
# ## 3. Pairs of at most 150 notes
#
# A whole song is too long for one step of learning. A *pair* is what guitar and drums play in the same whole bars: it
# ends before the bar that would bring a side over 150 notes, and after eight bars at the latest. Here is how the first
# song is cut, and how many notes the sides of all pairs have.


# %% tags=["keep-output"]
def notes_of(each):
    """The notes of guitar and drums in each bar of a song."""
    form = each.guitar_grid.form
    sides = each.guitar_grid.guitar, each.drums
    return [np.bincount(form.bar_of(side.step), minlength=len(form.steps)) for side in sides]


guitar = merge_parts([song.parts[index] for index in theory.guitar_parts(song).parts])
drums = merge_parts([song.parts[index] for index in theory.drum_parts(song)])
cut, _ = phrases.pairs(song, guitar, drums)
rows = [
    [
        f"{pair.guitar.bars[0].index + 1} to {pair.guitar.bars[-1].index + 1}",
        len(pair.guitar.part),
        len(pair.drums.part),
    ]
    for pair in cut
]
display(Table(["bars", "guitar notes", "drum notes"], [[str(cell) for cell in row] for row in rows]))

sizes = []
for each in known:
    of_guitar, of_drums = notes_of(each)
    for first, stop in phrases.cut_bars(of_guitar.tolist(), of_drums.tolist()).ranges:
        sizes.append((stop - first, of_guitar[first:stop].sum(), of_drums[first:stop].sum()))
bars, *sides = np.array(sizes).T
assert bars.max() <= 8 and max(side.max() for side in sides) <= 150

figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
axes.hist(sides, bins=np.arange(0, 160, 10), color=[BLUE, BROWN], label=["guitar", "drums"])
axes.axvline(150, color=GREY, linestyle=":")
axes.set(xlabel="notes in a pair", ylabel="pairs")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# **The shipped drummer** learns from pairs of the same kind. But a drummer must not forget at every cut, so its pairs
# come with the 24 bars before them and some from further back. The LSTM below has nothing but its pair.

# %%
assert batches.PAST == 24

# %% [markdown]
# ## 4. Padded batches, by torchtext
#
# Sixteen pairs are learnt from at once. They have different lengths, so shorter ones are padded, and padding is work
# for nothing. torchtext's `BucketIterator` puts pairs of like length together. torchtext is no longer developed; its
# version 0.6 is the last one written in Python alone, and it loads with today's torch.

# %%
assert metadata.version("torchtext").startswith("0.6")
training, watching, testing = (batches.flatten(side) for side in (known, watched, unseen))
pairs = batches.windows(training)

# %% [markdown]
# Two batches, those with most padding: on the left as torchtext fills buckets, on the right drawn without regard to
# length. A row is a pair, a column a bar; the darker a bar, the more steps it has, and white is padding.


# %% tags=["keep-output"]
def padded(group):
    """Steps of each bar of a batch of pairs, (pairs, bars), 0 for padding."""
    table = np.zeros((len(group), 8))
    for row, pair in enumerate(group):
        first = training.first_bar[pair.song]
        table[row, : pair.stop - pair.first] = training.steps[first + pair.first : first + pair.stop]
    return table


def wasted(groups):
    """The share of a data set's batches that is padding: of steps, each batch as long and as wide as its largest."""
    filled = [padded(group) for group in groups]
    whole = sum(table.max() * (table > 0).any(axis=0).sum() * len(table) for table in filled)
    return 1 - sum(table.sum() for table in filled) / whole


bucketed = [list(batch.window) for batch in bucket_iterator(training, pairs, size=16, seed=SEED)]
mixed = np.random.default_rng(SEED).permutation(len(pairs))
drawn = [[pairs[index] for index in mixed[at : at + 16]] for at in range(0, len(pairs), 16)]
figure, panels = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for panel, groups, name in zip(panels, (bucketed, drawn), ("in buckets", "as drawn"), strict=True):
    panel.imshow(padded(max(groups, key=lambda group: wasted([group]))), cmap="Blues", vmin=0, aspect="auto")
    panel.set(title=f"{name}: {wasted(groups):.0%} of all steps are padding", xlabel="bar of the pair", ylabel="pair")
plt.show()
assert wasted(bucketed) < wasted(drawn)

# %% [markdown]
# **The shipped drummer** was trained on the same batches without torchtext: `seq2drum.data.batches.batches` makes them
# of NumPy arrays alone, from memory or from files that do not fit into it. A test holds the two equal, array by array;
# here are the same pairs in the same order, as they are measured.

# %%
some = pairs[:256]
by_torchtext = [list(batch.window) for batch in bucket_iterator(training, some, size=16, train=False)]
assert by_torchtext == list(batches.bucketed(training, some, None, size=16))

# %% [markdown]
# ## 5. Two models
#
# The *LSTM encoder-decoder* reads the guitar of a pair from both ends, and all that it keeps is one vector. From that
# vector, a second LSTM writes the drums, step by step; at each step it is told what the real drummer hit just before
# (*teacher forcing*). The *attention variant* hears the guitar at the very step that it plays, and for each bar it asks
# all bars before: where did the guitar do this, and what did I play then?

# %% tags=["keep-output"]
SIZES = {
    "lstm": {"hidden": 128, "reader": 64},
    "attention": {"hidden": 128, "reader": 48, "bar": 48, "played": 64, "mixed": 96, "groove": False},
}


def made(name):
    """A model of a family that has learnt nothing."""
    torch.manual_seed(SEED)
    kind = family(name)
    return kind(kind.config_type(voices=len(FULL), **SIZES[name]))


for name in SIZES:
    print(f"{name:10} {sum(value.numel() for value in made(name).parameters()):9,} numbers to learn")

# %% [markdown]
# Training is a loop over the iterator: how unlikely are the real drums of this batch, and which way do all numbers have
# to move to make them likelier? The unit is *nats a bar*, the surprise at a bar of the real drums. After every forty
# batches we look at songs that are not learnt from, with their own guitar and with that of another song. The model of
# the best look is the one to keep.


# %%
def fit(model):
    """Train on BATCHES; returns nats a bar of each, and the looks: batches so far, own guitar, another's."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    iterator = bucket_iterator(training, pairs, size=16, seed=SEED, transpose=True)
    windows = batches.blocks(watching) or batches.windows(watching)
    curve, looks, best = [], [], None
    for batch in islice((batch for _ in count() for batch in iterator), BATCHES):  # round after round
        losses = model(base.tensors(batch.pair))
        optimizer.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        curve.append(float(losses["nats"].detach() / losses["bars"]))
        if len(curve) % 40 == 0:
            own, other, _ = validation_nats(model, watching, windows)
            looks.append((len(curve), own, other))
            if best is None or own < best[0]:
                best = own, {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best[1])
    return np.array(curve), np.array(looks)


# %%
models = {name: made(name) for name in SIZES}
history = {"lstm": fit(models["lstm"])}

# %%
history["attention"] = fit(models["attention"])

# %% tags=["keep-output"]
figure, panels = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, layout="constrained")
for panel, (name, (curve, looks)) in zip(panels, history.items(), strict=True):
    smooth = np.convolve(curve, np.ones(9) / 9, mode="valid")
    panel.plot(np.arange(len(smooth)) + 5, smooth, color=GREY, label="learnt from")
    panel.plot(looks[:, 0], looks[:, 1], "o-", color=BLUE, markersize=3, label="watched, own guitar")
    panel.plot(looks[:, 0], looks[:, 2], "--", color=BROWN, label="watched, another's guitar")
    panel.set(title=name, xlabel="batches", ylim=(0, 60))
panels[0].set_ylabel("nats a bar")
panels[0].legend(frameon=False)
plt.show()

best = {name: looks[looks[:, 1].argmin()] for name, (_, looks) in history.items()}
lost = {name: other / own - 1 for name, (_, own, other) in best.items()}
for name, (curve, _) in history.items():
    print(f"{name:10} {len(curve):5} batches; watched: {best[name][1]:.1f} nats a bar at best", end=", ")
    print(f"{lost[name]:+.1%} with another's guitar")

# %% [markdown]
# Three things to see.
#
# - Both learn: what is learnt from becomes far likelier.
# - The LSTM hardly hears the guitar: another song's costs it little, as one vector for eight bars is a narrow door, and
#   what was hit just before tells more. The attention variant is better, and needs the song's own guitar more.
# - So few songs are soon known by heart. What is watched gets worse while what is learnt from goes on getting better.
#   With more songs that comes later; it is why the best look is kept, and not the last.

# %%
for curve, _ in history.values():
    assert curve[-8:].mean() < curve[:8].mean() / 2
assert best["attention"][1] < best["lstm"][1]
assert lost["attention"] > max(lost["lstm"], 0.02)
if DATA == EXAMPLES and BATCHES >= 1000:
    assert all(looks[-1, 1] > 1.2 * best[name][1] for name, (_, looks) in history.items())

# %% [markdown]
# **The shipped drummer** is a transformer with the same memory of bars, and learnt from thousands of songs, in several
# runs.

# %% tags=["keep-output"]
learnt = shipped_config["progress"]
assert shipped_config["family"] == "transformer" and learnt["bars"] > 100_000
print(f"{sum(row['train'] for row in shipped_config['data']):,} songs, {learnt['bars']:,} bars in its last run")

# %% [markdown]
# ## 6. What attention looks at
#
# Read it row by row: in each bar of the unseen song (downwards), how much of each earlier bar (to the right) does the
# variant remember? These weights come from the guitar alone. The last column is "none of them".


# %% tags=["keep-output"]
def alike(guitar_grid):
    """(B, B): how alike bars of a guitar are, 0 to 1: the cosine of where their notes begin."""
    form = guitar_grid.form
    rhythm = np.zeros((len(form.steps), form.steps.max()))
    rhythm[form.bar_of(guitar_grid.guitar.step), form.place_of(guitar_grid.guitar.step)] = 1
    unit = rhythm / np.maximum(np.linalg.norm(rhythm, axis=1, keepdims=True), 1e-9)
    return unit @ unit.T


engines = {name: base.engine_of(model, "full") for name, model in models.items()}
remembered = recall(engines["attention"], test.guitar_grid).weights
figure, panels = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
panels[0].imshow(remembered, cmap="Blues", vmin=0)
panels[0].set(title="what the variant remembers", xlabel="earlier bar", ylabel="bar being played")
panels[1].imshow(np.tril(alike(test.guitar_grid), -1), cmap="Blues", vmin=0)
panels[1].set(title="how alike the bars of guitar are", xlabel="earlier bar")
plt.show()
assert np.allclose(remembered.sum(axis=1), 1, atol=1e-3)
assert remembered[0, -1] > 0.99  # there is no bar before the first

# %% [markdown]
# Is it the guitar that it goes by? Over all bars: the mean likeness of the bars that are remembered, weighted as they
# are, and of all bars that could be.

# %% tags=["keep-output"]
likeness, weights = alike(test.guitar_grid), remembered[:, :-1]
later = range(8, len(likeness))
chosen = np.mean([weights[bar, :bar] @ likeness[bar, :bar] / weights[bar, :bar].sum() for bar in later])
usual = np.mean([likeness[bar, :bar].mean() for bar in later])
print(f"remembered bars are {chosen:.2f} alike, all earlier bars {usual:.2f}")
assert chosen > usual

# %% [markdown]
# In translation, attention finds *where* in the other language a word comes from. Here guitar and drums are aligned
# already, so there is nothing to find at a step; what is far away is the bar that this one repeats. **The shipped
# drummer** remembers in the same way, on a better idea of which bars are alike (`inside_the_drummer` looks into it).
#
# ## 7. Drums for a song that none of them has seen
#
# Each hears the guitar and plays its likeliest take; none hears a real drum. At the end are the drums that were written
# for this guitar.

# %% tags=["keep-output"]
shipped = Drummer.load()
takes = {name: play_heard(engine, test.guitar_grid, temperature=0.0) for name, engine in engines.items()}
takes["the shipped drummer"] = play_heard(shipped.engine, test.guitar_grid, temperature=0.0)
takes["the song's own drums"] = test.drums
for name, take in takes.items():
    display(Image(draw.picture(excerpts.duet_of(test.guitar_grid, take), "png", title=name, last_bar=4)))

# %% [markdown]
# In figures: hits in common with the song's own drums (F1, 1 is all), how many different bars there are, and how
# surprising the song's own drums are to each.


# %% tags=["keep-output"]
def hits_of(take):
    return drums_of(take, test.guitar_grid.form).velocity > 0


def common(take):
    """F1 of the hits of a take with the song's own."""
    one, other = hits_of(take), hits_of(test.drums)
    return 2 * (one & other).sum() / max(one.sum() + other.sum(), 1)


def different(take):
    """The number of different bars of a take."""
    form = test.guitar_grid.form
    return len({hits_of(take)[begin:end].tobytes() for begin, end in zip(form.first[:-1], form.first[1:])})


judged = {**models, "the shipped drummer": checkpoint.load(find("default"))[0]}
nats = {name: validation_nats(model, testing, batches.blocks(testing)) for name, model in judged.items()}
rows = [
    [name, f"{common(take):.2f}", f"{different(take)}", *(f"{nats[name][0]:.1f}" if name in nats else "",)]
    for name, take in takes.items()
]
Table(["", "F1", f"different bars of {len(test.guitar_grid.form.steps)}", "nats a bar"], rows)

# %%
assert nats["the shipped drummer"][0] < nats["attention"][0] < nats["lstm"][0]

# %% [markdown]
# The order is the expected one where it counts, in the nats: the song's own drums surprise the LSTM most and the
# shipped drummer least. One take is an anecdote, so nothing is said of the F1 of three.
#
# **The shipped drummer** does something first: for each section of the song it *chooses a groove*, from a book, and
# only then does its network play, on that groove. The two here hear no groove; all that they share with it is the plan
# of where drums rest. A guitar says little about which groove a song wants, and one typical bar says nearly all, so the
# two questions are kept apart. `docs/researchers/models.md` has the figures.
#
# ## 8. The same over gRPC
#
# A checkpoint is a folder. Whoever has it can serve it, and whoever has the address can ask, with a client that needs
# neither torch nor music21.

# %%
code = "import sys; from client import RemoteDrummer; print({'torch', 'music21'} & sys.modules.keys())"
loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="..", check=True)
assert loaded.stdout.strip() == "set()"

# %%
folder = Path(tempfile.mkdtemp()) / "jazz"
checkpoint.save(models["attention"], folder, {"kit": "full", "max_notes": 150})
guitar_file = folder.parent / "guitar.mid"
duet = excerpts.duet_of(test.guitar_grid, test.drums)
guitar_file.write_bytes(midi.serialise(replace(duet.song, parts=duet.guitars)))

# %% tags=["keep-output"]
command = [sys.executable, "-m", "server", "--port", "0", "--model", f"jazz={folder}"]
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="..") as server:
    try:
        port = int(server.stdout.readline())
        with RemoteDrummer(f"localhost:{port}") as drummer:
            drummer.wait_until_ready(60)
            answer = drummer.accompany(guitar_file, model="jazz", seed=SEED)
            first = next(iter(drummer.stream(guitar_file, model="jazz", seed=SEED)))  # before the others are played
    finally:
        server.terminate()
midi.parse(answer.midi)

# %%
here = Drummer.load(folder).accompany(guitar_file, Options(seed=SEED))
assert answer.midi == here.to_bytes()  # the same bytes, from there and from here
assert first.number == 1

# %% [markdown]
# **The shipped drummer** is served in the same way; leave out `--model`, and it is the only one there. The server is
# made for many at once: it plays to several songs in one batch, and `stream` gives each bar as soon as it is played.
#
# ## Where to go on
#
# - More songs: start again with `SEQ2DRUM_JAZZ` set to a folder, and an hour in place of three minutes.
# - The short way: `python main.py --mode train --data DIR --start default --minutes 1.5` begins with what the shipped
#   drummer knows, and `--mode adapt` makes the drummer of a band from a few songs. `docs/researchers/training.md`
#   compares the roads.
# - `train_your_own` trains with the project's own loop, `inside_the_drummer` shows what a memory of bars does.
