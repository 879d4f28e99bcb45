"""Where servers are: one address, several, or a name that stands for several; and what gRPC makes of that.

An address is HOST:PORT, unix:PATH, dns:///NAME:PORT (all addresses that the name has), or several HOST:PORT with commas
between them, all of which serve the same.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

from seq2drum.errors import OptionError

DEFAULT_PORT = 50051
DEFAULT_ADDRESS = f"localhost:{DEFAULT_PORT}"
_LOOKED_UP = "dns:///"
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:/,\[\]]+)(:(?P<port>\d{1,5}))?")


def normal(address: str | Sequence[str]) -> str:
    """An address with its port, or several: a list, or a text with commas.

    Raises:
        OptionError: it is none.
    """
    if isinstance(address, str) and address.startswith("unix:") and len(address) > len("unix:"):
        return address
    parts = address.split(",") if isinstance(address, str) else address
    if not parts:
        raise OptionError(f"there is no address of a server, wanted at least one, such as {DEFAULT_ADDRESS}")
    several = len(parts) > 1
    return ",".join(_normal(part.strip(), several=several) for part in parts)


def is_several(address: str) -> bool:
    """Whether more than one server may answer there."""
    return "," in address or address.startswith(_LOOKED_UP)


def is_local(address: str) -> bool:
    """Whether what goes there stays on this machine."""
    if address.startswith("unix:"):
        return True
    return all(_is_loopback(part.removeprefix(_LOOKED_UP)) for part in address.split(","))


def name(address: str) -> str:
    """The name that a certificate has to have: that of the host, and of several the first."""
    return address.split(",")[0].removeprefix(_LOOKED_UP).rpartition(":")[0].strip("[]")


def target(address: str) -> str:
    """What gRPC is to connect to. It takes no list of names: those of several servers are looked up here, each once.

    One that cannot be looked up is left out, as long as there are others.
    """
    if "," not in address:
        return address
    found = {ip: None for part in address.split(",") for ip in _looked_up(part)}
    if not found:
        return _LOOKED_UP + address.split(",")[0]  # which fails with the reason
    if all("." in ip for ip in found):
        return "ipv4:" + ",".join(found)
    return "ipv6:" + ",".join(ip if ip.startswith("[") else _in_version_6(ip) for ip in found)


def _normal(address: str, *, several: bool) -> str:
    prefix = _LOOKED_UP if address.startswith(_LOOKED_UP) and not several else ""
    match = _ADDRESS.fullmatch(address.removeprefix(prefix))
    port = int(match["port"] or DEFAULT_PORT) if match else 0
    if not match or not 0 < port < 1 << 16:
        raise OptionError(
            f"the server's address is {address!r}, wanted HOST:PORT such as {DEFAULT_ADDRESS}, several of them with "
            "commas between, or dns:///NAME:PORT for all that a name stands for"
        )
    return f"{prefix}{match['host']}:{port}"


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _looked_up(address: str) -> list[str]:
    """The address with an IP in place of the name: the first of version 4, or else the first."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError:
        return []
    version_4 = [str(where[0]) for family, *_, where in found if family == socket.AF_INET]
    return [f"{version_4[0]}:{port}"] if version_4 else [f"[{found[0][4][0]}]:{port}"]


def _in_version_6(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"[::ffff:{host}]:{port}"
