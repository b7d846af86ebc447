"""A counterexample of the prover, judged by the code that runs the plant. One that does not reproduce is a fault of the prover."""

from collections.abc import Mapping
from dataclasses import replace

from safety.envelope import Envelope
from safety.proof.question import Answer, Obligation
from safety.rules import CommandRule, Situation
from safety.values import Quality, Setpoints, Signal


def situation_of(example: Mapping[str, float | bool], envelope: Envelope) -> Situation:
    """The situation of an example. What it leaves open is zero and known."""
    signals = {}
    for spec in envelope.signals:
        value = float(example.get(f"signal.{spec.name}", min(max(0.0, spec.low), spec.high)))
        known = bool(example.get(f"known.{spec.name}", True))
        signals[spec.name] = Signal(value, Quality.GOOD if known else Quality.BAD)
    last = vector_of(example, "last", envelope)
    return Situation(signals, last, vector_of(example, "reference", envelope), float(example.get("dt_s", 0.0)), {})


def vector_of(example: Mapping[str, float | bool], prefix: str, envelope: Envelope) -> Setpoints:
    return {spec.name: float(example.get(f"{prefix}.{spec.name}", spec.low)) for spec in envelope.setpoints}


def reproduced(found: Obligation, envelope: Envelope, rule: CommandRule, proposed: Setpoints) -> Obligation:
    """The obligation with what the rule itself says of its counterexample."""
    now = situation_of(found.example, envelope)
    if rule.margin(proposed, now) >= 0:
        return replace(found, answer=Answer.UNKNOWN, detail="the counterexample does not reproduce: mend the prover")
    return replace(found, detail=rule.explain(proposed, now))
