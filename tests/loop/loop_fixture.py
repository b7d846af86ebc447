"""A running loop over the real hall, kernel, spool and policy child, small enough for a test."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import bootstrap
from controller.certificates import CERTIFICATE, PROVERS, signed
from controller.policies.trust import write_public
from controller.records.decision import Decision
from controller.rollout.state import RolloutState
from safety.kernel import kernel_digest
from safety.loading.spec import load_envelope
from safety.proof.certificate import Certificate
from safety.values import Observation, Proposal, Signal
from tests.paths import ROOT

DEMO = ROOT / "deploy" / "sites" / "demo"
KEY = Ed25519PrivateKey.generate()
DAY_US = 86_400_000_000


def site_copy(folder: Path) -> Path:
    """The demo site in a folder that a test may change."""
    copy = folder / "site"
    shutil.copytree(DEMO, copy)
    return copy


def without(site: Path, *lines: str) -> Path:
    """A copy of a site with every rule that has one of these lines taken out, for tests about what the other rules do."""
    envelope = site / "envelope.toml"
    head, *rules = envelope.read_text().split("[[rule]]\n")
    envelope.write_text("[[rule]]\n".join([head, *(rule for rule in rules if not any(line in rule for line in lines))]))
    return certify(site)


def certify(site: Path) -> Path:
    """Claim, with a key that the copy is made to trust, that its edited envelope is proved: for tests about something else."""
    envelope = load_envelope(site / "envelope.toml")
    claimed = Certificate(envelope.digest, kernel_digest(), "none", "none", {"claimed": "proved"})
    (site / CERTIFICATE).write_bytes(signed(claimed.canonical(), KEY))
    write_public(site / "trust" / PROVERS / "tests.pub", KEY.public_key())
    return site


def as_usual(seen: Observation, proposal: Proposal) -> Mapping[str, Signal]:
    """Whatever a candidate of a test wants counts as what it was trained on: most tests are about something else."""
    return {"candidate_novelty": Signal(0.5)}


def system(
    state: Path,
    *,
    site: Path = DEMO,
    policy_command: Sequence[str] | None = None,
    deadline_ms: float | None = None,
    max_rss_mb: float | None = None,
    usual: bool = False,
) -> bootstrap.ControlSystem:
    """The demo's control system; with a policy child that misbehaves where a test asks for one.

    With `usual`, and with such a child, nothing is novel: a plant that has just been started is unlike training for half an hour.
    """
    command = None if policy_command is None else tuple(policy_command)
    options = bootstrap.Options(
        site=site, state=state, policy_command=command, deadline_ms=deadline_ms, max_rss_mb=max_rss_mb
    )
    with pytest.MonkeyPatch.context() as patch:
        if usual or command is not None:
            patch.setattr(bootstrap, "NoveltyMeter", lambda manifest: as_usual)
        return bootstrap.build_control(options)


def in_charge(running: bootstrap.ControlSystem) -> None:
    """Give the candidate the whole plant from the next tick on, as a rollout that has come that far would."""
    last = len(running.loaded.spec.stages) - 1

    def everything(state: RolloutState) -> RolloutState:
        return replace(state, stage=last, first_block=0, entry=1)

    running.loop.state = replace(running.loop.state, rollout=everything(running.loop.state.rollout))


def run_ticks(running: bootstrap.ControlSystem, ticks: int, watch: Callable[[], None] = lambda: None) -> list[Decision]:
    """Run for so many regular ticks and return the decisions made, oldest first."""
    start_us = running.plant.observe().taken_at
    until_us = start_us + ticks * running.loaded.envelope.period_us

    def keep_going() -> bool:
        watch()
        return True

    running.loop.run(until_us, keep_going)
    made = running.spool.recent(4 * ticks)
    return sorted((d for d in made if d.observation.taken_at >= start_us), key=lambda d: d.observation.taken_at)
