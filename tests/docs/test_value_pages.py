"""What the system writes is on the page that says how to read it: decision record, live status, report."""

import ast
from dataclasses import fields
from pathlib import Path

from controller.protocol.status import CheckStatus
from controller.protocol.status_reference import render
from controller.records.codec import SCHEMA_VERSION, _WireMeasured, _WireMemory
from safety.values import Authority, Outcome, Quality, Rung, Source, Status
from tests.docs.pages import REFERENCE, ROOT, documented, inline_code, rows, section

RECORD, LIVE = REFERENCE / "decision-record.md", REFERENCE / "live-status.md"
REPORT = ROOT / "docs" / "how-to" / "run-headless.md"


def written_keys(path: Path) -> set[str]:
    """Every key that the functions of a module write into a dict."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            found |= {key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            index = node.targets[0].slice
            if isinstance(index, ast.Constant) and isinstance(index.value, str):
                found.add(index.value)
    return found


def test_the_record_page_lists_every_field_in_its_place() -> None:
    shown = [(int(row[0]), row[1].strip("`")) for row in rows(RECORD.read_text()) if row[0].isdigit()]
    assert shown == list(enumerate(_WireMeasured.__struct_fields__))


def test_the_record_page_names_the_present_version() -> None:
    (row,) = [row for row in rows(RECORD.read_text()) if row[1] == "`version`"]
    assert row[2] == str(SCHEMA_VERSION)


def test_the_record_page_names_every_word_a_record_may_hold() -> None:
    words = set(inline_code(RECORD.read_text()))
    for kinds in (Authority, Outcome, Quality, Rung, Source, Status):
        assert {kind.value for kind in kinds} <= words, kinds.__name__
    assert set(_WireMemory.__struct_fields__) <= words


def test_live_status_page_is_made_from_its_declaration() -> None:
    assert LIVE.read_text() == render(), (
        "run `python -m controller.protocol.status_reference > docs/reference/live-status.md`"
    )
    assert [row[0] for row in rows(LIVE.read_text()) if row[0].startswith("`gate.checks[]")] == [
        f"`gate.checks[].{field.name}`" for field in fields(CheckStatus)
    ]


def test_the_report_page_lists_the_keys_of_a_report() -> None:
    text = section(REPORT, "The report")
    written = written_keys(ROOT / "controller" / "loop" / "report.py") | written_keys(
        ROOT / "controller" / "cli" / "running.py"
    )
    bookkeeping = {"site", "candidate", "seed", "until_us", "done", "s", "m", "h", "d"}
    assert written - bookkeeping - set(inline_code(text)) == set()
    assert set(documented(text)) <= written
