"""What is written out of the watching, the ramp and the box says what the rules say one by one."""

import pickle
from collections import Counter
from dataclasses import replace
from functools import cache
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safety.decide import is_permitted, observe, observe_plainly, situation
from safety.envelope import Envelope, fresh_memory, permitted
from safety.forms.watched import Watched
from safety.inputs import managed
from safety.loading.spec import load_envelope
from safety.ramp import ramp
from safety.rules.command_rules import Bound, Dwell, Interlock
from safety.rules.money_rules import Budget
from safety.rules.state_rules import Novelty, Readback, Staleness, Trip, Watchdog
from safety.values import Memory, Observation, Quality, Rung, Signal, Tier
from tests.safety.support.golden import CASES, FOLDER
from tests.safety.support.random_envelopes import batch_of, envelope_of, situation_of

ENVELOPES = [*sorted((CASES / "envelopes").glob("[a-z]*[a-z].toml")), *sorted(FOLDER.sites.glob("*/envelope.toml"))]
ENVELOPES = [path for path in ENVELOPES if not path.stem.endswith(".usual")]
WHY: dict[str, Any] = {"hazard": "made up", "basis": "made up"}
RULES = (
    Staleness(id="S", tier=Tier.T5, signals=("a", "b"), max_age_us=10, **WHY),
    Trip(id="T", tier=Tier.T1, signal="a", low=-1.0, high=1.0, on_delay_us=5, **WHY),
    Readback(id="R", tier=Tier.T5, setpoint="s", tolerance=0.5, delay_us=5, **WHY),
    Readback(id="Q", tier=Tier.T5, setpoint="o", tolerance=0.0, **WHY),
    Novelty(id="N", tier=Tier.T5, signal="b", high=2.0, **WHY),
    Watchdog(id="W", tier=Tier.T5, signal="c", max_silence_us=20, **WHY),
)
VALUES = (0.0, 1.0, -1.0, 1.5, 2.0, nan, inf)


@cache
def made_up() -> Envelope:
    small = load_envelope(CASES / "envelopes" / "small.toml")
    return replace(small, state_rules=RULES, inputs=())


def drawn(draw: np.random.Generator, odd: float) -> tuple[Observation, Memory]:
    """An observation for `made_up`, a share of its values odd, and a memory of it."""

    def value() -> float:
        return float(draw.choice(VALUES)) if draw.random() < odd else 0.5

    def vector() -> dict[str, float] | None:
        names = [name for name in ("s", "o") if draw.random() > odd / 4]
        return None if draw.random() < odd / 4 else {name: value() for name in names}

    def signal() -> Signal:
        quality = Quality.GOOD if draw.random() > odd / 4 else Quality.BAD
        return Signal(value(), quality, int(draw.choice([0, 9, 10, 11, -1])) if draw.random() < odd else 3)

    names = [name for name in "abc" if draw.random() > odd / 8]
    seen = Observation("p", "", 0, {name: signal() for name in names}, applied=vector(), readback=vector())
    states = {"T": (3.0, 1.0), "R": (3.0, 1.0), "Q": (0.0, 0.0), "W": (0.5, 15.0), "P-DWELL": (1.0, 1.0)}
    memory = fresh_memory(made_up())
    kept = {name: states.get(name, state) for name, state in memory.rules.items() if draw.random() > odd / 8}
    rung = Rung.HOLD if draw.random() < 0.2 else Rung.CANDIDATE
    return seen, replace(memory, rules=kept, rung=rung)


def test_watching_written_out_gives_the_same_memory_and_findings() -> None:
    envelope, draw, kinds = made_up(), np.random.default_rng(1), Counter[str]()
    for odd in (0.0, 0.1, 0.4):
        for _ in range(400):
            seen, memory = drawn(draw, odd)
            elapsed_us = int(draw.choice([0, 1, 7, -3]))
            found = observe(seen, envelope, memory, elapsed_us)
            assert repr(found[1:]) == repr(observe_plainly(seen, envelope, memory, elapsed_us))
            quiet = envelope.watched.quiet(seen, memory.rules, elapsed_us) if elapsed_us >= 0 else None
            kinds["quiet" if quiet is not None else "asked"] += 1
            kinds["told" if found[2] else "silent"] += 1
    assert min(kinds.values()) > 100, kinds


def test_each_written_rule_alone_breaks_the_silence() -> None:
    draw = np.random.default_rng(0)
    envelope, (seen, memory) = replace(made_up()), drawn(draw, 0.0)
    memory = replace(memory, rules={**fresh_memory(envelope).rules, "W": (0.0, 0.0)})
    assert envelope.watched.quiet(seen, memory.rules, 1) is not None
    for name, signal in (("a", Signal(1.1)), ("a", Signal(0.0, age_us=11)), ("b", Signal(2.1)), ("b", Signal(nan))):
        broken = replace(seen, signals={**seen.signals, name: signal})
        assert envelope.watched.quiet(broken, memory.rules, 1) is None
    for readback in (None, {}, {"s": 0.5}, {"s": 0.5, "o": 0.6}, {"s": 1.1, "o": 0.5}):
        assert envelope.watched.quiet(replace(seen, readback=readback), memory.rules, 1) is None
    assert envelope.watched.quiet(replace(seen, applied=None, readback=None), memory.rules, 1) is not None
    assert envelope.watched.quiet(seen, {**memory.rules, "W": (0.5, 20.0)}, 1) is None


@pytest.mark.parametrize("path", ENVELOPES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_shipped_envelopes_are_watched_alike(path: Path) -> None:
    envelope, draw = load_envelope(path), np.random.default_rng(2)
    at_rest = {spec.name: spec.low if spec.values is None else spec.values[0] for spec in envelope.setpoints}
    memory = fresh_memory(envelope)
    for _ in range(60):
        signals = {spec.name: Signal(float(draw.uniform(spec.low, spec.high))) for spec in envelope.signals}
        seen = Observation(envelope.plant, "", 0, signals, applied=at_rest, readback=at_rest)
        found = observe(seen, envelope, memory, 1_000_000)
        inputs, states = managed(seen, envelope.inputs, memory.rules, 1_000_000)
        started = replace(memory, rules={**memory.rules, **states}) if envelope.inputs else memory
        assert repr(found[1:]) == repr(observe_plainly(inputs, envelope, started, 1_000_000))
        memory = replace(found[1], latches=())
    assert "def quiet" in pickle.loads(pickle.dumps(envelope)).watched.source()


def test_ramp_from_a_permitted_command_skips_the_entry_check() -> None:
    judged = Counter[bool]()
    for seed in range(4):
        envelope = envelope_of(seed, setpoints=6, signals=8, rules=40)
        batch = batch_of(envelope, seed, 150, wild=0.0)
        for at in range(batch.size):
            target, _, now = situation_of(batch, at, envelope)
            assert now.last is not None
            standing = is_permitted(envelope.entered, now.last, now)
            judged[standing] += 1
            for keep in (False, True):
                plain = ramp(target, now, envelope.ramp_plan, keep_discrete=keep)
                assert ramp(target, now, envelope.ramp_plan, keep_discrete=keep, standing=standing) == plain
    assert min(judged[True], judged[False]) > 20, judged


@pytest.mark.parametrize("seed", range(3))
def test_what_is_permitted_is_the_narrowest_of_all_boxes(seed: int) -> None:
    envelope = envelope_of(seed, setpoints=6, signals=8, rules=40)
    batch = batch_of(envelope, seed, 50)
    for at in range(batch.size):
        now = situation_of(batch, at, envelope)[2]
        found = permitted(envelope, now)
        for spec in envelope.setpoints:
            low, high = spec.low, spec.high
            for rule in envelope.command_rules:
                if isinstance(rule, Bound | Interlock | Budget) and rule.setpoint == spec.name:
                    box = rule.box(now.last or {}, now)
                    low, high = max(low, box[0]), min(high, box[1])
            assert (found[spec.name].low, found[spec.name].high) == (low, high)
            if not any(isinstance(rule, Dwell) and rule.setpoint == spec.name for rule in envelope.command_rules):
                assert found[spec.name].wait_us == 0


def test_memory_of_another_plant_is_judged_rule_by_rule() -> None:
    envelope, draw = replace(made_up()), np.random.default_rng(0)
    seen, _ = drawn(draw, 0.0)
    assert envelope.watched.quiet(seen, {}, 1) is None
    assert repr(observe(seen, envelope, Memory(), 1)[1:]) == repr(observe_plainly(seen, envelope, Memory(), 1))
    assert situation(seen, Memory(), envelope).last is None


def test_watched_rules_make_their_function_once_and_nothing_else() -> None:
    envelope = load_envelope(CASES / "envelopes" / "small.toml")
    watched = Watched(envelope.state_rules, envelope.stateful)
    assert watched.quiet is watched.quiet
    with pytest.raises(AttributeError) as caught:
        watched.loud  # noqa: B018
    assert str(caught.value) == "watched rules have no `loud`"
    signals = {"inlet_c": Signal(24.0), "dew_point_c": Signal(8.0)}
    seen = Observation("small", "plant", 0, signals)
    states = fresh_memory(envelope).rules
    assert watched.quiet.__code__.co_filename == "<watched rules>"
    later = watched.quiet(seen, states, 5)
    assert later is not None
    assert later["CHILLERS-DWELL"] == (5.0, 5.0)
    assert watched.quiet(Observation("small", "plant", 0, {}), states, 5) is None


def test_written_out_rules_are_not_judged_again() -> None:
    written = tuple(rule for rule in RULES if not isinstance(rule, Watchdog))
    source = replace(made_up(), state_rules=written, command_rules=()).watched.source()
    assert ".aged(" not in source
    assert ".margin(" not in source


def test_nothing_to_watch_is_quiet() -> None:
    seen = Observation("p", "", 0, {})
    assert Watched((), ()).quiet(seen, {}, 1) == {}
    assert Watched((), ()).quiet(seen, {"X": (1.0,)}, 1) == {"X": (1.0,)}
