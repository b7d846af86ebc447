"""State directories and reports of the version whose outcomes had no plant unit (tests/cases/state)."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller import bootstrap
from shadow.evidence import from_plain, to_plain
from tests.docs.renamed import in_new_keys, table, without_new_keys
from tests.loop.loop_fixture import run_ticks
from tests.paths import ROOT

CASES = ROOT / "tests" / "cases" / "state"
SITES = ROOT / "deploy" / "sites"
# plant, site, its guard, ticks until the earlier version wrote what is compared
PLANTS = [("cooling", "demo", "hot", 36), ("bidding", "bidding-demo", "excess_cost", 48)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive's folders, unpacked."""
    folder = tmp_path_factory.mktemp("kept")
    with tarfile.open(CASES / "schema-1.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize(("plant", "site", "guard", "ticks"), PLANTS, ids=[row[0] for row in PLANTS])
def test_earlier_state_is_resumed_and_continues(kept: Path, plant: str, site: str, guard: str, ticks: int) -> None:
    state = kept / plant
    before = checkpoint_of(state)
    with bootstrap.build_control(bootstrap.Options(site=SITES / site, state=state)) as running:
        loop = running.loop.state
        assert msgspec.to_builtins(loop.counters) == before["counters"]
        assert same(digestless(msgspec.to_builtins(loop.rollout)), digestless(before["rollout"]), rel=0.0)
        assert loop.rollout.spec_digest == running.loaded.spec.digest()
        assert same(to_plain(loop.evidence), to_plain(from_plain(before["evidence"], (guard,))), rel=0.0)
        block, was = loop.evidence.block, before["evidence"]["block"]
        assert block is not None
        assert (block.cost, block.guards) == (was["energy_kwh"], {guard: was["hot_degree_minutes"]})
        assert loop.evidence.benefit.cost.clip == running.loaded.spec.outcome.cost_clip_frac
        assert loop.evidence.benefit.guards[guard].clip == running.loaded.spec.outcome.guard_clips[guard]

        run_ticks(running, ticks)
        after = msgspec.msgpack.decode((state / "after.checkpoint").read_bytes())
        assert same(to_plain(running.loop.state.evidence), to_plain(from_plain(after["evidence"], (guard,))))
        report = without_new_keys(running.report(), "report")
        assert same(report, in_new_keys(json.loads((state / "after.json").read_text()), "report"))


def test_a_report_equals_the_earlier_one_through_the_table(tmp_path: Path) -> None:
    former = json.loads((CASES / "report-12h-schema-1.json").read_text())
    with bootstrap.build_control(bootstrap.Options(site=SITES / "demo", state=tmp_path)) as running:
        run_ticks(running, former["ticks"])
        today = running.report()
    assert same(without_new_keys(today, "report"), in_new_keys(former, "report"))
    assert (today["cost"]["name"], today["cost"]["unit"]) == ("energy", "kWh")
    assert [(guard["name"], guard["unit"]) for guard in today["guards"]] == [("hot", "K min")]


def test_the_table_names_what_a_report_has(tmp_path: Path) -> None:
    former = json.loads((CASES / "report-12h-schema-1.json").read_text())
    assert {before for where, before, _ in table() if where == "report" and before} <= former.keys()


def checkpoint_of(state: Path) -> dict[str, Any]:
    """The checkpoint in a state directory, as the earlier version wrote it."""
    spool = bootstrap.SpoolReader(state / "spool.sqlite")
    try:
        body = spool.checkpoint()
    finally:
        spool.close()
    assert body is not None
    plain: dict[str, Any] = msgspec.msgpack.decode(body)
    assert (plain["schema"], plain["evidence"]["schema"], plain["rollout"]["schema"]) == (1, 1, 1)
    return plain


def digestless(rollout: dict[str, Any]) -> dict[str, Any]:
    """A rollout's state without what names the specification's spelling."""
    return {key: value for key, value in rollout.items() if key not in ("schema", "spec_digest")}


def same(one: Any, other: Any, rel: float = 1e-6) -> bool:
    """Whether two plain values are equal: counts and words exactly, measurements to `rel`, for they depend on the machine."""
    pairs = list(zip(leaves(one), leaves(other), strict=True))
    return all(place == there and close(value, given, rel) for (place, value), (there, given) in pairs)


def close(value: Any, given: Any, rel: float) -> bool:
    if isinstance(value, float) and isinstance(given, float):
        return value == pytest.approx(given, rel=rel, abs=1e-12 if rel else 0.0)
    return type(value) is type(given) and bool(value == given)


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and word of a plain value, with where it stands, keys in order."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from leaves(value[key], f"{place}.{key}")
    elif isinstance(value, list | tuple):
        yield f"{place}.len", len(value)
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{place}[{index}]")
    else:
        yield place, value
