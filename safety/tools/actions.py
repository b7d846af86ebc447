"""`understudy envelope ...` as plain functions: each takes paths, returns the lines to print and whether it passed.

`prove` and `diff` need z3, which the service does not; they import it when they are called.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

from safety.envelope import Envelope
from safety.loading.spec import SpecError, load_envelope, parse_model
from safety.rules.command_rules import Bound, Interlock
from safety.tools.commission import commission
from safety.tools.golden_cases import CaseError, Folder
from safety.tools.lint import advice
from safety.tools.log_csv import LogError, read_log
from safety.tools.report import page
from safety.values import Authority, Judgement, Outcome, Ruling, Rung


@dataclass(frozen=True, slots=True)
class Report:
    """The lines a command prints, whether it passed, and what it made (a certificate's bytes, a page)."""

    lines: tuple[str, ...]
    passed: bool
    made: bytes = b""


def check(path: Path) -> Report:
    """Whether an envelope loads; what it is called, and what should be looked at."""
    try:
        envelope = load_envelope(path)
    except SpecError as error:
        return Report((str(error),), passed=False)
    counts = f"{len(envelope.setpoints)} setpoints, {len(envelope.signals)} signals, {len(envelope.rules)} rules"
    return Report((f"{envelope.plant}: {counts}", f"digest {envelope.digest}", *advice(envelope)), passed=True)


def prove(path: Path) -> Report:
    """Prove every obligation; `made` are the bytes of the certificate, to be signed, if all were proved."""
    from safety.proof.prove import prove_envelope

    try:
        proof = prove_envelope(load_envelope(path), processes=os.cpu_count() or 1)
    except SpecError as error:
        return Report((str(error),), passed=False)
    return Report(tuple(proof.lines()), proof.holds, proof.certificate().canonical() if proof.holds else b"")


def diff(old: Path, new: Path) -> Report:
    """What changes, with examples, and who must approve it."""
    from safety.proof.difference import difference

    try:
        return Report(tuple(difference(load_envelope(old), load_envelope(new)).lines()), passed=True)
    except SpecError as error:
        return Report((str(error),), passed=False)


def test(cases: Path, sites: Path) -> Report:
    """Judge every golden decision of a folder again."""
    folder = Folder(cases, sites)
    try:
        failures = tuple(folder.failures())
    except CaseError as error:
        return Report((str(error),), passed=False)
    if not folder.paths():
        return _no_cases(cases)
    return Report(
        (*failures, f"{len(folder.paths())} golden decisions, {len(failures)} differences"), passed=not failures
    )


def _no_cases(cases: Path) -> Report:
    problem = f"`{cases / 'decisions'}` holds no golden decisions: give the folder that holds `decisions/`"
    return Report((problem,), passed=False)


def commission_log(path: Path, log: Path) -> Report:
    """Count how often the incumbent of a log would have been refused."""
    try:
        envelope = load_envelope(path)
        found = commission(envelope, read_log(log, envelope))
    except (SpecError, LogError) as error:
        return Report((str(error),), passed=False)
    except OSError as error:
        return Report((f"log `{log}` cannot be read ({error.strerror}): give the path of a CSV",), passed=False)
    except UnicodeDecodeError as error:
        return Report((f"log `{log}` is not UTF-8 text (byte {error.start}): save it as UTF-8",), passed=False)
    return Report(tuple(found.lines()), found.passes)


def make_page(path: Path, cases: Path, sites: Path) -> Report:
    """The envelope's page, from a fresh proof and the golden cases. It is made, and does not pass, where a proof fails."""
    from safety.proof.prove import prove_envelope

    folder = Folder(cases, sites)
    try:
        envelope = load_envelope(path)
        if not folder.paths():
            return _no_cases(cases)
    except (SpecError, CaseError) as error:
        return Report((str(error),), passed=False)
    proof = prove_envelope(envelope)
    answers = {each.name: each.answer.value for each in proof.obligations}
    says = {each.name: each.says for each in proof.obligations}
    failed = tuple(
        f"not proved: {each.name}: see `understudy envelope prove`" for each in proof.obligations if each.fails
    )
    model = parse_model(path.read_text(encoding="utf-8"), origin=str(path))
    return Report(failed, proof.holds, page(envelope, answers, folder, model=model, says=says).encode())


def explain(ruling: Ruling, envelope: Envelope, authority: Authority = Authority.OURS) -> Report:
    """A ruling in an operator's words: who acts, who could not and why, what gave way and what waits."""
    lines = [_who_acts(ruling)]
    lines += [f"{f.rule} ({f.tier.name}): {f.detail}" for f in ruling.state]
    lines += [
        f"{latch.rule} is latched, first by: {latch.first_out.detail}; the candidate is out until an operator resets it"
        for latch in ruling.memory.latches
    ]
    if authority is Authority.LOCAL:
        lines.append("the plant's local system is in control: no source of this service has authority")
    else:
        lines += [f"{source} has no authority" for source in ruling.removed]
    for judgement in ruling.judgements:
        lines += _explained(judgement, envelope)
    if ruling.chosen.rung in (Rung.HOLD, Rung.FAILSAFE):  # nobody's proposal, so not explained yet
        lines += _explained(ruling.chosen, envelope)
    return Report(tuple(lines), ruling.chosen.verdict.accepted)


def _who_acts(ruling: Ruling) -> str:
    rung, sent = ruling.command.rung, _step_text(ruling.chosen)
    match rung:
        case Rung.RELINQUISH:
            return "nothing is commanded: the plant's local system resumes"
        case Rung.HOLD:
            return f"no source could act, so the last command is held: {sent}"
        case Rung.FAILSAFE:
            return f"no source could act, so fail-safe `{ruling.memory.failsafe}` is commanded: {sent}"
    return f"{rung} commands: {sent}"


def _explained(judgement: Judgement, envelope: Envelope) -> Iterator[str]:
    verdict = judgement.verdict
    yield f"{judgement.rung}: " + ("accepted" if verdict.accepted else f"refused, first by {verdict.first_out}")
    for finding in verdict.findings:
        if finding.outcome is not Outcome.SKIPPED:
            yield f"    {finding.rule} ({finding.tier.name}) {finding.outcome} on the {finding.about}: {finding.detail}"
    for name in judgement.waiting:
        yield f"    `{name}` waits"
    if not verdict.accepted:  # nothing of it is used
        return
    for name, value in judgement.step.items():
        if value != judgement.target[name] and name not in judgement.waiting:
            yield f"    `{name}` moves to {value:.4g} for now, its target is {judgement.target[name]:.4g}"
    yield from _nearest(verdict.margins, envelope)


def _nearest(margins: Mapping[str, float], envelope: Envelope) -> Iterator[str]:
    """The limit that is nearest by share of its setpoint's range. A discrete setpoint always stands on a limit or far off."""
    specs = {spec.name: spec for spec in envelope.setpoints}
    found: list[tuple[float, str]] = []
    for rule in envelope.command_rules:
        margin = margins.get(rule.id, nan)
        if isinstance(rule, Bound | Interlock) and isfinite(margin) and specs[rule.setpoint].values is None:
            spec = specs[rule.setpoint]
            share = margin / (spec.high - spec.low or 1.0)
            found.append(
                (share, f"{rule.id}, {margin:.4g} {rule.unit} away, {share:.1%} of the range of `{spec.name}`")
            )
    if found:
        yield f"    nearest limit: {min(found)[1]}"


def _step_text(judgement: Judgement) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in judgement.step.items())
