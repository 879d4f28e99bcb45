"""The options of a file: what it has beside the drums, and what the guitarist knows of its beats.

As in `options`, one table makes command lines, clients and the docs.
"""

from __future__ import annotations

from dataclasses import dataclass

from seq2drum.music.choices import Dialog, choice, table_of
from seq2drum.music.limits import FASTEST_BPM, MOST_COUNT_IN, SLOWEST_BPM


@dataclass(frozen=True)
class BaseSession:
    """Parts of a file beside the drums: `play.session.Session` makes it, and the client's `RemoteOptions` sends it."""

    __slots__ = ()

    count_in: int = choice(
        int,
        "BARS",
        "count in BARS bars before the song, which moves back",
        default=0,
        least=0,
        most=MOST_COUNT_IN,
        wanted=f"0 to {MOST_COUNT_IN} bars",
        label=("Bars counted in before the item", ""),
        dialog=Dialog(
            "0",
            is_value=True,
            about="bars of sticks before it, if the project has room for them; the song stays where it is",
        ),
    )
    click: bool = choice(bool, "", "add a track with a click on every beat", default=False)
    split: bool = choice(
        bool,
        "",
        "write one track each for kick, snare, hats, toms, cymbals and percussion",
        default=False,
        label=("A track for each piece", ""),
        dialog=Dialog(
            "no", is_value=True, about="yes: kick, snare, hats, toms, cymbals and percussion on tracks of their own"
        ),
    )
    tail: bool = choice(bool, "", "let the cymbals of the last bar ring out", default=False)
    channels: bool = choice(
        bool, "", "with --split: a MIDI channel for each of these tracks, none the tenth", default=False
    )


SESSION = table_of(BaseSession)


@dataclass(frozen=True)
class BaseTiming:
    """What the guitarist knows of the beats of a file; the client's `RemoteOptions` sends it.

    What is left out is the file's, or is detected in a recording and in a file that is followed.
    """

    __slots__ = ()

    bpm: float | None = choice(
        float,
        "B",
        "its tempo in quarters a minute, if it never changes",
        least=SLOWEST_BPM,
        most=FASTEST_BPM,
        wanted=f"{SLOWEST_BPM} to {FASTEST_BPM} quarters a minute",
        title="the tempo",
    )
    metre: str | None = choice(str, "N/D", "its metre, such as `4/4`, `3/4` or `7/8`", field="meter")
    first_downbeat: float | None = choice(
        float,
        "SECONDS",
        "when a bar begins, such as the first one",
        least=0,
        most=3600,
        wanted="0 to 3600 seconds",
        title="the first downbeat",
    )
    follow: bool = choice(bool, "", "detect the beats of a file played without a click", default=False)
    beat_scale: float = choice(
        float,
        "2|0.5",
        "double or halve its tempo, where that is counted wrong",
        default=1.0,
        least=0.5,
        most=2,
        wanted="0.5, 1 or 2",
        title="the scale of the beats",
    )


TIMING = table_of(BaseTiming)
BEATS = "the beats of a file"
"""The section of these options."""
