"""Whose signatures count, of bundles and of certificates.

A trust store is a folder of public keys, one `<signer>.pub` each; private keys never lie in it.

A public key file is one line: `ed25519 <base64 of the 32 raw bytes>`. A key's id is the first 16 hex digits of its SHA-256.
Signing and trusting are two acts: who trains may sign; only who runs the site puts a key into its trust store.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from controller.policies.manifest import BundleError

_KIND = "ed25519"


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The public keys of a folder, by key id, with the signer's name (the file's)."""

    folder: Path
    keys: Mapping[str, tuple[str, Ed25519PublicKey]]

    @classmethod
    def load(cls, folder: Path) -> "TrustStore":
        """Read every `*.pub`. Raises BundleError on a missing folder or an unreadable key."""
        if not folder.is_dir():
            raise BundleError(
                f"trust store `{folder}` does not exist: create it and put the signers' `.pub` files into it"
            )
        keys = {}
        for path in sorted(folder.glob("*.pub")):
            key = _read_public(path)
            keys[key_id(key)] = (path.stem, key)
        return cls(folder, keys)

    def signer(self, signature: str, message: bytes, about: Path, *, what: str = "bundle") -> str:
        """The name of the trusted signer of `message`. Raises BundleError if unknown, or if it does not hold."""
        known, raw = _parse(signature, f"{what} `{about}`")
        if known not in self.keys:
            raise BundleError(
                f"{what} `{about}` is signed by unknown key `{known}`: "
                f"if you trust its maker, put their `.pub` file into `{self.folder}`"
            )
        name, key = self.keys[known]
        try:
            key.verify(raw, message)
        except InvalidSignature as error:
            raise BundleError(
                f"{what} `{about}` was changed after `{name}` signed it: restore it from where it was made"
            ) from error
        return name


def sign(key: Ed25519PrivateKey, message: bytes) -> str:
    """The text of a `signature` file: kind, key id, base64."""
    return f"{_KIND} {key_id(key.public_key())} {base64.b64encode(key.sign(message)).decode()}\n"


def key_id(key: Ed25519PublicKey) -> str:
    """Sixteen hex digits that name a public key."""
    return hashlib.sha256(_raw(key)).hexdigest()[:16]


def read_or_make_key(path: Path) -> Ed25519PrivateKey:
    """Read the private key at `path`, or make a new one, readable by its owner only, with its public half beside it."""
    if path.exists():
        return _read_private(path)
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    write_public(path.with_suffix(".pub"), key.public_key())
    return key


def write_public(path: Path, key: Ed25519PublicKey) -> None:
    """Write a `.pub` file; a site trusts the key when the file is in its trust store."""
    path.write_text(f"{_KIND} {base64.b64encode(_raw(key)).decode()}\n")


def _read_private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise BundleError(
            f"signing key `{path}` is not an unencrypted PEM key: move it away and a new one is made"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"signing key `{path}` is not an Ed25519 key: move it away and a new one is made")
    return key


def _read_public(path: Path) -> Ed25519PublicKey:
    try:
        kind, encoded = path.read_text().split()
        if kind != _KIND:
            raise ValueError(kind)
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error) as error:
        raise BundleError(
            f"public key `{path}` is not one line `{_KIND} <base64>`: copy it again from its maker"
        ) from error


def _parse(signature: str, about: str) -> tuple[str, bytes]:
    parts = signature.split()
    try:
        if len(parts) != 3 or parts[0] != _KIND:
            raise ValueError(signature)
        return parts[1], base64.b64decode(parts[2], validate=True)
    except (ValueError, binascii.Error) as error:
        raise BundleError(f"signature of {about} is not `{_KIND} <key id> <base64>`: sign it again") from error


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
