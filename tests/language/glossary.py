"""Coverage of `docs/glossary.md`: every term that is used is there, and every term that is there is used."""

import re
from enum import Enum
from functools import cache
from typing import get_args

from controller.api.roles import Role
from controller.records.operator_queue import Kind, Resolution
from controller.rollout import gates
from controller.rollout import state as rollout
from controller.rollout.spec import INSTANT_CAUSES
from safety import values
from shadow.comparison import ComparisonClass
from tests.docs.pages import inline_code, name_of, pages, prose, rows
from tests.language.texts import Text, files, read
from tests.paths import ROOT

PAGE = "docs/glossary.md"
VALUES = "## Values"
_TERM = re.compile(r"(?<=[\w,;:)] )\*\*([a-z][a-z -]*)\*\*")
"""Bold inside a sentence marks a term where it is explained; at its start it is the title of a list item."""


def _members(kind: type[Enum]) -> set[str]:
    return {str(each.value) if isinstance(each.value, str) else each.name.lower() for each in kind}


SEEN_BY_OPERATORS = {
    "quality of a signal": _members(values.Quality),
    "source": _members(values.Source),
    "status of a proposal": _members(values.Status),
    "rung": _members(values.Rung),
    "authority": _members(values.Authority),
    "tier": {tier.name for tier in values.Tier},
    "outcome of a rule": _members(values.Outcome),
    "outcome of a check": _members(gates.GateOutcome),
    "status of a rollout": _members(rollout.RolloutStatus),
    "comparison": _members(ComparisonClass),
    "cause of a trip": set(INSTANT_CAUSES),
    "act": set(get_args(Kind)),
    "outcome of an act": {"pending", *get_args(Resolution)},
    "role": _members(Role),
}
"""Values that a person reads in a status, a record, a setting or a command, by heading in the glossary."""


def terms() -> list[str]:
    """The terms of the glossary, in its order."""
    text = (ROOT / PAGE).read_text().partition(VALUES)[0]
    return [row[0] for row in rows(text) if row[0] != "word"]


def value_sections() -> dict[str, list[str]]:
    """The values that the glossary explains, by heading."""
    text = (ROOT / PAGE).read_text().partition(VALUES)[2]
    parts = [part.partition("\n") for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]]
    return {heading.strip().lower(): [inline_code(row[0])[0] for row in _body(body)] for heading, _, body in parts}


def _body(section: str) -> list[list[str]]:
    return [row for row in rows(section) if row[0] != "value"]


@cache
def _spoken() -> str:
    """All text of the repository but the glossary and the changelog, in lower case."""
    texts = [read(path) for path in files() if path.name != "CHANGELOG.md" and path != ROOT / PAGE]
    pieces: list[Text] = [text for file in texts for text in file.texts]
    return "\n".join(piece.text for piece in pieces).lower()


def faults() -> list[str]:
    """What the glossary lacks, and what of it is not used."""
    found, known, explained = [], {term.lower() for term in terms()}, value_sections()
    for heading, wanted in SEEN_BY_OPERATORS.items():
        there = explained.get(heading, [])
        found += [f"`{value}` ({heading}) is not explained" for value in sorted(wanted - set(there))]
        found += [
            f"`{value}` ({heading}) is explained, and no such value exists" for value in there if value not in wanted
        ]
    found += [
        f"section `{heading}` explains no kind of value" for heading in explained if heading not in SEEN_BY_OPERATORS
    ]
    for page in pages():
        if name_of(page).startswith("docs/explanation/"):
            used = {" ".join(term.split()) for term in _TERM.findall(prose(page))}
            found += [
                f"`{term}` is marked as a term in {name_of(page)}" for term in sorted(used) if not _known(term, known)
            ]
    unused = [term for term in terms() if not re.search(rf"\b{re.escape(term.lower())}", _spoken())]
    return found + [f"`{term}` is used nowhere" for term in unused]


def _known(term: str, known: set[str]) -> bool:
    return term in known or term.removesuffix("s") in known
