"""Credentials of callers and of the server: tokens and TLS certificates, read again when their files change."""

from __future__ import annotations

import contextlib
import hmac
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import grpc

from seq2drum.errors import OptionError
from server.logs import log
from server.settings import Settings, Token, check_tokens, read_tokens
from server.statuses import Refusal

_Kind = TypeVar("_Kind")
_Stamp = tuple[int, int, int]


class Reloadable(Generic[_Kind]):
    """A value from files, read again when one of them changes.

    Raises:
        OptionError: a file cannot be read, or holds something else.
    """

    def __init__(self, what: str, paths: Sequence[str], read: Callable[[], _Kind]) -> None:
        self._what, self._paths, self._read = what, paths, read
        self._stamps = self._look()
        self.value = read()

    def look(self) -> bool:
        """Read the files again if one has changed; return whether there is a new value.

        A file that cannot be used is logged and changes nothing: it may be half written, or its partner may follow.
        """
        stamps = self._look()
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        try:
            self.value = self._read()
        except OptionError as error:
            log("credentials not read", logging.WARNING, what=self._what, why=str(error))
            return False
        log("credentials read", what=self._what)
        return True

    def _look(self) -> list[_Stamp | None]:
        return [_stamp(path) for path in self._paths]


def tokens_of(settings: Settings) -> Reloadable[tuple[Token, ...]]:
    """Return the tokens that callers may send; without any, callers need none."""
    path = settings.token_file
    if not path:
        return Reloadable("tokens", (), lambda: settings.all_tokens)
    return Reloadable("tokens", (path,), lambda: check_tokens(read_tokens(path)))


class TlsCredentials:
    """The server's certificates for gRPC. A connection gets those of the time of its handshake.

    Raises:
        OptionError: they cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        paths = [path for path in (settings.tls_cert, settings.tls_key, settings.client_ca) if path]
        self._kept = Reloadable("certificates", paths, lambda: _configuration(settings))
        self._changed = False
        self.credentials = grpc.dynamic_ssl_server_credentials(
            self._kept.value,
            self._fetch,  # type: ignore[arg-type]  # it may return None, which the stubs do not know
            require_client_authentication=bool(settings.client_ca),
        )

    def look(self) -> None:
        """Read the files again if one of them has changed."""
        self._changed = self._kept.look() or self._changed

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Return certificates newer than at gRPC's last call; gRPC calls it at each handshake, in a separate thread."""
        if not self._changed:
            return None
        self._changed = False
        return self._kept.value


def certificate_names(auth_context: Mapping[str, Iterable[bytes]]) -> tuple[str, ...]:
    """Return the names in a caller's certificate as gRPC gives them: the common name, then the alternative names."""
    found = [*auth_context.get("x509_common_name", ()), *auth_context.get("x509_subject_alternative_name", ())]
    return tuple(dict.fromkeys(name.decode("utf-8", "replace") for name in found))


def authenticate(metadata: Iterable[tuple[str, str | bytes]] | None, tokens: Sequence[Token]) -> Token | None:
    """Return the token of the server that a call sends; None if the server has no tokens.

    Raises:
        Refusal: CREDENTIALS_MISSING, CREDENTIALS_WRONG.
    """
    if not tokens:
        return None
    shown = [value for name, value in metadata or () if name == "authorization"]
    if not shown:
        raise Refusal("CREDENTIALS_MISSING", "this server needs a token: send the header 'authorization: Bearer TOKEN'")
    given = shown[0] if isinstance(shown[0], bytes) else shown[0].encode()
    # Each comparison takes constant time, and all are made. The scheme may be in any case.
    scheme, _, rest = given.partition(b" ")
    whole = scheme.lower() + b" " + rest
    right = [token for token in tokens if hmac.compare_digest(whole, b"bearer " + token.secret.encode())]
    if len(shown) > 1 or not right:
        raise Refusal("CREDENTIALS_WRONG", "the token is not this server's: ask its operator for the right one")
    return right[0]


def credential_name(token: Token | None, names: Sequence[str], allowed: Collection[str]) -> str:
    """Return the name of a caller's credential: its token's, or its certificate's as "CN=..."; "" if it has none.

    names: of the certificate. allowed: the names that are let in; empty: all.

    Raises:
        Refusal: CLIENT_NOT_ALLOWED.
    """
    listed = [name for name in names if name in allowed] if allowed else list(names)
    if allowed and not listed:
        raise Refusal(
            "CLIENT_NOT_ALLOWED",
            f"the certificate's names ({', '.join(names) or 'it has none'}) are not among the allowed names; "
            "ask the operator of the server",
        )
    if token and token.name:
        return token.name
    return f"CN={listed[0]}" if listed else ""


class Quotas:
    """The number of active calls of each token."""

    def __init__(self) -> None:
        self._calls = Counter[str]()

    @contextlib.contextmanager
    def slot(self, token: Token | None) -> Iterator[None]:
        """Hold one of a token's concurrent calls, within `with`.

        Raises:
            Refusal: QUOTA_EXCEEDED.
        """
        if token is None or not token.calls:
            yield
            return
        if self._calls[token.name] >= token.calls:
            raise Refusal(
                "QUOTA_EXCEEDED",
                f"{token.calls} calls are under way with this token, its limit; try again in 1 s",
                retry_seconds=1.0,
            )
        self._calls[token.name] += 1
        try:
            yield
        finally:
            self._calls[token.name] -= 1


def _stamp(path: str) -> _Stamp | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _configuration(settings: Settings) -> grpc.ServerCertificateConfiguration:
    """Return the certificates, after a trial: gRPC takes any files, and fails when the first client connects."""
    try:
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Without a password Python would prompt for that of an encrypted key.
        trial.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
        if settings.client_ca:
            trial.load_verify_locations(settings.client_ca)
        pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes())
        authority = Path(settings.client_ca).read_bytes() if settings.client_ca else None
    except (OSError, ssl.SSLError) as error:
        raise OptionError(
            f"TLS cannot be used with --tls-cert {settings.tls_cert}, --tls-key {settings.tls_key} and --client-ca "
            f"{settings.client_ca or '(none)'} ({error.strerror or error}); wanted matching PEM files"
        ) from error
    return grpc.ssl_server_certificate_configuration([pair], authority)
