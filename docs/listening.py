"""The page of the site with pictures and sounds of what the drummer plays to the examples, made as the site is built.

Nothing of it is kept in the repository. Without FluidSynth or soundfile the page has pictures alone, and says so.
"""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import NamedTuple

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from seq2drum import Drummer
from seq2drum.errors import Seq2DrumError
from seq2drum.music import explanation
from seq2drum.play.take import Take
from seq2drum.show import draw, sound

ROOT = Path(__file__).parents[1]
PAGE = "guitarists/hear.md"
BARS = 16
SONGS = {
    "blues_shuffle": "Blues shuffle",
    "rock_riff": "Rock riff",
    "funk": "Funk",
    "jazz_swing": "Swing",
    "metal_gallop": "Metal gallop",
    "seven_eight": "Seven eighths",
}
"""The examples on the page, and their headings."""
_LEVEL = 0.95  # of compression: about 130 kbit/s
_HEAD = f"""# Hear it

The first {BARS} bars of some of `examples/`, as the guitar stands there, and the drums that the shipped model plays to
it unasked, with seed 0. Pictures and sounds were made as this site was built.

The guitar's notes lie above, the drums below them: a dot is a drum, a cross a cymbal; darker and larger is louder. A
coloured bar leaves the pattern: see [See and hear it](see-and-hear.md).
"""
_SILENT = """
!!! note
    There is no sound on this page, because FluidSynth and a soundfont, or soundfile, were not there as it was built.
"""


class Heard(NamedTuple):
    """A song of the page: its take, a picture as PNG, and its sound as MP3; None where none could be made."""

    take: Take
    picture: bytes
    sound: bytes | None


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page, its pictures and its sounds."""
    songs = {name: heard(name) for name in SONGS}
    files.append(File.generated(config, PAGE, content=page(songs)))
    for name, one in songs.items():
        folder = PAGE.rpartition("/")[0]
        files.append(File.generated(config, f"{folder}/hear-{name}.png", content=one.picture))
        files.append(File.generated(config, f"{folder}/hear-{name}.mid", content=one.take.to_bytes(with_guitar=True)))
        if one.sound is not None:
            files.append(File.generated(config, f"{folder}/hear-{name}.mp3", content=one.sound))
    return files


@functools.cache
def heard(name: str) -> Heard:
    """What the drummer plays to an example."""
    take = Drummer.load().accompany(ROOT / "examples" / f"{name}.mid")
    picture = draw.picture(take.duet, "png", title=SONGS[name], last_bar=BARS, plan=take.plan)
    return Heard(take, picture, _mp3(take))


def page(songs: dict[str, Heard]) -> str:
    """The text of the page."""
    text = [_HEAD, "" if all(one.sound for one in songs.values()) else _SILENT]
    for name, one in songs.items():
        grooves = explanation.in_words(one.take.grooves)
        text += [
            f"\n## {SONGS[name]}\n",
            f"![The guitar of {name}.mid and its drums](hear-{name}.png)\n",
            f'<audio controls preload="none" src="hear-{name}.mp3"></audio>\n' if one.sound else "",
            f"Played on {grooves}. [Guitar and drums as MIDI](hear-{name}.mid). The same on your machine:\n",
            f"```bash\nseq2drum examples/{name}.mid -o {name}.mid --picture {name}.png --wav {name}.wav\n```\n",
        ]
    return "\n".join(text)


def _mp3(take: Take) -> bytes | None:
    """The first bars as an MP3 file; None without what makes it."""
    try:
        import soundfile

        bars = take.song.bars()
        last = bars[BARS].start if len(bars) > BARS else take.song.end + 1
        data, rate = soundfile.read(io.BytesIO(sound.wav(take.duet, span=(0, last))), dtype="int16")
        written = io.BytesIO()
        soundfile.write(written, data, rate, format="MP3", compression_level=_LEVEL)
    except (ImportError, OSError, Seq2DrumError):
        return None
    return written.getvalue()
