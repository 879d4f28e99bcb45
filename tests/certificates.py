"""Certificates to try TLS with."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificates(folder: Path) -> SimpleNamespace:
    """An authority, and certificates of it for a server and a client; and those of a stranger."""

    def paper(name: str, by: tuple[Any, Any] | None, *, is_ca: bool = False) -> tuple[Any, Any]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by[0].subject if by else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(names, critical=False)
        )
        certificate = builder.sign(by[1] if by else key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.key").write_bytes(private)
        return certificate, key

    authority, stranger = paper("authority", None, is_ca=True), paper("other", None, is_ca=True)
    paper("server", authority)
    paper("client", authority)
    paper("stranger", stranger)
    return SimpleNamespace(
        folder=folder,
        path=lambda name: str(folder / name),
        bytes=lambda name: (folder / name).read_bytes(),
        server={"tls_cert": str(folder / "server.pem"), "tls_key": str(folder / "server.key")},
    )


def client(certificates: SimpleNamespace, name: str | None = None) -> Any:
    """What a client has to know, and to show if it is of that name."""
    if name is None:
        return grpc.ssl_channel_credentials(certificates.bytes("authority.pem"))
    pair = (certificates.bytes(f"{name}.key"), certificates.bytes(f"{name}.pem"))
    return grpc.ssl_channel_credentials(certificates.bytes("authority.pem"), *pair)
