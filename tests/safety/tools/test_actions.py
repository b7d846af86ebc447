"""`understudy envelope ...`: what each command says, and when it says no."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from safety.loading.spec import load_envelope
from safety.tools import actions
from safety.tools.commission import commission
from safety.tools.log_csv import LogError, Row, read_log
from safety.values import Signal
from tests.safety.support.golden import CASES, FOLDER, USUAL, paths, read

SMALL = CASES / "envelopes" / "small.toml"
ENVELOPE = load_envelope(SMALL)
HEAD = ["time_s", *USUAL["targets"], *USUAL["signals"]]


def log_of(tmp_path: Path, rows: list[dict[str, object]]) -> Path:
    usual = {**USUAL["targets"], **USUAL["signals"]}
    lines = [",".join(HEAD)]
    for at, row in enumerate(rows):
        whole = {"time_s": 300 * at, **usual, **row}
        lines.append(",".join(str(whole[name]) for name in HEAD))
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines))
    return path


def test_check_names_the_envelope_or_the_mistake(tmp_path: Path) -> None:
    assert actions.check(SMALL).lines[1] == f"digest {ENVELOPE.digest}"
    (tmp_path / "bad.toml").write_text("plant = 1")
    report = actions.check(tmp_path / "bad.toml")
    assert not report.passed
    assert len(report.lines) == 1


def test_test_judges_the_golden_decisions() -> None:
    report = actions.test(FOLDER.cases, FOLDER.sites)
    assert report.passed
    assert report.lines[-1] == f"{len(paths())} golden decisions, 0 differences"


def test_folder_without_decisions_does_not_pass(tmp_path: Path) -> None:
    report = actions.test(tmp_path, FOLDER.sites)
    assert not report.passed
    assert "holds no golden decisions" in report.lines[0]


def test_an_incumbent_inside_the_envelope_passes_commissioning(tmp_path: Path) -> None:
    path = log_of(tmp_path, [{"supply_c": 18 + 0.1 * (at % 5)} for at in range(50)])
    report = actions.commission_log(SMALL, path)
    assert report.passed
    assert report.lines[0] == "accepted (100.0000%) >= required (99.9%) of 50 ticks"


def test_commissioning_says_what_would_have_refused_the_incumbent(tmp_path: Path) -> None:
    path = log_of(tmp_path, [{"supply_c": 31 if at == 3 else 18, "inlet_c": "" if at == 5 else 24} for at in range(10)])
    report = actions.commission_log(SMALL, path)
    assert not report.passed
    assert "accepted (80.0000%) < required" in report.lines[0]
    assert "refused by SUPPLY-BOUND: 1, first at 900 s: `supply_c` 31 C is outside [10, 30]" in report.lines
    assert "authority removed by INLET-OLD: 1, first at 1500 s: not good or older than 600 s: `inlet_c`" in report.lines
    assert "`inlet_c` is not good in 1 of 10 rows" in report.lines


def test_commissioning_counts_where_the_ramp_would_have_slowed(tmp_path: Path) -> None:
    found = commission(ENVELOPE, read_log(log_of(tmp_path, [{}, {"supply_c": 25}, {"supply_c": 25}]), ENVELOPE))
    assert (found.accepted, found.slowed) == (3, 1)


@pytest.mark.parametrize("text", ["", "time_s\n1\n"])
def test_a_log_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    report = actions.commission_log(SMALL, tmp_path / "log.csv")
    assert not report.passed
    assert "has no column" in report.lines[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"supply_c": "warm"}, r"log\.csv:3: `supply_c` is `warm`: give the command as a number"),
        ({"supply_c": ""}, r"log\.csv:3: `supply_c` is ``: give the command as a number"),
        ({"time_s": "2026-01-01 00:05"}, r"log\.csv:3: `time_s` is `2026-01-01 00:05`: give seconds as a number"),
        ({"time_s": "inf"}, r"log\.csv:3: `time_s` is `inf`: give seconds as a finite number"),
        ({"time_s": 0}, r"log\.csv:3: `time_s` 0 is not after 0 of the row before: sort the log by time"),
        ({"time_s": -1}, r"log\.csv:3: `time_s` -1 is not after 0 of the row before: sort the log by time"),
    ],
)
def test_unreadable_row_names_its_line_and_cell(tmp_path: Path, row: dict[str, object], message: str) -> None:
    with pytest.raises(LogError, match=message):
        list(read_log(log_of(tmp_path, [{}, row]), ENVELOPE))


@pytest.mark.parametrize("spoil", [lambda line: line.rpartition(",")[0], lambda line: line + ",1"])
def test_row_with_too_few_or_many_cells_is_refused(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    path = log_of(tmp_path, [{}, {}])
    *rest, last = path.read_text().splitlines()
    path.write_text("\n".join([*rest, spoil(last)]))
    (line,) = actions.commission_log(SMALL, path).lines
    assert line.startswith(f"{path}:3: ")
    assert "columns" in line


def test_a_log_without_rows_is_refused_and_not_counted(tmp_path: Path) -> None:
    assert "a header and no rows" in actions.commission_log(SMALL, log_of(tmp_path, [])).lines[0]


def test_spreadsheet_log_is_read_and_semicolons_are_named(tmp_path: Path) -> None:
    path = log_of(tmp_path, [{}, {}])
    text = path.read_text()
    path.write_text(text, encoding="utf-8-sig")
    assert actions.commission_log(SMALL, path).passed
    path.write_text(text.replace(",", ";"))
    assert actions.commission_log(SMALL, path).lines[0].endswith("separate the cells by commas")
    path.write_text(text, encoding="utf-16")
    assert actions.commission_log(SMALL, path).lines[0].endswith("save it as UTF-8")


def test_commissioning_blames_only_rules_that_bind_the_incumbent(tmp_path: Path) -> None:
    """An old inlet takes the policy's authority by two rules, and everybody's by one."""
    report = actions.commission_log(SMALL, log_of(tmp_path, [{}, {"inlet_c": ""}]))
    ruling = read(CASES / "decisions" / "stale_sensor_everybody.toml").ruling()
    policys = {f.rule for f in ruling.state} - {"INLET-OLD"}
    assert policys
    removed = [line for line in report.lines if line.startswith("authority removed by")]
    assert len(removed) == 1
    assert removed[0].startswith("authority removed by INLET-OLD: 1,")
    assert not any(name in line for name in policys for line in report.lines)


def test_commissioning_warns_of_wrong_time_units_and_short_logs(tmp_path: Path) -> None:
    usual = actions.commission_log(SMALL, log_of(tmp_path, [{}] * 3)).lines
    assert usual[-1] == "a short log: 3 ticks, and 3000 are needed to tell 99.9% from less"
    assert not any("apart" in line for line in usual)
    for factor, gap in ((1000, "300000"), (1 / 300, "1")):
        path = log_of(tmp_path, [{"time_s": 300 * at * factor} for at in range(3)])
        report = actions.commission_log(SMALL, path).lines
        assert f"rows are {gap} s apart, decisions 300 s: is `time_s` in seconds?" in report


def test_rules_that_refused_equally_often_are_sorted_by_name(tmp_path: Path) -> None:
    """And so in the same order in every process."""
    path = log_of(tmp_path, [{"supply_c": 31, "fan_frac": 0.1}] * 2)
    named = [line.split(":")[0] for line in actions.commission_log(SMALL, path).lines if line.startswith("refused by")]
    assert named == ["refused by FAN-BOUND", "refused by SUPPLY-BOUND"]


def test_a_log_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    assert "cannot be read" in actions.commission_log(SMALL, tmp_path / "absent.csv").lines[0]


def test_an_empty_log_passes_nothing() -> None:
    assert not commission(ENVELOPE, []).passes
    assert commission(ENVELOPE, [Row(0, USUAL["targets"], {n: Signal(v) for n, v in USUAL["signals"].items()})]).passes


def explained(case: str) -> str:
    found = read(CASES / "decisions" / f"{case}.toml")
    return "\n".join(actions.explain(found.ruling(), found.envelope, found.observation.authority).lines)


def test_explain_tells_who_acts_who_could_not_and_why() -> None:
    text = explained("trip")
    assert "incumbent commands: supply_c 18" in text
    assert "INLET-TRIP (T1): `inlet_c` 33 C is outside [10, 32]" in text
    assert "candidate has no authority" in text
    assert "SUPPLY-SLEW (T4) waived on the step" in explained("slew_waived")
    assert "`chillers_on` waits" in explained("waiting_on_a_timer")


def test_explain_tells_of_a_latch_whose_cause_has_gone() -> None:
    text = explained("trip_latched")
    assert "INLET-TRIP is latched, first by: as it was; the candidate is out until an operator resets it" in text


@pytest.mark.parametrize(
    ("case", "start"),
    [
        ("hold", "no source could act, so the last command is held: supply_c 18"),
        ("failsafe", "no source could act, so fail-safe `COLD-HALL` is commanded: chillers_on 1"),
        ("relinquish", "nothing is commanded: the plant's local system resumes"),
    ],
)
def test_explain_says_what_the_last_rungs_do(case: str, start: str) -> None:
    assert explained(case).startswith(start)


def test_explain_tells_what_gives_way_to_a_last_resort() -> None:
    text = explained("hold_is_judged_as_of_now").partition("failsafe: accepted")[2]
    for rule in ("DEW (T2)", "FLOW-A-SLEW (T4)", "FLOW-B-SLEW (T4)", "SUPPLY-SLEW (T4)"):
        assert f"    {rule} waived on the step: " in text


def test_explain_names_the_local_system_in_control() -> None:
    text = explained("local_authority_relinquishes")
    assert "local system is in control" in text
    assert "incumbent has no authority" not in text


def test_explain_names_the_nearest_limit_of_what_can_move() -> None:
    """In its unit, by share of the range. One of two chillers always stands on a limit, which says nothing."""
    text = explained("ramped")
    assert "CHILLERS-BOUND" not in text
    nearest = [line for line in text.splitlines() if "nearest limit" in line]
    assert re.fullmatch(r"    nearest limit: [A-Z-]+, [\d.]+ \w+ away, [\d.]+% of the range of `\w+`", nearest[0])


def test_explain_separates_the_step_from_its_target() -> None:
    assert "`supply_air_c` moves to 21.6 for now, its target is 24" in explained("cooling_supply_slew")
    assert "for now" not in explained("override_refused")


def test_prove_gives_a_certificate_only_where_all_is_proved() -> None:
    pytest.importorskip("z3")
    report = actions.prove(SMALL)
    assert not report.passed
    assert report.made == b""
    assert any("refuted" in line for line in report.lines)


def test_diff_says_who_must_approve(tmp_path: Path) -> None:
    pytest.importorskip("z3")
    (tmp_path / "new.toml").write_text(SMALL.read_text().replace("distance = 3", "distance = 2"))
    assert actions.diff(SMALL, tmp_path / "new.toml").lines[-1].startswith("approvals: 1")
    assert not actions.diff(SMALL, tmp_path / "absent.toml").passed


def test_a_page_without_golden_decisions_is_not_made(tmp_path: Path) -> None:
    """It would say of every rule that no case tests it."""
    pytest.importorskip("z3")
    report = actions.make_page(SMALL, tmp_path, FOLDER.sites)
    assert not report.passed
    assert report.made == b""
    assert "holds no golden decisions" in report.lines[0]


def test_the_page_tells_hazard_rule_proof_case_and_result() -> None:
    pytest.importorskip("z3")
    made = actions.make_page(SMALL, FOLDER.cases, FOLDER.sites)
    assert any(line.startswith("not proved: failsafe/") for line in made.lines)
    text = made.made.decode()
    row = next(line for line in text.splitlines() if "`DEW`" in line)
    assert row.startswith("| condensation | `DEW` (interlock) | T2 |")
    assert "`veto_t2_interlock`" in row
    assert row.endswith("| passed |")
    assert "failsafe: refuted" in row


def test_a_log_needs_no_column_that_is_made_of_others(tmp_path: Path) -> None:
    """The demo votes on three sensors, and novelty is a candidate's; no plant logs either."""
    demo = FOLDER.sites / "demo" / "envelope.toml"
    usual = FOLDER.usual("demo")
    row = {**usual["signals"], **usual["targets"]}
    del row["candidate_novelty"]
    assert "inlet_z1_c" not in row
    path = tmp_path / "log.csv"
    lines = [",".join(["time_s", *row]), *(",".join(map(str, [300 * tick, *row.values()])) for tick in range(20))]
    path.write_text("\n".join(lines) + "\n")
    report = actions.commission_log(demo, path)
    assert report.passed, report.lines
