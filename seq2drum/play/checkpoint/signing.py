"""Signatures of checkpoints: an Ed25519 signature over `SHA256SUMS`, in a file beside it.

Digests show that files are those of the checkpoint, but anyone who can change the files can change the digests. A
signature shows that the holder of a key vouches for the digests. A private key never lies in a checkpoint or in the
package, so the shipped checkpoints have no signature: trust in them is trust in the package.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2drum.errors import CheckpointError, InputError, MissingExtraError, OutputError
from seq2drum.play.checkpoint.folder import MOST_SUMS, SUMS
from seq2drum.play.checkpoint.runtime import read_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = f"{SUMS}.sig"
_MOST_SIGNATURE = 4 << 10  # bytes
_MEANT = b"seq2drum checkpoint\n"  # prefix of the signed bytes, so that no signature of another kind fits


def make_key(file: Path) -> Path:
    """Write a new private key, readable by its owner alone, and its public key; return the latter's file.

    Raises:
        OutputError: it cannot be written, or already exists.
    """
    made = _ed25519().Ed25519PrivateKey.generate()
    forms = _serialization()
    private = made.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    public = made.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    beside = file.with_name(f"{file.name}.pub")
    for path, data, mode in ((file, private, 0o600), (beside, public, 0o644)):
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as into:
                into.write(data)
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); name another file") from None
    return beside


def sign(folder: Path, key: Path) -> None:
    """Sign the digests of a checkpoint with a private key.

    Raises:
        CheckpointError: the checkpoint has no digests. InputError: the file is not a private key. OutputError: the
            folder cannot be written.
    """
    private: Ed25519PrivateKey = _key(key, private=True)
    signature = base64.b64encode(private.sign(_MEANT + _sums(folder)))
    try:
        (folder / SIGNATURE).write_bytes(signature + b"\n")
    except OSError as error:
        raise OutputError(f"{folder / SIGNATURE} cannot be written ({error.strerror})") from None


def check(folder: Path, trusted: Sequence[Path]) -> Path:
    """Return the public key that signed a checkpoint's digests. `verify` compares its files with these.

    Raises:
        CheckpointError: none of the keys did. InputError: a file is not a public key.
    """
    keys: list[tuple[Path, Ed25519PublicKey]] = [(file, _key(file, private=False)) for file in trusted]
    sums = _sums(folder)
    try:
        signature = base64.b64decode(read_bytes(folder / SIGNATURE, _MOST_SIGNATURE), validate=False)
    except FileNotFoundError:
        raise CheckpointError(f"{str(folder)!r} is not signed; wanted a signature by one of the trusted keys") from None
    except (OSError, ValueError):
        signature = b""
    from cryptography.exceptions import InvalidSignature

    for file, key in keys:
        try:
            key.verify(signature, _MEANT + sums)
        except InvalidSignature:
            continue
        return file
    raise CheckpointError(f"{str(folder)!r} is signed by none of the trusted keys, or was changed since")


def listed(folder: Path) -> list[str]:
    """The names of a checkpoint's files with digests.

    Raises:
        CheckpointError: it has no digests.
    """
    lines = _sums(folder).decode("utf-8", "replace").splitlines()
    names = [line.split(maxsplit=1)[-1] for line in lines if line]
    if any(Path(name).name != name for name in names):
        raise CheckpointError(f"{str(folder / SUMS)!r} cannot be used: it names files of other folders")
    return names


def _sums(folder: Path) -> bytes:
    try:
        return read_bytes(folder / SUMS, MOST_SUMS)
    except (OSError, ValueError) as error:
        why = f"{str(folder)!r} has no usable {SUMS} ({error})"
        raise CheckpointError(f"{why}: write it again with python -m seq2drum.models.checkpoint {folder}") from None


def _key(file: Path, *, private: bool) -> Any:
    wanted = "a private key" if private else "a public key"
    kinds, forms = _ed25519(), _serialization()
    try:
        data = file.read_bytes()
        held = forms.load_pem_private_key(data, None) if private else forms.load_pem_public_key(data)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); wanted {wanted}") from None
    except (ValueError, TypeError):
        held = None
    if not isinstance(held, kinds.Ed25519PrivateKey if private else kinds.Ed25519PublicKey):
        raise InputError(f"{file} holds no Ed25519 key; wanted {wanted} as python -m seq2drum.cli.signing makes one")
    return held


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError:
        raise MissingExtraError("cryptography is not installed: pip install 'seq2drum[sign]'") from None
    return ed25519


def _serialization() -> Any:
    from cryptography.hazmat.primitives import serialization

    return serialization
