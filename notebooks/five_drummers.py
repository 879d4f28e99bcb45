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
# # Five drummers
#
# A beat is the drummer without a guitarist: a groove of the book, played and varied as drummers of the genre do. That
# is the default, and it comes first here. Then five laboratories, nets that make beats out of nothing, each after an
# earlier system: one that plays step by step, one that writes words, one that throws a bar, one that paints a phrase,
# one that makes sound. All learnt from the same recordings, the Groove MIDI Dataset (CC BY 4.0). The same is asked of
# each: eight bars of funk at 100. At the end the one that you like plays under a guitar.
#
# It runs offline, in half a minute. `docs/researchers/results.md` has their panel on drummers never heard.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio, display

from seq2drum import Brief, Composer, Drummer, Options
from seq2drum.errors import MissingExtraError
from seq2drum.lattice.patterns import text_of
from seq2drum.play.generators.loops import RATE, LoopMaker
from seq2drum.show import sound

plt.rcParams.update({"figure.dpi": 72, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})

brief = Brief(genre="funk", bpm=100, bars=8, fill=8)


def hear(beat) -> None:
    """Play a beat, where there is something to make sound with."""
    try:
        display(Audio(sound.wav(beat.duet)))
    except MissingExtraError as missing:
        print(missing)


# %% [markdown]
# ## 0. The book
#
# The seed draws a groove of funk, as often as drummers play it. A stroke more or less here and there makes two to four
# different bars of eight; the backbeat is in all of them.

# %% tags=["keep-output"]
book = Composer.load().compose(brief, seed=1)
book.duet

# %%
hear(book)

# %% [markdown]
# ## 1. Step: as a drummer plays
#
# An LSTM goes through the bar in 24 steps and draws the nine pieces of the kit one after the other, each knowing those
# before it. It hears its own last bars, so a groove comes back; `variability` says how much of its random numbers all
# bars share.

# %% tags=["keep-output"]
step = Composer.load("step").compose(brief, seed=1)
step.duet

# %%
hear(step)

# %% [markdown]
# ## 2. Words: the classic
#
# The drum text of Choi, Fazekas and Sandler (2016): a word of nine bits a step, and `BAR` at each barline. A language
# model writes it. This is the beginning of what it wrote, and the beat that it means.

# %% tags=["keep-output"]
words = Composer.load("words").compose(brief, seed=1)
text = text_of(words.pattern)
print("\n".join(text.splitlines()[:6]))
assert text.split().count("BAR") == words.pattern.bars
words.duet

# %%
hear(words)

# %% [markdown]
# ## 3. Bar: one throw
#
# A generative adversarial net makes a bar at once, of 32 numbers, a genre and a tempo. It knows nothing of the bar
# before: bars hang together as far as they share their numbers.

# %% tags=["keep-output"]
bar = Composer.load("bar").compose(brief, seed=1)
bar.duet

# %%
hear(bar)

# %% [markdown]
# ## 4. Phrase: a picture
#
# Eight bars at once, on thirty-second notes: a picture of 256 columns. `--picture` writes it, and a picture that
# somebody painted can be read as drums, too.

# %% tags=["keep-output"]
phrase = Composer.load("phrase").compose(brief, seed=1)
plt.figure(figsize=(12, 1.6))
plt.imshow(phrase.pattern.velocity.reshape(-1, 9).T > 0, aspect="auto", cmap="Greys", interpolation="nearest")
plt.yticks([])
plt.xticks(np.arange(0, phrase.pattern.bars * phrase.pattern.places, phrase.pattern.places), range(1, 9))
plt.xlabel("bar")
plt.show()

# %%
hear(phrase)

# %% [markdown]
# ## 5. Loop: sound
#
# No notes at all: 16 slices of a waveform, made by a net and set one after the other, AAAB.

# %% tags=["keep-output"]
loop = LoopMaker.load().make(Brief(genre="funk", bpm=100, bars=4), seed=1, form="AAAB")
plt.figure(figsize=(12, 1.6))
plt.plot(np.arange(len(loop.sound)) / RATE, loop.sound, linewidth=0.3, color="black")
plt.xlabel("seconds")
plt.show()

# %%
Audio(loop.sound, rate=RATE)

# %% [markdown]
# ## 6. What they have in common, and what not
#
# How many hits a bar, how alike neighbouring bars are (1: the same), how many different bars of eight.

# %% tags=["keep-output"]
for name, beat in {"book": book, "step": step, "words": words, "bar": bar, "phrase": phrase}.items():
    hits = beat.pattern.velocity.reshape(beat.pattern.bars, -1) > 0
    both = (hits[1:] & hits[:-1]).sum(axis=1)
    alike = 2 * both / np.maximum(hits[1:].sum(axis=1) + hits[:-1].sum(axis=1), 1)
    print(
        f"{name:7} {hits.sum(axis=1).mean():5.1f} hits, {alike.mean():.2f} alike, {len(np.unique(hits, axis=0))} bars"
    )

# %% [markdown]
# ## 7. Under a guitar
#
# A beat is a MIDI file, and any MIDI file can be the groove that the drummer plays to a guitar.

# %% tags=["keep-output"]
drummer = Drummer.load()
book.save("my_beat.mid", overwrite=True)
take = drummer.accompany("../examples/rock_riff.mid", Options(groove="my_beat.mid"))
Path("my_beat.mid").unlink()
take
