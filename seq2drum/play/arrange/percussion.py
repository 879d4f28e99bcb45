"""A percussionist beside the drummer: a shaker, a tambourine, congas, where a take asks for them.

A take plays one line of an instrument, drawn from the seed among those that fit the tempo, the metre and the feel of
its drums. The line sounds where the drums do, as loud as they are; the drums stay as they are.

Letters of shapes: B bars.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.music.choices import AUTO, NO_PERCUSSION, WHOLE
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray
from seq2drum.music.song_plan import SongPlan
from seq2drum.play.choose import Grooves
from seq2drum.play.decode.sampling import drawn_place, random_of
from seq2drum.play.feel.humanise import Dynamics
from seq2drum.play.grooves.percussion import TAG, line_of
from seq2drum.play.listen import Guitar

# Shares of songs in which an instrument plays, by style: 700 songs, notebooks/LOG.md, 2026-11-25.
SHARES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "rock": {"tambourine": 0.216, "shaker": 0.136, "clap": 0.114, "congas": 0.081, "cowbell": 0.038},
        "metal": {"clap": 0.108, "tambourine": 0.027, "shaker": 0.027},
        "dance": {"shaker": 0.494, "tambourine": 0.333, "clap": 0.333, "congas": 0.247},
        "funk": {"shaker": 0.4, "tambourine": 0.308, "congas": 0.169, "clap": 0.154},
        "shuffle": {"tambourine": 0.19, "shaker": 0.127, "clap": 0.111},
        "latin": {"shaker": 0.556, "congas": 0.389, "cowbell": 0.278, "bongos": 0.222},
        "jazz": {"congas": 0.188, "bongos": 0.062},
        "reggae": {"congas": 0.5, "shaker": 0.25, "bongos": 0.25},
        "": {"shaker": 0.272, "tambourine": 0.272, "clap": 0.178, "congas": 0.133, "triangle": 0.078},
    }
)
FULL_LEVEL = 1.0  # of a section's hits against the song's, from which a percussionist joins unasked
USUAL_VELOCITY = 90.0  # mean of the drums' hits beside which a line is as loud as it is written
SOFTEST, LOUDEST = 0.6, 1.25  # bounds of the factor of a line's velocities


def beside_drums(guitar: Guitar, grooves: Grooves, plan: SongPlan = ()) -> Callable[[int, Grid], Grid] | None:
    """Return what plays percussion to the bars of a take, in turn; None if no bar has any. See `instruments_of`."""
    instruments = instruments_of(guitar, grooves, plan)
    return Percussionist(guitar, grooves, instruments).play if any(instruments) else None


def instruments_of(guitar: Guitar, grooves: Grooves, plan: SongPlan = ()) -> tuple[str | None, ...]:
    """Return the instrument that plays in each bar (B,), None for none.

    grooves: of the take, with the request. plan: of its sections; without one, unasked percussion plays in all bars.
    """
    asked = grooves.options.percussion
    by_place = {WHOLE: asked} if isinstance(asked, str) else {WHOLE: NO_PERCUSSION, **asked}
    words = np.full(len(guitar.song_grid.numbers), by_place[WHOLE], dtype=object)
    for place, word in by_place.items():
        if place != WHOLE:
            words[guitar.bars_in(place)] = word
    if AUTO in words:
        joins = np.zeros(len(words), dtype=np.bool_)
        for bars in _joined(plan):
            joins[guitar.bars_in(bars)] = True
        chosen = _drawn_instrument(_style_of(guitar, grooves), _seed_of(guitar, grooves))
        words[words == AUTO] = np.where(joins if plan else True, chosen, NO_PERCUSSION)[words == AUTO]
    return tuple(None if word == NO_PERCUSSION else word for word in words.tolist())


def _joined(plan: SongPlan) -> list[tuple[int, int]]:
    """Return the first and the last bar of each section that is full enough; of a song that is built, not the first."""
    full = [row for row in plan if row.enters is not None and row.level >= FULL_LEVEL]
    later = [row for row in full if row is not plan[0]] or full
    return [(row.first, row.last) for row in later or plan]


def _style_of(guitar: Guitar, grooves: Grooves) -> str:
    """Return the style of the grooves of most bars; "" for none."""
    letters = Counter(guitar.letters)
    styles = Counter[str]()
    for letter, groove in grooves.by_section.items():
        styles[groove.style or ""] += letters[letter]
    return styles.most_common(1)[0][0] if styles else ""


def _seed_of(guitar: Guitar, grooves: Grooves) -> tuple[int, ...]:
    """Return the seed of the take in this song: in another one, the same seed draws another line."""
    grid = guitar.song_grid.guitar_grid
    return grooves.options.seed, len(grid.form.steps), len(grid.guitar.step)


def _drawn_instrument(style: str, seed: Sequence[int]) -> str:
    shares = SHARES.get(style, SHARES[""])
    return list(shares)[drawn_place(list(shares.values()), random_of(*seed, TAG).random())]


class Percussionist:
    """The lines of a take, bar after bar.

    instruments (B,): see `instruments_of`. letters (B,): of the sections; by_section: their grooves.
    """

    def __init__(self, guitar: Guitar, grooves: Grooves, instruments: Sequence[str | None]) -> None:
        self._form: Form = guitar.song_grid.form
        self._instruments, self._letters, self._grooves = instruments, guitar.letters, grooves.by_section
        self._seed = _seed_of(guitar, grooves)
        self._dynamics = Dynamics(grooves.without, guitar.song_grid.guitar_grid, FULL)
        self._lines = dict[tuple[str, str, tuple[int, int]], Groove]()

    def play(self, bar: int, drums: Grid) -> Grid:
        """Return the struck hits of the next bar, of the full kit; steps count from its barline.

        drums: the struck hits of the drummer in it. The line begins with them and ends with them, unless they sound to
        the last beat; it leaves out what they strike themselves.
        """
        hits = Grid.join([])
        if (instrument := self._instruments[bar]) is not None and len(drums.step):
            steps = int(self._form.steps[bar])
            hits = self._line(instrument, bar).bar(bar)
            first, last = int(drums.step.min()), int(drums.step.max())
            until = steps if last >= steps - STEPS_PER_QUARTER else last + 1
            struck = set(zip(drums.step.tolist(), drums.key.tolist(), strict=True))
            own = [
                first <= step < until and (step, key) not in struck
                for step, key in zip(hits.step.tolist(), hits.key.tolist(), strict=True)
            ]
            hits = hits.select(np.array(own, dtype=np.bool_))
            hits = hits._replace(offset=_offsets(hits, drums))
        if not len(hits.step):
            return self._dynamics.strike(bar, hits)
        louder = float(np.clip(drums.velocity.mean() / USUAL_VELOCITY, SOFTEST, LOUDEST))
        return self._dynamics.strike(bar, hits, louder * float(hits.velocity.mean()))

    def _line(self, instrument: str, bar: int) -> Groove:
        metre = int(self._form.numerator[bar]), int(self._form.denominator[bar])
        letter = self._letters[bar]
        key = instrument, letter, metre
        if key not in self._lines:
            bpm = float(np.median(self._form.bpm))
            self._lines[key] = line_of(instrument, self._grooves.get(letter), metre, bpm, self._seed)
        return self._lines[key]


def _offsets(hits: Grid, drums: Grid) -> IntArray:
    """Return the offset of each hit: that of the drums at its step, 0 where they have none."""
    at = dict(zip(drums.step.tolist()[::-1], drums.offset.tolist()[::-1], strict=True))
    return np.array([at.get(step, 0) for step in hits.step.tolist()], dtype=np.int64)
