"""What a decision's id says of its key, and the month a decision belongs to."""

from datetime import UTC, datetime
from typing import NamedTuple

US_PER_S = 1_000_000


class Key(NamedTuple):
    """The identity of a decision. `taken_at` is plant time [us since the epoch, UTC]."""

    plant: str
    subject: str
    taken_at: int


def keys_of(decision_id: str) -> tuple[Key, ...]:
    """Return every key whose id this is: usually one, more if names contain dots, none if the text is not an id."""
    *names, taken_at = decision_id.split(".")
    if len(names) < 2 or not taken_at.removeprefix("-").isdecimal():
        return ()
    cuts = range(1, len(names))
    return tuple(Key(".".join(names[:cut]), ".".join(names[cut:]), int(taken_at)) for cut in cuts)


def month_of(taken_at: int) -> int:
    """The UTC month of a time [us], as the number yyyymm: what tables are partitioned by."""
    day = datetime.fromtimestamp(taken_at // US_PER_S, UTC)
    return day.year * 100 + day.month
