"""What can go wrong in a rollout, as a tree.

RolloutError
|-- RolloutSpecError   the specification cannot be used
`-- ActRefusedError    an operator's act is not possible now; nothing was changed
"""


class RolloutError(ValueError):
    """Any error of this package."""


class RolloutSpecError(RolloutError):
    """The specification cannot be used; the message lists every place and what it must hold."""


class ActRefusedError(RolloutError):
    """An operator's act is not possible now; the message says why and what would make it possible."""
