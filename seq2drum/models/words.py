"""The words generator: a language model of drum text, the classic one for drums.

An embedding of words, two stacked LSTMs, a softmax over all 512 words and BAR (K. Choi, G. Fazekas, M. Sandler,
Text-based LSTM networks for automatic music composition, 2016). Added to what that model hears: the nine bits of the
word before, how many words the bar has already, the bits of the word that stands next a bar back, genre and tempo.

Letters of shapes: n rows, T words, H hidden units.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seq2drum.lattice.words import COUNT, ORDER
from seq2drum.models.base import Graph, write_graph

BAR, START = COUNT, COUNT + 1
"""The numbers of the word BAR, and of what stands before the first word; it is never drawn."""

_LAYERS = 2


@dataclass(frozen=True)
class Config:
    """Sizes: what a word is told, places of a bar, and of the layers."""

    wishes: int
    places: int = 24
    embedding: int = 48
    hidden: int = 128
    dropout: float = 0.2

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Words(nn.Module):
    """Draws word after word."""

    bits: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        size, hidden = config.embedding, config.hidden
        self.word = nn.Embedding(START + 1, size)
        self.struck = nn.Linear(len(ORDER), size)
        self.struck_a_bar_back = nn.Linear(len(ORDER), size, bias=False)
        self.count = nn.Embedding(config.places + 1, size)
        self.wish = nn.Linear(config.wishes, size)
        self.lstm = nn.LSTM(size, hidden, _LAYERS, batch_first=True, dropout=config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.next = nn.Linear(hidden, BAR + 1)
        ids = torch.arange(START + 1)[:, None]
        self.register_buffer("bits", ((ids >> torch.arange(len(ORDER))) & 1).float() * (ids < COUNT), persistent=False)

    def forward(
        self, word: Tensor, back: Tensor, count: Tensor, wish: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits (n, T, BAR + 1) of the next word, and the state.

        word, back, count (n, T): the word before, the word a bar before the next one, and how many words the bar has.
        wish (n, T, wishes). state: two of (layers, n, H).
        """
        heard = self.word(word) + self.struck(self.bits[word]) + self.struck_a_bar_back(self.bits[back])
        thought, state = self.lstm(heard + self.count(count) + self.wish(wish), state)
        return self.next(self.dropout(thought)), state


class _Draw(nn.Module):
    """One word as a graph; the state of both layers lies in one row."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self.words = words

    def forward(self, word: Tensor, back: Tensor, count: Tensor, wish: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        parts = state.reshape(-1, 2 * _LAYERS, self.words.config.hidden).transpose(0, 1).contiguous()
        logits, stepped = self.words(
            word[:, None], back[:, None], count[:, None], wish[:, None], (parts[:_LAYERS], parts[_LAYERS:])
        )
        return logits[:, 0], torch.cat(stepped).transpose(0, 1).flatten(1)


def export(words: Words, folder: Path) -> None:
    """Write the graph `step.onnx`, its weights inside.

    word, back, count (n,), wish (n, wishes) and state (n, 4H) -> logits (n, BAR + 1), stepped (n, 4H).
    """
    config = words.config
    state = 2 * _LAYERS * config.hidden
    graph = Graph(
        _Draw(words).eval(),
        {"word": ("n",), "back": ("n",), "count": ("n",), "wish": ("n", config.wishes), "state": ("n", state)},
        {"logits": ("n", BAR + 1), "stepped": ("n", state)},
    )
    whole = ("word", "back", "count")
    given = zip(graph.inputs, graph.example(), strict=True)
    example = tuple(value.long() if name in whole else value for name, value in given)
    with torch.no_grad():
        write_graph(graph, example, folder / "step.onnx", fold=True)
