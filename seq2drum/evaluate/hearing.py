"""Accuracy of transcription and beat tracking, on recordings of guitars and performances without bars.

    python -m seq2drum.evaluate.hearing recordings [--soundfont FILE]
    python -m seq2drum.evaluate.hearing beats CACHE CORPUS [--side test] [--fit]

recordings: each song of a folder (the examples) is rendered by FluidSynth in three ways: clean (General MIDI program
27), distorted (program 30), driven (the clean one through tanh at a gain of 20, with noise 46 dB below full scale). Of
each: the F-measure of onsets by mir_eval (50 ms; strikes, that is notes within 40 ms of each other as one), and how far
the quarters that are found are from those of the file, in milliseconds, with librosa's beats beside them. Then the
songs, as MIDI, with a tempo that drifts by known maps: how far the beats that --follow finds are from the true ones.

beats: CACHE is a prepared corpus, CORPUS the folder that it was made of. The guitars of songs of one tempo and metre
are made into performances in seconds: from the second before they begin, at most two minutes, each strike moved
(normal, 8 ms), one note of twenty left out. The tables say how often tempo, metre and bars are right, and how often of
those with a stated confidence; then the share of all songs that miss their grid. With --fit the weights of
`lattice/beats/evidence.py` are learnt from the training side, and printed: from 1,500 songs that are drawn, and from
all that are not in 4/4. Bars in 4/4 are cut or lengthened to 3/4, 7/8 and 5/4, too, as real songs have few of these.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus import cache
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import InputError, Seq2DrumError
from seq2drum.formats.audio import recording
from seq2drum.formats.midi import midi
from seq2drum.lattice.beats import evidence, placing, pulse, tracking
from seq2drum.lattice.beats.performance import Beats, Performance, Timing, first_of_each
from seq2drum.lattice.beats.pulse import Found, beats_of
from seq2drum.music import theory
from seq2drum.music.notes import Song
from seq2drum.show import fluidsynth
from seq2drum.show.loudness import RATE, stereo_wav

Array = NDArray[Any]

# --- recordings -------------------------------------------------------------------------------------------------------

KINDS = ("clean", "distorted", "driven")
NOISE = 0.005

Warp = Callable[[Array], Array]
WARPS: dict[str, Warp] = {
    "sways by 3 % in 20 s": lambda t: t + 0.03 * 20 / 6.283 * np.sin(6.283 * t / 20),
    "sways by 6 % in 20 s and 3 % in 7 s": lambda t: (
        t + 0.06 * 20 / 6.283 * np.sin(6.283 * t / 20) + 0.03 * 7 / 6.283 * np.sin(6.283 * t / 7)
    ),
    "hurries by 8 % in a minute": lambda t: t - 0.04 * t * t / 60,
}


def rendered(song: Song, synthesiser: fluidsynth.Synthesiser) -> dict[str, Array]:
    """Return the sound of a song's guitar in each of KINDS."""
    songs = []
    for program in (27, 30):
        parts = [replace(part, program=program) for part in song.parts if not part.is_drums]
        songs.append(fluidsynth.timed(song, parts, None, 600.0))
    clean, distorted = (0.7 * one / np.abs(one).max() for one in fluidsynth.render(synthesiser, songs, lambda _: None))
    driven = 0.7 * np.tanh(20 * clean) + np.random.default_rng(0).normal(0, NOISE, clean.shape)
    return {"clean": clean, "distorted": distorted, "driven": driven}


def off(found: Array, truth: Array) -> Array:
    """Milliseconds from each found beat to the nearest true one."""
    inside = found[(found > truth[0] - 0.1) & (found < truth[-1] + 0.1)]
    away: Array = 1000 * np.abs(inside[:, None] - truth).min(axis=1)
    return away


def quarters(beats: Beats, seconds: float) -> Array:
    """Return the moments of the quarters, in seconds."""
    first, last = np.ceil(beats.place(np.array([0.0, seconds])))
    return beats.at(np.arange(first, last))


def told(found: Found) -> str:
    """Return tempo, metre and first downbeat in words."""
    return f"{found.bpm:.1f}, {found.beats.metre[0]}/{found.beats.metre[1]}, {found.beats.downbeat:.2f} s"


def recordings_table(songs: Mapping[str, Song], synthesiser: fluidsynth.Synthesiser) -> Iterator[str]:
    """Yield the lines of a table of rendered songs, ours next to librosa."""
    import librosa
    import mir_eval

    yield "| example | sound | onset F1 | tempo, metre, downbeat | quarters: median, worst, ms | librosa: BPM, median |"
    yield "|---|---|---|---|---|---|"
    scores: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for name, song in songs.items():
        onsets = placing.performed(song, _guitar(song)).onset
        strikes = onsets[first_of_each(onsets, 0.04)]
        truth = _quarters_of(song)
        for kind, sound in rendered(song, synthesiser).items():
            performance = recording.heard(stereo_wav(sound))
            score = mir_eval.onset.f_measure(strikes, performance.strikes[0])[0]
            scores[kind].append(score)
            found = beats_of(performance, Timing())
            away = off(quarters(found.beats, truth[-1]), truth)
            mono = librosa.resample(sound.mean(axis=1), orig_sr=RATE, target_sr=22_050)
            tempo, beats = librosa.beat.beat_track(y=mono, sr=22_050, units="time")
            peer = f"{float(np.atleast_1d(tempo)[0]):.1f}, {np.median(off(beats, truth)):.0f}"
            ours = f"{told(found)} | {np.median(away):.0f}, {away.max():.0f}"
            yield f"| {name} | {kind} | {score:.2f} | {ours} | {peer} |"
    means = (f"{kind}: mean onset F1 {np.mean(one):.3f}, least {min(one):.2f}" for kind, one in scores.items())
    yield "\n" + ", ".join(means)


def drifting_table(songs: Mapping[str, Song]) -> Iterator[str]:
    """Yield the lines of a table of songs whose tempo drifts."""
    yield "| example | tempo | found | quarters: median, 95 of 100, worst (ms) |\n|---|---|---|---|"
    for name, song in songs.items():
        played, truth = placing.performed(song, _guitar(song)), _quarters_of(song)
        for words, warp in WARPS.items():
            seconds = float(warp(np.array([played.seconds]))[0])
            taken = replace(played, onset=warp(played.onset), end=warp(played.end), seconds=seconds)
            found = beats_of(taken, Timing())
            away = off(quarters(found.beats, seconds), warp(truth))
            ends = f"{np.percentile(away, 95):.0f}, {away.max():.0f}"
            yield f"| {name} | {words} | {told(found)} | {np.median(away):.0f}, {ends} |"


def _guitar(song: Song) -> list[int]:
    return [index for index, part in enumerate(song.parts) if not part.is_drums]


def _quarters_of(song: Song) -> Array:
    return np.array([song.seconds(tick) for tick in range(0, song.end, song.ticks_per_quarter)])


# --- performances of a corpus -----------------------------------------------------------------------------------------

DRAWN = 1500  # songs of the training side
JITTER, LEFT_OUT, LONGEST = 0.008, 0.05, 120.0
CLASSES: dict[tuple[int, int], tuple[int, int]] = {
    (4, 4): (4, 4),
    (2, 4): (4, 4),
    (2, 2): (4, 4),
    (3, 4): (3, 4),
    (6, 4): (3, 4),
    (6, 8): (6, 8),
    (12, 8): (6, 8),
}
CLASSES |= {(5, 4): (5, 4), (7, 8): (7, 8)}
PRIOR = {(4, 4): 0.80, (3, 4): 0.08, (6, 8): 0.06, (7, 8): 0.03, (5, 4): 0.03}
HALVED = ((12, 8), (2, 4))  # metres of which the bar that is found may be twice or half a bar
SHRINK = 1e-3
PULSE_COUNTS = {(6, 8): 6.0}  # the weight of a real take in learning the beat; there are few in 6/8
MADE_COUNTS = 0.3  # and one that was made over
RESIZED = {(3, 4): 3.0, (7, 8): 3.5, (5, 4): 5.0}


class Take(NamedTuple):
    """A performance and its ground truth: seconds of a quarter, the metre, the downbeats."""

    name: str
    notes: Performance
    quarter: float
    metre: tuple[int, int]
    bars: Array

    @property
    def beat(self) -> float:
        """Seconds of a beat."""
        return self.quarter * (1.5 if CLASSES[self.metre] == (6, 8) else 1.0)


def read(prepared: Sequence[Prepared], corpus: Path) -> Iterator[tuple[str, Song, Sequence[int]]]:
    """Yield the name, the song and the guitar parts of each prepared song whose file is found."""
    for one in prepared:
        path = next((path for path in (corpus / one.path, corpus / one.tag / one.path) if path.exists()), None)
        if path is None:
            continue
        try:
            song = midi.read(path)
            yield one.path, song, theory.guitar_parts(song).parts
        except InputError:
            continue


def take(name: str, song: Song, parts: Sequence[int], seed: int) -> Take | None:
    """A performance of a song, if it has one tempo and one metre and its notes are on its grid."""
    notes = placing.performed(song, parts)
    missed = placing.missed(song, parts)
    ends = notes.onset[-1]
    quarters = _quarters_of(song)
    quarters = quarters[quarters < ends + 2]
    begins = np.array([song.seconds(bar.start) for bar in song.bars()])
    metres = Counter(
        (bar.numerator, bar.denominator) for bar, begin in zip(song.bars(), begins, strict=True) if begin < ends
    )
    metre, count = metres.most_common(1)[0]
    if (
        metre not in CLASSES
        or count < 0.95 * metres.total()
        or missed.share > 0.2
        or missed.strikes < 40
        or len(quarters) < 16
    ):
        return None
    numbers = np.arange(len(quarters))
    slope, start = np.polyfit(numbers, quarters, 1)
    if np.abs(quarters - start - slope * numbers).max() > 0.05:
        return None
    rng = np.random.default_rng(seed)
    zero = notes.onset[0] - rng.uniform(0, 1)
    kept = (rng.random(len(notes)) > LEFT_OUT) & (notes.onset < zero + LONGEST)
    _, strike = np.unique(np.round(notes.onset[kept], 3), return_inverse=True)
    moved = rng.normal(0, JITTER, strike.max(initial=0) + 1)[strike] + rng.normal(0, 0.003, len(strike))
    onset = np.maximum(notes.onset[kept] + moved - zero, 0)
    end = np.maximum(notes.end[kept] - zero, onset + 0.02)
    played = Performance.of(
        onset, end, notes.pitch[kept], np.maximum(notes.strength[kept], 0.05), min(end.max(), LONGEST) + 0.5
    )
    begins = begins - zero
    return Take(name, played, float(slope), metre, begins[(begins > -0.1) & (begins < played.onset[-1])])


def taken(songs: Sequence[Prepared], corpus: Path, side: str) -> Iterator[Take]:
    """Yield the performances of a side."""
    for seed, (name, song, parts) in enumerate(read([one for one in songs if one.split == side], corpus)):
        if one := take(name, song, parts, seed):
            yield one


def resized(one: Take, metre: tuple[int, int]) -> Take:
    """A take in 4/4 with the end of each bar cut out or played twice."""
    bar, length = 4 * one.quarter, RESIZED[metre] * one.quarter
    notes = one.notes
    number = np.floor((notes.onset - one.bars[0] + 0.03) / bar)
    inside = notes.onset - one.bars[0] - number * bar
    rows = [np.flatnonzero(inside < length - 0.03)]
    extra = np.zeros(len(rows[0]))
    if length > bar:
        again = np.flatnonzero(inside >= bar - one.quarter - 0.03)
        rows.append(again)
        extra = np.concatenate([extra, np.full(len(again), one.quarter)])
    index = np.concatenate(rows)
    onset = np.maximum(one.bars[0] + number[index] * length + inside[index] + extra, 0)
    last = onset + np.minimum(notes.end - notes.onset, length)[index]
    played = Performance.of(onset, last, notes.pitch[index], notes.strength[index], last.max() + 0.5)
    bars = one.bars[0] + length * np.arange(int(number.max()) + 1)
    return Take(one.name, played, one.quarter, metre, bars)


# --- measuring --------------------------------------------------------------------------------------------------------


def judged(one: Take) -> tuple[float, list[tuple[float, bool]]]:
    """(found tempo through true tempo, how sure and whether right: tempo; metre, if the tempo is; bars, if both)."""
    found = pulse.beats_of(one.notes, Timing())
    ratio = found.bpm * one.quarter / 60
    told = [(found.tempo_sure, abs(ratio - 1) < 0.02)]
    if told[0][1]:
        told.append((found.metre_sure, CLASSES.get(found.beats.metre) == CLASSES[one.metre]))
    if told[-1][1] and len(told) == 2:
        bar = 4 * found.beats.metre[0] / found.beats.metre[1]
        places = found.beats.place(one.bars) / bar
        off = np.abs(places - np.rint(places)) * bar * one.quarter
        told.append((found.downbeat_sure, float(np.mean(off < 0.06)) > 0.8))
    return ratio, told


def beats_table(takes: Sequence[Take]) -> Iterator[str]:
    """Yield the lines of a table of some takes: the calibration of the stated probabilities."""
    results = [judged(one) for one in takes]
    ratios = np.array([ratio for ratio, _ in results])
    shares = {name: np.mean(np.abs(ratios / at - 1) < 0.02) for name, at in (("right", 1), ("half", 0.5), ("twice", 2))}
    whole = np.mean([len(told) == 3 and told[2][1] for _, told in results])
    words = " ".join(f"{name} {share:.2f}" for name, share in shares.items())
    yield f"{len(takes)} takes; tempo {words} all {whole:.2f}\n"
    yield "| estimate | confidence | takes | mean confidence | right |\n|---|---|---|---|---|"
    for at, name in enumerate(("tempo", "metre, the tempo being right", "bars, both being right")):
        rows = np.array([told[at] for _, told in results if len(told) > at], float)
        for low, high in ((0, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 0.95), (0.95, 1.01), (0, 1.01)):
            some = rows[(rows[:, 0] >= low) & (rows[:, 0] < high)]
            if len(some):
                sure, right = some.mean(axis=0)
                yield f"| {name} | {low} to {min(high, 1)} | {len(some)} | {sure:.2f} | {right:.2f} |"


# --- the weights of evidence ------------------------------------------------------------------------------------------


class Rows(NamedTuple):
    """Training data from a take: evidence of mutually exclusive candidates, the right one, and its weight."""

    evidence: Array
    right: Array
    counts: float


def pulse_rows(one: Take) -> tuple[Rows, list[evidence.Pulse], evidence.Strikes, tracking.Steady]:
    """Return the evidence of each pulse of a take, the pulses, its strikes, and its steadiest period."""
    strikes = evidence.Strikes.of(one.notes)
    found = tracking.steadiest(strikes.times, strikes.weights)
    pulses = evidence.pulses(strikes, (strikes.times - found.phase) / found.period, found.period)
    at = (one.bars - found.phase) / found.period
    right = []
    for each in pulses:
        places = at * each.ratio - each.phase
        off = np.median(np.abs(places - np.rint(places))) * each.period
        right.append(is_period(each.period, one) and off < 0.06)
    return Rows(np.array([each.evidence for each in pulses]), np.array(right), 1.0), pulses, strikes, found


def is_period(period: float, one: Take) -> bool:
    """Return whether a period is the beat of a take."""
    return bool(abs(np.log(period / one.beat)) < 0.01)


def bar_rows(one: Take, strikes: evidence.Strikes, found: tracking.Steady, best: evidence.Pulse) -> Rows:
    """The evidence of each metre and place on a pulse."""
    beats, at = ((times - found.phase) / found.period * best.ratio - best.phase for times in (strikes.times, one.bars))
    rows, right = [], []
    for metre, length in evidence.METRES.items():
        rows.append(evidence.bars(strikes, beats, best.period, metre, length))
        slot = np.rint(2 * at).astype(int)
        shares = np.bincount(slot % length, minlength=length) / len(slot)
        most = 0.4 if one.metre in HALVED else 0.8
        right.append((shares > most) & (metre == CLASSES[one.metre]))
    return Rows(np.concatenate(rows), np.concatenate(right), 1.0)


def fitted(groups: Sequence[Rows]) -> Array:
    """Weights that make the right rows of each group likely by a softmax: a conditional logit."""
    from scipy.optimize import minimize

    groups = [group for group in groups if group.right.any()]
    spread = np.concatenate([rows for rows, *_ in groups]).std(axis=0) + 1e-9
    x = np.concatenate([rows for rows, *_ in groups]) / spread
    y = np.concatenate([right for _, right, _ in groups])
    sizes = np.array([len(right) for _, right, _ in groups])
    first, which = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(sizes)), sizes)
    counts = np.array([count for *_, count in groups])
    counts = counts / counts.sum()

    def loss(theta: Array) -> tuple[float, Array]:
        score = x @ theta
        e = np.exp(score - np.maximum.reduceat(score, first)[which])
        total, good = np.add.reduceat(e, first), np.maximum(np.add.reduceat(e * y, first), 1e-300)
        slope = x.T @ (counts[which] * (e / total[which] - e * y / good[which]))
        return float(counts @ (np.log(total) - np.log(good)) + SHRINK * theta @ theta), slope + 2 * SHRINK * theta

    best = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 600})
    weights: Array = best.x / spread
    return weights


def learnt(songs: Sequence[Prepared], corpus: Path) -> tuple[Array, Array]:
    """The weights of pulses and of bars, by takes of the training side; one of two in 4/4 is resized, too."""
    training = [one for one in songs if one.split == "train"]
    order = np.random.default_rng(5).permutation(len(training))
    drawn = [
        training[at] for place, at in enumerate(order) if place < DRAWN or training[at].guitar_grid.form.metre != "4/4"
    ]
    takes, likely = [], []
    for seed, one in enumerate(taken(drawn, corpus, "train")):
        takes.append(one)
        likely.append(PULSE_COUNTS.get(CLASSES[one.metre], 1.0))
        if one.metre == (4, 4) and seed % 2 and one.notes.onset[-1] > one.bars[2]:
            takes.append(resized(one, list(RESIZED)[seed // 2 % len(RESIZED)]))
            likely.append(MADE_COUNTS)
    many = Counter(CLASSES[one.metre] for one in takes)
    counts = [PRIOR[CLASSES[one.metre]] / many[CLASSES[one.metre]] for one in takes]
    given = [pulse_rows(one) for one in takes]
    of_pulses = fitted([rows._replace(counts=count) for (rows, *_), count in zip(given, likely, strict=True)])
    groups = []
    for one, count, (rows, pulses, strikes, found) in zip(takes, counts, given, strict=True):
        scores = rows.evidence @ of_pulses
        mine = [at for at, each in enumerate(pulses) if is_period(each.period, one)]
        if mine:
            best = pulses[max(mine, key=lambda at: scores[at])]
            groups.append(bar_rows(one, strikes, found, best)._replace(counts=count))
    return of_pulses, fitted(groups)


# --- the command ------------------------------------------------------------------------------------------------------


def of_recordings(options: argparse.Namespace) -> Iterator[str]:
    """Yield the tables of rendered songs, and of songs whose tempo drifts."""
    synthesiser = fluidsynth.find(options.soundfont)
    songs = {path.stem: midi.read(path) for path in sorted(options.songs.glob("*.mid"))}
    yield f"{synthesiser.soundfont.name}\n"
    yield from recordings_table(songs, synthesiser)
    yield ""
    yield from drifting_table(songs)


def of_beats(options: argparse.Namespace) -> Iterator[str]:
    """Yield the tables of a corpus, or the weights learnt from it."""
    songs = cache.load(options.cache)
    if options.fit:
        for name, weights in zip(("PULSE", "BAR"), learnt(songs, options.corpus), strict=True):
            yield f"{name} = np.array([{', '.join(f'{one:.3g}' for one in weights)}])"
        return
    takes = list(taken(songs, options.corpus, options.side))
    yield from beats_table(takes)
    yield "\nmade over to 3/4, 7/8 and 5/4:"
    common = [one for one in takes if one.metre == (4, 4) and one.notes.onset[-1] > one.bars[2]]
    yield from beats_table([resized(one, list(RESIZED)[at % len(RESIZED)]) for at, one in enumerate(common)])
    side = [one for one in songs if one.split == options.side]
    shares = [placing.missed(song, parts).is_free for _, song, parts in read(side, options.corpus)]
    yield f"\nreported to miss its grid: {np.mean(shares):.3f} of {len(shares)} songs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables of recordings, or of beats; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m seq2drum.evaluate.hearing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True)
    recordings, beats = parts.add_parser("recordings"), parts.add_parser("beats")
    recordings.add_argument("songs", nargs="?", type=Path, default=Path("examples"), metavar="FOLDER")
    recordings.add_argument("--soundfont", metavar="FILE", help="a General MIDI soundfont (default: the machine's)")
    beats.add_argument("cache", type=Path)
    beats.add_argument("corpus", type=Path)
    beats.add_argument("--fit", action="store_true", help="learn the weights and print them")
    beats.add_argument("--side", default="validation", choices=("validation", "test"))
    options = parser.parse_args(arguments)
    try:
        for line in of_recordings(options) if options.part == "recordings" else of_beats(options):
            print(line, flush=True)
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
