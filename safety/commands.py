"""`understudy envelope ...` as plain functions: each takes paths, returns the lines to print and whether all is well.

`prove` and `diff` need z3, which the service does not; they import it when they are called.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safety.cases import CaseError, Folder
from safety.commission import commission
from safety.incumbent_log import LogError, read_log
from safety.page import page
from safety.spec import SpecError, load_envelope, parse_model
from safety.values import Judgement, Outcome, Ruling


@dataclass(frozen=True, slots=True)
class Said:
    """What a command prints, whether all is well, and what it made (a certificate's bytes, a page)."""

    lines: tuple[str, ...]
    well: bool
    made: bytes = b""


def check(path: Path) -> Said:
    """Whether an envelope loads; what it is called."""
    try:
        envelope = load_envelope(path)
    except SpecError as error:
        return Said((str(error),), well=False)
    counts = f"{len(envelope.setpoints)} setpoints, {len(envelope.signals)} signals, {len(envelope.rules)} rules"
    return Said((f"{envelope.plant}: {counts}", f"digest {envelope.digest}"), well=True)


def prove(path: Path) -> Said:
    """Prove every obligation; `made` are the bytes of the certificate, to be signed, if all were proved."""
    from safety.proof.prove import prove_envelope

    try:
        proof = prove_envelope(load_envelope(path), processes=os.cpu_count() or 1)
    except SpecError as error:
        return Said((str(error),), well=False)
    return Said(tuple(proof.lines()), proof.holds, proof.certificate().canonical() if proof.holds else b"")


def diff(old: Path, new: Path) -> Said:
    """What changes, with examples, and who must approve it."""
    from safety.proof.difference import difference

    try:
        return Said(tuple(difference(load_envelope(old), load_envelope(new)).lines()), well=True)
    except SpecError as error:
        return Said((str(error),), well=False)


def test(cases: Path, sites: Path) -> Said:
    """Judge every golden decision of a folder anew."""
    folder = Folder(cases, sites)
    try:
        failures = tuple(folder.failures())
    except CaseError as error:
        return Said((str(error),), well=False)
    if not folder.paths():
        return Said(
            (f"`{cases / 'decisions'}` holds no golden decisions: give the folder that holds `decisions/`",), well=False
        )
    return Said((*failures, f"{len(folder.paths())} golden decisions, {len(failures)} differences"), well=not failures)


def commission_log(path: Path, log: Path) -> Said:
    """How often the incumbent of a log would have been refused."""
    try:
        envelope = load_envelope(path)
        found = commission(envelope, read_log(log, envelope))
    except (SpecError, LogError) as error:
        return Said((str(error),), well=False)
    except OSError as error:
        return Said((f"log `{log}` cannot be read ({error.strerror}): give the path of a CSV",), well=False)
    except UnicodeDecodeError as error:
        return Said((f"log `{log}` is not UTF-8 text (byte {error.start}): save it as UTF-8",), well=False)
    return Said(tuple(found.lines()), found.passes)


def make_page(path: Path, cases: Path, sites: Path) -> Said:
    """The envelope's page, from a fresh proof and the golden cases."""
    from safety.proof.prove import prove_envelope

    try:
        envelope = load_envelope(path)
    except SpecError as error:
        return Said((str(error),), well=False)
    proof = prove_envelope(envelope)
    answers = {each.name: each.answer.value for each in proof.obligations}
    says = {each.name: each.says for each in proof.obligations}
    model = parse_model(path.read_text(encoding="utf-8"), origin=str(path))
    return Said((), proof.holds, page(envelope, answers, Folder(cases, sites), model=model, says=says).encode())


def explain(ruling: Ruling) -> Said:
    """A ruling in an operator's words: who acts, who could not and why, what gave way and what waits."""
    lines = [f"{ruling.command.rung} commands" + (f": {_told(ruling.chosen)}" if _told(ruling.chosen) else "")]
    lines += [f"{f.rule} ({f.tier.name}): {f.detail}" for f in ruling.state]
    lines += [f"{source} has no authority" for source in ruling.removed]
    for judgement in ruling.judgements:
        lines += _explained(judgement)
    return Said(tuple(lines), ruling.chosen.verdict.accepted)


def _explained(judgement: Judgement) -> Iterator[str]:
    verdict = judgement.verdict
    yield f"{judgement.rung}: " + ("accepted" if verdict.accepted else f"refused, first by {verdict.first_out}")
    for finding in verdict.findings:
        if finding.outcome is not Outcome.SKIPPED:
            yield f"    {finding.rule} ({finding.tier.name}) {finding.outcome} on the {finding.about}: {finding.detail}"
    for name in judgement.waiting:
        yield f"    `{name}` waits"
    if verdict.accepted and verdict.margins:
        rule = min(verdict.margins, key=lambda name: verdict.margins[name])
        yield f"    nearest limit: {rule}, {verdict.margins[rule]:.4g} away"


def _told(judgement: Judgement) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in judgement.step.items())
