"""What has been proved of an envelope, as a value that can be signed. The service loads no envelope without one.

No wall time and no machine is in it: the same envelope, prover and solver give the same bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safety.envelope import Envelope

VERSION = 1


class CertificateError(ValueError):
    """An envelope without a certificate that matches it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The digests of envelope, kernel and prover, the solver's version, and the answer to each obligation by name."""

    envelope: str
    kernel: str
    prover: str
    solver: str
    answers: Mapping[str, str]

    @property
    def holds(self) -> bool:
        return bool(self.answers) and not set(self.answers.values()) & {"refuted", "unknown"}

    def canonical(self) -> bytes:
        """The bytes to be signed."""
        content = {
            "version": VERSION,
            "envelope": self.envelope,
            "kernel": self.kernel,
            "prover": self.prover,
            "solver": self.solver,
            "answers": dict(self.answers),
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, data: bytes) -> "Certificate":
        """The certificate of its canonical bytes. Raises CertificateError."""
        try:
            content = json.loads(data)
            if content["version"] != VERSION:
                raise CertificateError(
                    f"certificate of version {content['version']}, this build reads {VERSION}: prove the envelope again"
                )
            found = cls(
                str(content["envelope"]),
                str(content["kernel"]),
                str(content["prover"]),
                str(content["solver"]),
                {str(name): str(answer) for name, answer in content["answers"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, CertificateError):
                raise
            raise CertificateError("not a certificate: make one with `understudy envelope prove`") from error
        if found.canonical() != data:
            raise CertificateError(
                "the certificate holds more than was proved: make it again with `understudy envelope prove`"
            )
        return found


def verify_certificate(certificate: Certificate, envelope: Envelope, kernel_digest: str) -> None:
    """Raises CertificateError unless everything was proved, of this very envelope as this very kernel understands it."""
    if certificate.envelope != envelope.digest:
        raise CertificateError(
            f"the certificate is of envelope {certificate.envelope[:12]}, this one is {envelope.digest[:12]}: "
            "run `understudy envelope prove`"
        )
    if certificate.kernel != kernel_digest:
        raise CertificateError(
            f"the certificate is of kernel {certificate.kernel[:12]}, this one is {kernel_digest[:12]}: "
            "run `understudy envelope prove`"
        )
    failed = sorted(name for name, answer in certificate.answers.items() if answer in ("refuted", "unknown"))
    if failed or not certificate.holds:
        raise CertificateError(
            f"not proved: {', '.join(failed) or 'nothing at all'}: correct the envelope and prove it again"
        )


def prover_digest() -> str:
    """SHA-256 over the prover's own files."""
    files = sorted(Path(__file__).resolve().parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes().replace(b"\r\n", b"\n") for path in files)).hexdigest()
