"""The reports of campaigns as one page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DAY_S = 86_400.0
ENDED = ("aborted", "tripped", "locked_out")
LONGEST = 260
# Every gate asks that its evidence is fresh: it tells a reader nothing about the stage.
UNTOLD = "age of the evidence"

Report = Mapping[str, Any]
Row = tuple[str, str, Report | None, list[str]]
"""Name, expected result, the report if there is one, and its failures."""

HEAD = """\
# Campaigns

Written by `python -m benchmarks.campaigns` (`make soak`); do not edit.

The demo site, seed 1: the same disturbances and the same draw of blocks in every run. `forty-days` and `year` run the
site's own candidate. The others run bundles that are bad on purpose; the stage that must stop each is named before the
run. Cost and breaches of incumbent and best static setting are those of their twins, in the same weather and load. The
same seed gives the same page, except the last column, which depends on the machine and its load.

"""
SUMMARY = ("run", "days", "expected", "result", "escapes", "breach s, applied / incumbent", "vetoes",
           "saved against incumbent", "candidate alone, against incumbent / best static", "ticks/s")  # fmt: skip
STAGES = ("run", "stage", "entered, day", "left, day", "why")


def page(rows: Sequence[Row]) -> str:
    """The page in Markdown."""
    parts = [HEAD, _table(SUMMARY, (_summary(*row) for row in rows)), "\n"]
    parts += [
        f"* `{name}` differs from the expected result: {'; '.join(wrong)}\n" for name, _, _, wrong in rows if wrong
    ]
    parts += ["## Stages\n\n", _table(STAGES, _stages(rows))]
    return "".join(parts)


def stopped_at(report: Report) -> str:
    """The stage at which a rollout was first ended by a breaker or a gate; empty if it was not."""
    for stage in report["stages"]:
        if stage["why"].startswith("tripped by"):
            return str(stage["name"])
    return str(report["stages"][-1]["name"]) if report["status"] in ENDED else ""


def _summary(name: str, expected: str, report: Report | None, wrong: list[str]) -> tuple[str, ...]:
    if report is None:
        return (f"`{name}`", "", expected, "not run", *[""] * (len(SUMMARY) - 4))
    cost, breach = report["cost"]["lanes"], report["breach_s"]
    stopped = stopped_at(report)
    came = f"stopped at {stopped}" if stopped else f"{report['stages'][-1]['name']}, {report['status']}"
    vetoes = ", ".join(f"`{rule}` {count}" for rule, count in report["vetoes"].items()) or "none"
    alone = f"{_saved(cost, 'candidate', 'incumbent')} / {_saved(cost, 'candidate', 'best_static')}"
    return (
        f"`{name}`",
        f"{report['simulated_s'] / DAY_S:g}",
        expected,
        f"**not as expected**: {came}" if wrong else came,
        str(report["escapes"]),
        f"{breach['applied']:g} / {breach['incumbent']:g}",
        vetoes,
        _saved(cost, "applied", "incumbent"),
        alone,
        f"{report['ticks_per_s']:g}",
    )


def _saved(cost: Mapping[str, float], lane: str, against: str) -> str:
    return f"{(1 - cost[lane] / cost[against]) * 100:.1f} %"


def _stages(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for name, _, report, _ in rows:
        for stage in report["stages"] if report is not None else ():
            left_s = stage["left_at_s"]
            left = "" if left_s is None else _day(left_s)
            yield f"`{name}`", stage["name"], _day(stage["entered_at_s"]), left, in_short(stage["why"])


def _day(at_s: float) -> str:
    return f"{at_s / DAY_S:.1f}"


def in_short(why: str) -> str:
    """A reason without what every gate says, cut where it gets long, safe in a table."""
    reasons = "; ".join(part for part in why.split("; ") if not part.startswith(UNTOLD))
    short = reasons if len(reasons) <= LONGEST else f"{reasons[:LONGEST]} ..."
    return short.replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
