"""The errors of records.

- RecordsError
    - SpoolError: the local log cannot be used. This is an audit failure, which the loop must handle.
        - SpoolCorrupt: its file is damaged; nothing was changed.
        - SpoolBusy: another process is its writer.
        - SpoolConflict: a decision was written twice with different bytes.
    - StoreError: the SQL store cannot be used. This raises an alarm; the loop continues.
        - StoreAway: it does not answer; try again later.
        - StoreOutdated: its tables are not those of this build; migrate it.
    - IntentError: an operator's act that cannot be queued.
"""


class RecordsError(Exception):
    """The root of all errors of records."""


class SpoolError(RecordsError):
    """The local log cannot be used."""


class SpoolCorrupt(SpoolError):  # noqa: N818 - reads as the state it reports
    """The spool's file is damaged, or is not a spool."""


class SpoolBusy(SpoolError):  # noqa: N818
    """Another process writes this spool."""


class SpoolConflict(SpoolError):  # noqa: N818
    """The same decision, other bytes."""


class StoreError(RecordsError):
    """The SQL store cannot be used."""


class StoreAway(StoreError):  # noqa: N818
    """The database does not answer."""


class StoreOutdated(StoreError):  # noqa: N818
    """The database answers, but its tables are not those of this build."""


class IntentError(RecordsError):
    """An operator's act that cannot be queued."""
