"""An independent check of a command that is about to leave: does it hold anything that the envelope forbids?

It shares no code with `decide` beyond the values: ranges, listed values, bounds and rates are compared here once more,
plainly. The answer must always be no; the report counts each yes as one of `escapes`.
"""

from safety.envelope import Envelope
from safety.rules.command_rules import Bound, Slew
from safety.values import Outcome, Ruling, Rung, Setpoints, Tier


def escaped(envelope: Envelope, ruling: Ruling, last: Setpoints | None) -> bool:
    """Whether the command breaks a schema, a range, a list of values, a bound, or a rate that was not recorded as waived."""
    sent = ruling.command.setpoints
    if ruling.command.rung is Rung.RELINQUISH:
        return bool(sent)
    if not ruling.chosen.verdict.accepted or sent.keys() != envelope.names:
        return True
    for spec in envelope.setpoints:
        if not spec.low <= sent[spec.name] <= spec.high:
            return True
        if spec.values is not None and sent[spec.name] not in spec.values:
            return True
    waived = {f.rule for f in ruling.chosen.verdict.findings if f.outcome is Outcome.WAIVED}
    free = ruling.command.rung in (Rung.HOLD, Rung.FAILSAFE)
    for rule in envelope.command_rules:
        if isinstance(rule, Bound) and rule.tier <= Tier.T1 and not rule.low <= sent[rule.setpoint] <= rule.high:
            return True
        if isinstance(rule, Slew) and last is not None and not free and rule.id not in waived:
            moved = sent[rule.setpoint] - last[rule.setpoint]
            rate = rule.up_per_s if moved >= 0 else rule.down_per_s
            if rate != float("inf") and not abs(moved) <= rate * ruling.dt_s * (1 + 1e-12):
                return True
    return False
