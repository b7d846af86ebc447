"""Closed values, independent recomputation, and Monte-Carlo error rates when one looks at every step."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from shadow.statistics import (
    AllocationTest,
    BettingSequence,
    BreachTest,
    CertifyTest,
    ChangeDetector,
    MeanSequence,
    earliest_possible,
)
from shadow.statistics.bernstein import stitched_boundary

FAST = settings(derandomize=True, max_examples=60, deadline=None)


def _mixture_by_integration(a: float, b: float, p0: float, trials: int, events: int, above: bool) -> float:
    """The same mixture, by quadrature over the rate instead of incomplete beta functions."""
    low, high = (p0, 1.0) if above else (0.0, p0)

    def prior(q: float) -> float:
        return q ** (a - 1) * (1 - q) ** (b - 1)

    def ratio(q: float) -> float:
        return prior(q) * (q / p0) ** events * ((1 - q) / (1 - p0)) ** (trials - events)

    # The square-root substitution takes away the singularity of Beta(1/2, .) at zero.
    def over(f: Any) -> float:
        return quad(lambda s: f(s * s) * 2 * s, math.sqrt(low), math.sqrt(high), epsabs=0, epsrel=1e-10, limit=400)[0]

    return over(ratio) / over(prior)


@pytest.mark.parametrize(("trials", "events"), [(0, 0), (1, 0), (1, 1), (40, 3), (323, 0), (700, 1)])
def test_breach_and_certify_wealth_equal_numerical_integration(trials: int, events: int) -> None:
    breach, certify = BreachTest.of(0.01).seen(trials, events), CertifyTest.of(0.01).seen(trials, events)
    by_quadrature = _mixture_by_integration(breach.a, breach.b, 0.01, trials, events, above=True)
    assert math.exp(breach.log_e()) == pytest.approx(by_quadrature, rel=1e-6)
    by_quadrature = _mixture_by_integration(certify.a, certify.b, 0.01, trials, events, above=False)
    assert math.exp(certify.log_e()) == pytest.approx(by_quadrature, rel=1e-6)


@pytest.mark.parametrize(("events", "trials"), [(0, 323), (1, 653), (2, 906)])
def test_one_percent_is_certified_after_323_clean_trials(events: int, trials: int) -> None:
    assert earliest_possible(0.01, 0.05, events) == trials
    assert not CertifyTest.of(0.01).seen(trials - 1, events).certified(0.05)
    assert CertifyTest.of(0.01).seen(trials, events).certified(0.05)


def test_ten_times_stricter_takes_ten_times_longer() -> None:
    assert earliest_possible(0.001, 0.05) == pytest.approx(10 * earliest_possible(0.01, 0.05), rel=0.01)


@FAST
@given(st.lists(st.booleans(), max_size=60))
def test_only_the_counts_matter_not_their_order(events: list[bool]) -> None:
    test = BreachTest.of(0.02)
    for event in events:
        test = test.update(event)
    assert test == BreachTest.of(0.02).seen(len(events), sum(events))


@FAST
@given(st.integers(0, 2000), st.integers(0, 20))
def test_event_raises_breach_evidence_and_clean_trial_certainty(clean: int, events: int) -> None:
    breach, certify = (
        BreachTest.of(0.01).seen(clean + events, events),
        CertifyTest.of(0.01).seen(clean + events, events),
    )
    assert breach.update(True).log_e() > breach.log_e()
    assert certify.update(False).log_e() > certify.log_e() > certify.update(True).log_e()


def test_an_underflowing_tail_claims_nothing() -> None:
    assert CertifyTest.of(1e-4).seen(1_000_000, 900_000).log_e() == -math.inf


def test_rate_error_stays_below_alpha_under_continuous_monitoring() -> None:
    """1500 runs of 1500 steps at exactly the limit; events come in spells (two-state chain of the same mean)."""
    rng = np.random.default_rng(11)
    p0, runs, steps, alpha = 0.02, 1500, 1500, 0.05
    for dependent in (False, True):
        # Spells are predictable rates of 0 or 2 p0: their average is p0, but the conditional rate exceeds it at times,
        # so the dependent case keeps the rate at or below p0 for breach and at or above p0 for certify.
        spell = rng.random((runs, steps // 50)) < 0.5
        swing = np.repeat(spell, 50, axis=1) if dependent else np.ones((runs, steps), bool)
        for test, rate, wants in (
            (BreachTest.of(p0), np.where(swing, p0, p0 / 2), "breach"),
            (CertifyTest.of(p0), np.where(swing, p0, 2 * p0), "certify"),
        ):
            counts = np.cumsum(rng.random((runs, steps)) < rate, axis=1)
            threshold = _threshold_by_events(test, steps, alpha, wants)
            below = counts < threshold if wants == "certify" else counts >= threshold
            assert below.any(axis=1).mean() <= alpha


def _threshold_by_events(test: Any, steps: int, alpha: float, wants: str) -> np.ndarray:
    """Per step, the first count that rejects (breach), or the first that no longer does (certify)."""
    out, events = np.empty(steps, int), 0
    for t in range(1, steps + 1):
        if wants == "breach":
            while events <= t and test.seen(t, min(events, t)).log_e() < -math.log(alpha):
                events += 1
        else:
            while events <= t and test.seen(t, events).log_e() >= -math.log(alpha):
                events += 1
        out[t - 1] = events
    return out


def _naive_interval(values: list[float], alpha: float, clip: float, points: int) -> tuple[float, float]:
    """The hedged betting set written out as nested loops over one mean at a time."""
    alive = []
    for k in range(1, points + 1):
        m, up, down = k / (points + 1), 1.0, 1.0
        total, squares = 0.0, 0.0
        for i, value in enumerate(values, start=1):
            x = (max(-clip, min(clip, value)) / clip + 1) / 2
            variance = (0.25 + squares) / i
            bet = math.sqrt(2 * math.log(2 / alpha) / (i * math.log(1 + i) * variance))
            up *= 1 + min(bet, 0.5 / m) * (x - m)
            down *= 1 - min(bet, 0.5 / (1 - m)) * (x - m)
            total += x
            squares += (x - (0.5 + total) / (i + 1)) ** 2
        if max(up / 2, down / 2) < 1 / alpha:
            alive.append(k)
    low, high = (alive[0] - 1) / (points + 1), (alive[-1] + 1) / (points + 1)
    return clip * (2 * low - 1), clip * (2 * high - 1)


def test_the_betting_sequence_equals_nested_loops() -> None:
    values = np.random.default_rng(3).normal(0.04, 0.08, 60).tolist()
    sequence = BettingSequence.of(0.05, 0.2, points=50)
    for n, value in enumerate(values, start=1):
        sequence = sequence.update(value)
        if n % 15 == 0:
            assert sequence.interval() == pytest.approx(_naive_interval(values[:n], 0.05, 0.2, 50), abs=1e-12)


def _miscovered(sequence: Any, values: np.ndarray, truth: float) -> float:
    missed = 0
    for row in values:
        run = sequence
        for value in row:
            run = run.update(float(value))
            low, high = run.interval()
            if not low <= truth <= high:
                missed += 1
                break
    return missed / len(values)


def test_the_betting_sequence_covers_at_every_look() -> None:
    rng = np.random.default_rng(5)
    values = np.clip(rng.normal(0.03, 0.06, (120, 120)), -0.2, 0.2)
    assert _miscovered(BettingSequence.of(0.05, 0.2, points=100), values, 0.03) <= 0.05


def test_betting_sequence_covers_with_noise_that_depends_on_the_past() -> None:
    rng = np.random.default_rng(6)
    signs, values = rng.choice([-1.0, 1.0], (120, 120)), np.zeros((120, 120))
    for j in range(1, 120):
        values[:, j] = signs[:, j] * np.where(values[:, j - 1] > 0, 0.15, 0.02)
    assert _miscovered(BettingSequence.of(0.05, 0.2, points=99), values, 0.0) <= 0.05


def test_mean_sequence_covers_the_average_of_a_drifting_mean() -> None:
    rng, missed = np.random.default_rng(7), 0
    drift = np.linspace(0.1, -0.1, 200)
    average = np.cumsum(drift) / np.arange(1, 201)
    for _ in range(150):
        run, outside = MeanSequence(0.05, 0.2), False
        for mean, truth in zip(drift, average, strict=True):
            run = run.update(float(np.clip(rng.normal(mean, 0.03), -0.2, 0.2)))
            low, high = run.interval()
            outside |= not low <= truth <= high
        missed += outside
    assert missed / 150 <= 0.05


def test_the_stitched_boundary_equals_its_published_constants() -> None:
    """eta = 2, s = 1.4, v = v_min, alpha = 0.025, reach = 1: every term by hand."""
    zeta_s = sum(k**-1.4 for k in range(1, 2_000_000)) + 2_000_000**-0.4 / 0.4
    span = 1.4 * math.log(math.log(2)) + math.log(zeta_s / math.log(2) ** 1.4) + math.log(40)
    k1, k2 = (2**0.25 + 2**-0.25) / math.sqrt(2), (math.sqrt(2) + 1) / 2
    by_hand = math.sqrt(k1**2 * span + k2**2 * span**2) + k2 * span
    assert stitched_boundary(1.0, 1.0, 0.025, 1.0) == pytest.approx(by_hand, rel=1e-6)


def test_three_consecutive_vetoes_trip_a_detector_with_bet_50() -> None:
    """(1 + 50 x 0.99) = 50.5 each: 50.5, 51.5 x 50.5, ... passes 10^4 on the third."""
    run, readings = ChangeDetector.of(0.01, 50.0), []
    for _ in range(3):
        run = run.update(1.0)
        readings.append(run.shiryaev_roberts)
    assert readings == pytest.approx([50.5, 51.5 * 50.5, (51.5 * 50.5 + 1) * 50.5])
    assert readings[1] < 1e4 <= readings[2]


def test_detector_average_run_length_is_at_least_its_threshold() -> None:
    rng, threshold = np.random.default_rng(9), 100.0
    for shiryaev_roberts in (True, False):
        lengths = []
        for _ in range(150):
            run = ChangeDetector.of(0.05, 8.0)
            while (run.shiryaev_roberts if shiryaev_roberts else run.cusum) < threshold:
                run = run.update(float(rng.random() < 0.05))
            lengths.append(run.count)
        assert np.mean(lengths) >= threshold


def test_a_long_clean_history_buys_a_detector_no_credit() -> None:
    fresh = worn = ChangeDetector.of(0.01, 50.0)
    for _ in range(5000):
        worn = worn.update(0.0)
    for _ in range(3):
        fresh, worn = fresh.update(1.0), worn.update(1.0)
    assert worn.shiryaev_roberts >= fresh.shiryaev_roberts
    worn_test = BreachTest.of(0.01).seen(5003, 3)
    assert worn_test.log_e() < BreachTest.of(0.01).seen(3, 3).log_e()


def test_a_candidate_that_never_drives_its_quarter_is_noticed() -> None:
    test = AllocationTest()
    for _ in range(60):
        test = test.update(False, 0.25)
    assert test.rejected(0.001)


def test_permuted_groups_never_look_like_a_wrong_share() -> None:
    rng = np.random.default_rng(10)
    for size, share in ((100, 0.01), (20, 0.05), (4, 0.25), (2, 0.5)):
        for _ in range(20):
            test = AllocationTest()
            for _ in range(400 // size):
                mine = rng.integers(size)
                for position in range(size):
                    test = test.update(position == mine, share)
                    assert not test.rejected(0.05)


def test_allocation_wealth_is_the_product_of_its_bets() -> None:
    test, wealth, mine = AllocationTest(), 1.0, 0
    for n, candidate in enumerate([True, False, True, True]):
        guess = (20 * 0.5 + (mine if candidate else n - mine)) / (20 + n)
        wealth, mine = wealth * guess / 0.5, mine + candidate
        test = test.update(candidate, 0.5)
    assert math.exp(test.log_e) == pytest.approx(wealth)


@pytest.mark.parametrize(
    "value",
    [
        BreachTest.of(0.01).seen(100, 3),
        CertifyTest.of(0.01).seen(100, 3),
        BettingSequence.of(0.05, 0.2).update(0.03),
        MeanSequence(0.05, 0.2).update(-0.1),
        ChangeDetector.of(0.01, 50.0).update(1.0),
        AllocationTest().update(True, 0.25),
    ],
)
def test_every_statistic_survives_storage_exactly(value: Any) -> None:
    stored = msgspec.msgpack.encode(msgspec.to_builtins(value))
    assert msgspec.convert(msgspec.msgpack.decode(stored), type(value)) == value


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: BreachTest.of(0.0), "`p0`"),
        (lambda: CertifyTest.of(0.01).seen(3, 4), "`events`"),
        (lambda: BettingSequence.of(0.05, 0.0), "clip > 0"),
        (lambda: BettingSequence.of(0.05, 0.2).update(math.nan), "finite"),
        (lambda: MeanSequence(0.05, 0.2).update(math.inf), "finite"),
        (lambda: ChangeDetector.of(0.01, 101.0), "bet"),
        (lambda: ChangeDetector.of(0.01, 50.0).update(math.nan), "`x`"),
        (lambda: AllocationTest().update(True, 0.0), "`share`"),
    ],
)
def test_bad_input_is_refused_by_name(act: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        act()
