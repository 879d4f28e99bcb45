"""Write the example pieces: guitar alone into examples/, guitar and drums into examples/training/.

Every note in `pieces` was composed for this project. The same script always writes the same bytes.

    python examples/make_examples.py [FOLDER]

Without a folder, the song that comes with the package (`--mode demo`) is written, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pieces import PIECES, SECOND, UNSEEN
from texts import Version, song_of

from seq2drum.formats.midi import midi
from seq2drum.music.notes import Song


def songs() -> dict[str, Song]:
    """Every example by its path inside the folder."""
    guitar_alone = {f"{piece.name}.mid": song_of(piece) for piece in PIECES}
    first = {f"training/{piece.name}_1.mid": song_of(piece, Version("1", 0, 1.0)) for piece in PIECES}
    second = {f"training/{piece.name}_2.mid": song_of(piece, SECOND[piece.name]) for piece in PIECES}
    unseen = {f"training/{piece.name}.mid": song_of(piece, Version("", 0, 1.0)) for piece in UNSEEN}
    return guitar_alone | first | second | unseen


def main(folder: Path) -> None:
    """Write them all into `folder`."""
    (folder / "training").mkdir(parents=True, exist_ok=True)
    for name, song in songs().items():
        (folder / name).write_bytes(midi.serialise(song))
        print(f"{folder / name}: {len(song.bars())} bars, {sum(map(len, song.parts))} notes")


def ship(package: Path) -> None:
    """Write the song that comes with the package."""
    name = "blues_shuffle.mid"
    (package / "songs").mkdir(exist_ok=True)
    (package / "songs" / name).write_bytes(midi.serialise(songs()[name]))
    print(package / "songs" / name)


if __name__ == "__main__":
    here = Path(__file__).parent
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here)
    if len(sys.argv) == 1:
        ship(here.parent / "seq2drum")
