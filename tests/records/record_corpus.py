"""Decisions of golden cases, and the corpus of their records in `tests/cases/records`, one file for each version and case.

`python -m tests.records.record_corpus CASE ...` adds the records of these cases in the present schema version. A file
that is there is never written again: a record of long ago must stay readable.
"""

import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from controller.records.codec import encode, ruling_digest
from controller.records.decision import SCHEMA_VERSION, Assignment, Decision, Digests, assemble
from safety.decide import decide
from safety.tools.golden_cases import Case
from safety.values import Finding, Proposal
from tests.safety.support.golden import CASES, read

RECORDS = CASES / "records"


def decision_of(case: Case) -> Decision:
    """The decision of a golden case, as the loop would make it."""
    ruling = decide(
        case.observation,
        case.proposals,
        case.assigned,
        case.envelope,
        case.memory,
        elapsed_us=case.elapsed_us,
        epoch=case.epoch,
        without=case.without,
    )
    return assemble(
        case.observation,
        case.proposals,
        Assignment(case.assigned, "a golden case", "1 %", 3, 0.01),
        case.memory,
        ruling,
        without=case.without,
        elapsed_us=case.elapsed_us,
        digests=Digests("policy", case.envelope.digest, "kernel", "site"),
        ruling_digest=ruling_digest(ruling),
        latencies_us={"candidate": 12},
        measured={},
    )


def reworded(value: Any) -> Any:
    """The same ruling or decision with other words in every finding and proposal."""
    if isinstance(value, Finding | Proposal):
        return replace(value, detail="in other words")
    if isinstance(value, tuple):
        return tuple(reworded(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: reworded(getattr(value, each.name)) for each in fields(value)})
    return value


def main(names: Sequence[str]) -> None:
    """Add the records of cases by name. Raises FileExistsError where a record is there already."""
    for name in names:
        record = encode(decision_of(read(CASES / "decisions" / f"{name}.toml")))
        with (RECORDS / f"v{SCHEMA_VERSION}-{name}.bin").open("xb") as file:
            file.write(record)


if __name__ == "__main__":
    main(sys.argv[1:])
