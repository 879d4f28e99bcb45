"""Learning in a worker: a song is heard, a band's drummer is made, renamed or removed in the folder of drummers.

A drummer is written whole or not at all, and never in place of another.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from seq2drum.errors import OutputError
from seq2drum.lattice.grooves.titles import slug_of, unique
from seq2drum.learn.adapt import band, songs
from seq2drum.learn.adapt.songs import Heard
from seq2drum.music.shown import one_line
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.system import files
from server import convert
from server.statuses import Refusal
from server.taught import drummers_in, folder_of


def hear(body: bytes) -> bytes:
    """Return the HeardSong of a BandSong."""
    song = pb.BandSong.FromString(body)
    (heard,) = songs.hear_files([(song.name, song.data)])
    return _message(heard, 1).SerializeToString()


def teach(body: bytes, place: str, models: Collection[str]) -> bytes:
    """Return the TaughtDrummer of a job, see `teaching.packed`; of its model only the id, if one was made.

    place: the folder of drummers. models: ids that are taken.

    Raises:
        Refusal: no song is understood, the name is taken, there are too many drummers, or it cannot be written.
    """
    job = json.loads(body)
    name, rows = one_line(job["name"]), job["songs"]
    # Files of several folders may have one name, and a file is known by its path.
    heard = songs.hear_files([(f"{number}/{file}", base64.b64decode(data)) for number, (file, data) in enumerate(rows)])
    reply = pb.TaughtDrummer(songs=[_message(one, number) for number, one in enumerate(heard, 1)])
    known = [one for one in heard if one.song is not None]
    if name:
        if not known:
            reasons = "; ".join(f"{one.title}: {one.remark}" for one in reply.songs)
            text = f"none of {len(rows)} songs was understood, so no drummer was made: {reasons}"
            raise Refusal("NO_SONGS", text)
        made = band.band_of(name, known)
        with _alone(place):
            there = drummers_in(place)
            _check_free(name, there.values())
            if len(there) >= job["most"]:
                text = f"there are {len(there)} drummers, the limit; remove one of them"
                raise Refusal("DRUMMER_NOT_KEPT", text)
            taken = [*models, *(path.name for path in Path(place).iterdir())]
            reply.model.id = unique([*taken, slug_of(name)])[-1]
            band.save(Path(place) / reply.model.id, made, known)
    return reply.SerializeToString()


def rename(body: bytes, place: str) -> bytes:
    """Give a drummer another name, by a RenameDrummerRequest.

    Raises:
        Refusal: there is no such drummer, the name is taken, or it cannot be written.
    """
    request = pb.RenameDrummerRequest.FromString(body)
    name = one_line(request.name)
    with _alone(place):
        folder = _folder(place, request.model)
        _check_free(name, [other for model, other in drummers_in(place).items() if model != request.model])
        band.rename(folder, name)
    return b""


def remove(body: bytes, place: str) -> bytes:
    """Remove a drummer, by a RemoveDrummerRequest.

    Raises:
        Refusal: there is no such drummer, or it cannot be removed.
    """
    request = pb.RemoveDrummerRequest.FromString(body)
    with _alone(place):
        folder = _folder(place, request.model)
        gone = folder.with_name(f".{folder.name}-removed")  # so that half a drummer never has its name
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    return b""


def _message(heard: Heard, number: int) -> pb.HeardSong:
    bars = len(heard.song.guitar_grid.form.steps) if heard.song is not None else 0
    title, remark = convert.plain(heard.title), convert.plain(heard.remark)
    return pb.HeardSong(number=number, title=title, understood=heard.song is not None, remark=remark, bars=bars)


def _folder(place: str, model: str) -> Path:
    if (folder := folder_of(place, model)) is None:
        known = ", ".join(drummers_in(place)) or "none"
        text = f"there is no taught drummer {model[: convert.MOST_WORD]!r}; there are {known}"
        raise Refusal("UNKNOWN_MODEL", text, field="model")
    return folder


def _check_free(name: str, names: Collection[str]) -> None:
    if name.casefold() in {other.casefold() for other in names}:
        text = f"there is a drummer {name!r} already; take another name, or remove that one first"
        raise Refusal("INVALID_OPTION", text, field="name")


@contextlib.contextmanager
def _alone(place: str) -> Iterator[None]:
    """Hold the folder of drummers; what goes wrong with it is told as a refusal."""
    try:
        with files.alone(Path(place)):
            yield
    except BlockingIOError:
        text = "another program is changing the folder of drummers; try again"
        raise Refusal("NOT_READY", text, retry_seconds=1.0) from None
    except (OSError, OutputError) as error:
        why = str(error) if isinstance(error, OutputError) else error.strerror or type(error).__name__
        text = f"the folder of drummers {place!r} cannot be written ({why}); drummers that were there are as before"
        raise Refusal("DRUMMER_NOT_KEPT", text) from None
