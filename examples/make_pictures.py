"""Makes the pictures of a take in the documentation: `python examples/make_pictures.py`.

It plays to a blues with the model in the package, seed 0, and writes `docs/example.png`, `docs/score.svg`, and the
caption in `README.md` that says what the picture shows.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from seq2drum import Drummer
from seq2drum.formats.score.musicxml import write_score
from seq2drum.music import explanation
from seq2drum.show import chart, draw, engraving
from seq2drum.show.chart import Chart
from seq2drum.system import files

HERE = Path(__file__).parent
SONG = HERE / "blues_shuffle.mid"
BARS = 16
SCORE = (8, 16)  # the bars of the score, from 0
CAPTION = re.compile(rf"^\*The first {BARS} bars of a blues.*?\*$", flags=re.DOTALL | re.MULTILINE)


def caption(shown: Chart, grooves: str) -> str:
    """What a reader of the README sees in the picture: crashes, fills and breaks, and where a passage begins.

    grooves: what is played on, in words.
    """
    measures = shown.measures
    struck = {each.number: {shown.rows[row].name for row in shown.hits_of([each]).row} for each in measures}
    facts = [_bars("a crash", "crashes", [number for number, pieces in struck.items() if "crash" in pieces])]
    for sign in ("fill", "break"):
        facts += [_bars(f"a {sign}", f"{sign}s", [each.number for each in measures if each.sign == sign])]
    facts += [f"passage {each.section} from bar {each.number}" for each in measures[1:] if each.section]
    seen = ", ".join(filter(None, facts))
    first = f"*The first {len(measures)} bars of a blues, and its drums, played on {grooves}"
    text = f"{first}{seen and f': {seen}'}. Made by `python examples/make_pictures.py`.*"
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False)


def _bars(one: str, several: str, numbers: Sequence[int]) -> str:
    """Such as "a fill in bar 4", "crashes in bars 1, 9 and 13"; "" of none."""
    if len(numbers) < 2:
        return "".join(f"{one} in bar {number}" for number in numbers)
    return f"{several} in bars {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def main(folder: str = str(HERE.parent)) -> None:
    """Play to the song; write the picture, the score and the caption into a copy of the repository.

    Raises:
        ValueError: the README has no caption to replace.
    """
    take, docs, readme = Drummer.load().accompany(SONG), Path(folder) / "docs", Path(folder) / "README.md"
    text = readme.read_text(encoding="utf-8")
    if not CAPTION.search(text):
        raise ValueError(f"{readme} has no paragraph like {CAPTION.pattern}; write one, which is then replaced")
    picture = draw.picture(take.duet, "png", title=SONG.name, last_bar=BARS, plan=take.plan)
    files.write_file(docs / "example.png", picture, overwrite=True)
    score = write_score(take.song, take.standard_part, "Blues shuffle", first_bar=SCORE[0], last_bar=SCORE[1])
    files.write_file(docs / "score.svg", engraving.svg(score), overwrite=True)
    told = caption(chart.of(take.duet, last_bar=BARS), explanation.in_words(take.grooves))
    files.write_file(readme, CAPTION.sub(lambda _: told, text).encode(), overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
