"""The signed certificate beside each `envelope.toml`: what was proved of it, and by whom. No plant is run without one.

The file is two lines: the certificate's canonical JSON, and its signature. Whose signatures count is the folder
`trust/provers`; a bundle's signer proves nothing and is not asked. `python -m controller.certificates SITE ...` renews
the certificates of sites that are shipped, with a key that is forgotten at once.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.policies.trust import TrustStore, read_or_make_key, sign, write_public
from safety.envelope import Envelope
from safety.proof.certificate import Certificate, CertificateError, verify_certificate

CERTIFICATE = "envelope.certificate"
PROVERS = "provers"
_CONTEXT = b"understudy certificate v1\n"


def signed(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """The bytes of a certificate file: its content and a signature over it."""
    return content + b"\n" + sign(key, _CONTEXT + content).encode()


def require(envelope: Envelope, kernel_digest: str, path: Path, trust: Path) -> str:
    """The trusted prover who signed that all of this envelope is proved. Raises CertificateError or BundleError if none did.

    Proved of this very envelope and kernel: of another kernel's meaning it would say nothing.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CertificateError(
            f"certificate `{path}` cannot be read ({error.strerror}): run `understudy envelope prove` on the envelope"
        ) from error
    content, _, signature = data.partition(b"\n")
    certificate = Certificate.parse(content)
    verify_certificate(certificate, envelope, kernel_digest)
    try:
        text = signature.decode("ascii")
    except UnicodeDecodeError as error:
        raise CertificateError(
            f"certificate `{path}` has no signature on its second line: prove the envelope again"
        ) from error
    return TrustStore.load(trust / PROVERS).signer(text, _CONTEXT + content, path, what="certificate")


def renew(sites: Sequence[Path]) -> list[str]:
    """Prove and sign the envelope of each site; the public half of the key goes into its `trust/provers`."""
    from safety.loading.spec import load_envelope
    from safety.proof.prove import prove_envelope

    lines = []
    with TemporaryDirectory() as folder:
        key = read_or_make_key(Path(folder) / "prover.pem")
        for site in sites:
            proof = prove_envelope(load_envelope(site / "envelope.toml"))
            if not proof.holds:
                raise CertificateError("\n".join(proof.lines()))
            (site / CERTIFICATE).write_bytes(signed(proof.certificate().canonical(), key))
            provers = site / "trust" / PROVERS
            provers.mkdir(parents=True, exist_ok=True)
            write_public(provers / "release.pub", key.public_key())
            lines.append(f"{site}: {len(proof.obligations)} obligations")
    return lines


def main(arguments: Sequence[str]) -> int:
    """Renew the certificates of the sites named. Returns the exit status."""
    try:
        sys.stdout.writelines(f"{line}\n" for line in renew([Path(name) for name in arguments]))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
