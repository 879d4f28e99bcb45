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
# # Train your own
#
# From a folder of MIDI files to a drummer of your own: prepare the songs, train a small model, look at what it plays,
# compare it with the shipped model, and play with it. As it stands, this notebook learns from the twenty-two short
# pieces in `examples/training`, in about a minute. That is enough to see how all of it works. It is far too little for
# a good drummer, and at the end you will see how far.
#
# Set `DATA` to a folder of your own: songs with a guitar and drums, MIDI files, in as many subfolders as you like.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, display

from seq2drum.data.batches import batches
from seq2drum.data.corpus import build, excerpts
from seq2drum.data.corpus.prepared import SPLITS
from seq2drum.evaluate import evaluate, likelihood
from seq2drum.judge.players import baseline_players, model_players, play_heard
from seq2drum.lattice.conditions import drums_of
from seq2drum.learn.accompaniment import Accompaniment, Recipe
from seq2drum.learn.run.devices import use_threads
from seq2drum.learn.run.loop import train
from seq2drum.learn.run.report import NATS
from seq2drum.models import base, checkpoint
from seq2drum.models.families import family
from seq2drum.music.kit import FULL
from seq2drum.play.checkpoint.folder import find, read_config
from seq2drum.play.drummer import Drummer
from seq2drum.show import draw

EXAMPLES = Path("../examples/training")
DATA = EXAMPLES
EPOCHS = 25  # how often every song is seen. With songs of your own, take minutes=60 in the recipe below instead
RUN = Path(tempfile.mkdtemp()) / "mine"  # where the model goes; name a folder to keep it

plt.rcParams.update({"figure.dpi": 80, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
use_threads(1)  # 0 takes all cores

# %% [markdown]
# ## 1. Prepare
#
# Every file is read; guitar and drums are found and laid on the lattice of steps. What cannot be used is listed with
# its reason, copies and near copies among them. All versions of one song are one *group*, and a group is on one side of
# the split only: what a model is measured on, it has not met in another key.

# %% tags=["keep-output"]
songs, account = build.prepare([DATA])
print("\n".join(account.lines()))
for side in SPLITS:
    here = [song for song in songs if song.split == side]
    names = sorted({Path(song.path).stem.rsplit("_", 1)[0] for song in here})
    bars = sum(len(song.guitar_grid.form.steps) for song in here)
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    print(f"{side:11} {len(here):2} songs, {bars:3} bars: {listed or 'none'}")

# %% [markdown]
# The sides follow from the songs themselves, so they are the same on every machine; with so few, a side can be empty.
# What is not trained on is unseen. With thousands of songs, watch the validation side and leave the test side for the
# end.
#
# With songs of your own, keep what was prepared: `cache.save(songs, Path("songs.s2d"))`, and `cache.load` the next
# time.

# %%
known = [song for song in songs if song.split == "train"]
unseen = [song for song in songs if song.split != "train"]
training, watching = batches.flatten(known), batches.flatten(unseen) if unseen else None
pairs = batches.windows(training)
print(f"{len(known)} songs become {len(pairs)} pairs of guitar and drums, of at most 150 notes a side")

# %% [markdown]
# ## 2. Train
#
# The model is a small one of the family `attention`. An epoch shows it every song once, each
# time cut at other places and moved to another key. Learning lowers the *nats a bar*: how surprised the model is, on
# the average, by a bar of the real drums.

# %%
sizes = {"hidden": 96, "reader": 32, "mixed": 64, "bar": 32, "played": 48}
recipe = Recipe(
    model="attention", rate=3e-3, epochs=EPOCHS, batch=16, sizes=sizes, device="cpu", precision="32", seed=0
)
curve = []
task = Accompaniment(training, watching, recipe)
trained = train(task, RUN, show=lambda share, progress: curve.append((progress.seen, progress.training[NATS])))

# %% tags=["keep-output"]
figure, axes = plt.subplots(figsize=(8, 3))
axes.plot(*zip(*curve), color="#1f5fa8", label="songs it learns from, running mean")
axes.axhline(trained.progress.validation[NATS], color="#b3541e", linewidth=1, label="unseen songs, at the end")
axes.set_xlabel("bars seen")
axes.set_ylabel("nats a bar")
axes.set_ylim(0)
axes.legend(frameon=False)
plt.show()
print(f"{trained.progress.seen:,} bars; unseen songs {trained.progress.validation[NATS]:.1f} nats a bar")

# %% [markdown]
# The curve is a running mean, so it comes late; and in training a part of what was played before is hidden from the
# model, which makes it harder than the unseen songs, where all of it is known.
#
# **Watch it.** `report.html` in the run's folder describes the run on one page: curves, what was run, and after
# `--mode train` also takes of unseen songs and how they compare with the real drums. While a longer training goes on,
# TensorBoard shows the curves: in a terminal, `tensorboard --logdir` and the run's folder, and open the address that it
# prints.

# %%
print(trained.report)

# %% [markdown]
# ## 3. Before and after
#
# A bar of guitar and what is played to it: by a model of the same size that has learnt nothing, by yours, and by the
# shipped one, which learnt from thousands of songs. All play the most likely take to a song that none of them has seen.


# %%
def untrained():
    """A model of the same size as it is before the first step."""
    kind = family(recipe.model)
    return Drummer(base.engine_of(kind(kind.config_type(voices=len(FULL), **sizes)), recipe.kit))


mine, box = Drummer.load(RUN), Drummer.load()
players = {"untrained": untrained(), "your own": mine, "the shipped model": box}
test = next((song for song in unseen if song.guitar_grid.form.metre == "4/4"), songs[0])


def show(title, drums, bars=8):
    """The first bars of the song with some drums, as a picture."""
    duet = excerpts.duet_of(test.guitar_grid, drums)
    display(Image(draw.picture(duet, "png", title=title, last_bar=bars)))


# %% tags=["keep-output"]
name, takes = Path(test.path).stem, {}
for title, player in players.items():
    takes[title] = play_heard(player.engine, test.guitar_grid, temperature=0.0)
    show(f"{name}: {title}", takes[title], bars=8 if len(takes[title].step) else 4)
show(f"{name}: the drums that were composed for it", test.drums)


def common(one, other):
    """Hit F1 of two takes, nine pieces of kit."""
    one, other = (drums_of(grid, test.guitar_grid.form).velocity > 0 for grid in (one, other))
    return 2 * (one & other).sum() / max(one.sum() + other.sum(), 1)


for title, drums in takes.items():
    print(
        f"{title}: {len(drums.step)} hits, F1 with the shipped model's {common(drums, takes['the shipped model']):.2f}"
    )
if DATA == EXAMPLES:
    like = [common(drums, takes["the shipped model"]) for drums in takes.values()]
    assert like[0] < 0.8 < 0.9 < like[1]

# %% [markdown]
# Even an untrained model plays something: the grooves that fit a guitar are chosen by a ranker that comes with the
# package, and the groove pulls at the hits of whoever plays on it. Your own model has learnt to go by the groove, and
# so its plain take is nearly that of the shipped model. A plain take does not tell a trained drummer from a beginner.
# What does is below.
#
# ## 4. Compare
#
# The same protocol as `--mode eval`, in small: every player hears the guitar of the unseen songs and never a real drum.
# Two baselines are made of the songs yours was trained on: the commonest bar of them, over and over, and the bars whose
# guitar rhythm is nearest. *Hit F1* is the share of hits that are the real drummer's, 1 if all are. With so few songs
# this is a sketch of an evaluation; brackets hold 95 % of what other songs of this kind would give.

# %% tags=["keep-output"]
compared = [
    *model_players(str(RUN), title="your own", takes=2),
    *model_players("default", title="shipped", takes=2),
    *(row for row in baseline_players(known) if row.name in ("common bar", "nearest 4 bars")),
]
judged = (unseen or songs)[:40]  # of a large folder some will do
result = evaluate.evaluate(judged, compared, settings=evaluate.Settings(critics=0, likelihood=False))
FIGURES = ("hit F1", "kick and snare F1", "hits a bar", "fill rate")
print(f"{'':26}" + "".join(f"{name:>21}" for name in FIGURES))
for row in result.free:
    cells = []
    for name in FIGURES:
        value, low, high = row.figures.get(name) or (None, None, None)
        interval = "" if low is None else f" ({low:.2f}-{high:.2f})"
        cells.append("" if value is None else f"{value:.2f}{interval}")
    print(f"{row.name:26}" + "".join(f"{cell:>21}" for cell in cells))
f1 = {row.name: row.figures["hit F1"].value for row in result.free if row.kind == "model"}
print(f"\nplain, yours has {f1['your own, plain'] / f1['shipped, plain']:.0%} of the shipped model's hit F1")
print(f"as by default {f1['your own, default'] / f1['shipped, default']:.0%}")

# %% [markdown]
# Who listens? The drums that were composed for the piece in the pictures, in nats a bar, given the true past: with the
# guitar they were composed for, and with those of at most twenty other pieces in its place (the mean over them). To a
# model that hears the guitar, a wrong one makes the drums less likely.

# %% tags=["keep-output"]
metre = test.guitar_grid.form.metre
others = [song for song in known if song.group != test.group and song.guitar_grid.form.metre == metre]
laid = [replace(test, guitar_grid=excerpts.lay_over(song.guitar_grid, test.guitar_grid)) for song in others[:20]]
data = batches.flatten([test, *laid])
starts = range(0, len(test.guitar_grid.form.steps) - 7, 8)
nats = {}
for title, run in (("your own", RUN), ("shipped", "default")):
    model, _ = checkpoint.load(find(run))
    model.eval()
    drums = [batches.Window(0, at, at + 8) for at in starts]
    right, *wrong = (
        likelihood.window_nats(model, data, drums, [batches.Window(song, at, at + 8) for at in starts], starts).mean()
        for song in range(len(data))
    )
    print(f"{title:12} its own guitar {right:5.1f}, another's {np.mean(wrong):5.1f}")
    nats[title] = right, np.mean(wrong)
if DATA == EXAMPLES:
    assert nats["your own"][0] > 2 * nats["shipped"][0]
    assert nats["shipped"][1] > nats["shipped"][0]
    assert f1["your own, default"] < f1["shipped, default"]

# %% [markdown]
# ## 5. What to expect
#
# Of a minute and sixteen pieces: a model that finds the beat and keeps it. Its plain take is as near to the real drums
# as that of the shipped model, since both are near to the groove that was chosen. Where it plays freely it falls
# behind, and the real drums surprise it several times as much as they surprise the shipped model. That one learnt from
# thousands of songs, for hours:

# %% tags=["keep-output"]
about = read_config(find("default"))
learnt = about["progress"]
print(
    f"shipped: {sum(row['train'] for row in about['data']):,} songs, {learnt['bars']:,} bars in its last run of",
    end=" ",
)
print(f"{learnt['seconds'] / 3600:.1f} hours; this one: {len(known)} songs, {trained.progress.seen:,} bars")

# %% [markdown]
# So for a drummer of your own: begin with the shipped model, `python main.py --mode train --data DIR --start default
# --minutes 5`. From nothing it takes a few hundred songs at the least, an hour (`Recipe(minutes=60)`, or `--minutes 60`
# without `--start`), the full width (leave out `sizes`), and a look at the validation songs now and then. How well it
# does is what `python main.py --mode eval --data DIR --model default runs/mine` measures.
#
# ## 6. Play with it
#
# A checkpoint is a folder. It plays wherever a model's name is asked for: here, with `--model runs/mine` on the command
# line, or in the service. Playing needs no torch.

# %%
print(*sorted(path.name for path in (RUN / "best").iterdir()), sep="\n")
take = Drummer.load(RUN).accompany("../examples/rock_riff.mid")
take.save(RUN / "rock_riff.drums.mid")
