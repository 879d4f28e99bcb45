"""One step of a model. An engine opens bars and advances steps; what to make of the logits is `decode`'s business.

A model is a handful of graphs (see `models.base`). Here they are run by ONNX Runtime from a checkpoint folder, without
torch; `eager` runs the same graphs in torch, and a test holds the two equal.

Nobody who plays calls a graph: they yield an `Ask`, and are sent the answer. Whoever drives them decides when and
beside whom it is computed: at once (`Engine.run`), or together with what others ask (`ensemble`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import CheckpointError, UnknownModelError
from seq2drum.lattice.features import Features, FloatArray, Form
from seq2drum.music.kit import KITS, Kit

# The graphs that every model has, and what is asked of each by name ("step" is asked by place).
GRAPHS: Mapping[str, frozenset[str]] = {
    "encode": frozenset(),
    "bar": frozenset({"inputs", "thoughts", "opened"}),
    "step": frozenset({"logits", "thinking", "stepped"}),
    "feel": frozenset({"velocity", "velocity_scale", "offset", "offset_scale"}),
}
PLAN = "plan"  # the graph that some have
# A checkpoint's folder, for those who write one as well.
FORMAT = 2  # 1: before conditions, sketch and fills
CONFIG, WEIGHTS, SUMS = "config.json", "weights.safetensors", "SHA256SUMS"
DEFAULT = "default"
_SHIPPED = Path(__file__).parents[1] / "checkpoints"

T = TypeVar("T")
Arrays = Mapping[str, NDArray[Any]]
Answer = Sequence[NDArray[Any]]


class Ask(NamedTuple):
    """Something to be computed: by which graph, and of which arrays by name."""

    graph: str
    arrays: dict[str, NDArray[Any]]


Asking: TypeAlias = Generator[Ask, Answer, T]
"""What comes to a T by asking: `value = yield from ...`."""

Playing: TypeAlias = Generator[Ask | T, Answer | None, None]
"""What yields T after T, and asks in between. It is sent the answer to an `Ask`, and None after a T."""


class Graph(NamedTuple):
    """Something that computes: the names of what it takes and gives, and how."""

    inputs: frozenset[str]
    outputs: tuple[str, ...]
    run: Callable[[dict[str, NDArray[Any]]], Answer]


class OpenBar(NamedTuple):
    """A bar ready to be played, for n songs at once: what its steps are made of, and the state before the first.

    inputs (n, S, ·), thoughts (n, S, ·), echo (n, S, ·) of the loudness of the bars remembered, state (n, ·).
    """

    inputs: FloatArray
    thoughts: FloatArray
    echo: FloatArray | None
    state: FloatArray


@dataclass(frozen=True)
class Engine:
    """A model that can play, whatever computes it.

    unit: whether guitar is read a song or a pair at a time. voice_order (V, V): what a hit of a voice (column) adds to
    the logits of the voices drawn after it (rows). silence (·,): the state before anything was played.
    """

    name: str
    kit: Kit = field(repr=False)
    unit: str
    max_notes: int
    graphs: Mapping[str, Graph] = field(repr=False)
    voice_order: FloatArray = field(repr=False)
    silence: FloatArray = field(repr=False)

    def answer(self, ask: Ask) -> Answer:
        """Compute what is asked."""
        return self.graphs[ask.graph].run(ask.arrays)

    def run(self, playing: Playing[T]) -> Iterator[T]:
        """All that comes of something that asks, each question being answered at once."""
        answer = None
        with contextlib.closing(playing), contextlib.suppress(StopIteration):
            while True:
                item = playing.send(answer)
                if isinstance(item, Ask):
                    answer = self.answer(item)
                else:
                    yield item
                    answer = None

    def resolve(self, asking: Asking[T]) -> T:
        """What something that asks comes to."""
        try:
            ask = next(asking)
            while True:
                ask = asking.send(self.answer(ask))
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _asked(self, graph: str, arrays: Arrays) -> Asking[dict[str, NDArray[Any]]]:
        """Of some arrays what a graph takes, and what comes of it by name."""
        inputs, outputs, _ = self.graphs[graph]
        found = yield Ask(graph, {name: array for name, array in arrays.items() if name in inputs})
        return dict(zip(outputs, found, strict=True))

    def encode(
        self, features: Features, form: Form, told: FloatArray, first: int, stop: int
    ) -> Asking[dict[str, NDArray[Any]]]:
        """Read the guitar of bars [first, stop): arrays by name, the first axis being the bars.

        told (B, CONDITION_SIZE): what is asked for in each bar of the song, see `conditions`.
        """
        guitar = _guitar(features, form, first, stop)
        found = yield from self._asked("encode", {**guitar, "told": told[first:stop]})
        return found

    def plan(self, features: Features, form: Form) -> Asking[FloatArray | None]:
        """The logits (B,) of each bar of a song breaking the pattern; None from a model that does not plan."""
        if PLAN not in self.graphs:
            return None
        found = yield from self._asked(PLAN, _guitar(features, form, 0, len(form.steps)))
        logits: FloatArray = found["fill"][:, 0]
        return logits

    def open_bar(self, known: Arrays, memory: Arrays, state: FloatArray, *, first: bool) -> Asking[OpenBar]:
        """Begin a bar.

        known: the bar's rows of what `encode` gave, each (n, ...). memory: "keys" (n, M, ·), "distance" (n, M) in bars
        (0 where there is nothing to remember), "past" and "past_velocity" (n, M, S, V), oldest bar first, four or more.
        state (n, ·): as the bar before left it. first: whether the bar begins a unit.
        """
        flag = np.full((len(state), 1), float(first), dtype=np.float32)
        found = yield from self._asked("bar", {**known, **memory, "state": state, "first": flag})
        return OpenBar(found["inputs"], found["thoughts"], found.get("echo"), found["opened"])

    def step(self, inputs: FloatArray, thoughts: FloatArray, previous: FloatArray, state: FloatArray) -> Asking[Answer]:
        """Advance one step: inputs and thoughts (n, ·) of this step, previous (n, V) the hits of the step before.

        Returns logits (n, V) before any voice of the step is drawn, thinking (n, ·) and the new state (n, ·).
        """
        found = yield Ask("step", {"input": inputs, "thought": thoughts, "previous": previous, "state": state})
        return found

    def feel(self, thinking: FloatArray, hits: FloatArray, echo: FloatArray | None) -> Asking[dict[str, NDArray[Any]]]:
        """How a bar's hits (n, S, V) are struck: centres and scales of velocity (0..1) and offset (gaps), (n, S, V)."""
        given: dict[str, NDArray[Any]] = {"thoughts": thinking, "hits": hits}
        found = yield from self._asked("feel", given if echo is None else {**given, "echo": echo})
        return found


def _guitar(features: Features, form: Form, first: int, stop: int) -> dict[str, NDArray[Any]]:
    """What is known of the guitar in bars [first, stop), by the names that graphs have for it."""
    steps = form.steps[first:stop]
    start = form.first[first:stop]
    size = int(form.steps.max())
    place = np.arange(size)
    index = np.where(place < steps[:, None], start[:, None] + place, len(features.guitar))
    guitar, clock = (np.concatenate([rows, np.zeros_like(rows[:1])])[index] for rows in features[:2])
    return {
        "guitar": guitar,
        "clock": clock,
        "steps": steps.astype(np.int64),
        "bars": features.bars[first:stop],
        "summary": features.summary[None],
    }


def available() -> list[str]:
    """The names of the models in the box."""
    return sorted(folder.name for folder in _SHIPPED.glob("*") if (folder / CONFIG).is_file())


def find(name: str | Path) -> Path:
    """The checkpoint folder of a model in the box, of a folder, or of a training run's folder (its best).

    Raises:
        UnknownModelError: there is none.
    """
    if str(name) in available():
        return _SHIPPED / str(name)
    folder = Path(name)
    with contextlib.suppress(OSError):  # a name too long for a path is no folder's name
        for place in (folder, folder / "best", folder / "last"):
            if (place / CONFIG).is_file():
                return place
    raise UnknownModelError(
        f"there is no model {str(name)!r}: wanted one of {', '.join(available()) or '(none in the box)'}, "
        "or a folder that --mode train made"
    )


def load(name: str | Path = DEFAULT, *, threads: int = 1) -> Engine:
    """A model as an engine on ONNX Runtime.

    Raises:
        UnknownModelError: there is no such model.
        CheckpointError: its folder is damaged or of another version.
    """
    folder = find(name)
    about = read_config(folder)
    verify(folder)
    order, silence = read_tensors(folder / WEIGHTS, ("voice_order", "silence"))
    graphs = {}
    known = {**GRAPHS, PLAN: frozenset({"fill"})} if (folder / f"{PLAN}.onnx").is_file() else GRAPHS
    for graph, wanted in known.items():
        path = folder / f"{graph}.onnx"
        graphs[graph] = _session(path, threads)
        if missing := sorted(wanted.difference(graphs[graph].outputs)):
            raise CheckpointError(f"{str(path)!r} cannot be used: it does not compute {', '.join(missing)}")
    try:
        kit = KITS[about["kit"]]
        if order.shape != (len(kit), len(kit)) or silence.shape != (about["state"],):
            raise ValueError(
                f"its weights have shapes {order.shape} and {silence.shape}, which do not fit the kit {kit.name!r}"
            )
        return Engine(str(name), kit, about["unit"], about["max_notes"], graphs, order, silence)
    except KeyError as error:
        raise CheckpointError(f"{str(folder)!r} is no usable checkpoint: its {CONFIG} lacks {error}") from None
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{str(folder)!r} is no usable checkpoint: {error}") from None


def read_config(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of itself.

    Raises:
        CheckpointError: it says nothing that can be understood.
    """
    try:
        about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if (held := about.get("format")) != FORMAT:
            raise ValueError(f"its {CONFIG} names the format {held}, wanted {FORMAT}; train it again")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{str(folder)!r} is no usable checkpoint: {error}") from None
    return dict(about)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256, in hex, of each file of a checkpoint that playing reads."""
    names = [CONFIG, WEIGHTS, *(f"{graph}.onnx" for graph in (*GRAPHS, PLAN))]
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError), (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def verify(folder: Path) -> bool:
    """Whether a checkpoint says what its files should be; where it does, they are.

    Checkpoints that were made before there were sums say nothing.

    Raises:
        CheckpointError: a file is not what it was when the checkpoint was made.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        expected = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
        found = digests(folder)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(folder / SUMS)!r} cannot be used: {error}") from None
    for name in expected.keys() | found.keys():
        if expected.get(name) != found.get(name):
            raise CheckpointError(
                f"{str(folder / name)!r} is not the file that the checkpoint was made with: its SHA-256 differs from"
                f" the one in {SUMS}. Copy the folder again, or take another model"
            )
    return True


class Stored(NamedTuple):
    """A tensor in a file: its shape, and the bytes [begin, end) that it is."""

    shape: list[int]
    begin: int
    end: int


def stored(file: BinaryIO) -> dict[str, Stored]:
    """Where each tensor of a safetensors file lies: an eight-byte size, a JSON header of that size, the tensors' bytes.

    Raises:
        ValueError, LookupError, AttributeError, TypeError, struct.error: the header makes no sense.
    """
    (size,) = struct.unpack("<Q", file.read(8))
    if size > 1 << 24:
        raise ValueError("its header is longer than any of ours")
    header = json.loads(file.read(size))
    places = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            places[name] = Stored(entry["shape"], 8 + size + begin, 8 + size + end)
    return places


def read_tensors(path: Path, names: Sequence[str]) -> list[FloatArray]:
    """Some float32 tensors of a safetensors file.

    Raises:
        CheckpointError: the file is damaged, lacks one of them, or one holds what is no number.
    """
    try:
        with path.open("rb") as file:
            places = stored(file)
            held, wanted = os.fstat(file.fileno()).st_size, max(place.end for place in places.values())
            if held != wanted:
                raise ValueError(f"it has {held} bytes, wanted {wanted}")
            found = []
            for name in names:
                shape, begin, end = places[name]
                file.seek(begin)
                found.append(np.frombuffer(file.read(end - begin), dtype=np.float32).reshape(shape))
    except (OSError, ValueError, LookupError, AttributeError, TypeError, struct.error) as error:
        raise CheckpointError(f"{str(path)!r} cannot be used: {error}") from None
    if not all(np.isfinite(array).all() for array in found):
        raise CheckpointError(f"{str(path)!r} cannot be used: there are weights that are no numbers")
    return found


def runtime() -> Any:
    """ONNX Runtime, loaded on first use, and told to keep to itself.

    From 1.29 on it otherwise keeps an id of the machine in the user's cache, and sends its makers what it loads and how
    often that runs. It heeds this only where it is said before it is loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def _session(path: Path, threads: int) -> Graph:
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a damaged file is told by our own error
    # What reads a whole song at once would keep, for ever, the memory that the longest took.
    options.enable_cpu_mem_arena = path.stem not in ("encode", PLAN)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a dozen exception types without a common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{str(path)!r} cannot be used: {reason}") from None
    names = tuple(output.name for output in session.get_outputs())
    return Graph(
        frozenset(value.name for value in session.get_inputs()), names, lambda arrays: session.run(names, arrays)
    )
