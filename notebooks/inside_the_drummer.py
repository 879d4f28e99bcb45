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
# # Inside the drummer
#
# A drummer who plays verse two as verse one must remember verse one. The shipped model has a memory of bars for that,
# and this notebook looks into it: which bar remembers which, whether the drums follow it, and what happens when the
# guitar is swapped. Then it looks at what the model knows before it plays a note, and at what your controls move.
#
# Everything said here is measured in the cell above or below it, and what the text claims, a cell asserts: were it no
# longer so, the notebook would not run. It takes half a minute.

# %%
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from seq2drum.data.batches import batches
from seq2drum.data.corpus import build, excerpts
from seq2drum.evaluate import likelihood
from seq2drum.formats.midi import midi
from seq2drum.judge import players
from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.features import SongGrid, features
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import encode
from seq2drum.music import theory
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part
from seq2drum.play.arrange.fills import plan_fills
from seq2drum.play.checkpoint.folder import WEIGHTS, find, read_tensors
from seq2drum.play.decode.recall import recall
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options

EXAMPLES = Path("../examples")
plt.rcParams.update({"figure.dpi": 80, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})

drummer = Drummer.load()


def listen(name):
    """An example's song, and what the model hears of its guitar."""
    song = midi.read(EXAMPLES / f"{name}.mid")
    return song, SongGrid.of(song, theory.guitar_parts(song).parts).guitar_grid


song, guitar_grid = listen("rock_riff")
FORM = {1: "verse", 9: "chorus", 17: "verse", 25: "chorus"}  # as it was composed; the model does not know it

# %% [markdown]
# ## 1. Which bar remembers which
#
# Each bar of guitar gets a *key*, a few numbers that stand for what is played in it. When the model comes to a bar, it
# compares that bar's key with those of all bars before. The more alike two are, the more of the earlier bar's **drums**
# is mixed, step by step, into what the model knows while it plays this one. The weights of the mix sum to one; a part
# can go to "none of them".
#
# `recall` gives these weights. Read the picture row by row: in bar 25 (left), the model looks at the dark bars (top).


# %%
def heat(axes, weights, title, form=None):
    """A heat map of weights (B, B) or (B, B + 1): the bar being played downwards, the bar remembered to the right.

    form: names of sections by their first bar.
    """
    bars = len(weights)
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, extent=(0.5, weights.shape[1] + 0.5, bars + 0.5, 0.5))
    ticks = range(1, bars + 1, 4)
    axes.set_yticks(ticks)
    axes.set_xticks([*ticks, bars + 1] if weights.shape[1] > bars else ticks)
    axes.set_xticklabels([*ticks, "none"] if weights.shape[1] > bars else ticks)
    axes.xaxis.tick_top()
    for first, name in (form or {}).items():
        axes.axhline(first - 0.5, color="#b3541e", linewidth=0.6)
        axes.axvline(first - 0.5, color="#b3541e", linewidth=0.6)
        axes.text(weights.shape[1] + 1, first + 3.5, name, color="#b3541e", va="center")
    axes.set_title(title, pad=24)


# %% tags=["keep-output"]
memory = recall(drummer.engine, guitar_grid)

figure, axes = plt.subplots(figsize=(7, 7))
heat(axes, memory.weights, "rock_riff: the bars that each bar remembers", FORM)
axes.set_ylabel("bar being played")
plt.show()

# %% [markdown]
# The song was composed as a verse, a chorus, and both again, eight bars each. In the second chorus a clear diagonal
# runs sixteen bars back: bar 25 remembers bar 9, bar 26 bar 10, and so on. In numbers:

# %% tags=["keep-output"]
for bar in (1, 2, 9, 17, 25, 26, 27):
    row, most = memory.weights[bar - 1], memory.most[bar - 1]
    what = f"most of all bar {most + 1} ({row[most]:.0%})" if most >= 0 else "nothing: there is no bar before it"
    print(f"bar {bar:2}: {what}")
for first in (17, 25):
    shares = [memory.weights[first - 1 : first + 7, begin - 1 : begin + 7].sum() / 8 for begin in FORM]
    listed = ", ".join(f"bars {begin}-{begin + 7} {share:.0%}" for begin, share in zip(FORM, shares))
    print(f"the second {FORM[first]}, bars {first}-{first + 7}, looks at: {listed}")
assert all(memory.most[bar] == bar - 16 for bar in range(24, 32))  # the diagonal

# %% [markdown]
# ## 2. It goes by the guitar
#
# The weights come from the guitar alone, so they are known before a note is played. Beside them, here is how alike the
# bars of guitar are: the smaller of two cosines, of where notes begin and of which pitches they have.


# %%
def likeness(guitar_grid):
    """(B, B): how alike the bars of a guitar are, 0 to 1."""
    form, grid = guitar_grid.form, guitar_grid.guitar
    bar = form.bar_of(grid.step)
    rhythm, pitches = np.zeros((len(form.steps), form.steps.max())), np.zeros((len(form.steps), 12))
    rhythm[bar, form.place_of(grid.step)] = 1
    np.add.at(pitches, (bar, grid.key % 12), 1)

    def cosine(rows):
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return unit @ unit.T

    return np.minimum(cosine(rhythm), cosine(pitches))


# %% tags=["keep-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.5), layout="constrained")
heat(left, memory.weights[:, :-1], "what the model remembers", FORM)
heat(right, np.tril(likeness(guitar_grid), -1), "how alike the bars of guitar are", FORM)
plt.show()

# %% [markdown]
# Is the bar it remembers most one in which the guitar does the same? "The same" is a likeness of 0.9 or more, as in
# `explain`. Counted from bar 9 on, where there is such a bar at all; "by chance" is the share of such bars among all
# that could be remembered.

# %% tags=["keep-output"]
shares = []
print(f"{'piece':16}{'the same guitar':>18}{'by chance':>12}{'none of them':>15}")
for path in sorted(EXAMPLES.glob("*.mid")):
    _, other = listen(path.stem)
    recalled, alike = recall(drummer.engine, other), likeness(other) >= 0.9
    bars = [bar for bar in range(8, len(alike)) if alike[bar, :bar].any()]
    same = np.mean([alike[bar, recalled.most[bar]] for bar in bars])
    chance = np.mean([alike[bar, :bar].mean() for bar in bars])
    print(f"{path.stem:16}{same:>18.0%}{chance:>12.0%}{recalled.nothing[8:].mean():>15.1%}")
    shares.append((same, chance, recalled.nothing[8:].mean()))
assert all(same > 2 * chance and nothing < 0.1 for same, chance, nothing in shares)
assert min(same for same, _, _ in shares) < 1

# %% [markdown]
# In every piece more than twice as often as by chance, though not always. And "none of them" is hardly ever chosen.
#
# ## 3. And by how long ago
#
# Of two bars that are equally alike, which one? For every distance in bars the model has learnt a number that is added
# before the weights are made. It was given no rule that music goes in fours.

# %% tags=["keep-output"]
(bias,) = read_tensors(find(drummer.engine.name) / WEIGHTS, ("distance.weight",))
back = np.arange(1, 33)
learnt = bias[back].mean(axis=1)  # the mean of the model's four ways of remembering

figure, axes = plt.subplots(figsize=(9, 3))
colours = np.where(back % 4 == 0, "#1f5fa8", np.where(back % 2 == 0, "#8fb4dc", "#c9c9c9"))
axes.bar(back, learnt, color=colours)
axes.axhline(0, color="black", linewidth=0.5)
axes.set_xticks([1, 2, *range(4, 33, 4)])
axes.set_xlabel("bars back (dark: multiples of four, light: other even numbers, grey: odd numbers)")
axes.set_ylabel("learnt preference")
plt.show()

print("the favourites:", ", ".join(str(back[place]) for place in np.argsort(-learnt)[:5]), "bars back")
assert learnt[back % 4 == 0].mean() > learnt[back % 2 == 0].mean() > learnt[back % 2 == 1].mean()

# %% [markdown]
# Multiples of four are preferred to other even numbers, and these to odd ones.

# %% [markdown]
# ## 4. The drums follow it
#
# A weight is only a number. Does the drummer use it? Bars 17 to 32 of this guitar are bars 1 to 16 again. How much of
# them is the same in the drums, for a drummer as it is, and for one whose memory is shut: in each bar it finds nothing
# to remember, and still knows its last four bars as they were? Eight takes of each, on the same groove.


# %%
bars, quarter = song.bars(), song.ticks_per_quarter


def forgetful(player):
    """The same model with an empty memory in every bar."""
    bar = player.graphs["bar"]
    run = lambda arrays: bar.run(arrays | {"distance": np.zeros_like(arrays["distance"])})
    return replace(player, graphs={**player.graphs, "bar": bar._replace(run=run)})


def again(part):
    """The hit F1 of the second half of a take with its first half."""
    hits = (drums_of(encode(part, lattice_of(song), FULL), guitar_grid.form).velocity > 0).reshape(len(bars), -1)
    first, second = hits[:16], hits[16:]
    return 2 * (first & second).sum() / (first.sum() + second.sum())


shut = Drummer(forgetful(drummer.engine))

# %% tags=["keep-output"]
alike = {}
for title, player in (("as it is", drummer), ("its memory shut", shut)):
    alike[title] = np.mean([again(player.accompany(song, Options(seed=seed)).standard_part) for seed in range(8)])
    print(f"{title}: bars 17 to 32 have {alike[title]:.2f} F1 with bars 1 to 16")
assert alike["as it is"] > alike["its memory shut"] + 0.02

# %% [markdown]
# With its memory the drummer plays the second time more as the first. But the form of a song does not hang on that
# alone: a section that returns also brings its *groove* back. To see both, we plant something. The first verse gets a
# cowbell on every beat and the first chorus a tambourine; both would be most unusual here. The drummer is given those
# sixteen bars (`prime=16`) and plays on: as it is, with its memory shut, and on another groove that is named. Shown is
# the mean of four takes.

# %%
COWBELL, TAMBOURINE = 56, 54


def planted(seed):
    """The song with sixteen bars of its own drums, in which the verse has a cowbell and the chorus a tambourine."""
    drums = drummer.accompany(song, Options(seed=seed)).part
    marks = [
        Note(tick, 60, COWBELL if bar.index < 8 else TAMBOURINE, 100)
        for bar in bars[:16]
        for tick in range(bar.start, bar.end, quarter)
    ]
    rows = np.concatenate([drums.rows[drums.onset < bars[16].start], Part.of(marks).rows])
    return replace(song, parts=(*song.parts, Part.of(rows, name="Drums", is_drums=True)))


def count(part, pitch):
    """(B,): the hits of a note in each bar; one that comes a little before a barline belongs to the bar after it."""
    onsets = part.onset[part.pitch == pitch] + quarter // 16
    return np.bincount(np.searchsorted([bar.start for bar in bars], onsets, side="right") - 1, minlength=len(bars))


# %% tags=["keep-output"]
figure, rows = plt.subplots(3, 1, figsize=(9, 6), sharex=True, sharey=True)
songs = [planted(seed) for seed in range(4)]
OTHER = {"groove": "straight rock, hat", "temperature": 1.0}
returned = {}
for axes, player, title, asked in (
    (rows[0], drummer, "as it is", {}),
    (rows[1], shut, "its memory shut", {}),
    (rows[2], drummer, "on another groove", OTHER),
):
    takes = [player.accompany(primed, Options(prime=16, seed=seed, **asked)).part for seed, primed in enumerate(songs)]
    marks = ((-0.2, COWBELL, "#b3541e", "cowbell"), (0.2, TAMBOURINE, "#1f5fa8", "tambourine"))
    for shift, pitch, colour, name in marks:
        hits = np.mean([count(part, pitch) for part in takes], axis=0)
        axes.bar(np.arange(1, len(bars) + 1) + shift, hits, 0.4, color=colour, label=name)
        verse, chorus = returned[title, name] = hits[16:24].mean(), hits[24:].mean()
        print(f"{title}: {name}, hits a bar: second verse {verse:.1f}, second chorus {chorus:.1f}")
    axes.axvline(16.5, color="black", linewidth=1)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_ylabel("hits a bar")
rows[0].legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
rows[0].set_title("planted | played", fontsize=10)
rows[2].set_xticks(range(1, len(bars) + 1, 4))
rows[2].set_xlabel("bar")
plt.show()

for title in ("as it is", "its memory shut"):
    assert returned[title, "cowbell"][0] > 0.5 > 0.2 > returned[title, "cowbell"][1]
    assert returned[title, "tambourine"][1] > 0.5 > 0.2 > returned[title, "tambourine"][0]
for name in ("cowbell", "tambourine"):
    assert max(returned["on another groove", name]) < 0.2

# %% [markdown]
# The cowbell comes back with the verse and the tambourine with the chorus, though it was the tambourine that sounded
# last before bar 17. With the memory shut both come back, too: what was planted has become the groove of its section.
# On another groove neither does, though the memory is open. So what is played is the groove's affair, and the memory's
# share is how exactly a bar comes again.

# %% [markdown]
# ## 5. Another guitar
#
# The same bars and the same tempo, but the guitar of another piece in 4/4. What stays, and what changes? The first two
# columns are of the plainest take (temperature 0), which has no chance in it. "Hits in common" is the F1 with the
# plainest take to the own guitar: hits at the same step on the same piece of the kit, 1 if all are. The styles are
# those of three sampled takes, by the rules that the training labels come from.

# %%
NAMES = ("blues_shuffle", "bossa_nova", "funk", "jazz_swing", "metal_gallop")
guitars = {"rock_riff, its own": guitar_grid}
guitars |= {name: excerpts.lay_over(listen(name)[1], guitar_grid) for name in NAMES}


def play(guitar, seed=0, temperature=1.0):
    """The hits of a take to a guitar."""
    return players.play_heard(drummer.engine, guitar, seed=seed, temperature=temperature)


def common(one, other):
    """Hit F1 of two takes in the same bars, nine pieces of kit."""
    one, other = (drums_of(grid, guitar_grid.form).velocity > 0 for grid in (one, other))
    return 2 * (one & other).sum() / (one.sum() + other.sum())


# %% tags=["keep-output"]
own = play(guitar_grid, temperature=0.0)
print(f"{'guitar':20}{'hits in common':>15}{'hits a bar':>12}   styles")
for name, guitar in guitars.items():
    plainest = play(guitar, temperature=0.0)
    styles = [conditions.measure(play(guitar, seed), guitar_grid.form).style for seed in range(3)]
    a_bar = len(plainest.step) / len(guitar_grid.form.steps)
    print(f"{name:20}{common(own, plainest):>15.2f}{a_bar:>12.1f}   {', '.join(styles)}")
    assert name == "rock_riff, its own" or common(own, plainest) < 0.9

# %% [markdown]
# Every other guitar changes the drums. The memory changes with the guitar. These are the bars of the rock riff, and on
# the right the jazz guitar is played in them: the form of the song has gone with the riff.

# %% tags=["keep-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.5), layout="constrained")
heat(left, memory.weights[:, :-1], "its own guitar")
jazz = guitars["jazz_swing"]
other = recall(drummer.engine, jazz)
heat(right, other.weights[:, :-1], "the guitar of jazz_swing")
plt.show()

sixteen_back = [np.mean([one.weights[bar, bar - 16] for bar in range(24, 32)]) for one in (memory, other)]
assert sixteen_back[1] < sixteen_back[0] / 2

# %% [markdown]
# **Whose drums are these?** For the pieces in `examples/training` drums were composed. How likely are they to the
# model, bar by bar, when it hears the guitar they were composed for, and when it hears another's? The figure is *nats a
# bar*: lower is likelier, and one nat less is a factor of 2.7. This needs torch (`pip install 'seq2drum[train]'`);
# playing does not.

# %%
from seq2drum.learn.run.devices import use_threads
from seq2drum.models import checkpoint

use_threads(1)
model, _ = checkpoint.load(find(drummer.engine.name))
model.eval()
prepared, _ = build.prepare([EXAMPLES / "training"])
pieces = [piece for piece in prepared if piece.path.endswith("_1.mid") and piece.guitar_grid.form.metre == "4/4"]
names = [Path(piece.path).stem.removesuffix("_1") for piece in pieces]
nats = np.zeros((len(pieces), len(pieces)))
for row, piece in enumerate(pieces):
    heard_as = [
        piece.guitar_grid if other is piece else excerpts.lay_over(other.guitar_grid, piece.guitar_grid)
        for other in pieces
    ]
    data = batches.flatten([replace(piece, guitar_grid=guitar) for guitar in heard_as])
    starts = range(0, len(piece.guitar_grid.form.steps) - 7, 8)
    for column in range(len(pieces)):
        drums, guitar = ([batches.Window(song, at, at + 8) for at in starts] for song in (row, column))
        nats[row, column] = likelihood.window_nats(model, data, drums, guitar, starts).mean()

# %% tags=["keep-output"]
figure, axes = plt.subplots(figsize=(6.4, 4.6))
axes.imshow(nats - nats.min(axis=1, keepdims=True), cmap="Blues_r", vmin=0, vmax=5, aspect="auto")
for row, column in np.ndindex(*nats.shape):
    best = nats[row, column] == nats[row].min()
    dark = nats[row, column] - nats[row].min() < 2.5
    style = {"color": "white" if dark else "black", "fontweight": "bold" if best else "normal"}
    axes.text(column, row, f"{nats[row, column]:.1f}", ha="center", va="center", **style)
axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
axes.set_yticks(range(len(names)), names)
axes.set_xlabel("guitar that is heard")
axes.set_ylabel("drums that are weighed")
axes.set_title("nats a bar; the best of each row in bold")
plt.show()

right = sum(nats[row].argmin() == row for row in range(len(names)))
print(f"{right} of {len(names)} times the guitar that the drums were composed for makes them likeliest")
assert right > len(names) / 2

# %% [markdown]
# ## 6. Before the first note
#
# From the guitar alone the model makes a *sketch* of each bar, how likely each hit is before anything was played, and a
# *plan* of where drummers would break their pattern for a fill. At temperature 0 the sketch is what is played.


# %%
def sketch(guitar):
    """(9, S): how likely each piece of the kit is at each step, mean over the bars that sound, and (B,) of a fill."""
    player, inputs, bars = drummer.engine, features(guitar), len(guitar.form.steps)
    asked = conditions.of_controls(conditions.Controls(), bars)
    known = player.resolve(player.encode(inputs, guitar.form, asked, 0, bars))
    chances = 1 / (1 + np.exp(-known["sketch"].mean(axis=0)))
    fill = 1 / (1 + np.exp(-player.resolve(player.fill_logits(inputs, guitar.form))))
    return chances, fill


# %% tags=["keep-output"]
BEATS, EIGHTHS, SKIPS = [0, 6, 12, 18], [0, 3, 6, 9, 12, 15, 18, 21], [10, 22]  # steps of a bar in 4/4
SHOWN = ["kick", "snare", "closed hat", "open hat", "ride", "crash", "low tom", "high tom"]
voices = [voice.name for voice in FULL.voices]
figure, rows = plt.subplots(1, 3, figsize=(13, 2.6), sharey=True)
drawn = {}
for axes, (name, guitar) in zip(rows, (("rock_riff", guitar_grid), ("jazz_swing", jazz), ("funk", guitars["funk"]))):
    chances = sketch(guitar)[0][:, [voices.index(piece) for piece in SHOWN]].T
    axes.imshow(chances, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(0, 24, 6), [1, 2, 3, 4])
    axes.set_yticks(range(len(SHOWN)), SHOWN)
    axes.set_xlabel("beat")
    axes.set_title(f"to the guitar of {name}")
    drawn[name] = dict(zip(SHOWN, chances))
plt.show()

rock, swing = drawn["rock_riff"], drawn["jazz_swing"]
off = [step for step in range(24) if step not in EIGHTHS]
assert rock["snare"][[6, 18]].min() > 0.5 > rock["snare"][[0, 12]].max()
assert rock["closed hat"][EIGHTHS].min() > rock["closed hat"][off].max()
elsewhere = [step for step in range(24) if step not in BEATS + SKIPS]
assert swing["ride"].sum() > rock["ride"].sum()
assert swing["ride"][BEATS + SKIPS].min() > swing["ride"][elsewhere].max()

# %% [markdown]
# To the rock guitar a backbeat on 2 and 4 under eighths of the hi-hat; to the jazz guitar more ride, on the beats and
# the last triplet before 3 and 1. Nothing but the guitar was changed.
#
# The fills of the plan, before and after the guitar is swapped. Blue: how likely a drummer is to break the pattern in
# this bar. Orange: where a take with seed 0 does.

# %% tags=["keep-output"]
figure, rows = plt.subplots(1, 2, figsize=(11, 2.2), sharey=True)
for axes, (name, guitar) in zip(rows, (("rock_riff", guitar_grid), ("jazz_swing", jazz))):
    chances, count_of_bars = sketch(guitar)[1], len(guitar_grid.form.steps)
    logits = np.log(chances / (1 - chances))
    planned = plan_fills(logits, None, np.random.default_rng([0, count_of_bars, 1]))  # as playing draws it
    axes.bar(np.arange(1, count_of_bars + 1), chances, color=np.where(planned, "#b3541e", "#1f5fa8"))
    axes.set_xticks(range(1, count_of_bars + 1, 4))
    axes.set_xlabel("bar")
    axes.set_title(f"fills to the guitar of {name}")
rows[0].set_ylabel("likely")
plt.show()

# %% [markdown]
# ## 7. What your controls move
#
# One control at a time, three takes each, to the rock riff; the first row asks for none. Intensity and complexity are
# the levels that controls are made of, measured on the take: 0.5 is what half of all music stays below. Intensity is
# how much is played and how loud. Complexity is how far kick, snare and toms lean against the beat, and not how much is
# played. Fills are bars that stand out from those around them; at most a tenth of the bars is counted, here three. The
# takes are on one groove (`arrange="off"`), as bars of another groove stand out as well.

# %% tags=["keep-output"]
asked = {
    "nothing": {},
    "intensity 0.1": {"intensity": 0.1},
    "intensity 0.9": {"intensity": 0.9},
    "complexity 0.1": {"complexity": 0.1},
    "complexity 0.9": {"complexity": 0.9},
    "fills 0": {"fills": 0.0},
    "style latin": {"style": "latin"},
    "style metal": {"style": "metal"},
    "style jazz": {"style": "jazz"},
}
lattice, moved = lattice_of(song), {}
print(f"{'asked for':16}{'hits a bar':>12}{'intensity':>11}{'complexity':>12}{'fills':>7}   styles")
for name, controls in asked.items():
    takes = [drummer.accompany(song, Options(seed=seed, arrange="off", **controls)) for seed in range(3)]
    grids = [encode(take.standard_part, lattice, FULL) for take in takes]
    measured = [conditions.measure(grid, guitar_grid.form) for grid in grids]
    a_bar = np.mean([len(grid.step) for grid in grids]) / len(bars)
    intensity, complexity = (np.mean([getattr(one, what) for one in measured]) for what in ("intensity", "complexity"))
    fills = np.mean([one.fill.sum() for one in measured])
    styles = [one.style for one in measured]
    print(f"{name:16}{a_bar:>12.1f}{intensity:>11.2f}{complexity:>12.2f}{fills:>7.1f}   {', '.join(styles)}")
    moved[name] = {"hits": a_bar, "intensity": intensity, "complexity": complexity, "fills": fills, "styles": styles}

# %% [markdown]
# Each control moves its own column:

# %% tags=["keep-output"]
for control in ("intensity", "complexity"):
    low, high = (moved[f"{control} {level}"] for level in (0.1, 0.9))
    assert low[control] < high[control] - 0.1
    more = "more" if high["hits"] > low["hits"] else "fewer"
    print(f"{control} 0.9 has {control} {high[control]:.2f} after {low[control]:.2f} at 0.1, and {more} hits a bar:")
    print(f"  {high['hits']:.1f} after {low['hits']:.1f}")
assert moved["fills 0"]["fills"] < moved["nothing"]["fills"]
for style in ("latin", "metal", "jazz"):
    obeyed = moved[f"style {style}"]["styles"].count(style)
    print(f"style {style}: {obeyed} of 3 takes are {style} by the rules")

# %% [markdown]
# And others with it, since what is asked for first chooses a groove. A groove that leans little may be a busy one: it
# is asked to lean exactly as wished, and to be as full as the usual one only roughly. The rules of a style want its
# signs; a take may be played on a groove of that style and have too few of them to count.
#
# ## Where to go from here
#
# - The memory is `seq2drum/models/attention.py`, the function `weights`; what it is given while playing is `Memory` in
#   `seq2drum/play/decode/memory.py`. How `recall` reads it off the model that plays, without torch:
#   `seq2drum/play/decode/recall.py`.
# - What of this holds over 200 songs that the model never saw is in `LOG.md`, *Which bar remembers which*.
# - Change `listen("rock_riff")` above to another example, or `midi.read` a file of your own, and run all again.
