"""How well the grooves that a band's drummer chooses for a song that it does not know agree with the song's own drums.

    python -m seq2drum.learn.adapt.judging --cache FILE --artist "Iron Maiden" "Jethro Tull"

A band is the songs whose file names begin or end with an artist's name, or whose origin in the manifest begins with it.
Played to are its songs on the validation and test sides, each by drummers that know some of the others; the figures are
F1 of grooves, bar by bar, without playing.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError, Seq2DrumError
from seq2drum.lattice.conditions import bars_of, drums_of
from seq2drum.lattice.form import MAX_STEPS
from seq2drum.lattice.grooves.grooves import hits_of
from seq2drum.lattice.sections import bars_of as bars_by_letter
from seq2drum.lattice.sections import sections
from seq2drum.learn.adapt.band import band_of
from seq2drum.learn.adapt.songs import Heard, title_of_file
from seq2drum.play.checkpoint.band import Band
from seq2drum.play.grooves import choosing
from seq2drum.play.options import Options, of_band

KNOWN = (1, 3, 5)
DRAWS = 3


def bands_of(songs: Sequence[Prepared], artists: Sequence[str]) -> dict[str, list[Prepared]]:
    """Return the songs of each artist, one of each group: those with the name in the file's name or in the origin."""
    found: dict[str, dict[str, Prepared]] = {artist: {} for artist in artists}
    for song in songs:
        title = _words(title_of_file(song.path))
        for artist in artists:
            name = _words(artist)
            is_one = title.startswith(f"{name} ") or title.endswith(f" {name}") or song.origin.startswith(artist)
            if is_one and song.guitar_grid.form.steps.max() <= MAX_STEPS:
                found[artist].setdefault(song.group, song)
    return {artist: list(own.values()) for artist, own in found.items()}


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def agreement(song: Prepared, band: Band | None) -> float:
    """Return the mean F1 of the hits of the chosen grooves with the song's drums, over bars with both; nan for none."""
    form, passages = song.guitar_grid.form, sections(song.guitar_grid)
    chosen = choosing.chosen(song.guitar_grid, passages, of_band(Options(), band))
    drums, values = bars_of(drums_of(song.drums, form)) > 0, list[float]()
    for letter, bars in bars_by_letter(passages, len(form.steps)).items():
        if (groove := chosen.get(letter)) is None:
            continue
        (hits,) = hits_of((groove,), groove.steps) > 0
        played = [bar for bar in bars if form.steps[bar] == groove.steps and drums[bar].any()]
        for turn, bar in enumerate(played):
            one, other = drums[bar][: groove.steps], hits[turn % len(hits)]
            values.append(2 * float((one & other).sum()) / max(float(one.sum() + other.sum()), 1.0))
    return float(np.mean(values)) if values else float("nan")


def judged(
    bands: Mapping[str, Sequence[Prepared]], known: int, draws: int = DRAWS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the agreement of the default's grooves, and of drummers that know so many songs, of each unseen song.

    draws: of the known songs, whose mean counts. A song of a band that has too few others is left out.
    """
    usual, own = list[float](), list[float]()
    for songs in bands.values():
        for song in songs:
            others = [other for other in songs if other is not song]
            if song.split == "train" or known > len(others):
                continue
            values = []
            for number in range(draws):
                order = np.random.default_rng([number, known]).permutation(len(others))[:known]
                heard = [Heard(each.path, title_of_file(each.path), each) for each in (others[at] for at in order)]
                values.append(agreement(song, band_of("band", heard)))
            usual.append(agreement(song, None))
            own.append(float(np.mean(values)))
    return np.array(usual), np.array(own)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the agreement for each number of known songs; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m seq2drum.learn.adapt.judging", description="Judge bands' grooves.")
    parser.add_argument("--cache", type=Path, required=True, metavar="FILE", help="songs that --mode prepare has kept")
    parser.add_argument("--artist", nargs="+", required=True, metavar="NAME", help="names in the names of files")
    parser.add_argument(
        "--known", nargs="+", type=int, default=list(KNOWN), metavar="N", help="how many songs are known"
    )
    options = parser.parse_args(arguments)
    try:
        bands = bands_of(load(options.cache), options.artist)
        if not any(song.split != "train" for songs in bands.values() for song in songs):
            raise CorpusError("none of these artists has a song on the validation or test side; name others")
    except Seq2DrumError as error:
        print(error, file=sys.stderr)
        return 2
    print(", ".join(f"{artist} {len(songs)}" for artist, songs in bands.items()))
    for known in options.known:
        usual, own = judged(bands, known)
        gain = own - usual
        near = 1.96 * gain.std() / max(len(gain), 1) ** 0.5 if len(gain) else 0.0
        if len(gain):
            print(
                f"{known} songs known, {len(gain)} played to: F1 {own.mean():.3f}, the default's {usual.mean():.3f},"
                f" gain {gain.mean():+.3f} ±{near:.3f}; better in {(gain > 0).mean():.0%},"
                f" worse in {(gain < 0).mean():.0%}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
