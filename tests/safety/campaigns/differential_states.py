"""The long comparison of the forms of the state rules: `python -m tests.safety.campaigns.differential_states --cases 1000000`.

Every case is asked vectorised, rule by rule (the meaning), and of the compiled quiet form; every `--service-every`-th as
the service does it besides. States and margins must agree to the bit. Prints the mix by kind, and fails where two forms
disagree, or where the quiet form is silent about a case in which nothing is violated or unusual. Also fails where a rule
never accepted, never refused, or was never the sole reason: then the forms have been compared on too little.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from safety.decide import observe
from safety.envelope import Envelope, fresh_memory
from safety.forms.vectorised import Flags, Floats
from safety.forms.vectorised_states import Found, watch
from safety.rules.base import state_of
from safety.rules.state_rules import Readback, Trip
from safety.values import Observation, RuleState
from tests.safety.campaigns import long_run
from tests.safety.campaigns.long_run import added_up, batches_of, parser, reported, seeds_of
from tests.safety.support.state_boundary_cases import Cases, cases_of, watching_envelope

BATCH = 5000
# All limits but those of time are below 64, and so 2 ulp of a value at its edge are no more than this.
_NEAR, _NEAR_S = 2.0 * float(np.spacing(63.0)), 2.5e-6
_HUGE = 1e120  # what is larger the quiet form leaves to the rules
_COLUMNS = (
    "kind", "rules", "accepted", "refused", "on an unknown", "within 2 ulp or 2 us of the edge", "within its delay",
    "sole reason", "sole reason, the least of a rule",
)  # fmt: skip

Answer = dict[str, tuple[float, RuleState]]


@dataclass(slots=True)
class Mix(long_run.Mix):
    """What was compared. Counters by (envelope, rule)."""

    satisfied: int = 0
    quiet: int = 0
    unusual: int = 0
    service: int = 0
    accepted: Counter[tuple[int, str]] = field(default_factory=Counter)
    refused: Counter[tuple[int, str]] = field(default_factory=Counter)
    unknown: Counter[tuple[int, str]] = field(default_factory=Counter)
    near: Counter[tuple[int, str]] = field(default_factory=Counter)
    waiting: Counter[tuple[int, str]] = field(default_factory=Counter)
    sole: Counter[tuple[int, str]] = field(default_factory=Counter)

    def idle(self) -> list[str]:
        """The required outcomes that no case of a rule had."""
        wanted = {"accepted": self.accepted, "refused": self.refused, "was the sole reason": self.sole}
        return [
            f"envelope {seed}, {rule} never {what}"
            for seed, rule in self.kinds
            for what, counts in wanted.items()
            if not counts[seed, rule]
        ]

    def lines(self) -> Iterator[str]:
        yield f"| what | cases |\n| --- | --- |\n| vectorised against rule by rule | {self.cases:,} |"
        yield f"| all satisfied | {self.satisfied:,} |"
        yield f"| of these answered by the quiet form | {self.quiet:,} |"
        yield f"| of these unusual, and left by it | {self.unusual:,} |"
        yield f"| observed as the service does it, besides | {self.service:,} |"
        yield f"| disagreements | {len(self.wrong):,} |\n"
        yield f"| {' | '.join(_COLUMNS)} |"
        yield f"| {' | '.join('---' for _ in _COLUMNS)} |"
        for kind in sorted(set(self.kinds.values())):
            mine = [key for key, of_kind in self.kinds.items() if of_kind == kind]
            columns = (self.accepted, self.refused, self.unknown, self.near, self.waiting, self.sole)
            counts = [sum(column[key] for key in mine) for column in columns]
            least = min(self.sole[key] for key in mine)
            yield f"| {kind} | {len(mine)} | " + " | ".join(f"{count:,}" for count in (*counts, least)) + " |"


def compare(seed: int, *, batches: int, service_every: int) -> Mix:
    """One envelope, compared on that many batches."""
    envelope, mix = watching_envelope(seed), Mix()
    mix.kinds = {(seed, rule.id): type(rule).__name__ for rule in envelope.state_rules}
    for at in range(batches):
        _compare(mix, seed, envelope, cases_of(envelope, seed * 1_000_003 + at, BATCH), service_every)
    return mix


def _compare(mix: Mix, seed: int, envelope: Envelope, cases: Cases, service_every: int) -> None:
    many = watch(envelope.state_rules, cases.seen, cases.states)
    satisfied = np.all([found.satisfied for found in many.values()], axis=0)
    rows = list(cases.each())
    plain = [plainly(envelope, *row) for row in rows]
    mix.wrong += differing(f"envelope {seed}: rule by rule and vectorised", plain, many)
    quiet = [envelope.watched.quiet(seen, states, max(0, elapsed_us)) for seen, states, elapsed_us in rows]
    answered = np.array([states is not None for states in quiet])
    usual = [at for at in np.flatnonzero(satisfied & ~answered) if not is_unusual(envelope, *rows[at])]
    mix.wrong += _quietly(f"envelope {seed}", envelope, quiet, many)
    mix.wrong += [f"envelope {seed}: quiet about a violated rule"] * int(np.sum(answered & ~satisfied))
    mix.wrong += [f"envelope {seed}: no quiet answer to a usual case with all rules satisfied"] * len(usual)
    for at in range(0, len(rows), service_every):
        mix.wrong += _in_service(f"envelope {seed}, case {at}", envelope, *rows[at], plain[at])
        mix.service += 1
    mix.cases += len(rows)
    mix.satisfied += int(np.sum(satisfied))
    mix.quiet += int(np.sum(answered))
    mix.unusual += int(np.sum(satisfied & ~answered))
    _count(mix, seed, envelope, many, satisfied)


def plainly(envelope: Envelope, seen: Observation, states: dict[str, RuleState], elapsed_us: int) -> Answer:
    """The meaning: every state rule is aged and asked. A clock that went back counts as zero time."""
    passed_us, found = max(0, elapsed_us), {}
    for rule in envelope.state_rules:
        state = rule.aged(state_of(states, rule, rule.fresh()), seen, passed_us)
        found[rule.id] = (rule.margin(seen, state), state)
    return found


def differing(what: str, plain: list[Answer], many: dict[str, Found]) -> list[str]:
    """One line for each rule whose margins or states are not the same, zeros with their signs."""
    wrong = []
    for name, found in many.items():
        margins = np.array([answer[name][0] for answer in plain])
        states = np.array([answer[name][1] for answer in plain]).reshape(found.state.shape)
        if not (same_bits(margins, found.margin).all() and same_bits(states, found.state).all()):
            wrong.append(f"{what} differ in `{name}`")
    return wrong


def same_bits(one: Floats, other: Floats) -> Flags:
    """Equal to the last bit, or both no number."""
    bits = np.ascontiguousarray(one).view(np.int64) == np.ascontiguousarray(other).view(np.int64)
    return np.asarray(bits | (np.isnan(one) & np.isnan(other)))


def _quietly(
    where: str, envelope: Envelope, quiet: list[dict[str, RuleState] | None], many: dict[str, Found]
) -> list[str]:
    """Compare the states of the quiet form, where it answers, with the vectorised ones."""
    which = np.array([at for at, states in enumerate(quiet) if states is not None], dtype=int)
    wrong = []
    for rule, fresh in envelope.stateful:
        found = np.array([states[rule.id] for states in quiet if states is not None], dtype=float)
        if not same_bits(found.reshape(-1, len(fresh)), many[rule.id].state[which]).all():
            wrong.append(f"{where}: quiet and vectorised states of `{rule.id}` differ")
    return wrong


def is_unusual(envelope: Envelope, seen: Observation, states: dict[str, RuleState], elapsed_us: int) -> bool:
    """Whether the quiet form may leave a case in which all rules are satisfied.

    It may where the memory lacks a rule, where a violation is younger than its delay, and where a number is so large that
    sums of such numbers need not be finite.
    """
    if any(rule.id not in states for rule, _ in envelope.stateful):
        return True
    if any(not abs(signal.value) < _HUGE for signal in seen.signals.values()):
        return True
    at_once = tuple(
        replace(rule, on_delay_us=0) if isinstance(rule, Trip) else replace(rule, delay_us=0)
        for rule in envelope.state_rules
        if isinstance(rule, Trip | Readback)
    )
    return any(not rule.margin(seen, (0.0, 0.0)) >= 0 for rule in at_once)


def _in_service(
    where: str, envelope: Envelope, seen: Observation, states: dict[str, RuleState], elapsed_us: int, plain: Answer
) -> list[str]:
    """`observe` remembers and tells the same."""
    memory = replace(fresh_memory(envelope), rules=states)
    _, memory, findings = observe(seen, envelope, memory, elapsed_us)
    violated = {name for name, (margin, _) in plain.items() if not margin >= 0}
    kept = {rule.id: plain[rule.id][1] for rule, _ in envelope.stateful}
    if {finding.rule for finding in findings} == violated and {name: memory.rules[name] for name in kept} == kept:
        return []
    return [f"{where}: `observe` and rule by rule differ"]


def _count(mix: Mix, seed: int, envelope: Envelope, many: dict[str, Found], satisfied: Flags) -> None:
    refusing = np.array([~found.satisfied for found in many.values()])
    alone = refusing.sum(axis=0) == 1
    for rule, refused in zip(envelope.state_rules, refusing, strict=True):
        key, margin, state = (seed, rule.id), many[rule.id].margin, many[rule.id].state
        timed = isinstance(rule, Trip | Readback)
        waiting = (margin == 0) & (state[:, 1] != 0) if timed else np.zeros(len(satisfied), dtype=bool)
        near = np.abs(margin) <= (_NEAR_S if rule.unit == "s" else _NEAR)
        if isinstance(rule, Readback) and rule.tolerance == 0:  # an obeyed command is on its edge
            near &= margin != 0
        mix.accepted[key] += int(np.sum(~refused))
        mix.refused[key] += int(np.sum(refused))
        mix.unknown[key] += int(np.sum(np.isnan(margin)))
        mix.near[key] += int(np.sum(near & ~waiting))
        mix.waiting[key] += int(np.sum(waiting))
        mix.sole[key] += int(np.sum(refused & alone))


def run(seeds: Iterable[int], *, batches: int, service_every: int, processes: int) -> Mix:
    """Compare many envelopes."""
    return added_up(partial(compare, batches=batches, service_every=service_every), seeds, processes, Mix())


def main(arguments: list[str]) -> int:
    options = parser(__doc__, cases=1_000_000, envelopes=20)
    options.add_argument("--service-every", type=int, default=10)
    args, begun_s = options.parse_args(arguments), time.perf_counter()
    batches = batches_of(args, BATCH)
    mix = run(seeds_of(args), batches=batches, service_every=args.service_every, processes=args.processes)
    return reported(mix, mix.idle(), begun_s, args.processes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
