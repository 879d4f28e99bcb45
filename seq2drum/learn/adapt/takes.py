"""How near whole takes of a band's drummer come to a song of the band that it does not know, and to the band's habits.

    python -m seq2drum.learn.adapt.takes --cache FILE --artist "Iron Maiden" "Jethro Tull" --json takes.json

Bands are those of `judging`. Played to are their songs on the validation and test sides, each by the model as it is, by
drummers that know one or more of the band's other songs, by the model with `--like` the nearest of them, and, of some
bands, by a drummer with tuned playing and by the model trained on, as `--mode train --start default` does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2drum.data.batches import batches
from seq2drum.data.batches.draws import HIDDEN, Given, section_grooves
from seq2drum.data.corpus.cache import load, save
from seq2drum.data.corpus.excerpts import duet_of
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError, Seq2DrumError
from seq2drum.evaluate.likelihood import window_nats
from seq2drum.evaluate.song_critic import habits, is_of_velocity
from seq2drum.formats.midi import midi
from seq2drum.judge.intervals import over_songs
from seq2drum.judge.known_bars import onsets_of
from seq2drum.judge.measures import Copies, Vector, f1
from seq2drum.judge.players import looped, passages, play_heard
from seq2drum.judge.trial import trial_of
from seq2drum.lattice.conditions import Drums, drums_of
from seq2drum.lattice.form import Form
from seq2drum.learn.adapt import band as bands
from seq2drum.learn.adapt import playing
from seq2drum.learn.adapt.judging import bands_of
from seq2drum.learn.adapt.songs import Heard, title_of_file
from seq2drum.models import checkpoint
from seq2drum.models.base import Family
from seq2drum.music.kit import KITS
from seq2drum.play.checkpoint.band import USUAL, Band
from seq2drum.play.checkpoint.folder import DEFAULT, find
from seq2drum.play.decode import engine
from seq2drum.play.grooves import choosing
from seq2drum.play.listen import listen
from seq2drum.play.options import Options, of_band
from seq2drum.play.wishes import LEVELS, resolve_options

KNOWN = (1, 3, 6, 12)
DRAWS = 2  # of the known songs, where not all are known
SONGS = 5  # of a band that are played to, at most
WINDOWS = 10  # of eight bars, of a song, whose likelihood counts
ACQUAINTED = 200  # songs of others, by whose spread habits are compared
USUALLY, GROOVES_ALONE, NEAREST, TUNED, TRAINED = "default", "grooves alone", "like", "tuned", "trained"
REAL = "real drums"
FIGURES = ("f1 plain", "f1", "nats", "free nats", "distance", "likeness", "copies")

Row = dict[str, Any]
"""The figures of one take, with the band, the song's name and the drummer's."""


@dataclass(frozen=True)
class _Drummer:
    """Who plays: an engine, the torch model of the same weights, and options."""

    name: str
    engine: engine.Engine = field(repr=False)
    model: Family = field(repr=False)
    wishes: Mapping[str, Any] = field(default_factory=dict, repr=False)


# --- habits -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Habits:
    """Habits of drums in units of their spread over songs. names: of the numbers; centre, scale (F,)."""

    names: tuple[str, ...]
    centre: Vector
    scale: Vector

    @staticmethod
    def of(songs: Sequence[Prepared]) -> Habits:
        """Return the habits that the real drums of some songs have, those of velocity aside."""
        found = [numbers for song in songs if (numbers := _numbers(song, drums_of(song.drums, _form(song))))]
        if not found:
            raise CorpusError("no song is long enough to have habits; give more songs")
        names = tuple(name for name in found[0] if not is_of_velocity(name))
        table = np.array([[numbers[name] for name in names] for numbers in found])
        scale = np.nanstd(table, axis=0)
        return Habits(names, np.nanmean(table, axis=0), np.where(scale > 0, scale, 1.0))

    def read(self, song: Prepared, drums: Drums) -> Vector | None:
        """Return the habits (F,) of drums to a song, 0 where there is nothing to count; None if it is too short."""
        numbers = _numbers(song, drums)
        if numbers is None:
            return None
        return np.nan_to_num((np.array([numbers[name] for name in self.names]) - self.centre) / self.scale)


def _form(song: Prepared) -> Form:
    return song.guitar_grid.form


def _numbers(song: Prepared, drums: Drums) -> dict[str, float] | None:
    real = drums_of(song.drums, _form(song))
    return habits(trial_of(real, drums, song.guitar_grid).made)


def away(one: Vector | None, other: Vector | None) -> float:
    """Return how far habits are apart: the root of the mean square of their differences; nan for unknown ones."""
    return float("nan") if one is None or other is None else float(np.sqrt(np.mean((one - other) ** 2)))


def likeness(habits: Vector | None, band: Vector | None) -> float:
    """Return how far habits (F,) lean from all songs' towards a band's: 0 to 1 for the band's own; nan for unknown."""
    return float("nan") if habits is None or band is None else float(habits @ band / (band @ band))


# --- a song and its drummers ------------------------------------------------------------------------------------------


def nearest(song: Prepared, others: Sequence[Prepared]) -> Prepared:
    """Return the song whose guitar has the most similar mean bar, by cosine, among those in a song's usual metre."""
    steps = _usual_steps(song)
    able = [other for other in others if _usual_steps(other) == steps] or list(others)
    own = onsets_of(song.guitar_grid, steps).mean(axis=0)

    def alike(other: Prepared) -> float:
        mean = onsets_of(other.guitar_grid, steps).mean(axis=0)
        return float(own @ mean / max(float(np.linalg.norm(own) * np.linalg.norm(mean)), 1e-9))

    return max(able, key=alike)


def _usual_steps(song: Prepared) -> int:
    return int(np.bincount(_form(song).steps).argmax())


def wishes_like(song: Prepared, other: Prepared) -> dict[str, Any]:
    """Return the options that `like` another song of the corpus comes to."""
    duet, model = duet_of(song.guitar_grid, song.drums), duet_of(other.guitar_grid, other.drums)
    guitar = listen(replace(duet.song, parts=duet.guitars))
    file = midi.serialise(replace(model.song, parts=(*model.guitars, model.drums)))
    options = resolve_options(guitar, Options(like=file))
    return {name: getattr(options, name) for name in ("groove", *LEVELS)}


def drummers(song: Prepared, others: Sequence[Prepared], known: Sequence[int]) -> Iterator[_Drummer]:
    """Yield the drummers that play to a song and learn nothing by gradients."""
    usual, model = _loaded(DEFAULT)
    yield _Drummer(USUALLY, usual, model)
    yield _Drummer(NEAREST, usual, model, wishes_like(song, nearest(song, others)))
    for count in sorted({min(count, len(others)) for count in (*known, len(others))}):
        for number in range(DRAWS if count < len(others) else 1):
            order = np.random.default_rng([number, count]).permutation(len(others))[:count]
            own = band_of([others[at] for at in order])
            names = [str(count)] * (count in known) + ["all"] * (count == len(others))
            for name in names:
                yield _Drummer(name, replace(usual, band=own), model)
            if count == len(others):
                yield _Drummer(GROOVES_ALONE, replace(usual, band=replace(own, ways=USUAL)), model)


def learners(others: Sequence[Prepared], minutes: float, folder: Path) -> Iterator[_Drummer]:
    """Yield a band's drummer with tuned playing, if tuning gains, and the model trained on with all of the songs."""
    heard = [Heard(each.path, title_of_file(each.path), each) for each in others]
    tuned = playing.tune(others, minutes, threads=1) if len(others) >= playing.LEAST_SONGS else None
    if tuned is not None:
        bands.save(folder / TUNED, bands.band_of("band", heard), heard, tuned=tuned)
        model, _ = checkpoint.load(find(DEFAULT))
        weights = {name: torch.from_numpy(tensor) for name, tensor in tuned.tensors.items()}
        model.load_state_dict({**model.state_dict(), **weights})
        yield _Drummer(TUNED, engine.load(folder / TUNED), model.eval())
    cached, out = folder / "songs.s2d", folder / TRAINED
    split = [replace(each, split="validation" if at == 0 else "train") for at, each in enumerate(others)]
    save(split, cached)
    words = ["--mode", "train", "--cache", cached, "--start", DEFAULT, "--minutes", minutes, "--out", out]
    done = subprocess.run([sys.executable, "-m", "seq2drum", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise CorpusError(f"training failed: {done.stderr}")
    model, _ = checkpoint.load(find(str(out)))
    yield _Drummer(TRAINED, engine.load(str(out)), model.eval())


def band_of(songs: Sequence[Prepared]) -> Band:
    """Return what songs of a corpus say of their band."""
    return bands.band_of("band", [Heard(each.path, title_of_file(each.path), each) for each in songs])


@cache
def _loaded(name: str) -> tuple[engine.Engine, Family]:
    model, _ = checkpoint.load(find(name))
    return engine.load(name), model.eval()


# --- figures ----------------------------------------------------------------------------------------------------------


def rows_of(
    name: str,
    song: Prepared,
    others: Sequence[Prepared],
    who: Sequence[_Drummer],
    usual: Habits,
    foreign: Sequence[Prepared],
) -> list[Row]:
    """Return the figures of the takes of some drummers, and those of the song's own drums.

    name: of the band. others: its songs but this one. foreign: songs of others, that tell whether habits tell bands.
    """
    form = _form(song)
    real = drums_of(song.drums, form)
    copies = Copies.of(drums_of(other.drums, _form(other)) for other in others)
    read = [own for each in others if (own := usual.read(each, drums_of(each.drums, _form(each)))) is not None]
    centre = np.mean(read, axis=0) if read else None
    about = {"band": name, "song": title_of_file(song.path)}

    def figures(drums: Drums) -> Row:
        trial = trial_of(real, drums, song.guitar_grid)
        made, struck = trial.made.hits, trial.real.hits
        again, windows = copies.rate(trial.made.drums)[-1].tolist()
        own = usual.read(song, drums)
        return {
            "f1": f1(float((made & struck).sum()), float(made.sum()), float(struck.sum())),
            "distance": away(own, centre),
            "likeness": likeness(own, centre),
            "copies": again / windows if windows else float("nan"),
        }

    told, theirs = figures(real), [usual.read(each, drums_of(each.drums, _form(each))) for each in foreign]
    known = {
        "further": np.mean([away(one, centre) > told["distance"] for one in theirs]),
        "less alike": np.mean([likeness(one, centre) < told["likeness"] for one in theirs]),
    }
    rows = [{**about, "drummer": REAL, **told, **{name: float(value) for name, value in known.items()}}]
    for each in who:
        plain, take = (
            drums_of(play_heard(each.engine, song.guitar_grid, **{**each.wishes, **how}), form)
            for how in ({"temperature": 0.0}, {})
        )
        given, free = nats_of(song, each)
        more = {"f1 plain": figures(plain)["f1"], "nats": given, "free nats": free}
        rows.append({**about, "drummer": each.name, **figures(take), **more})
    return rows


def nats_of(song: Prepared, drummer: _Drummer) -> tuple[float, float]:
    """Return the nats a bar of a song's drums: given the grooves that a drummer chooses for it, and given none."""
    guitar_grid, kit = song.guitar_grid, KITS[drummer.engine.kit.name]
    options = of_band(Options(**drummer.wishes), drummer.engine.band).with_ways()
    chosen = drummer.wishes.get("groove") or choosing.chosen(guitar_grid, passages(guitar_grid), options)
    data = batches.flatten([song], kit)
    data = replace(data, grooves=section_grooves([replace(song, drums=looped(guitar_grid, chosen))], kit))
    windows = batches.blocks(data)
    if not windows:
        return float("nan"), float("nan")
    windows = [windows[at] for at in np.unique(np.linspace(0, len(windows) - 1, WINDOWS).astype(int))]
    by_steps: dict[int, list[int]] = {}
    for at, window in enumerate(windows):
        by_steps.setdefault(int(data.steps[window.first]), []).append(at)
    nats = np.zeros((2, len(windows)))
    for which in by_steps.values():
        some = [windows[at] for at in which]
        for side, given in enumerate((Given(hidden=0), HIDDEN)):
            nats[side, which] = window_nats(drummer.model, data, some, some, which, given)
    own, free = nats.mean(axis=1).tolist()
    return own, free


def table(rows: Sequence[Row]) -> list[str]:
    """Return lines: of each drummer the mean of each figure, and how it differs from that of the model as it is.

    Both are over the same songs. Differences have 95 % intervals over bands; draws of one song are averaged first.
    """
    taken: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        taken.setdefault((row["band"], row["song"]), {}).setdefault(row["drummer"], []).append(row)
    means = {
        key: {who: {name: _mean(name, draws) for name in FIGURES} for who, draws in song.items()}
        for key, song in taken.items()
    }
    names, lines = list(dict.fromkeys(band for band, _ in means)), list[str]()
    for who in dict.fromkeys(row["drummer"] for row in rows):
        songs = [(key, own) for key, own in means.items() if who in own and USUALLY in own]
        lines.append(f"{who}: {len(songs)} songs of {len({band for (band, _), _ in songs})} bands")
        bands_here = np.array([names.index(band) for (band, _), _ in songs])
        for name in FIGURES:
            pairs = np.array([(own[who][name], own[USUALLY][name]) for _, own in songs]).reshape(-1, 2)
            known = ~np.isnan(pairs).any(axis=1)
            if not known.any():
                continue
            here, usual = pairs[known].T
            gain = over_songs(here - usual, bands_here[known], np.random.default_rng(0))
            lines.append(
                f"  {name}: {here.mean():.3f}, default {usual.mean():.3f}; {gain.value:+.3f}"
                f" ({gain.low:+.3f} to {gain.high:+.3f}); lower in {(here < usual).mean():.0%}, higher in"
                f" {(here > usual).mean():.0%}"
            )
    return lines


def _mean(name: str, draws: Sequence[Row]) -> float:
    return float(np.mean([row.get(name, np.nan) for row in draws]))


# --- the command ------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Play to the songs, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m seq2drum.learn.adapt.takes", description="Judge bands' takes.")
    parser.add_argument("--cache", type=Path, required=True, metavar="FILE", help="songs that --mode prepare has kept")
    parser.add_argument("--artist", nargs="+", required=True, metavar="NAME", help="names, see `judging.bands_of`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures of each take, song by song")
    parser.add_argument(
        "--known", nargs="+", type=int, default=list(KNOWN), metavar="N", help="how many songs are known"
    )
    parser.add_argument("--songs", type=int, default=SONGS, metavar="N", help="songs of a band to play to, at most")
    parser.add_argument(
        "--learn", type=int, default=0, metavar="N", help="bands, for the first song of which models learn, too"
    )
    parser.add_argument("--minutes", type=float, default=1.5, metavar="M", help="how long they learn")
    options = parser.parse_args(arguments)
    try:
        every = load(options.cache)
        found = bands_of(every, options.artist)
        rows = list[Row]()
        for row in _played(every, found, options):
            rows += row
            if options.json:
                options.json.write_text(json.dumps(rows, indent=0), encoding="utf-8")
        if not rows:
            raise CorpusError("none of these artists has a song on the validation or test side; name others")
    except Seq2DrumError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(table(rows)))
    return 0


def _played(
    every: Sequence[Prepared], found: Mapping[str, Sequence[Prepared]], options: argparse.Namespace
) -> Iterator[list[Row]]:
    """Yield the rows of each song."""
    order = np.random.default_rng(0).permutation(len(every))
    mine = {song.sha256 for songs in found.values() for song in songs}
    others = [every[at] for at in order if every[at].sha256 not in mine][:ACQUAINTED]
    usual = Habits.of(others)
    left = options.learn
    for name, songs in found.items():
        unseen = sorted((song for song in songs if song.split != "train"), key=lambda song: song.sha256)
        for place, song in enumerate(unseen[: options.songs]):
            rest = [other for other in songs if other is not song]
            if not rest:
                continue
            rows = rows_of(name, song, rest, list(drummers(song, rest, options.known)), usual, others)
            print(f"{name}: {title_of_file(song.path)}, {len(rows)} rows", file=sys.stderr)
            yield rows
            if place == 0 and left:
                left -= 1
                with tempfile.TemporaryDirectory() as folder:
                    who = list(learners(rest, options.minutes, Path(folder)))
                    yield [row for row in rows_of(name, song, rest, who, usual, others) if row["drummer"] != REAL]


if __name__ == "__main__":
    raise SystemExit(main())
