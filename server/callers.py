"""Who calls, and how callers share what there is room for. All that counts by caller counts by `Caller.key`."""

from __future__ import annotations

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from server.statuses import Refusal

SHARE = 3
"""A caller may take a place while it has fewer than this many times the places that are free.

So one alone takes three quarters of a room, several share what there is, and who comes next finds a place. These are
the dynamic thresholds of Choudhury and Hahne, 1998.
"""
_NETWORK_BITS = 64  # of an IPv6 address: who has one of a network has all of it


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. peer: the address, see `peer_of`. credential: the name of what was shown; "" if it has none.

    connection: the whole address, by which several who call from one are told apart among themselves.
    """

    peer: str = ""
    credential: str = ""
    connection: str = ""

    @property
    def key(self) -> str:
        """What its calls are counted by: the credential's name, or the address where there is none."""
        return f"credential {self.credential}" if self.credential else f"peer {self.peer}"

    @property
    def way(self) -> tuple[str, str]:
        """Its key and its connection."""
        return self.key, self.connection


NOBODY = Caller()


def peer_of(address: str) -> str:
    """The caller's address without what a caller may choose: the port, the last half of IPv6, the path of a socket.

    address: as gRPC has it ("ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711", "unix:/path"), or an IP address.
    """
    kind, _, rest = unquote(address).partition(":")
    if kind in ("unix", "unix-abstract"):
        return "unix"
    host = rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else unquote(address)
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(found) if found.is_loopback else str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))


class Room:
    """Room for `most` calls at once; one more is refused, and none waits. No caller takes all of it, see SHARE."""

    def __init__(self, most: int, what: str) -> None:
        self.most, self.inside, self._what = most, 0, what
        self._of = Counter[str]()

    @contextlib.contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """A place for a call of a caller, within `with`.

        Raises:
            Refusal: QUEUE_FULL.
        """
        key = caller.key
        if self._of[key] >= SHARE * (self.most - self.inside):
            whose = "" if self.inside >= self.most else f" ({self._of[key]} of them for this caller)"
            raise Refusal(
                "QUEUE_FULL",
                f"{self.inside} {self._what}{whose}, which is all there is room for; try again in 1 s",
                retry_seconds=1.0,
            )
        self.inside += 1
        self._of[key] += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._of[key] -= 1
            if not self._of[key]:
                del self._of[key]
