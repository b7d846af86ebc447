"""A policy on disk: a folder of exactly `policy.onnx`, `manifest.json`, `scorecard.json` and `signature`.

The bundle's digest is over the names and bytes of the first three; the signature is over the digest. Loading runs no code of the
bundle: the graph is only looked at, and handed on as the very bytes that were verified.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.policies.graph import GraphError, inspect
from controller.policies.manifest import BundleError, Manifest, read_manifest, write_manifest
from controller.policies.trust import TrustStore, sign

POLICY, MANIFEST, SCORECARD, SIGNATURE = "policy.onnx", "manifest.json", "scorecard.json", "signature"
_SIGNED = (MANIFEST, POLICY, SCORECARD)
_MAX_BYTES = 64 * 2**20
_CONTEXT = b"understudy bundle v1\n"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle. `policy` is the ONNX graph's bytes, `digest` the SHA-256 that names the bundle everywhere."""

    manifest: Manifest
    policy: bytes
    scorecard: Mapping[str, Any]
    digest: str
    signer: str


def load_bundle(folder: Path, trust: TrustStore) -> Bundle:
    """Read and verify a bundle. Raises BundleError, one clear reason, on anything that is not exactly as its maker signed it."""
    files = _read(folder)
    manifest = read_manifest(folder / MANIFEST, files[MANIFEST])
    weights = hashlib.sha256(files[POLICY]).hexdigest()
    if weights != manifest.weights_sha256:
        raise BundleError(
            f"bundle `{folder}`: `{POLICY}` has SHA-256 {weights[:12]}…, the manifest says "
            f"{manifest.weights_sha256[:12]}…: the weights were changed, restore them from where they were made"
        )
    name = digest(files)
    signer = trust.signer(_signature(folder), _CONTEXT + name.encode(), folder)
    _check_shapes(folder, manifest, files[POLICY])
    return Bundle(manifest, files[POLICY], json.loads(files[SCORECARD]), name, signer)


def write_bundle(
    folder: Path, manifest: Manifest, policy: bytes, scorecard: Mapping[str, Any], key: Ed25519PrivateKey
) -> str:
    """Write and sign a bundle; return its digest. Refuses, as loading would, a graph that does not fit its manifest."""
    _check_shapes(folder, manifest, policy)
    files = {
        POLICY: policy,
        MANIFEST: write_manifest(manifest),
        SCORECARD: json.dumps(scorecard, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    name = digest(files)
    (folder / SIGNATURE).write_text(sign(key, _CONTEXT + name.encode()))
    return name


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over each signed file's name, length and own SHA-256, in order of name."""
    whole = hashlib.sha256()
    for name in _SIGNED:
        whole.update(f"{name} {len(files[name])} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()


def _read(folder: Path) -> dict[str, bytes]:
    """The bytes of the signed files. Refuses a folder that holds less or more than a bundle."""
    if not folder.is_dir():
        raise BundleError(f"bundle `{folder}` is not a folder: give the folder that holds `{MANIFEST}`")
    present = {path.name for path in folder.iterdir()}
    for name in (*_SIGNED, SIGNATURE):
        if name not in present:
            what = "is not signed: sign it with a trusted key" if name == SIGNATURE else f"has no `{name}`: restore it"
            raise BundleError(f"bundle `{folder}` {what}")
    if extra := sorted(present - {*_SIGNED, SIGNATURE}):
        raise BundleError(f"bundle `{folder}` holds `{extra[0]}`, which does not belong to a bundle: remove it")
    try:
        if large := [name for name in _SIGNED if (folder / name).stat().st_size > _MAX_BYTES]:
            raise BundleError(
                f"bundle `{folder}`: `{large[0]}` is above {_MAX_BYTES >> 20} MiB: make the network smaller"
            )
        return {name: (folder / name).read_bytes() for name in _SIGNED}
    except OSError as error:
        raise BundleError(f"bundle `{folder}` cannot be read ({error.strerror}): check its permissions") from error


def _signature(folder: Path) -> str:
    try:
        return (folder / SIGNATURE).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"signature of bundle `{folder}` cannot be read: sign it again") from error


def _check_shapes(folder: Path, manifest: Manifest, policy: bytes) -> None:
    """The graph must take [batch, inputs * history] and give [batch, outputs], as the manifest says."""
    try:
        graph = inspect(policy)
    except GraphError as error:
        raise BundleError(f"bundle `{folder}`: `{POLICY}`: {error}") from error
    for what, shape, width in (
        ("input", graph.input_shape, manifest.input_width),
        ("output", graph.output_shape, len(manifest.outputs)),
    ):
        if shape != (None, width):
            raise BundleError(
                f"bundle `{folder}`: the graph's {what} has shape {_shown(shape)}, the manifest says {_shown((None, width))}: "
                "export the actor again with its manifest"
            )


def _shown(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("batch" if size is None else str(size) for size in shape) + "]"
