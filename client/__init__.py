"""Drums from a server: `RemoteDrummer("localhost:50051").accompany("song.mid").save("drums.mid")`.

Knows the contract, and nothing of music or models: loads neither numpy nor a MIDI reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = [
    "AsyncRemoteDrummer",
    "DeadlineExceeded",
    "RemoteBar",
    "RemoteBeat",
    "RemoteBrief",
    "RemoteDrummer",
    "RemoteHit",
    "RemoteJamBar",
    "RemoteNote",
    "RemoteOptions",
    "RemoteTake",
    "Seq2DrumError",
    "ServerBusy",
    "ServerError",
    "ServerFault",
    "ServerUnavailable",
    "Unauthenticated",
]

if TYPE_CHECKING:
    from client.asynchronous import AsyncRemoteDrummer
    from client.errors import (
        DeadlineExceeded,
        ServerBusy,
        ServerError,
        ServerFault,
        ServerUnavailable,
        Unauthenticated,
    )
    from client.messages import RemoteBar, RemoteHit, RemoteOptions, RemoteTake
    from client.sessions import RemoteBeat, RemoteBrief, RemoteJamBar, RemoteNote
    from client.synchronous import RemoteDrummer
    from seq2drum.errors import Seq2DrumError

_HOMES = {
    "AsyncRemoteDrummer": "client.asynchronous",
    "RemoteDrummer": "client.synchronous",
    "RemoteBar": "client.messages",
    "RemoteBeat": "client.sessions",
    "RemoteBrief": "client.sessions",
    "RemoteJamBar": "client.sessions",
    "RemoteNote": "client.sessions",
    "RemoteHit": "client.messages",
    "RemoteOptions": "client.messages",
    "RemoteTake": "client.messages",
    "Seq2DrumError": "seq2drum.errors",
}


def __getattr__(name: str) -> Any:
    # Imported on use, so that --help does not wait for gRPC.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "client.errors")), name)
