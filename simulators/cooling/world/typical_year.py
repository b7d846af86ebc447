"""Dates in a typical year of weather, which has 365 days and no weekdays."""

from datetime import datetime

from simulators.cooling.world.load import NODE_S, NODES_PER_DAY

YEAR_NODES = 365 * NODES_PER_DAY


def calendar_node(when: datetime) -> int:
    """The node that has the hour of the typical year and the weekday of `when`, in the site's own standard time.

    Nodes go on after the year's end, each year a weekday later, so the right one of seven years is taken. A 29th of
    February has the weather of the 28th.
    """
    leap = when.year % 4 == 0 and (when.year % 100 != 0 or when.year % 400 == 0)
    day = when.timetuple().tm_yday - 1
    day -= leap and day >= _FEBRUARY_29
    year = (when.weekday() - day) % 7
    return year * YEAR_NODES + day * NODES_PER_DAY + (when.hour * 3600 + when.minute * 60 + when.second) // NODE_S


_FEBRUARY_29 = 59
"""Its day of a leap year, from 0."""
