"""Golden decisions: data files with a sentence each, and `understudy envelope test FOLDER`, which judges them again.

A case changes a plain tick: `[envelope]` (base, set, remove, change, add), `[observation]`, `[incumbent]`, `[candidate]`,
`[operator]`, `[memory]`, `[call]`, and states under `[expect]` the required result. With `each = ["z1", "z2"]` it is one case
for each of these, which stand for `{each}` and, in capitals, `{EACH}`. A proposal's targets are the usual ones, or all
`rest`, but for those it names. The folder has `decisions/*.toml`, and
`envelopes/<base>.usual.toml` with the plain tick; the envelope stands beside it, or under `sites/<base>/`.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from safety.decide import decide
from safety.envelope import Envelope, fresh_memory
from safety.loading.spec import EnvelopeModel, build_envelope, canonical
from safety.rules.base import US_PER_S
from safety.values import (
    Authority,
    Finding,
    Judgement,
    Latch,
    Memory,
    Observation,
    Outcome,
    Proposal,
    Quality,
    Ruling,
    Rung,
    Signal,
    Source,
    Status,
    Tier,
)


class CaseError(ValueError):
    """A file that is not a golden decision."""


_PARTS = {
    "each",
    "description",
    "envelope",
    "observation",
    "incumbent",
    "candidate",
    "operator",
    "memory",
    "call",
    "expect",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One golden decision, ready for `decide`."""

    description: str
    envelope: Envelope
    observation: Observation
    proposals: Mapping[Source, Proposal]
    memory: Memory
    assigned: Source
    elapsed_us: int
    epoch: int
    without: frozenset[Source]
    expect: Mapping[str, Any]

    def ruling(self) -> Ruling:
        """What `decide` makes of it."""
        return decide(
            self.observation,
            self.proposals,
            self.assigned,
            self.envelope,
            self.memory,
            elapsed_us=self.elapsed_us,
            epoch=self.epoch,
            without=self.without,
        )

    def seen(self) -> dict[str, Any]:
        """As much of the ruling as the case speaks about, in its own words. Equal to `expect`, or the case fails."""
        whole = _result(self.ruling())
        return {name: _narrowed(whole.get(name), wanted) for name, wanted in self.expect.items()}


@dataclass(frozen=True, slots=True)
class Folder:
    """Where cases and their envelopes are."""

    cases: Path
    sites: Path

    def paths(self) -> list[Path]:
        """One for each case; those of a file with `each` are named `<file>@<one of them>.toml`, which is in no folder.

        Raises CaseError on a file that is not TOML.
        """
        found = []
        for path in sorted((self.cases / "decisions").glob("*.toml")):
            try:
                each = tomllib.loads(_for(path.read_text(encoding="utf-8"), "each")).get("each")
                found += [path] if each is None else [path.with_stem(f"{path.stem}@{one}") for one in each]
            except (ValueError, TypeError, RecursionError) as error:
                raise CaseError(f"`{path.name}` is not a golden decision: {type(error).__name__}: {error}") from error
        return found

    def text(self, path: Path) -> str:
        """The text of a case's file, with the one of `each` that the path is for."""
        stem, at, one = path.stem.partition("@")
        text = path.with_stem(stem).read_text(encoding="utf-8")
        return _for(text, one) if at else text

    def read(self, path: Path) -> Case:
        """The case of a file. Raises CaseError on one that is not a case."""
        try:
            raw = tomllib.loads(self.text(path))
            if raw.keys() - _PARTS:
                raise ValueError(f"unknown parts {sorted(raw.keys() - _PARTS)}")
            base = raw.get("envelope", {}).get("base", "small")
            envelope = _built(canonical(self.model(raw.get("envelope", {}))))
            return _case(raw, envelope, self.usual(base))
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError) as error:
            raise CaseError(f"`{path.name}` is not a golden decision: {type(error).__name__}: {error}") from error

    def usual(self, base: str) -> Mapping[str, Any]:
        """Signals, targets and timers [s] of a plain tick under an envelope."""
        return _toml(self.cases / "envelopes" / f"{base}.usual.toml")

    def model(self, changes: Mapping[str, Any]) -> EnvelopeModel:
        """The base envelope with a case's changes: keys `set`, rules `remove`d, `change`d by id, and `add`ed."""
        base = self.base(changes.get("base", "small"))
        base.update(changes.get("set", {}))
        base["rule"] = [rule for rule in base["rule"] if rule["id"] not in changes.get("remove", [])]
        for rule in base["rule"]:
            rule.update(changes.get("change", {}).get(rule["id"], {}))
        base["rule"] += changes.get("add", [])
        return EnvelopeModel.model_validate(base)

    def base(self, name: str) -> dict[str, Any]:
        """An envelope as it is written: the one beside the cases, or a site's."""
        own = self.cases / "envelopes" / f"{name}.toml"
        return _toml(own if own.exists() else self.sites / name / "envelope.toml")

    def failures(self) -> Iterator[str]:
        """One line for each case that does not come out as it says."""
        for path in self.paths():
            case = self.read(path)
            for name, actual in case.seen().items():
                if actual != case.expect[name]:
                    yield f"{path.stem}: {case.description}: `{name}` is {actual}, expected {case.expect[name]}"


@lru_cache(maxsize=64)
def _built(text: bytes) -> Envelope:
    """The envelope of a canonical text: most cases of a folder share one, and writing its judgement out takes a while."""
    return build_envelope(EnvelopeModel.model_validate(json.loads(text)))


def _for(text: str, one: str) -> str:
    return text.replace("{each}", one).replace("{EACH}", one.upper())


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _case(raw: Mapping[str, Any], envelope: Envelope, usual: Mapping[str, Any]) -> Case:
    call = raw.get("call", {})
    return Case(
        description=raw["description"],
        envelope=envelope,
        observation=_observation(raw.get("observation", {}), usual, envelope),
        proposals={source: _proposal(source, raw[source], usual) for source in Source if source in raw},
        memory=_memory(raw.get("memory", {}), envelope, usual),
        assigned=Source(call.get("assigned", "candidate")),
        elapsed_us=round(call.get("elapsed_s", envelope.period_us / US_PER_S) * US_PER_S),
        epoch=call.get("epoch", 1),
        without=frozenset(Source(name) for name in call.get("without", [])),
        expect=dict(raw["expect"]),
    )


def _observation(raw: Mapping[str, Any], usual: Mapping[str, Any], envelope: Envelope) -> Observation:
    signals = {**usual["signals"], **raw.get("signals", {})}
    return Observation(
        plant=envelope.plant,
        subject="plant",
        taken_at=1_760_000_000_000_000,
        signals={name: _signal(value) for name, value in signals.items() if name not in raw.get("missing", [])},
        applied=_vector(raw.get("applied", {}), usual),
        readback=_vector(raw.get("readback", {}), usual),
        authority=Authority(raw.get("authority", "ours")),
    )


def _signal(raw: Any) -> Signal:
    if isinstance(raw, dict):
        age_us = round(raw.get("age_s", 0) * US_PER_S)
        return Signal(float(raw["value"]), Quality(raw.get("quality", "good")), age_us)
    return Signal(float(raw))


def _vector(raw: Any, usual: Mapping[str, Any]) -> dict[str, float] | None:
    """The usual setpoints with changes; `false`: no setpoints."""
    return None if raw is False else {name: float(value) for name, value in {**usual["targets"], **raw}.items()}


def _proposal(source: Source, raw: Mapping[str, Any], usual: Mapping[str, Any]) -> Proposal:
    status = Status(raw.get("status", "ok"))
    if status is not Status.OK:
        return Proposal(source, {}, status, raw.get("detail", ""))
    rest = usual["targets"] if "rest" not in raw else dict.fromkeys(usual["targets"], raw["rest"])
    targets = {name: float(value) for name, value in {**rest, **raw.get("targets", {})}.items()}
    return Proposal(source, {name: value for name, value in targets.items() if name not in raw.get("missing", [])})


def _memory(raw: Mapping[str, Any], envelope: Envelope, usual: Mapping[str, Any]) -> Memory:
    fresh = fresh_memory(envelope)
    if raw.get("fresh"):
        return fresh
    timers = {**usual["timers"], **raw.get("timers", {})}
    remembered = {
        name: tuple(float(s * US_PER_S) for s in state) for name, state in timers.items() if name in fresh.rules
    }
    return Memory(
        last=_vector(raw.get("last", {}), usual),
        rung=Rung(raw.get("rung", "incumbent")),
        since_us=round(raw.get("since_s", 0) * US_PER_S),
        rules={**fresh.rules, **remembered},
        held_us=round(raw.get("held_s", 0) * US_PER_S),
        failsafe=raw.get("failsafe"),
        latches=tuple(
            Latch(rule, Finding(rule, Tier.T1, Outcome.VETO, -1.0, "state", "as it was"))
            for rule in raw.get("latches", [])
        ),
    )


def _result(ruling: Ruling) -> dict[str, Any]:
    command, memory = ruling.command, ruling.memory
    whole: dict[str, Any] = {
        "rung": command.rung.value,
        "command": dict(command.setpoints),
        "epoch": command.epoch,
        "valid_for_s": command.valid_for_us / US_PER_S,
        "removed": [source.value for source in ruling.removed],
        "state": [finding.rule for finding in ruling.state],
        "latches": [latch.rule for latch in memory.latches],
        "failsafe": memory.failsafe or "",
        "held_s": memory.held_us / US_PER_S,
        "dt_s": ruling.dt_s,
        "timers_s": {name: [us / US_PER_S for us in state] for name, state in memory.rules.items()},
        "chosen": _judged(ruling.chosen),
    }
    return whole | {judgement.rung.value: _judged(judgement) for judgement in ruling.judgements}


def _judged(judgement: Judgement) -> dict[str, Any]:
    def rules(*outcomes: Outcome) -> list[str]:
        return sorted({f.rule for f in judgement.verdict.findings if f.outcome in outcomes})

    return {
        "accepted": judgement.verdict.accepted,
        "first_out": judgement.verdict.first_out,
        "waiting": list(judgement.waiting),
        "vetoes": rules(Outcome.VETO, Outcome.ERROR),
        "waived": rules(Outcome.WAIVED),
        "skipped": rules(Outcome.SKIPPED),
    }


def _narrowed(value: Any, wanted: Any) -> Any:
    if isinstance(wanted, dict) and wanted and isinstance(value, dict) and value:
        return {name: value.get(name) for name in wanted}
    return value
