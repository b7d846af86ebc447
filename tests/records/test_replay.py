"""Every stored decision replays to the last bit, from spool and from store, by the envelope that judged it; and whatever was
changed is named."""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from math import inf, isnan, nextafter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller import bootstrap
from controller.cli import app
from controller.cli.running import migrate
from controller.records import lookup
from controller.records.codec import decode, encode
from controller.records.decision import Decision, Judged
from controller.records.replay import reinfer, replay
from controller.records.spool import SqliteSpool
from controller.records.store import Store
from controller.records.tick_entry import TickEntry
from migrations import upgrade
from safety.memory import tripped
from safety.values import Finding, Latch, Outcome, Rung, Source, Tier
from simulators.cooling.world.faults import Fault
from tests.cli.imports import heavy_imports
from tests.loop.loop_fixture import in_charge, site_copy, system
from tests.loop.scripted_candidates import Operator, befall, play, second
from tests.records.record_corpus import decision_of, reworded
from tests.safety.support.golden import CASES, read

TICKS = 16


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo site as it was while the run was made."""
    return site_copy(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Path:
    """A run with the shipped candidate in charge, an override, a fan lost and a coil lost; all of it shipped to the store."""
    folder = tmp_path_factory.mktemp("run") / "state"
    faults = (Fault("fan_lost", 1800.0, 600.0, 0.6, zone=2), Fault("valve_stuck", 3000.0, 1200.0, 1.0, zone=1))
    with system(folder, site=site, usual=True) as running:
        in_charge(running)
        befall(running, *faults)
        ann = Operator(running)
        play(running, TICKS, {600_000_000: lambda: override(ann)})
    url = lookup.store_url("sqlite:///store.sqlite", folder)
    upgrade(url)
    bootstrap.ship_the_rest(folder, url)
    return folder


def override(ann: Operator) -> None:
    ann.does("override", setpoints={"supply_air_c": 19.0, "chillers_on": 2.0})


@pytest.fixture(scope="module")
def decisions(state: Path) -> list[Decision]:
    spool = SqliteSpool(state / "spool.sqlite")
    try:
        return sorted(spool.recent(100), key=lambda d: d.observation.taken_at)
    finally:
        spool.close()


@pytest.fixture
def copy(state: Path, tmp_path: Path) -> Path:
    """The run, for a test to change."""
    return Path(shutil.copytree(state, tmp_path / "copy"))


def loaded(site: Path) -> bootstrap.Loaded:
    return bootstrap.read(site)


def replay_output(*words: str | Path) -> tuple[int, str]:
    """Exit code and output of `understudy replay`."""
    result = CliRunner().invoke(app, ["replay", *(str(word) for word in words)])
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


def test_the_run_has_seen_the_rungs_that_replay_must_reproduce(decisions: list[Decision]) -> None:
    assert {d.command.rung for d in decisions} >= {Rung.CANDIDATE, Rung.OPERATOR, Rung.INCUMBENT}
    assert [d for d in decisions if second(d) % 300.0], "a guard's decision"
    assert [d for d in decisions if d.memory_after.latches], "a latch"


def test_every_decision_replays_to_the_last_bit_from_the_spool(decisions: list[Decision], site: Path) -> None:
    ours = loaded(site)
    assert len(decisions) > TICKS
    assert [d.id for d in decisions if not replay(d, ours.envelope, ours.kernel_digest).agrees] == []


def test_every_decision_replays_to_the_last_bit_from_the_store(
    decisions: list[Decision], site: Path, state: Path
) -> None:
    ours, store = loaded(site), Store(lookup.store_url("sqlite:///store.sqlite", state))
    stored = [decode(s.record) for d in decisions if (s := store.decision(d.id)) is not None]
    store.close()
    assert stored == decisions
    assert [d.id for d in stored if not replay(d, ours.envelope, ours.kernel_digest).agrees] == []


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "case", ["veto_t2_interlock", "trip_latched", "stale_sensor_policy", "failsafe", "veto_t0_nan"]
)
def test_a_reworded_decision_replays(case: str, version: int) -> None:
    golden = read(CASES / "decisions" / f"{case}.toml")
    made = decision_of(golden)
    old = replace(reworded(made), version=version, ruling_digest="0" * 64 if version == 1 else made.ruling_digest)
    assert (old.judged, old.state, old.memory_after) != (made.judged, made.state, made.memory_after)
    assert replay(decode(encode(old)), golden.envelope, "kernel").agrees


FINDING = Finding("X", Tier.T5, Outcome.SKIPPED, 0.0, "state", "")
CHANGES: dict[str, Callable[[Decision], Decision]] = {
    "command": lambda d: replace(d, command=replace(d.command, valid_for_us=1)),
    "judged candidate": lambda d: replace(d, judged=tuple(_refusing_more(judged) for judged in d.judged)),
    "chosen": lambda d: replace(d, chosen=replace(d.chosen, accepted=not d.chosen.accepted)),
    "removed": lambda d: replace(d, removed=(*d.removed, Source.OPERATOR)),
    "state": lambda d: replace(d, state=(*d.state, FINDING)),
    "memory latches": lambda d: replace(d, memory_after=replace(d.memory_after, latches=(Latch("X", FINDING),))),
    "memory rules": lambda d: replace(d, memory_after=replace(d.memory_after, rules={})),
}


def _refusing_more(judged: Judged) -> Judged:
    """The judgement with the margin of its first finding one bit off."""
    if judged.rung is not Rung.CANDIDATE:
        return judged
    first, *rest = judged.findings
    return replace(judged, findings=(replace(first, margin=nextafter(first.margin, inf)), *rest))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_field_of_either_version_is_named(field: str, version: int) -> None:
    golden = read(CASES / "decisions" / "veto_t2_interlock.toml")
    changed = CHANGES[field](replace(decision_of(golden), version=version))
    found = replay(changed, golden.envelope, "kernel").differences
    assert [each.partition(": stored ")[0] for each in found] == [field]


def test_a_latch_of_unknown_margin_replays() -> None:
    case = read(CASES / "decisions" / "trip_latched.toml")
    latched = replace(case, memory=tripped(replace(case.memory, latches=()), "BY-HAND", "a hand"))
    decision = decode(encode(decision_of(latched)))
    assert [isnan(latch.first_out.margin) for latch in decision.memory_after.latches] == [True]
    assert replay(decision, case.envelope, "kernel").agrees


def test_candidate_repeats_its_answer_to_1e_5(decisions: list[Decision], site: Path) -> None:
    ours = loaded(site)
    with bootstrap.serving(ours) as candidate:
        differences = [difference for d in decisions for difference in reinfer(d, ours.envelope, candidate)]
    assert differences == []


def test_different_candidate_answer_is_reported_with_both_values(decisions: list[Decision], site: Path) -> None:
    ours = loaded(site)
    first = decisions[0]
    altered = tuple(
        replace(p, targets={**p.targets, "tower_c": p.targets["tower_c"] + 1e-3}) if p.source is Source.CANDIDATE else p
        for p in first.proposals
    )
    with bootstrap.serving(ours) as candidate:
        (difference,) = reinfer(replace(first, proposals=altered), ours.envelope, candidate)
    assert difference.startswith("`tower_c`: stored ")


class TestCommand:
    """`understudy replay`."""

    def test_it_says_that_nothing_differs_and_exits_with_0(
        self, decisions: list[Decision], site: Path, state: Path
    ) -> None:
        code, text = replay_output(decisions[0].id, "--reinfer", "--site", site, "--state", state)
        assert code == 0, text
        assert "the same to the last bit" in text

    def test_it_finds_in_the_store_what_the_spool_has_forgotten(
        self, decisions: list[Decision], site: Path, copy: Path
    ) -> None:
        spool = SqliteSpool(copy / "spool.sqlite")
        assert spool.prune(1) == len(decisions) - 1
        spool.close()
        code, text = replay_output(decisions[0].id, "--site", site, "--state", copy)
        assert code == 0, text

    @pytest.mark.parametrize("where", ["spool", "store"])
    def test_a_tampered_record_is_named(self, where: str, decisions: list[Decision], site: Path, copy: Path) -> None:
        victim = next(d for d in decisions if d.command.rung is Rung.CANDIDATE)
        tampered = encode(replace(victim, assignment=replace(victim.assignment, why="because I say so")))
        if where == "spool":
            rewrite(copy / "spool.sqlite", "UPDATE entry SET record = ? WHERE taken_at = ?", tampered, victim)
        else:
            rewrite(copy / "spool.sqlite", "DELETE FROM entry WHERE ? NOTNULL AND taken_at = ?", b"", victim)
            rewrite(copy / "store.sqlite", "UPDATE decision SET record = ? WHERE taken_at = ?", tampered, victim)
        code, text = replay_output(victim.id, "--site", site, "--state", copy)
        assert code == 1
        assert "DIFFERS: record: its bytes are not those that were written" in text

    def test_tampered_proposal_is_reported_with_its_recomputed_decision(
        self, decisions: list[Decision], site: Path, copy: Path
    ) -> None:
        victim = next(d for d in decisions if d.command.rung is Rung.CANDIDATE)
        colder = tuple(replace(p, targets={**p.targets, "supply_air_c": 17.0}) for p in victim.proposals)
        rewrite(
            copy / "spool.sqlite",
            "UPDATE entry SET record = ? WHERE taken_at = ?",
            encode(replace(victim, proposals=colder)),
            victim,
        )
        code, text = replay_output(victim.id, "--site", site, "--state", copy)
        assert code == 1
        for difference in ("record: ", "command: stored ", "memory last: stored ", "ruling digest: stored "):
            assert f"DIFFERS: {difference}" in text

    def test_a_record_that_cannot_be_read_is_a_difference_too(
        self, decisions: list[Decision], site: Path, copy: Path
    ) -> None:
        victim = decisions[3]
        rewrite(copy / "spool.sqlite", "UPDATE entry SET record = ? WHERE taken_at = ?", b"\xc1\x00", victim)
        code, text = replay_output(victim.id, "--site", site, "--state", copy)
        assert code == 1
        assert "DIFFERS: record: its bytes are not those that were written" in text

    def test_another_kernel_is_a_note(self, decisions: list[Decision], site: Path, tmp_path: Path) -> None:
        other = replace(decisions[0], digests=replace(decisions[0].digests, kernel="0" * 64))
        code, text = replay_output("last", "--site", site, "--state", spooled(tmp_path / "other", other))
        assert code == 0, text
        assert f"note: kernel {loaded(site).kernel_digest[:12]} is not the 000000000000 that judged it" in text
        assert "DIFFERS" not in text

    def test_a_reworded_version_1_record_replays(self, decisions: list[Decision], site: Path, tmp_path: Path) -> None:
        latched = next(d for d in decisions if d.memory_after.latches)
        old = replace(reworded(latched), version=1, ruling_digest="0" * 64)
        code, text = replay_output("last", "--site", site, "--state", spooled(tmp_path / "old", old))
        assert code == 0, text
        assert "note: record version 1: " in text

    def test_replay_with_another_bundle_names_its_digest(
        self, decisions: list[Decision], site: Path, tmp_path: Path
    ) -> None:
        other = replace(decisions[0], digests=replace(decisions[0].digests, policy="0" * 64))
        folder = spooled(tmp_path / "other", other)
        assert replay_output("last", "--site", site, "--state", folder)[0] == 0
        code, text = replay_output("last", "--reinfer", "--site", site, "--state", folder)
        assert code == 1
        assert "is not the 000000000000 that proposed" in text


class TestEditedEnvelope:
    """The site's file has changed since: what judged is kept under the digest that decisions name."""

    @pytest.fixture
    def edited(self, site: Path, tmp_path: Path) -> Path:
        path = Path(shutil.copytree(site, tmp_path / "edited")) / "envelope.toml"
        path.write_text(path.read_text().replace("low = 16\nhigh = 26", "low = 21\nhigh = 22"))
        return path.parent

    def test_envelope_is_stored_as_text_whose_sha256_is_its_digest(
        self, decisions: list[Decision], site: Path, state: Path
    ) -> None:
        digest = loaded(site).envelope.digest
        store, spool = Store(lookup.store_url("sqlite:///store.sqlite", state)), SqliteSpool(state / "spool.sqlite")
        bodies = [spool.artefact(digest), store.get_artefact(digest)]
        store.close()
        spool.close()
        for body in bodies:
            assert body is not None
            assert hashlib.sha256(body).hexdigest() == digest == decisions[0].digests.envelope
        assert lookup.envelope_of(bootstrap.load(site).site, digest, state) == loaded(site).envelope

    def test_the_replay_judges_by_the_envelope_of_then(
        self, decisions: list[Decision], edited: Path, state: Path
    ) -> None:
        today = loaded(edited).envelope
        differing = [d for d in decisions if not replay(d, today, d.digests.kernel).agrees]
        assert differing == decisions, "or the edit would not show"
        for decision in (decisions[0], decisions[-1]):
            code, text = replay_output(decision.id, "--reinfer", "--site", edited, "--state", state)
            assert code == 0, text

    def test_the_store_has_it_when_the_spool_has_not(self, decisions: list[Decision], edited: Path, copy: Path) -> None:
        with closing(sqlite3.connect(copy / "spool.sqlite", isolation_level=None)) as db:
            db.execute("DELETE FROM artefact")
        assert replay_output(decisions[0].id, "--site", edited, "--state", copy)[0] == 0

    def test_one_that_is_broken_today_is_not_needed(self, decisions: list[Decision], edited: Path, state: Path) -> None:
        (edited / "envelope.toml").write_text("plant = ")
        assert replay_output(decisions[0].id, "--site", edited, "--state", state)[0] == 0

    def test_without_the_artefact_the_other_envelope_is_named(
        self, decisions: list[Decision], edited: Path, tmp_path: Path
    ) -> None:
        folder = spooled(tmp_path / "alone", decisions[0])
        code, text = replay_output("last", "--site", edited, "--state", folder)
        assert code == 1
        wanted, held = decisions[0].digests.envelope[:12], loaded(edited).envelope.digest[:12]
        assert f"DIFFERS: envelope {held} is not the {wanted} it was judged by" in text

    def test_stored_content_that_differs_from_its_digest_is_refused(
        self, decisions: list[Decision], edited: Path, copy: Path
    ) -> None:
        other = SqliteSpool(copy / "spool.sqlite")
        digest = other.keep_artefact("envelope-canonical", bootstrap.canonical_of(edited / "envelope.toml"))
        with closing(sqlite3.connect(copy / "spool.sqlite", isolation_level=None)) as db:
            (forged,) = db.execute("SELECT body FROM artefact WHERE digest = ?", (digest,)).fetchone()
            db.execute("UPDATE artefact SET body = ? WHERE digest = ?", (forged, decisions[0].digests.envelope))
        other.close()
        code, text = replay_output(decisions[0].id, "--site", edited, "--state", copy)
        assert code == 2
        assert "restore it from a backup" in text


def test_decision_is_found_by_id_or_as_the_last(decisions: list[Decision], state: Path) -> None:
    url = lookup.store_url("sqlite:///store.sqlite", state)
    assert lookup.find_decision(decisions[2].id, state, url) == decisions[2]
    assert lookup.find_decision("last", state, url) == decisions[-1]


def test_unreachable_store_is_reported_and_the_run_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    migrate("postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert "does not answer" in capsys.readouterr().err


def spooled(folder: Path, decision: Decision) -> Path:
    """A state directory with one decision and nothing else."""
    spool = SqliteSpool(folder / "spool.sqlite")
    spool.append(TickEntry(decision=decision))
    spool.close()
    upgrade(lookup.store_url("sqlite:///store.sqlite", folder))
    return folder


def rewrite(path: Path, sql: str, record: bytes, victim: Decision) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert db.execute(sql, (record, victim.observation.taken_at)).rowcount == 1


@pytest.mark.parametrize("words", [("replay", "last"), ("envelope", "explain", "last")], ids=" ".join)
def test_decision_in_the_spool_is_found_without_the_store(words: tuple[str, ...], site: Path, state: Path) -> None:
    code, imported = heavy_imports(*words, "--site", site, "--state", state)
    assert code == 0
    assert imported <= {"msgspec", "rich"}
