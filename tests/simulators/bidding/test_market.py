"""Calibration: what the simulator draws, against the published table of nine campaigns."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from simulators.bidding.physics.market import FACTS, MIXTURES, price_cdf
from simulators.bidding.physics.params import SEGMENTS
from simulators.bidding.world.build import build
from simulators.bidding.world.randomisation import Range, Ranges
from simulators.bidding.world.scenario import Scenario
from simulators.bidding.world.streams import Noise
from simulators.bidding.world.traffic import Traffic, draw, impressions

PLAIN = replace(
    Ranges(),
    **dict.fromkeys(("price_scale", "win_scale", "click_scale", "conversion_scale", "volume_scale"), Range(1.0, 1.0)),
    traffic_noise=Range(0.0, 0.0),
    price_noise=Range(0.0, 0.0),
    value_log_sd=Range(0.4, 0.4),
    price_corr=Range(0.43, 0.43),
    year_swing=Range(0.0, 0.0),
)


def sample(template: int) -> tuple[Traffic, float]:
    """About 100,000 winnable impressions of one campaign in its plain form, and the share that is winnable."""
    win = FACTS[template].win_frac
    world = Scenario("plain", "", ranges=PLAIN, templates=(template,), impressions_per_day=4.5e6 / win)
    noise = Noise("plain", (template,), (0,))
    params = build(world, noise, 1)
    pieces = list(draw(noise, params, 24))
    traffic = impressions(pieces[0], params, 24)
    n = len(traffic.lift)
    return traffic, n / (n + int(traffic.unwinnable[0]))


@pytest.mark.parametrize("template", range(9), ids=[f.name for f in FACTS])
def test_prices_have_the_published_quantiles_mean_and_log_moments(template: int) -> None:
    traffic, _ = sample(template)
    facts = FACTS[template]
    fen = traffic.price_micros / 10.0
    for quantile_fen, share in (
        (facts.p10_fen, 0.1),
        (facts.p50_fen, 0.5),
        (facts.p90_fen, 0.9),
        (facts.p99_fen, 0.99),
    ):
        below, up_to = np.mean(fen < quantile_fen - 0.5), np.mean(fen < quantile_fen + 0.5)
        assert below - 0.008 <= share <= up_to + 0.008
    assert fen.mean() == pytest.approx(facts.mean_fen, rel=0.01)
    whole = np.maximum(np.rint(fen), 1.0)
    assert np.log(whole).mean() == pytest.approx(facts.log_mean, abs=0.03)
    assert np.log(whole).std() == pytest.approx(facts.log_sd, abs=0.03)


@pytest.mark.parametrize("template", range(9), ids=[f.name for f in FACTS])
def test_price_distance_from_a_gamma_matches_the_real_histograms(template: int) -> None:
    traffic, _ = sample(template)
    facts = FACTS[template]
    fen = np.sort(np.rint(traffic.price_micros / 10.0))
    grid = np.arange(1, 301)
    empirical = np.searchsorted(fen, grid, side="right") / len(fen)
    distance = np.max(np.abs(empirical - stats.gamma.cdf(grid + 0.5, facts.gamma_k, scale=facts.gamma_theta_fen)))
    assert distance == pytest.approx(facts.ks_gamma, abs=0.015)


@pytest.mark.parametrize("template", range(9), ids=[f.name for f in FACTS])
def test_draws_follow_the_mixture_by_kolmogorov_smirnov(template: int) -> None:
    traffic, _ = sample(template)
    fen = np.sort(traffic.price_micros / 10.0)
    grid = np.arange(0.5, 300.5) + 0.04999
    empirical = np.searchsorted(fen, grid, side="right") / len(fen)
    distance = np.max(np.abs(empirical - price_cdf(MIXTURES[template], grid + 0.05)))
    assert distance < 1.63 / np.sqrt(len(fen)) + 0.001  # 1 % level, plus a tenth of a fen of rounding


@pytest.mark.parametrize("template", range(9), ids=[f.name for f in FACTS])
def test_win_share_at_the_cap_is_the_real_win_rate(template: int) -> None:
    _, win_share = sample(template)
    assert win_share == pytest.approx(FACTS[template].win_frac, rel=0.01)


def test_plain_form_price_never_exceeds_the_log_cap() -> None:
    traffic, _ = sample(5)
    assert traffic.price_micros.min() >= 1
    assert traffic.price_micros.max() <= 3005


def test_value_and_price_correlate_by_about_a_third() -> None:
    traffic, _ = sample(0)
    assert np.corrcoef(traffic.lift, traffic.price_micros)[0, 1] == pytest.approx(0.35, abs=0.06)


def test_click_rates_keep_the_campaigns_mean() -> None:
    traffic, _ = sample(3)
    assert traffic.lift.mean() == pytest.approx(1.0, abs=0.01)
    shares = np.bincount(traffic.segment % SEGMENTS, minlength=SEGMENTS) / len(traffic.segment)
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.01)
    assert float(np.dot(shares, [0.7, 1.1, 1.6])) == pytest.approx(1.0, abs=0.01)
