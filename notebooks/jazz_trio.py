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
# # Jazz trio
#
# A guitar, a drummer, and you at the mixing desk. You ask the drummer for a style, for more or less of everything,
# for swing and for a human touch; you let it play several times and see how the takes are ranked; you judge them
# beside a real drummer; and you have four bars played anew while all the rest stays.
#
# It runs on the pieces in `examples/`, offline, in half a minute.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import SVG, Audio, display

from seq2drum.errors import MissingExtraError
from seq2drum.formats.midi import midi
from seq2drum.formats.score.musicxml import write_score
from seq2drum.judge.panel import statistics, values
from seq2drum.judge.trial import trial_of
from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import drums_of, hits_per_quarter, novelty, syncopation
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import form_of, lattice_of
from seq2drum.lattice.grid import encode
from seq2drum.music import choices, drum_maps, theory
from seq2drum.music.kit import FULL
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.show import engraving, sound
from seq2drum.show.page import Table

EXAMPLES = Path("../examples")
plt.rcParams.update({"figure.dpi": 72, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})

drummer = Drummer.load()
song = midi.read(EXAMPLES / "jazz_swing.mid")

# %% [markdown]
# ## 1. Ask for nothing
#
# A take is a value, and shows itself. Above is the guitar, each note at its pitch; below, the drums that were made
# for it: crosses are cymbals, dots are drums, the darker the louder. Letters in boxes are passages of the guitar; a
# bar in which the drums break their pattern is shaded.

# %% tags=["keep-output"]
take = drummer.accompany(song)
take

# %% [markdown]
# What was done, bar by bar. This is counted in the take and in the guitar; it is no guess at why the model did it.

# %% tags=["keep-output"]
for explanation in take.explain():
    print(explanation)

# %% [markdown]
# As a drummer reads it (bars 1 to 8). Eighths that swing are written as plain eighths under the word *Swing*; hands
# point up, feet point down.


# %% tags=["keep-output"]
def score(take, first_bar, last_bar, title=""):
    """Some bars of a take as a score, bars counted from 0."""
    written = write_score(take.song, take.standard_part, title, first_bar=first_bar, last_bar=last_bar)
    return SVG(engraving.svg(written, width=900))


score(take, 0, 8)

# %% [markdown]
# And as it sounds, where FluidSynth is installed.


# %%
def listen(take):
    """Guitar and drums, if this machine can sound them."""
    try:
        display(Audio(sound.wav(take.duet)))
    except MissingExtraError as missing:
        print(missing)


listen(take)

# %% [markdown]
# ## 2. Ask for a style
#
# There are nine. Each is asked of the same guitar with the same seed; then we measure what was played: by the rules
# that named the styles in training (`conditions`), and by plain counts (`groove`). The guitar has its say, too: not all
# that is asked for counts as that by the rules. *Novelty* is how unlike the bars beside it a bar is, 0 to 1.


# %% tags=["keep-output"]
def measured(take):
    """What a take is like: its style by rule, hits a quarter, mean velocity, leaning against the metre, novelty."""
    lattice = lattice_of(take.song)
    form = form_of(take.song, lattice)
    grid = encode(take.standard_part, lattice, FULL)
    drums = drums_of(grid, form)
    return [
        conditions.measure(grid, form).style,
        f"{hits_per_quarter(drums).mean():.2f}",
        f"{take.part.velocity.mean():.0f}",
        f"{syncopation(drums).mean():.2f}",
        f"{novelty(drums).mean():.3f}",
    ]


COUNTED = ["style by rule", "hits a quarter", "velocity", "syncopation", "novelty"]
rows = [[style, *measured(drummer.accompany(song, Options(style=style)))] for style in choices.STYLES]
Table(["asked for", *COUNTED], rows)

# %%
assert len(set(map(tuple, (row[1:] for row in rows)))) == len(rows)  # each style is another take
assert next(row[1] for row in rows if row[0] == "jazz") == "jazz"

# %% [markdown]
# ## 3. More of this, less of that
#
# Three controls are levels from 0 to 1. They are shares of real music: at 0.5, half of all bars are sparser. They were
# learnt, so they move what goes along with them: an intense bar is louder *and* busier.

# %% tags=["keep-output"]
rows = []
for name in ("intensity", "complexity", "fills"):
    for level in (0.1, 0.5, 0.9):
        rows.append([name, f"{level}", *measured(drummer.accompany(song, Options(style="jazz", **{name: level})))])
Table(["control", "level", *COUNTED], rows)

# %%
low, high = ({name: float(row[COUNTED.index(name) + 2]) for name in COUNTED[1:]} for row in (rows[0], rows[2]))
assert high["hits a quarter"] > low["hits a quarter"] and high["velocity"] > low["velocity"]  # busier and louder

# %% [markdown]
# Swing and the human touch come after the model. `swing` puts the second eighth of each beat between the half (0) and
# the triplet (1). `humanize` gives velocity and timing of recorded drummers; it moves no hit to another step. Here is
# where the off-beats of the ride and the hats fall within their beats.

# %% tags=["keep-output"]
CYMBALS = [note for voice in FULL.voices if voice.name in ("ride", "closed hat", "open hat") for note in voice.notes]
asked = {
    "as the model means it": {},
    "swing 0": {"swing": 0.0},
    "swing 0.5": {"swing": 0.5},
    "swing 1, humanize 1": {"swing": 1.0, "humanize": 1.0},
}
second = {}
figure, panels = plt.subplots(len(asked), 1, figsize=(9, 5), sharex=True, layout="constrained")
for panel, (name, controls) in zip(panels, asked.items(), strict=True):
    part = drummer.accompany(song, Options(style="jazz", **controls)).part
    onsets = part.onset[np.isin(part.pitch, CYMBALS)] % song.ticks_per_quarter / song.ticks_per_quarter
    second[name] = np.median(onsets[(onsets > 0.4) & (onsets < 0.8)])
    panel.hist(onsets[onsets > 0.25], bins=np.linspace(0.25, 1, 91), color="#1f5fa8")
    panel.set(title=name, yticks=[])
    panel.axvline(1 / 2, color="grey", linestyle=":")
    panel.axvline(2 / 3, color="grey", linestyle=":")
panels[-1].set(xticks=[0.25, 1 / 2, 2 / 3, 1], xticklabels=["1/4", "1/2", "2/3", "the next beat"])
plt.show()

assert abs(second["swing 0"] - 1 / 2) < 0.03 and abs(second["as the model means it"] - 2 / 3) < 0.03
assert second["swing 0"] < second["swing 0.5"] < second["as the model means it"]

# %% [markdown]
# ## 4. Several takes, and which is the best
#
# There is no single right take. So several are on different grooves, and one can ask how much each has in common with
# what drummers of the style would play: that is its score, and the top row is the best take. The picture shows how much
# they have in common with each other. (If the odd one is the one you like: it has a groove and a seed, ask for those.)

# %% tags=["keep-output"]
takes = drummer.takes(song, Options(style="jazz", seed=3), count=6)
lattice = lattice_of(song)
struck = []
for one in takes:
    grid = encode(one.standard_part, lattice, FULL)
    struck.append(set(zip(grid.step.tolist(), grid.key.tolist(), strict=True)))
agreement = np.array([[2 * len(one & other) / (len(one) + len(other)) for other in struck] for one in struck])
figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.imshow(np.where(np.eye(len(takes)), np.nan, agreement), cmap="Blues", vmin=agreement.min())
for (row, column), value in np.ndenumerate(agreement):
    if row != column:
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.7 else "black")
axes.set(xticks=[], yticks=range(len(takes)), title="hit F1 of each take with each")
axes.set_yticklabels([f"{at}. {one.grooves[0].title}: score {one.score:.3f}" for at, one in enumerate(takes, 1)])
plt.show()

# %% [markdown]
# The list came sorted, and each take is on grooves of its own.

# %%
scores = [one.score for one in takes]
assert sorted(scores, reverse=True) == scores
assert len({one.grooves for one in takes}) == len(takes)

# %% [markdown]
# ## 5. Beside a real drummer
#
# `examples/training/` has pieces with drums. Here the drummer hears only the guitar of one of them, and the panel
# that `--mode eval` uses compares what it plays with the drums that were really there. F1 is how many hits are the
# same, 1 is all; JSD is how differently the hits are shared out over pieces and over places of the bar, 0 is alike.
# Asked for the wrong style, it is further from the real drums by all of the first five. But another good drummer would
# not have an F1 of 1 either: read several figures, never one. (And one song is an anecdote. The README has the panel
# over 408.)

# %% tags=["keep-output"]
reference = midi.read(EXAMPLES / "training" / "jazz_swing_1.mid")
song_grid = SongGrid.of(reference, theory.guitar_parts(reference).parts)
lattice, guitar_grid = song_grid.lattice, song_grid.guitar_grid
real_part = reference.parts[theory.drum_parts(reference)[0]]
real = drums_of(encode(real_part, lattice, FULL), guitar_grid.form)

ways = {
    "plainest": Options(temperature=0),
    "as by default": Options(),
    "jazz": Options(style="jazz"),
    "metal": Options(style="metal"),
}
panel = {}
for name, options in ways.items():
    made = drummer.accompany(reference, options).standard_part
    drums = drums_of(encode(made, lattice, FULL), guitar_grid.form)
    panel[name] = values(statistics(trial_of(real, drums, guitar_grid)))
panel["the real drums themselves"] = values(statistics(trial_of(real, real, guitar_grid)))
shown = ["hit F1", "kick and snare F1", "onset F1", "voice JSD", "position JSD", "hits made to real", "fill rate"]
Table(["", *shown], [[name, *(f"{row[key]:.2f}" for key in shown)] for name, row in panel.items()])

# %%
assert all(panel["metal"][name] < panel["jazz"][name] for name in ("hit F1", "kick and snare F1", "onset F1"))
assert all(panel["metal"][name] > panel["jazz"][name] for name in ("voice JSD", "position JSD"))

# %% [markdown]
# ## 6. Only four bars anew
#
# You like a take but for bars 13 to 16. Guitar and drums go into one file; `bars` keeps all of its drums but these,
# and the model remembers what it keeps as if it had played it. Above as it was, below as it is now.

# %% tags=["keep-output"]
liked = takes[0]
both = midi.parse(liked.to_bytes(with_guitar=True))
again = drummer.accompany(both, Options(style="jazz", seed=11, bars=(13, 16), fills=1.0))
display(score(liked, 11, 17, "as it was"), score(again, 11, 17, "bars 13 to 16 anew"))

# %%
first, last = song.bars()[12], song.bars()[15]


def outside(part):
    """The notes before and after those bars; a hair before a barline belongs to the bar that follows."""
    hair = song.ticks_per_quarter // 8
    rows = part.rows[(part.onset < first.start - hair) | (part.onset >= last.end + hair)]
    return rows.tolist()


assert outside(liked.part) == outside(again.part)
assert liked.part != again.part

# %% [markdown]
# ## 7. For your sampler
#
# A take is on the notes of General MIDI unless you say otherwise. A drum map is a table in the package, or a JSON
# file of your own. These ship:

# %% tags=["keep-output"]
mapped = next(name for name in drum_maps.names() if name != drum_maps.GM)
plain = drummer.accompany(song, Options(style="jazz"))
moved = drummer.accompany(song, Options(style="jazz", drum_map=mapped))
print(f"{', '.join(drum_maps.names())}; of {len(plain.part)} hits {mapped} sounds {len(moved.part)}")
pieces = {FULL.voices[voice].name for voice in FULL.voice_of[plain.part.pitch].tolist()}
rows = [
    [voice.name, f"{voice.notes[0]}", ", ".join(map(str, notes[:1])) or "none"]
    for voice, notes in zip(FULL.voices, drum_maps.load(mapped).notes, strict=True)
    if voice.name in pieces
]
Table(["piece", "General MIDI", mapped], rows)

# %% [markdown]
# ## 8. Other metres
#
# Nothing above is about 4/4. The waltz, in one line:

# %% tags=["keep-output"]
waltz = drummer.accompany(EXAMPLES / "waltz.mid", Options(style="jazz"))
display(score(waltz, 0, 8, "Waltz"))

# %% [markdown]
# Keep what you like: `take.save("drums.mid")` writes the drums, `take.save("both.mid", with_guitar=True)` both, and
# the command line does all of this too: `python main.py --mode infer song.mid --style jazz --takes 6`.
