"""Digests of the program's outputs, by the code of any checkout: takes, scores, pictures, replies, weights, figures.

Everything goes through public interfaces: the command line, `seq2drum`'s names, the server and the client. So it works
for any commit with these, however its files are arranged. `same.py` and `tests/test_bytes.py` compare the digests.

Floating-point results may differ between processors, and between versions of a library. Each group of entries names the
probes that it depends on: a probe is a digest of plain computations with the libraries that the group uses. Digests of
two machines are compared only where their probes are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
ROOT = HERE.parent.parent
SEEDS = (0, 1, 4711)
STOP_STEP = 13  # the step after which a training run is stopped, in the middle of an epoch
SECONDS = 900  # that a group may take, and a server may take to start
TRAIN = ("--mode", "train", "--epochs", "8", "--seed", "3", "--device", "cpu", "--precision", "32", "--threads", "1")
MASKED = frozenset({"versions", "machine", "command", "seconds", "bars a second"})  # differ from run to run
# The caller's settings that would change outputs.
FOREIGN = ("SEQ2DRUM_", "PYTHON", "COLUMNS", "LINES", "FORCE_COLOR", "MPLBACKEND", "WORLD_SIZE", "LOCAL_WORLD_SIZE")

Entries = dict[str, str]
"""The SHA-256 of each thing that was made, by its name."""


def digest(data: bytes | str) -> str:
    """SHA-256 of bytes, or of a text in UTF-8."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def masked(value: Any) -> Any:
    """A JSON value without times, versions, machine and command."""
    if isinstance(value, dict):
        return {name: masked(item) for name, item in value.items() if name not in MASKED}
    return [masked(item) for item in value] if isinstance(value, list) else value


# --- groups: each function runs in a separate process, in an empty folder, and imports the code of `checkout` ---------


def takes(checkout: Path) -> Entries:
    """Takes of the ten examples, and of one of them with each option."""
    from seq2drum import Drummer, Options

    drummer = Drummer.load()
    songs = sorted((checkout / "examples").glob("*.mid"))
    entries = {
        f"{song.stem}, seed {seed}": digest(drummer.accompany(song, Options(seed=seed)).to_bytes())
        for song in songs
        for seed in SEEDS
    }
    plain = checkout / "examples" / "blues_shuffle.mid"
    drums = checkout / "examples" / "training" / "funk_1.mid"  # a song with drums
    for song, options in (
        *((plain, one) for one in _asked()),
        (drums, {"prime": 4}),
        (drums, {"prime": 4, "humanize": 0.8, "swing": 0.3}),
        (drums, {"bars": (5, 8)}),
        (drums, {"bars": (9, 16), "style": "rock", "intensity": 0.8, "temperature": 0.7}),
    ):
        take = drummer.accompany(song, Options(**options))
        entries[f"{song.stem}, {_words(options)}"] = digest(take.to_bytes())
    take = drummer.accompany(plain)
    entries["with guitar"] = digest(take.to_bytes(with_guitar=True))
    entries["from a Song, with guitar"] = digest(drummer.accompany(take.song).to_bytes(with_guitar=True))
    entries["explained"] = digest("\n".join(map(str, take.explain())))
    bars = [(bar.bar.index, bar.part.rows.tolist()) for bar in drummer.stream(plain)]
    entries["streamed"] = digest(json.dumps(bars))
    several = drummer.takes(plain, Options(seed=5), 5)
    for rank, each in enumerate(several, 1):
        entries[f"five takes, number {rank}"] = digest(each.to_bytes() + repr((each.score, each.options.seed)).encode())
    Path("guitar.musicxml").write_text(_musicxml(), encoding="utf-8")
    entries["from MusicXML"] = digest(drummer.accompany("guitar.musicxml").to_bytes())
    return entries


def _asked() -> Iterator[dict[str, Any]]:
    """Each option that needs no drums in the file, alone, and then some together."""
    for style in ("metal", "jazz"):
        yield {"style": style}
    for name in ("intensity", "complexity", "fills", "humanize", "swing"):
        yield {name: 0.0}
        yield {name: 0.9}
    yield {"drum_map": "addictive-drums-2"}
    yield {"temperature": 0.0}
    yield {"temperature": 1.6}
    yield {"top_p": 0.8}
    yield {"track": "1"}
    yield {"groove": "half-time rock, ride"}
    yield {"groove": "A=one-drop,B=rock-hat", "temperature": 0.8}
    yield {"daring": 0.5}
    for ending in ("choke", "ritard", "none"):
        yield {"ending": ending}
    yield {"fill_at": (6,), "no_fills_in": ((9, 24),)}
    yield {"time": "ride"}
    yield {"without": ("crash", "toms")}
    yield {"pieces": "all", "style": "latin"}
    much = {"intensity": 0.7, "complexity": 0.6, "fills": 0.4, "humanize": 1.0, "swing": 0.5}
    yield {"seed": 9, "style": "latin", **much}


def _words(options: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items()).replace(", ", ":")


def _musicxml() -> str:
    """A guitar of eight bars of 4/4 in quarters."""
    pitches = [("E", 3), ("G", 3), ("A", 3), ("E", 3), ("D", 4), ("B", 3), ("A", 3)]
    bars = []
    for bar in range(8):
        notes = "".join(
            f"<note><pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>2</duration>"
            "<type>quarter</type></note>"
            for step, octave in (pitches[(bar + beat * 3) % len(pitches)] for beat in range(4))
        )
        time_ = "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
        bars.append(f'<measure number="{bar + 1}">{"" if bar else time_}{notes}</measure>')
    return (
        '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="4.0"><part-list><score-part id="P1">'
        '<part-name>Guitar</part-name><score-instrument id="I1"><instrument-name>Guitar</instrument-name>'
        '</score-instrument><midi-instrument id="I1"><midi-channel>1</midi-channel><midi-program>28</midi-program>'
        f'</midi-instrument></score-part></part-list><part id="P1">{"".join(bars)}</part></score-partwise>'
    )


def written(checkout: Path) -> Entries:
    """Return digests of files made from a file's own drums, without a model; and of the shipped models' files."""
    training = checkout / "examples" / "training"
    entries = {}
    for name in ("funk_1", "waltz_2", "seven_eight_1"):
        song = str(training / f"{name}.mid")
        entries[f"{name} in characters"] = digest(_command(checkout, "--mode", "show", song))
        # All bars are kept: the take is the file's drums.
        also = ("--score", f"{name}.musicxml", "--rpp", f"{name}.rpp", "--explain", "--json", "-o", f"{name}.drums.mid")
        line = json.loads(_command(checkout, "--mode", "infer", song, "--prime", "10000", *also))
        entries[f"{name}, its own drums"] = digest(Path(f"{name}.drums.mid").read_bytes())
        entries[f"{name} as a score"] = digest(Path(f"{name}.musicxml").read_bytes())
        entries[f"{name} as a project"] = digest(Path(f"{name}.rpp").read_bytes())
        entries[f"{name} explained"] = digest(json.dumps(line["explain"]))
    bars = ("--bars", "3:4")
    entries["some bars in characters"] = digest(
        _command(checkout, "--mode", "show", str(training / "ballad_1.mid"), *bars)
    )
    for folder in ("default", "feel"):
        for path in sorted(_shipped(checkout, folder).iterdir()):
            if path.suffix in {".onnx", ".safetensors", ".json"}:
                entries[f"shipped {folder}/{path.name}"] = digest(path.read_bytes())
    return entries


def _shipped(checkout: Path, name: str) -> Path:
    """The folder of a model in the package."""
    return next(path for path in sorted((checkout / "seq2drum").rglob(f"checkpoints/{name}")) if path.is_dir())


def drawn(checkout: Path) -> Entries:
    """Pictures of a song and its own drums."""
    song = str(checkout / "examples" / "training" / "bossa_nova_1.mid")
    for name, bars in (("a.png", "1:6"), ("a.svg", "1:6")):
        _command(checkout, "--mode", "show", song, "--bars", bars, "-o", name)
    _command(checkout, "--mode", "infer", song, "--prime", "10000", "-o", "b.mid", "--score", "b.svg")
    names = {"picture, PNG": "a.png", "picture, SVG": "a.svg", "score, SVG": "b.svg"}
    return {name: digest(Path(file).read_bytes()) for name, file in names.items()}


def commands(checkout: Path) -> Entries:
    """The command line, where a model plays or humanises."""
    examples = checkout / "examples"
    song = str(examples / "five_four.mid")
    _command(
        checkout, "--mode", "infer", song, "-o", "one.mid", "--seed", "2", "--score", "one.xml", "--rpp", "one.rpp"
    )
    _command(checkout, "--mode", "infer", song, "-o", "more.mid", "--takes", "3", "--with-guitar", "--rpp", "more.rpp")
    stiff = str(examples / "training" / "rock_riff_1.mid")
    _command(checkout, "--mode", "humanize", stiff, "-o", "human.mid")
    flags = ("--humanize", "0.5", "--swing", "0.4", "--style", "jazz", "--seed", "2")
    _command(checkout, "--mode", "humanize", stiff, "-o", "swung.mid", *flags)
    return {path.name: digest(path.read_bytes()) for path in sorted(Path().iterdir()) if path.is_file()}


def service(checkout: Path) -> Entries:
    """Answers of a server to the client."""
    from client import RemoteDrummer

    song = checkout / "examples" / "jazz_swing.mid"
    with _server() as address, RemoteDrummer(address, deadline=SECONDS) as drummer:
        while not _ready(drummer):
            time.sleep(0.05)
        take = drummer.accompany(song, seed=0)
        asked = drummer.accompany(song, seed=4, style="jazz", humanize=0.7, with_guitar=True, explain=True)
        several = drummer.takes(song, None, 3, seed=1)
        bars = [(bar.number, [tuple(hit) for hit in bar.hits]) for bar in drummer.stream(song, seed=0)]
        analysis = drummer.analyze(song)
        for field in ("estimated_ms", "request_id"):
            analysis.ClearField(field)
        models, maps = drummer.models(), drummer.drum_maps()
    return {
        "take": digest(take.midi),
        "its guitar, figures and bars": digest(_messages([take.guitar, take.stats, take.timeline, take.options])),
        "take with options": digest(asked.midi),
        "explained": digest("\n".join(map(str, asked.explain()))),
        "three takes": digest(b"".join(each.midi + repr((each.seed, each.score)).encode() for each in several)),
        "streamed": digest(json.dumps(bars)),
        "analysis": digest(_messages([analysis])),
        "models": digest(_messages(models)),
        "drum maps": digest(_messages(maps)),
    }


def _messages(messages: Iterable[Any]) -> bytes:
    return b"".join(message.SerializeToString(deterministic=True) for message in messages)


def _ready(drummer: Any) -> bool:
    from client import ServerError

    try:
        return bool(drummer.is_ready())
    except ServerError:
        return False


@contextmanager
def _server() -> Iterator[str]:
    """A server of the code on the path, until the end of the block; its address."""
    state = Path("server.json").absolute()
    words = ["-m", "server", "--port", "0", "--metrics-port", "0", "--state-file", str(state)]
    with Path("server.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until = time.monotonic() + SECONDS
        while not state.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the server did not start:\n{Path('server.log').read_text(errors='replace')}")
            time.sleep(0.05)
        yield f"127.0.0.1:{json.loads(state.read_text(encoding='utf-8'))['port']}"
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def training(checkout: Path) -> Entries:
    """The weights of a run of about thirty steps, and of the same run stopped and resumed."""
    _program(checkout, *TRAIN, "--out", "whole")
    words = ["--checkout", str(checkout), "--stop-training", json.dumps([*TRAIN, "--out", "parts"])]
    code = subprocess.run([sys.executable, "-P", str(HERE), *words], check=False).returncode
    if code != 130:
        raise RuntimeError(f"a run that is stopped ended with {code}, wanted 130")
    partial = _weights(Path("parts"))
    _program(checkout, *TRAIN, "--out", "parts", "--resume")
    resumed, whole = _weights(Path("parts")), _weights(Path("whole"))
    entries = {f"weights, {name}": value for name, value in whole.items()}
    return entries | {
        f"weights after step {STOP_STEP}": digest(json.dumps(partial, sort_keys=True)),
        "weights, resumed": digest(json.dumps(resumed, sort_keys=True)),
        "weights": digest(json.dumps(whole, sort_keys=True)),
    }


def _weights(run: Path) -> Entries:
    """The digest of each tensor of a run's last checkpoint."""
    from safetensors import safe_open

    with safe_open(str(run / "last" / "weights.safetensors"), framework="numpy") as file:
        return {name: digest(file.get_tensor(name).tobytes()) for name in sorted(file.keys())}


def stop_training(checkout: Path, words: Sequence[str]) -> None:
    """Train in this process, and press Ctrl-C after a given step."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == STOP_STEP:
            os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
    register_optimizer_step_post_hook(count)
    sys.argv = ["main.py", *words]
    runpy.run_path(str(checkout / "main.py"), run_name="__main__")


def evaluation(checkout: Path) -> Entries:
    """The figures of a small evaluation."""
    data = str(checkout / "examples")
    return _evaluated(checkout, data, "--songs", "4", "--takes", "1", "--bars", "12", "--no-critic")


def full_evaluation(checkout: Path) -> Entries:
    """The figures of an evaluation with likelihoods, baselines and critics."""
    songs = Path("songs")
    songs.mkdir()
    for path in sorted((checkout / "examples" / "training").glob("*.mid")):
        (songs / path.name).write_bytes(path.read_bytes())
    for path in sorted((checkout / "examples").glob("*.mid")):  # these have no drums: they get some
        target = str(songs / path.name)
        _command(checkout, "--mode", "infer", str(path), "--with-guitar", "--seed", "6", "-o", target)
    words = ("--songs", "8", "--takes", "2", "--bars", "20", "--reference", str(songs))
    return _evaluated(checkout, str(songs), *words)


def _evaluated(checkout: Path, data: str, *words: str) -> Entries:
    always = ("--mode", "eval", "--data", data, "--split", "all", "--workers", "1", "--json", "figures.json")
    _program(checkout, *always, *words)
    figures = masked(json.loads(Path("figures.json").read_text(encoding="utf-8")))
    return {name: digest(json.dumps(value, sort_keys=True)) for name, value in figures.items() if name not in MASKED}


def _command(checkout: Path, *words: str) -> str:
    """Return the output of a command; it runs in this process, which has all modules loaded already."""
    out, errors, before = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO(), sys.argv
    sys.argv = ["main.py", *words]
    try:
        with redirect_stdout(out), redirect_stderr(errors):
            runpy.run_path(str(checkout / "main.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{' '.join(words)} ended with {end.code}:\n{errors.getvalue()}") from None
    finally:
        sys.argv = before
    out.flush()
    printed: str = out.buffer.getvalue().decode()
    return printed


def _program(checkout: Path, *words: str) -> None:
    """A command in a separate process."""
    done = subprocess.run([sys.executable, str(checkout / "main.py"), *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}")


# --- probes: results of this machine ----------------------------------------------------------------------------------


def playing_probe(checkout: Path) -> str:
    """The shipped model's graphs on fixed inputs, one thread, and NumPy's functions."""
    import numpy as np

    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    rng, known = np.random.default_rng(0), hashlib.sha256()
    for path in sorted((checkout / "seq2drum").rglob("checkpoints/default/*.onnx")):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for size in (1, 2, 5):
            # Bars, songs, bars remembered, steps, and hits of the bar before.
            lengths = {"B": size + 3, "n": size, "M": size + 8, "S": 8 * size, "K": size + 6}
            arrays = {}
            for given in session.get_inputs():
                shape = [side if isinstance(side, int) else lengths[side] for side in given.shape]
                whole = "int" in given.type
                arrays[given.name] = np.ones(shape, np.int64) if whole else 1 + rng.random(shape, np.float32)
            for answer in session.run(None, arrays):
                known.update(np.ascontiguousarray(answer).tobytes())
    for kind in (np.float32, np.float64):
        values: Any = rng.random((37, 129)).astype(kind)
        values = values + kind(0.01)
        for function in (np.exp, np.log, np.tanh, np.sqrt, np.cumsum, np.sum, np.mean, np.std, np.sin):
            known.update(np.asarray(function(values)).tobytes())
        known.update((values @ values.T).tobytes())
        known.update((values**1.7).tobytes())
    return known.hexdigest()


def training_probe(checkout: Path) -> str:
    """A few steps of a small network of the usual layers in torch, one thread."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    reader, norm, head = nn.LSTM(40, 96, batch_first=True), nn.LayerNorm(96), nn.Linear(96, 24)
    attention = nn.MultiheadAttention(96, 4, batch_first=True)
    cell, drop = nn.LSTMCell(96, 96), nn.Dropout(0.2)
    network = nn.ModuleList([reader, norm, head, attention, cell])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(3):
        read, _ = reader(torch.randn(5, 19, 40))
        state, _ = cell(drop(read[:, -1]))
        mixed, _ = attention(read, read, read)
        thought = nn.functional.gelu(norm(mixed + state[:, None]))
        logits = head(thought)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.rand(5, 19, 24).round())
        loss = loss + logits.softmax(-1).logsumexp(-1).mean() + torch.tanh(thought).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    known = hashlib.sha256()
    for value in network.parameters():
        known.update(value.detach().numpy().tobytes())
    return known.hexdigest()


def drawing_probe(checkout: Path) -> str:
    """A small figure, and the versions of the libraries that draw."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(2, 1))
    axes.bar([1, 2, 3], [3, 1, 2])
    axes.set_title("Tempo 104")
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    versions = [version(name) for name in ("matplotlib", "verovio")]
    return hashlib.sha256(data.getvalue() + repr(versions).encode()).hexdigest()


PROBES: Mapping[str, Callable[[Path], str]] = {
    "playing": playing_probe,
    "training": training_probe,
    "drawing": drawing_probe,
}


# --- all of them ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Entries that are made together. probes: on which their bytes depend. slow: takes more than ten seconds."""

    make: Callable[[Path], Entries]
    probes: tuple[str, ...] = ()
    slow: bool = False


GROUPS: Mapping[str, Group] = {
    "takes": Group(takes, ("playing",)),
    "written": Group(written),
    "drawn": Group(drawn, ("drawing",)),
    "commands": Group(commands, ("playing",)),
    "service": Group(service, ("playing",)),
    "evaluation": Group(evaluation, ("playing", "training"), slow=True),
    "full evaluation": Group(full_evaluation, ("playing", "training"), slow=True),
    "training": Group(training, ("training",), slow=True),
}


def made(name: str, checkout: Path = ROOT) -> Entries:
    """Return the entries of a group by the code of a checkout, in a separate process.

    Raises:
        RuntimeError: it ended with an error.
    """
    entries: Entries = json.loads(_answered("--make", name, checkout))
    return entries


def probed(names: Iterable[str], checkout: Path = ROOT) -> dict[str, str]:
    """Return the digests of some probes on this machine."""
    return {name: json.loads(_answered("--probe", name, checkout)) for name in names}


def _answered(what: str, name: str, checkout: Path) -> str:
    """Return the answer of this script, run with the code of a checkout in an empty folder."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    clean |= {"PYTHONPATH": str(checkout), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    clean |= {"NO_COLOR": "1", "COLUMNS": "100", "CUDA_VISIBLE_DEVICES": "", "TZ": "UTC"}
    with tempfile.TemporaryDirectory(prefix="seq2drum-same-") as folder:
        answer, work = Path(folder) / "answer", Path(folder) / "work"
        work.mkdir()
        command = [sys.executable, "-P", str(HERE), what, name, "--checkout", str(checkout), "--answer", str(answer)]
        done = subprocess.run(command, cwd=work, env=clean, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise RuntimeError(f"{what} {name} of {checkout} failed:\n{done.stderr[-4000:]}")
        return answer.read_text(encoding="utf-8")


def make(name: str, checkout: Path) -> Entries:
    """Make a group's entries in this process, if it runs the checkout's code."""
    package = find_spec("seq2drum")
    if package is None or checkout not in Path(package.origin or "").parents:
        raise RuntimeError(f"seq2drum would be imported from {package and package.origin}, wanted {checkout}")
    return GROUPS[name].make(checkout)


def main() -> None:
    """Answer `made` and `probed`, and train for `training`, each in a separate process."""
    parser = argparse.ArgumentParser()
    for flag in ("--make", "--probe", "--answer", "--stop-training"):
        parser.add_argument(flag)
    parser.add_argument("--checkout", required=True, type=Path)
    options = parser.parse_args()
    if options.stop_training:
        stop_training(options.checkout, json.loads(options.stop_training))
        return
    answer = make(options.make, options.checkout) if options.make else PROBES[options.probe](options.checkout)
    Path(options.answer).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
