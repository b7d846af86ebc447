"""What a stretch of shadow says of a candidate: how often it differed, by how much, and in which direction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, true

from controller.records.comparison_table import CHANNEL, COMPARISON


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is reviewed: one plant or all, from `since_us` up to but not including `until_us` (plant time)."""

    plant: str | None = None
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelReview:
    """One setpoint's |candidate - incumbent| in its own unit: median, 95th percentile, largest; `flips` counts opposite moves."""

    count: int
    mean_difference: float
    p50: float
    p95: float
    largest: float
    flips: int


@dataclass(frozen=True, slots=True)
class Review:
    """Ticks per class of disagreement, and each setpoint's differences."""

    classes: Mapping[str, int]
    channels: Mapping[str, ChannelReview]

    @property
    def ticks(self) -> int:
        return sum(self.classes.values())


def review(connection: Connection, stretch: Stretch) -> Review:
    """Summarise the comparisons of a stretch. Percentiles are by nearest rank."""
    counted = select(COMPARISON.c.klass, func.count()).where(_within(COMPARISON, stretch)).group_by(COMPARISON.c.klass)
    classes = {row[0]: row[1] for row in connection.execute(counted.order_by(COMPARISON.c.klass))}
    return Review(classes, _channels(connection, stretch))


def _channels(connection: Connection, stretch: Stretch) -> dict[str, ChannelReview]:
    known = CHANNEL.c.difference.is_not(None)
    size = func.abs(CHANNEL.c.difference)
    summed = (
        select(
            CHANNEL.c.setpoint,
            func.count(CHANNEL.c.difference),
            func.avg(CHANNEL.c.difference),
            func.max(size),
            func.count().filter(CHANNEL.c.flipped),
        )
        .where(_within(CHANNEL, stretch))
        .group_by(CHANNEL.c.setpoint)
        .order_by(CHANNEL.c.setpoint)
    )
    reviews = {}
    for setpoint, count, mean, largest, flips in connection.execute(summed).all():
        ranked = select(size).where(_within(CHANNEL, stretch), CHANNEL.c.setpoint == setpoint, known).order_by(size)
        p50, p95 = (_ranked(connection, ranked, count, share) for share in (0.50, 0.95))
        reviews[setpoint] = ChannelReview(count, _number(mean), p50, p95, _number(largest), flips)
    return reviews


def _ranked(connection: Connection, ranked: Any, count: int, share: float) -> float:
    """The value that `share` of all do not exceed."""
    place = max(-int(-share * count // 1), 1) - 1
    return _number(connection.execute(ranked.limit(1).offset(place)).scalar())


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _within(table: Table, stretch: Stretch) -> ColumnElement[bool]:
    wanted: list[ColumnElement[bool]] = [true()]
    if stretch.plant is not None:
        wanted.append(table.c.plant == stretch.plant)
    if stretch.since_us is not None:
        wanted.append(table.c.taken_at >= stretch.since_us)
    if stretch.until_us is not None:
        wanted.append(table.c.taken_at < stretch.until_us)
    return and_(*wanted)
