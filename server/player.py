"""A worker that plays: `python -m server.player`, frames in and frames out.

All its calls play together, in an ensemble (`seq2drum.play.decode.ensemble`) for each model: they share the model's
steps, and a cancelled call stops at the next one. `scheduler` decides which of their takes move in a round. The worker
trusts the front: a parser has read the same bytes under the same limits. It knows models and music, and nothing of
networks.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from seq2drum.errors import CheckpointError, Seq2DrumError, UnknownModelError
from seq2drum.music.limits import Limits
from seq2drum.music.notes import Note, Part, Song, Tempo
from seq2drum.play.checkpoint import signing
from seq2drum.play.checkpoint.band import Band, is_checked
from seq2drum.play.checkpoint.folder import SUMS, available, find
from seq2drum.play.choose import choose, variants
from seq2drum.play.decode.ensemble import Ended, Ensemble
from seq2drum.play.drummer import Drummer, planned
from seq2drum.play.generators import composer
from seq2drum.play.generators.composer import Composer
from seq2drum.play.grooves import choosing
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options
from seq2drum.play.take import DrumBar, ranked
from seq2drum.play.write import take_of
from seq2drum.rpc import accompaniment_pb2 as pb
from server import composing, convert, ipc, statuses
from server.composing import BeatComposer
from server.ipc import Frame, HeapTrimmer, bound_memory, resident_mebibytes
from server.jamming import JamRunner
from server.scheduler import ModelScheduler, PlayedCall, RoundRobin
from server.statuses import Refusal
from server.taught import TaughtDrummers, bases_of

LOG = logging.getLogger(__name__)
PROGRESS_SECONDS = 0.1  # between two progress frames of a call
LOADING_MEBIBYTES = 4096
"""The memory that loading all models may take."""
FINAL_FRAMES = frozenset({"done", "failed", "left"})  # frames that end a call
ALIVE_SECONDS = 1.0  # without another frame, the worker reports that it is alive


class Player:
    """Plays the calls that arrive as frames, and sends its answers as frames."""

    def __init__(
        self,
        schedulers: dict[str, ModelScheduler],
        composers: Mapping[str, Composer],
        limits: Limits,
        most_takes: int,
        send: Callable[[Frame], None],
        taught: TaughtDrummers | None = None,
    ) -> None:
        self._schedulers = schedulers
        self._limits = limits
        self._most_takes = most_takes
        self._sink = send
        self._last_sent = time.monotonic()
        self._replies: dict[int, Iterator[Frame | None]] = {}
        self._heap, self._has_ended = HeapTrimmer(), False
        self._round_robin = RoundRobin(self._send, self._fail)
        self._composing = BeatComposer(composers, limits, most_takes)
        infos = [scheduler.info for scheduler in schedulers.values()]
        live = {info.id: schedulers[info.id].drummer.engine for info in infos if info.live}
        self._taught, self._has_live = taught or TaughtDrummers("", {}), bool(live)
        self._jamming = JamRunner(live, infos, limits, self._taught_band)

    @property
    def busy(self) -> bool:
        """True if there is anything to play."""
        return (
            self._round_robin.busy
            or bool(self._replies)
            or any(scheduler.busy for scheduler in self._schedulers.values())
        )

    def receive(self, frame: Frame) -> None:
        """Begin or cancel a call."""
        job = int(frame.head["job"])
        if frame.head["what"] == "cancel":
            self._cancel(job)
            return
        if frame.head["what"] == "forget":
            self._composing.end(frame.head["held"])
            self._jamming.end(frame.head["held"])
            return
        self._send(Frame({"what": "taken", "job": job}))
        try:
            if frame.head["what"] == "grooves":
                self._send(Frame({"what": "done", "job": job}, self._fitting_grooves(frame)))
                return
            if frame.head["what"] == "models":
                self._send(Frame({"what": "done", "job": job}, self._listed().SerializeToString()))
                return
            if frame.head["what"] == "compose":
                self._round_robin.begin(job, self._composing.compose(job, frame.body))
                return
            if frame.head["what"] == "more":
                self._round_robin.begin(job, self._composing.stream(job, frame.head["held"], frame.body))
                return
            if frame.head["what"] == "jam":
                self._round_robin.begin(job, self._jamming.advance(job, frame.head["held"], frame.body))
                return
            scheduler, call = self._begin(job, frame)
        except Exception as error:
            self._fail(job, error)
        else:
            scheduler.add(call)

    def advance(self) -> None:
        """Play one step of the calls, one bar of each beat and jam, and write one take of each finished call."""
        self._round_robin.advance()
        for job, reply in list(self._replies.items()):
            self._write_next_take(job, reply)
        for scheduler in self._schedulers.values():
            for call, take, item in scheduler.advance(scheduler.next_takes()):
                if call.job in scheduler.calls:  # another of its takes may have failed in this step
                    self._on_item(scheduler, call, take, item)
        if time.monotonic() - self._last_sent > ALIVE_SECONDS:
            self._send(Frame({"what": "alive", "job": 0}))

    def trim(self) -> None:
        """Return the memory of ended calls to the system."""
        if self._has_ended:
            self._has_ended = False
            self._heap.give_back()

    def _send(self, frame: Frame) -> None:
        self._last_sent = time.monotonic()
        self._has_ended |= frame.head["what"] in FINAL_FRAMES
        self._sink(frame)

    def _fitting_grooves(self, frame: Frame) -> bytes:
        _, _, _, guitar, options = self._parse(frame)
        offered = choosing.offered(guitar.song_grid.guitar_grid, guitar.sections, options)
        return convert.offered(offered).SerializeToString()

    def _listed(self) -> pb.ListModelsResponse:
        """Return all models: those of the start, then those that the server was taught."""
        listed = pb.ListModelsResponse(default_model=next(iter(self._schedulers)))
        listed.models.extend(scheduler.info for scheduler in self._schedulers.values())
        for model in self._taught.ids():
            if model not in self._schedulers and (found := self._taught_band(model)) is not None:
                listed.models.append(found[1])
        return listed

    def _taught_band(self, model: str) -> tuple[Band, pb.ModelInfo] | None:
        """Return what a taught drummer learnt of its band, and its description; None if there is none of this id."""
        try:
            band, base = self._taught.find(model)
        except UnknownModelError:
            return None
        return band, convert.taught_info(model, band, self._schedulers[base].info, is_live=self._has_live)

    def _drummer(self, model: str) -> tuple[ModelScheduler, Drummer, pb.ModelInfo]:
        """Return where a model plays, how it listens, and its description. A taught drummer plays through its base."""
        if (scheduler := self._schedulers.get(model)) is not None:
            return scheduler, scheduler.drummer, scheduler.info
        if (found := self._taught_band(model)) is None:
            raise UnknownModelError(f"there is no model {model!r}; there are {', '.join(self._schedulers)}")
        band, info = found
        scheduler = self._schedulers[self._taught.find(model).base]
        return scheduler, Drummer(replace(scheduler.drummer.engine, band=band)), info

    def _parse(self, frame: Frame) -> tuple[pb.GenerateDrumsRequest, ModelScheduler, pb.ModelInfo, Guitar, Options]:
        """Return the request of a frame, where it plays, its model, its guitar and its options."""
        request = pb.GenerateDrumsRequest.FromString(frame.body)
        scheduler, drummer, info = self._drummer(request.config.model or next(iter(self._schedulers)))
        options = convert.options_of(request.config, self._limits, band=drummer.engine.band)
        drums = convert.drums_of(request, self._limits)
        guitar, options = drummer.listen(request.midi, options, limits=self._limits, drums=drums)
        return request, scheduler, info, guitar, options

    def _begin(self, job: int, frame: Frame) -> tuple[ModelScheduler, PlayedCall]:
        request, scheduler, info, guitar, options = self._parse(frame)
        count = convert.takes_of(request.config, self._most_takes)
        plan = convert.plan_of(request.config)
        takes = [planned(guitar, choose(guitar, own), plan) for own in variants(guitar, options, count)]
        wants_bars, caller = bool(frame.head.get("bars")), str(frame.head.get("caller", ""))
        bars: list[list[DrumBar]] = [[] for _ in takes]
        return scheduler, PlayedCall(job, caller, info, request, wants_bars, guitar, takes, bars, time.perf_counter())

    def _on_item(self, scheduler: ModelScheduler, call: PlayedCall, take: int, item: DrumBar | Ended) -> None:
        if isinstance(item, DrumBar):
            call.bars[take].append(item)
            self._send_bar(call, take, item)
        elif item.error is not None:
            scheduler.drop(call)
            self._fail(call.job, item.error)
        else:
            call.ended += 1
            if call.ended == len(call.takes):
                scheduler.drop(call)
                self._replies[call.job] = self._reply(call)

    def _write_next_take(self, job: int, reply: Iterator[Frame | None]) -> None:
        """Write the next take of a call that has been played."""
        try:
            frame = next(reply)
        except Exception as error:
            del self._replies[job]
            self._fail(job, error)
            return
        if frame is not None:
            del self._replies[job]
            self._send(frame)

    def _send_bar(self, call: PlayedCall, take: int, bar: DrumBar) -> None:
        now = time.perf_counter()
        call.first_bar = call.first_bar or now
        if call.wants_bars:
            seed = call.takes[take].options.seed
            events = convert.bar_events(take, seed, bar, call.guitar.song.ticks_per_quarter)
            piece = pb.StreamGenerateDrumsResponse(bar_events=events)
            self._send(Frame({"what": "bar", "job": call.job}, piece.SerializeToString()))
        if now - call.last_progress > PROGRESS_SECONDS:
            call.last_progress = now
            self._send(Frame({"what": "progress", "job": call.job, "done": call.done, "total": call.total}))

    def _reply(self, call: PlayedCall) -> Iterator[Frame | None]:
        """Write the reply of a call that has been played: yield None after each take, and at last the frame."""
        guitar = call.guitar
        began, config, options = time.process_time(), call.request.config, call.takes[0].options
        takes = ranked([take_of(guitar, own, bars) for own, bars in zip(call.takes, call.bars, strict=True)], options)
        made = []
        for take in takes:
            call.seconds += time.process_time() - began
            yield None
            began = time.process_time()
            made.append(convert.drum_take(take, config))
        first_bar = (call.first_bar or call.begun) - call.begun
        reply = pb.GenerateDrumsResponse(
            takes=made,
            timeline=convert.timeline(guitar.song),
            guitar=convert.guitar(guitar.choice),
            timing=pb.Timing(
                first_bar_ms=1000 * first_bar,
                generate_ms=1000 * (time.perf_counter() - call.begun),
                batch_size=call.batch_size,
            ),
            model=call.model,
            request_id=call.request.request_id,
            effective_config=convert.effective(config, options, call.model.id),
        )
        call.seconds += time.process_time() - began
        head = {"what": "done", "job": call.job, "seconds": call.seconds, "mebibytes": resident_mebibytes()}
        yield Frame(head, reply.SerializeToString())

    def _cancel(self, job: int) -> None:
        self._round_robin.cancel(job)
        self._replies.pop(job, None)
        for scheduler in self._schedulers.values():
            scheduler.cancel(job)
        self._send(Frame({"what": "left", "job": job}))

    def _fail(self, job: int, error: Exception) -> None:
        if is_out_of_memory(error):
            why = "playing this takes more memory than allowed; request fewer takes, or send a shorter song"
            error = Refusal("MIDI_TOO_COMPLEX", why, field="midi")
        status = statuses.to_status(error)
        if error_id := statuses.error_id_of(status):
            # The origin of the error, but not its message, which may quote the file.
            LOG.error("job %d failed: %s: %s", job, error_id, " / ".join(statuses.trace_of(error)))
        self._send(Frame({"what": "failed", "job": job}, status.SerializeToString()))


def load_scheduler(name: str, folder: str, *, threads: int = 1) -> ModelScheduler:
    """Load a model and play with it, one call alone and several together, so that no caller waits for its warm-up.

    Raises:
        ModelError: it cannot be used.
    """
    if not is_checked(find(folder)):
        raise CheckpointError(
            f"the model {name!r} has no {SUMS}, and a service plays only models that it can check: write it again with"
            f" python -m seq2drum.models.checkpoint {folder}"
        )
    drummer = Drummer.load(folder, threads=threads)
    guitar, options = drummer.listen(_riff(), Options())
    chosen = [choose(guitar, own) for own in variants(guitar, options, 3)]
    alone = [take_of(guitar, own, drummer.engine.run(drummer.bars(guitar, own))).part for own in chosen]
    ensemble = Ensemble[int, DrumBar](drummer.engine)
    bars: list[list[DrumBar]] = [[] for _ in chosen]
    for index, own in enumerate(chosen):
        ensemble.join(index, drummer.bars(guitar, own))
        for key, bar in ensemble.advance():  # staggered: songs with equally many bars in memory are rare
            if isinstance(bar, DrumBar):
                bars[key].append(bar)
    for index, made in ensemble.run():
        bars[index].append(made)
    can_batch = alone == [take_of(guitar, own, made).part for own, made in zip(chosen, bars, strict=True)]
    if not can_batch:
        LOG.warning("model %s rounds differently in a batch on this machine: calls are played one after another", name)
    return ModelScheduler(drummer, convert.model_info(name, find(folder)), can_batch)


def _riff() -> Song:
    """Return eight bars of a guitar, to warm up with."""
    notes = [Note(240 * eighth, 240, 40 + (eighth * 5) % 12, 70 + eighth % 8 * 6) for eighth in range(64)]
    return Song(480, (Part.of(notes, program=27, name="Guitar"),), (Tempo(0, 500_000),), (), 8 * 1920)


def check_signed(folder: str, key: str) -> None:
    """Refuse a model without a signature of a public key; shipped ones are part of the package.

    Raises:
        CheckpointError, InputError, UnknownModelError: it is not signed, the key is invalid, or there is no such model.
    """
    if key and folder not in available():
        signing.check(find(folder), [Path(key)])


def serve(source: BinaryIO, sink: BinaryIO) -> int:
    """Answer frames until the source ends; return the exit code."""
    first = ipc.read_frame(source)
    if first is None:
        return 0
    head = first.head
    models: dict[str, Any] = head["models"]
    order = [head["default"], *(name for name in models if name != head["default"])]
    schedulers: dict[str, ModelScheduler] = {}
    bound_memory(LOADING_MEBIBYTES)  # models may come from strangers
    for name in order:
        try:
            check_signed(models[name], head.get("trust", ""))
            schedulers[name] = load_scheduler(name, models[name], threads=head.get("threads", 1))
        except Exception as error:
            known = isinstance(error, Seq2DrumError)
            why = str(error) if known else f"it fails when it is tried ({type(error).__name__})"
            if not known:
                LOG.error("model %s: %s", name, " / ".join(statuses.trace_of(error)))
            named = (type(error) if known else CheckpointError)(f"the model {name!r} cannot be served: {why}")
            ipc.write_frame(sink, Frame({"what": "failed"}, statuses.to_status(named).SerializeToString()))
            return 2
    listed = pb.ListModelsResponse(models=[each.info for each in schedulers.values()], default_model=order[0])
    try:
        composers = {name: Composer.load(name) for name in composer.available()}
    except Seq2DrumError as error:
        ipc.write_frame(sink, Frame({"what": "failed"}, statuses.to_status(error).SerializeToString()))
        return 2
    menus = (listed, convert.maps(), convert.grooves(), composing.generator_list())
    tables = [each.SerializeToString() for each in menus]
    limits = Limits(**head["limits"])
    taught = TaughtDrummers(head.get("drummers", ""), bases_of({name: models[name] for name in order}))
    send = lambda frame: ipc.write_frame(sink, frame)  # noqa: E731
    player = Player(schedulers, composers, limits, head["max_takes"], send, taught)
    bound_memory(head.get("player_mebibytes"))
    about = {"what": "ready", "sizes": [len(table) for table in tables], "mebibytes": resident_mebibytes()}
    ipc.write_frame(sink, Frame(about, b"".join(tables)))
    inbox: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, inbox), daemon=True).start()
    while True:
        for frame in _waiting(inbox, wait=not player.busy):
            if frame is None:
                return 0
            player.receive(frame)
        player.advance()
        player.trim()


def is_out_of_memory(error: Exception) -> bool:
    """Return True if an error means that memory ran out; ONNX Runtime says so only in its message."""
    by_runtime = type(error).__module__.startswith("onnxruntime")
    return isinstance(error, MemoryError) or (by_runtime and "alloc" in str(error))


def _listen(source: BinaryIO, inbox: queue.SimpleQueue[Frame | None]) -> None:
    try:
        while (frame := ipc.read_frame(source)) is not None:
            inbox.put(frame)
    finally:
        inbox.put(None)


def _waiting(inbox: queue.SimpleQueue[Frame | None], *, wait: bool) -> Iterable[Frame | None]:
    """Return the frames that have arrived. wait: wait for the first, as there is nothing else to do."""
    if wait:
        yield inbox.get()
    while not inbox.empty():
        yield inbox.get()


def main() -> int:
    """Run the worker process; return its exit code."""
    return ipc.run_worker(serve)


if __name__ == "__main__":
    sys.exit(main())
