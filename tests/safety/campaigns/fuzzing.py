"""Bytes against everything that reads a file or a socket: `make fuzz`, or
`python -m tests.safety.campaigns.fuzzing envelope --seconds 60`.

A target takes bytes and returns "accepted" or "refused". It fails if a loader raises
something other than its documented error, or accepts what its own serialisation does not reproduce. `atheris` feeds the
targets, guided by coverage, from the seeds in `tests/cases/fuzz/<target>` and the files the other tests use. Every crash it
has found is a seed by now, and `test_fuzzing.py` runs all seeds in every run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from types import FunctionType
from typing import Any

from controller.policies.manifest import BundleError, read_manifest, write_manifest
from controller.protocol import push
from controller.protocol.framing import HEAD_BYTES, FrameBuffer, FrameError
from controller.records.codec import RecordError, decode, encode
from safety.loading.spec import EnvelopeModel, SpecError, build_envelope, canonical, parse_model
from safety.loading.when import WhenError, parse_linear, parse_when
from safety.proof.certificate import Certificate, CertificateError
from safety.rules.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Names, Not
from safety.tools import actions
from safety.tools.golden_cases import CaseError
from tests.safety.support.golden import CASES, FOLDER

CORPUS = CASES / "fuzz"
ACCEPTED, REFUSED = "accepted", "refused"
SMALL = CASES / "envelopes" / "small.toml"
_LONGEST_LINES = 30


def envelope(data: bytes) -> str:
    """`envelope.toml`: what loads has finite limits and unique names, and loads again to the same digest."""
    try:
        model = parse_model(data.decode("utf-8", "replace"))
        built = build_envelope(model)
    except SpecError:
        return REFUSED
    content = json.loads(canonical(model))
    assert all(isfinite(number) and abs(number) <= 1e12 for number in _numbers(content)), "a limit that is not a number"
    names = [rule["id"] for rule in content["rule"]]
    assert len(set(names)) == len(names), "two rules of one name"
    again = build_envelope(EnvelopeModel.model_validate(content))
    assert again.digest == built.digest, "another digest after a round trip"
    assert again == built, "another envelope of the same digest"
    return ACCEPTED


def _numbers(content: Any) -> Iterator[float]:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from _numbers(part)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield content


def when(data: bytes) -> str:
    """A condition: what is accepted can be written down, parses to the same, and can be asked."""
    text = data.decode("utf-8", "replace")
    try:
        condition = parse_when(text)
    except WhenError:
        try:
            parse_linear(text)
        except WhenError:
            return REFUSED
        return ACCEPTED
    written = _written(condition)
    assert len(written) > 1000 or parse_when(written) == condition, f"`{text}` is not `{written}`"
    assert condition.holds(Names({}, {})) in (True, False, None)
    return ACCEPTED


def _written(condition: Condition) -> str:
    match condition:
        case Comparison(left, op, right):
            return f"{_sum(left)} {op} {_sum(right)}"
        case Not(part):
            return f"!{_part(part)}"
        case AllOf(parts) | AnyOf(parts):
            return (" && " if isinstance(condition, AllOf) else " || ").join(map(_part, parts))


def _part(condition: Condition) -> str:
    """In brackets only where they are needed: they count as depth."""
    written = _written(condition)
    return f"({written})" if isinstance(condition, AllOf | AnyOf) else written


def _sum(linear: Linear) -> str:
    terms = [(coefficient, f"{abs(coefficient)!r} * {name}") for name, coefficient in linear.terms]
    if linear.constant or not terms:
        terms.append((linear.constant, repr(abs(linear.constant))))
    return " ".join(f"{'-' if value < 0 else '+' if at else ''} {term}" for at, (value, term) in enumerate(terms))


def certificate(data: bytes) -> str:
    """A proof certificate: what is accepted is byte for byte its own canonical form."""
    try:
        found = Certificate.parse(data)
    except CertificateError:
        return REFUSED
    assert found.canonical() == data
    return ACCEPTED


def record(data: bytes) -> str:
    """A decision record: what is decoded can be encoded, and from then on nothing changes."""
    try:
        first = encode(decode(data))
    except RecordError:
        return REFUSED
    assert encode(decode(first)) == first
    return ACCEPTED


def case(data: bytes) -> str:
    """A golden decision: what is read can be judged."""
    try:
        with _file("case.toml", data) as path:
            found = FOLDER.read(path)
    except CaseError:
        return REFUSED
    found.seen()
    return ACCEPTED


def log(data: bytes) -> str:
    """A log to be commissioned with: the command says what is wrong with it, and never raises."""
    short = b"\n".join(data.split(b"\n")[:_LONGEST_LINES])
    with _file("log.csv", short) as path:
        report = actions.commission_log(SMALL, path)
    assert report.lines
    return ACCEPTED if report.lines[0].startswith("accepted") else REFUSED


def manifest(data: bytes) -> str:
    """A bundle's manifest: what is read has finite numbers, and is the same once written and read again."""
    path = Path("manifest.json")
    try:
        found = read_manifest(path, data)
    except BundleError:
        return REFUSED
    assert all(isfinite(number) for number in _numbers(found.model_dump(mode="python")))
    assert read_manifest(path, write_manifest(found)) == found
    return ACCEPTED


@contextmanager
def _file(name: str, data: bytes) -> Iterator[Path]:
    """The bytes as a file, of nobody else's."""
    with tempfile.TemporaryDirectory(prefix="understudy-fuzzing-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path


def stream(data: bytes) -> str:
    """The control socket's bytes: whole frames are messages that come back as they were, however the stream was cut."""
    whole, parts = FrameBuffer(push.MAX_FRAME), FrameBuffer(push.MAX_FRAME)
    try:
        bodies = whole.feed(data)
        messages = [push.decode(body) for body in bodies]
    except FrameError:
        return REFUSED
    assert [body for byte in data for body in parts.feed(bytes([byte]))] == bodies, "another cut, other bodies"
    assert parts.pending == whole.pending, "another cut, another rest"
    for message in messages:
        assert push.decode(push.encode(message)[HEAD_BYTES:]) == message, "another message after a round trip"
    return ACCEPTED if messages and not whole.pending else REFUSED


TARGETS: dict[str, Callable[[bytes], str]] = {
    each.__name__: each for each in (envelope, when, certificate, record, case, log, manifest, stream)
}
# What the other tests read serves as seeds too.
_SEEDS = {"envelope": "envelopes/small.toml", "record": "records/*.bin", "case": "decisions/*.toml"}


def seeds(target: str) -> list[Path]:
    """The files a target begins with; a file with `each` stands for several cases and is left out."""
    files = [*sorted((CORPUS / target).iterdir()), *sorted(CASES.glob(_SEEDS.get(target, "none")))]
    return [path for path in files if target != "case" or b"{each}" not in path.read_bytes()]


def fuzz(target: str, seconds: int, found: Path) -> None:
    """Feed one target until the time is up; libFuzzer ends the process, with a crash's bytes left in `found`."""
    import atheris

    words = CORPUS / "words.txt"
    folders = [found / "corpus", *{path.parent for path in seeds(target)}]
    (found / "corpus").mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        "-timeout=20",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={found}/",
        "-max_len=16384",
    ]
    for function in _of_interest():
        atheris.instrument_func(function)
    atheris.Setup(
        [sys.argv[0], *options, f"-dict={words}", *map(str, folders)], lambda data: void(TARGETS[target](data))
    )
    atheris.Fuzz()


_FUZZED = ("safety.", "tomllib", "controller.records.codec", "controller.policies.manifest", "controller.protocol.")


def _of_interest() -> Iterator[FunctionType]:
    """The functions whose branches lead atheris on: our loaders' and the TOML reader's, not every library's."""
    for name, module in list(sys.modules.items()):
        if not name.startswith(_FUZZED):
            continue
        for each in list(vars(module).values()):
            members = [*vars(each).values()] if isinstance(each, type) and each.__module__ == name else [each]
            functions = (getattr(member, "__func__", member) for member in members)  # also class methods
            yield from (f for f in functions if isinstance(f, FunctionType) and f.__module__ == name)


def void(_: str) -> None:
    """What libFuzzer wants of a target."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--found", type=Path, default=Path(tempfile.gettempdir()) / "understudy-fuzzing")
    args = parser.parse_args(arguments)
    try:
        import atheris  # noqa: F401
    except ImportError:
        sys.stderr.write(
            "atheris is not installed: it has wheels for Linux only; `pip install -c constraints.txt '.[fuzz]'` where it has one, "
            "and the seeds are run by `make test` everywhere\n"
        )
        return 2
    if args.target != "all":
        fuzz(args.target, args.seconds, args.found / args.target)
        return 0
    worst = 0
    for target in TARGETS:
        sys.stdout.write(f"--- {target}\n")
        sys.stdout.flush()
        command = [
            sys.executable,
            "-m",
            "tests.safety.campaigns.fuzzing",
            target,
            "--seconds",
            str(args.seconds),
            "--found",
            str(args.found),
        ]
        worst = max(worst, abs(subprocess.run(command, check=False).returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
