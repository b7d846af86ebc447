"""The one place that chooses concrete things: settings in, a running system out."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from controller import certificates
from controller.errors import SettingsError
from controller.loop.checkpoint import LoopState
from controller.loop.operator_commands import Operators
from controller.loop.parts import Parts, Tick, Watcher
from controller.loop.report import report_of
from controller.loop.status_publisher import StatusPublisher
from controller.loop.tick import PlantLoop
from controller.metrics.control import ControlMetrics, control_registry
from controller.plants.real_time import Paced
from controller.plants.registry import PlantContext, build_plant, check_plant
from controller.policies.bundle import Bundle, load_bundle
from controller.policies.client import ChildCandidate
from controller.policies.manifest import BundleError
from controller.policies.novelty import NoveltyMeter
from controller.policies.process import COMMAND
from controller.policies.trust import TrustStore
from controller.ports import Candidate, Event, Plant
from controller.protocol.status import PolicyStatus, SiteStatus
from controller.records.decision import Digests
from controller.records.errors import SpoolError
from controller.records.operator_queue import OperatorQueue
from controller.records.shipper import Shipper
from controller.records.spool import SqliteSpool
from controller.records.spool_reader import SpoolReader
from controller.records.store import Store
from controller.rollout.spec import RolloutSpec, check_against, check_guards, load_spec
from controller.rollout.transitions import start
from controller.settings import Site, load_site
from safety.envelope import Envelope, fresh_memory
from safety.kernel import verify_kernel, verify_packages
from safety.loading.spec import canonical_of, load_envelope
from shadow.evidence import Evidence

KEEP_DECISIONS = 14 * 288
PRUNE_EVERY = 250


@dataclass(frozen=True, slots=True)
class Options:
    """What one run adds to a site. `speed` is plant seconds per wall second, None as fast as it goes.

    The last three are for scenarios that test a misbehaving candidate: its command, and limits other than the site's.
    Without a speed there is no wall-clock deadline unless `deadline_ms` gives one.
    """

    site: Path
    state: Path
    candidate: str = ""
    seed: int = 1
    speed: float | None = None
    policy_command: tuple[str, ...] | None = None
    deadline_ms: float | None = None
    max_rss_mb: float | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A site's artefacts, each checked as far as it can be without starting anything. `prover` signed the certificate."""

    site: Site
    envelope: Envelope
    spec: RolloutSpec
    bundle: Bundle
    kernel_digest: str
    prover: str = ""

    @property
    def digests(self) -> Digests:
        return Digests(self.bundle.digest, self.envelope.digest, self.kernel_digest, self.site.digest)


def load(folder: Path, candidate: str = "") -> Loaded:
    """Everything a site consists of, with a certificate for its envelope. Raises an error of one sentence that says what to do."""
    loaded = read(folder, candidate)
    check_plant(loaded.site)
    # Last, so that whatever is plainly wrong with the envelope is said instead of that it is not the proved one.
    files = loaded.site.settings.files
    at = loaded.site.folder
    prover = certificates.require(loaded.envelope, loaded.kernel_digest, at / files.certificate, at / files.trust)
    return replace(loaded, prover=prover)


def read(folder: Path, candidate: str = "") -> Loaded:
    """Everything a site consists of, to be looked at: nothing may be run on an envelope without its certificate."""
    verify_packages()
    kernel_digest = verify_kernel()
    site = load_site(folder)
    envelope = load_envelope(site.folder / site.settings.files.envelope)
    spec = _load_spec(site)
    bundle = load_bundle(_bundle_folder(site, candidate), TrustStore.load(site.folder / site.settings.files.trust))
    if envelope.plant != site.settings.plant.name:
        raise SettingsError(
            f"`envelope.toml` is for plant `{envelope.plant}`, `site.toml` for `{site.settings.plant.name}`: fix one of them"
        )
    _check_bundle(bundle, envelope)
    if spec.period_s * 1_000_000 != envelope.period_us:
        raise SettingsError(
            f"`rollout.toml` has a period of {spec.period_s} s, "
            f"`envelope.toml` of {envelope.period_us // 1_000_000} s: fix one of them"
        )
    if strange := sorted(site.settings.deadbands.keys() - envelope.names):
        raise SettingsError(f"unknown setpoint `deadbands.{strange[0]}`; valid: {', '.join(sorted(envelope.names))}")
    return Loaded(site, envelope, spec, bundle, kernel_digest)


def rehearse(loaded: Loaded, seed: int = 1) -> None:
    """Set a simulated plant up once, in a folder that is thrown away: what is wrong with it is said before anything is begun.

    A real one is not touched twice.
    """
    if loaded.site.settings.plant.simulated:
        with TemporaryDirectory() as folder:
            built = build_plant(PlantContext(loaded.site, loaded.envelope, seed, Path(folder)))
            try:
                check_guards(loaded.spec, (guard.name for guard in built.plant.outcome_spec.guards))
            finally:
                built.close()


def _check_bundle(bundle: Bundle, envelope: Envelope) -> None:
    """Refuse a bundle made for another plant, before it can be anything but wrong on every tick."""
    manifest = bundle.manifest
    proposed = {output.setpoint for output in manifest.outputs}
    if proposed != envelope.names:
        wrong = ", ".join(sorted(proposed ^ envelope.names))
        raise SettingsError(f"bundle `{manifest.name}` and the envelope disagree on these setpoints: {wrong}")
    if round(manifest.control_period_s * 1_000_000) != envelope.period_us:
        raise SettingsError(
            f"bundle `{manifest.name}` decides every {manifest.control_period_s:g} s, "
            f"the envelope every {envelope.period_us / 1e6:g} s: train one for this period"
        )


def _load_spec(site: Site) -> RolloutSpec:
    path = site.folder / site.settings.files.rollout
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"`{path}` cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"`{path}` is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    spec = load_spec(text)
    check_against(spec, site.settings.plant.simulated)
    return spec


def _bundle_folder(site: Site, candidate: str) -> Path:
    settings = site.settings.candidate
    if candidate in ("", "candidate"):
        return site.folder / settings.bundle
    if candidate not in settings.others:
        known = ", ".join(sorted(settings.others)) or "none"
        raise SettingsError(f"candidate `{candidate}` is not in site.toml; there are: {known}")
    return site.folder / settings.others[candidate]


class _Measured(Watcher):
    """Feeds the metrics."""

    def __init__(self, metrics: ControlMetrics) -> None:
        self.metrics = metrics

    def decided(self, tick: Tick) -> None:
        self.metrics.decided(tick.decision, tick.comparison)

    def happened(self, event: Event) -> None:
        self.metrics.happened(event)

    def began(self, late_s: float) -> None:
        self.metrics.began(late_s)


class _Pruner(Watcher):
    """Keeps the spool small: what the store has, and is older than two weeks of ticks, may go."""

    def __init__(self, spool: SqliteSpool) -> None:
        self.spool, self.seen = spool, 0

    def decided(self, tick: Tick) -> None:
        self.seen += 1
        if self.seen % PRUNE_EVERY == 0:
            with suppress(SpoolError):  # the loop finds out by itself, on what it must save
                self.spool.prune(KEEP_DECISIONS, at_most=4 * PRUNE_EVERY)


class _Publisher:
    """Publishes to the spool. A status that cannot be written is let go: the next one follows within a second."""

    def __init__(self, spool: SqliteSpool) -> None:
        self.spool = spool

    def publish_live(self, json_text: str) -> None:
        with suppress(SpoolError):
            self.spool.publish_live(json_text)


class ControlSystem:
    """A plant's loop with all that belongs to it, closed in the right order."""

    def __init__(self, loaded: Loaded, options: Options) -> None:
        state = options.state
        state.mkdir(parents=True, exist_ok=True)
        self.loaded, self.options = loaded, options
        self.spool = SqliteSpool(state / "spool.sqlite", durability=loaded.site.settings.store.durability)
        self.candidate = _candidate(loaded, options)
        self.built = build_plant(PlantContext(loaded.site, loaded.envelope, options.seed, state))
        self.plant, self.incumbent = self.built.plant, self.built.incumbent
        check_guards(loaded.spec, (guard.name for guard in self.plant.outcome_spec.guards))
        self.operators = Operators(
            loaded.envelope.plant,
            OperatorQueue(state / "intents.sqlite"),
            state,
            lambda event_id: self.spool.event(event_id) is not None,
        )
        self.live = StatusPublisher(
            _Publisher(self.spool),
            loaded.envelope,
            loaded.spec,
            self.operators,
            self._site_status(),
            options.speed,
            self.plant.outcome_spec,
            self.built.lanes,
            self._policy_status,
        )
        self.registry = control_registry()
        stages = [stage.name for stage in loaded.spec.stages]
        metrics = ControlMetrics(self.registry, loaded.envelope, stages, self.spool.live)
        watchers = (self.live, _Measured(metrics), _Pruner(self.spool))
        parts = Parts(
            plant=self._pace(self.live, metrics),
            incumbent=self.incumbent,
            candidate=self.candidate,
            envelope=loaded.envelope,
            spec=loaded.spec,
            key=hashlib.sha256(f"{loaded.site.settings.name}:{options.seed}".encode()).digest(),
            spool=self.spool,
            operators=self.operators,
            digests=loaded.digests,
            deadbands=loaded.site.settings.deadbands,
            epoch=_next_epoch(state),
            wall_us=lambda: time.monotonic_ns() // 1000,
            companions=self.built.companions,
            watchers=watchers,
            meter=NoveltyMeter(loaded.bundle.manifest),
        )
        self.loop = PlantLoop.resume(parts, self._fresh())
        self._keep_artefacts()

    def report(self) -> dict[str, Any]:
        """Return the report of the run, without the figures that depend on the wall clock."""
        start_us, now_us = self.loaded.site.start_us, self.plant.observe().taken_at
        return report_of(
            self.loop.state, self.loaded.spec, self.plant.outcome_spec, start_us, now_us, self.built.lanes()
        )

    def __enter__(self) -> "ControlSystem":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.candidate.close()
        self.built.close()
        self.spool.close()

    def _fresh(self) -> LoopState:
        """The state nothing is remembered in: shadow, no evidence."""
        plant, spec = self.loaded.envelope.plant, self.loaded.spec
        evidence = Evidence.start(self.loaded.bundle.digest, plant, spec.evidence_settings())
        rollout, _ = start(spec, f"{plant}-{self.loaded.bundle.digest[:12]}", evidence, self._now_us())
        return LoopState(fresh_memory(self.loaded.envelope), self.incumbent.fresh, rollout, evidence)

    def _pace(self, live: StatusPublisher, metrics: ControlMetrics) -> Plant:
        """The plant, at the run's speed if it has one."""
        if self.options.speed is None:
            return self.plant
        period_us = self.loaded.envelope.period_us
        return Paced(self.plant, self.options.speed, live.waiting, metrics.began, period_us)

    def _now_us(self) -> int:
        """Plant time when the run begins: a simulated plant's own, else the wall clock's."""
        return self.loaded.site.start_us or time.time_ns() // 1000

    def _site_status(self) -> SiteStatus:
        loaded, settings = self.loaded, self.loaded.site.settings
        return SiteStatus(settings.name, settings.plant.simulated, loaded.envelope.digest, loaded.kernel_digest)

    def _policy_status(self) -> PolicyStatus:
        health, bundle = self.candidate.health, self.loaded.bundle
        return PolicyStatus(
            state=health.state,
            pid=health.pid,
            rss_mb=health.rss_bytes / 2**20,
            latency_us=health.latency_us,
            why=health.why,
            digest=bundle.digest,
            name=bundle.manifest.name,
        )

    def _keep_artefacts(self) -> None:
        """What decisions refer to is kept as long as they are."""
        folder, files = self.loaded.site.folder, self.loaded.site.settings.files
        for kind, name in (("envelope", files.envelope), ("rollout", files.rollout), ("site", "site.toml")):
            self.spool.keep_artefact(kind, (folder / name).read_bytes())
        # Under the very digest that decisions name, so that replay can find it by that.
        self.spool.keep_artefact("envelope-canonical", canonical_of(folder / files.envelope))
        self.spool.keep_artefact("certificate", (folder / files.certificate).read_bytes())


@contextmanager
def serving(loaded: Loaded) -> Iterator[Candidate]:
    """A candidate to be asked outside of any loop, without a deadline."""
    candidate = ChildCandidate(loaded.bundle, deadline_us=None)
    try:
        yield candidate
    finally:
        candidate.close()


def load_for(site: Site, policy_digest: str) -> Loaded:
    """The site with whichever of its bundles has this digest; with its own candidate if none has."""
    own = read(site.folder)
    if own.bundle.digest == policy_digest:
        return own
    for name in site.settings.candidate.others:
        with suppress(BundleError):
            other = read(site.folder, name)
            if other.bundle.digest == policy_digest:
                return other
    return own


def ship_the_rest(state: Path, url: str) -> None:
    """Ship what a finished run has left in its spool."""
    spool, store = SpoolReader(state / "spool.sqlite"), Store(url)
    try:
        Shipper(spool, store).ship_until_empty()
    finally:
        store.close()
        spool.close()


def count_stored(url: str) -> int:
    """Return the number of decisions in the store. Raises StoreError."""
    store = Store(url)
    try:
        return store.count()
    finally:
        store.close()


def build_control(options: Options) -> ControlSystem:
    """The control process's system."""
    return ControlSystem(load(options.site, options.candidate), options)


def _candidate(loaded: Loaded, options: Options) -> ChildCandidate:
    settings = loaded.site.settings.candidate
    deadline_ms = options.deadline_ms or (None if options.speed is None else settings.deadline_ms)
    return ChildCandidate(
        loaded.bundle,
        deadline_us=None if deadline_ms is None else int(deadline_ms * 1000),
        rss_limit_bytes=int((options.max_rss_mb or settings.max_rss_mb) * 2**20),
        command=options.policy_command or COMMAND,
    )


def _next_epoch(state: Path) -> int:
    """One more than the last start's: the plant refuses commands of a process that should be gone."""
    path = state / "epoch"
    epoch = int(path.read_text()) + 1 if path.exists() else 1
    fresh = path.with_suffix(".new")
    fresh.write_text(str(epoch))
    os.replace(fresh, path)
    return epoch
