"""The long runs, one after another: the demo's candidate for 40 days and for a year, and three bundles that are bad on purpose.

    python -m benchmarks.campaigns                    run them all (an hour or so), check them, write the page
    python -m benchmarks.campaigns --only reckless    one of them; the others as they were last time
    python -m benchmarks.campaigns --from DIR         no run at all: DIR holds a finished report `<name>.json` of each

Reports are kept in `.understudy/campaigns`; the page is `docs/reference/results/campaigns.md`. Ends with 1 if a check fails or a
run is missing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.campaign_page import page, stopped_at

REPORTS = Path(".understudy/campaigns")
PAGE = Path("docs/reference/results/campaigns.md")
SITE = "deploy/sites/demo"
Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Campaign:
    """One run and its expected result: the stages that may stop it, or the one it must reach."""

    name: str
    days: int
    candidate: str = ""
    stopped_by: tuple[str, ...] = ()
    reaches: str = ""

    def command(self, report: Path, state: Path) -> list[str]:
        """The arguments of `understudy` that make the report."""
        run = ["run", "--site", SITE, "--for", f"{self.days}d", "--speed", "max", "--seed", "1", "--headless"]
        bundle = ["--candidate", self.candidate] if self.candidate else []
        return [*run, *bundle, "--state", str(state), "--report", str(report)]

    @property
    def expected(self) -> str:
        """The expected result, in words."""
        return f"stopped at {' or '.join(self.stopped_by)}" if self.stopped_by else f"reaches {self.reaches}"


CAMPAIGNS = (
    Campaign("forty-days", 40, reaches="1 %"),
    Campaign("year", 365, reaches="25 %"),
    Campaign("reckless", 20, "reckless", stopped_by=("shadow",)),
    Campaign("stuck", 70, "stuck", stopped_by=("25 %",)),
    # In 80 days, which were enough before the load was fitted to traces, the gate at 25 % has not decided yet.
    Campaign("slow-drift", 120, "slow-drift", stopped_by=("25 %", "50 %")),
)


def failures(campaign: Campaign, report: Report) -> list[str]:
    """The failures of a report; empty if it has the expected result."""
    breach, ticks = report["breach_s"], report["ticks"]
    found = {
        f"{report['escapes']} commands outside the envelope": report["escapes"] != 0,
        f"breach of {breach['applied']} s, the incumbent's is {breach['incumbent']} s": breach["applied"]
        > breach["incumbent"],
        f"{report['decisions']} decisions stored of {ticks + report['guard_decisions']}": report["decisions"]
        != ticks + report["guard_decisions"],
        f"{ticks} ticks in {report['simulated_s']:g} s": ticks * 300 != report["simulated_s"],
    }
    stopped, entered = stopped_at(report), [stage["name"] for stage in report["stages"]]
    if campaign.stopped_by:
        found[f"stopped at {stopped or 'no stage'}"] = stopped not in campaign.stopped_by
    else:
        found[f"stopped at {stopped}"] = bool(stopped)
        found[f"came no further than {entered[-1]}"] = campaign.reaches not in entered
    return [what for what, wrong in found.items() if wrong]


def run(campaign: Campaign, into: Path) -> None:
    """Run a campaign; its report is then in `into`. Raises SystemExit if its exit code is not 0."""
    into.mkdir(parents=True, exist_ok=True)
    state = into / f"{campaign.name}.state"
    argv = campaign.command(into / f"{campaign.name}.json", state)
    sys.stderr.write(f"understudy {' '.join(argv)}\n")
    code = subprocess.run([sys.executable, "-m", "controller.cli", *argv], check=False).returncode
    if code != 0:
        raise SystemExit(f"campaign `{campaign.name}` ended with {code}; its state is in `{state}`")
    shutil.rmtree(state)


def reports_in(folder: Path) -> dict[str, Report]:
    """The finished reports of a folder, by campaign."""
    paths = {campaign.name: folder / f"{campaign.name}.json" for campaign in CAMPAIGNS}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.is_file()}


def main(argv: list[str] | None = None) -> int:
    """Run the campaigns requested, print failures, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, help="take the reports of this folder and run nothing")
    parser.add_argument("--only", choices=[campaign.name for campaign in CAMPAIGNS], help="run this one alone")
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    folder = args.folder or REPORTS
    if args.folder is None:
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for campaign in CAMPAIGNS:
            if args.only in (None, campaign.name):
                run(campaign, folder)
    reports = reports_in(folder)
    wrong = {each.name: failures(each, reports[each.name]) for each in CAMPAIGNS if each.name in reports}
    rows = [(each.name, each.expected, reports.get(each.name), wrong.get(each.name, [])) for each in CAMPAIGNS]
    args.page.write_text(page(rows))
    for name, _, report, failed in rows:
        print(f"{name}: {'no report' if report is None else '; '.join(failed) or 'as expected'}")
    return int(any(report is None or failed for _, _, report, failed in rows))


if __name__ == "__main__":
    sys.exit(main())
