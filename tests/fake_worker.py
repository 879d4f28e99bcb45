"""A worker that does what a test asks of it, for the tests of those who look after workers.

Started as `python fake_worker.py WORD...`; words: `silent`, `broken` and `failed` before it is ready, `stubborn` at the
end. Of a job the body says what becomes of it, as the names of `_job` have it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from server import ipc, statuses
from server.ipc import Frame
from server.statuses import Refusal


def _job(frame: Frame) -> None:
    job, body = frame.head["job"], frame.body
    if frame.head["what"] in ("play", "compose", "more", "grooves") and body != b"untaken":
        _say({"what": "taken", "job": job})
    if frame.head["what"] == "cancel":
        _say({"what": "left", "job": job})
    elif body == b"hang":
        time.sleep(600)
    elif body == b"untaken":
        _die_once()
        _say({"what": "done", "job": job}, b"%d:" % os.getpid() + body)
    elif body == b"spin":
        while True:
            pass
    elif body.startswith(b"keep "):
        _say({"what": "done", "job": job, "mebibytes": float(body[5:])}, b"%d:" % os.getpid())
    elif body == b"nap":
        time.sleep(0.5)
        _say({"what": "done", "job": job}, b"rested")
    elif body == b"die":
        os._exit(3)
    elif body == b"tear":
        sys.stdout.buffer.write(ipc.pack_frame(Frame({"what": "done", "job": job}, b"x" * 100))[:50])
        sys.stdout.flush()
        os._exit(0)
    elif body == b"nonsense":
        sys.stdout.buffer.write(b"\xff" * 100)
        sys.stdout.flush()
        time.sleep(600)
    elif body == b"headless":
        _say({})
        time.sleep(600)
    elif body == b"refuse":
        refusal = statuses.to_status(Refusal("MIDI_TOO_LARGE", "too large", field="midi"))
        _say({"what": "failed", "job": job}, refusal.SerializeToString())
    elif body == b"stay":
        _say({"what": "bar", "job": job}, str(os.getpid()).encode())
    elif body.startswith(b"pieces "):
        for piece in ipc.split_answer(Frame({"what": "done", "job": job}, b"0123456789" * int(body[7:]))):
            ipc.write_frame(sys.stdout.buffer, piece)
    elif body.startswith(b"bars "):
        for number in range(int(body[5:])):
            _say({"what": "bar", "job": job}, b"%d" % number * 100)
        _say({"what": "done", "job": job}, b"all")
    else:
        _say({"what": "done", "job": job}, b"%d:" % os.getpid() + body)


def _die_once() -> None:
    """Die, unless a worker before this one did: the file that is named in the environment says so."""
    mark = Path(os.environ["FAKE_WORKER_MARK"])
    if not mark.exists():
        mark.touch()
        os._exit(3)


def _say(head: dict[str, object], body: bytes = b"") -> None:
    ipc.write_frame(sys.stdout.buffer, Frame(head, body))


def main(words: list[str]) -> int:
    start = ipc.read_frame(sys.stdin.buffer)
    assert start is not None and start.head["what"] == "start"
    if "silent" in words:
        time.sleep(600)
    if "broken" in words:
        return 7
    if "failed" in words:
        refusal = statuses.to_status(Refusal("MODEL_UNUSABLE", "the weights are gone"))
        _say({"what": "failed"}, refusal.SerializeToString())
        return 1
    _say({"what": "ready", "sizes": [6, 4, 7, 10]}, b"modelsmapsgroovesgenerators")
    while (frame := ipc.read_frame(sys.stdin.buffer)) is not None:
        _job(frame)
    if "stubborn" in words:
        time.sleep(600)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
