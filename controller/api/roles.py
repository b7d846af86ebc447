"""Who may do what. A role includes every lower one.

Taking authority away from the candidate is one operator's right; giving it back takes an approver.
"""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """Ascending: each role may do all that the one before may."""

    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Role":
        """The role of a word. Raises ValueError on any other word."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"role `{word}` is unknown: use one of viewer, operator, approver") from None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and how they proved it: `token` (API) or `session` (console)."""

    actor: str
    role: Role
    via: str
