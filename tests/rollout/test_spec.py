"""`rollout.toml`: what is accepted, what is refused, and the keys and values that an error names."""

import math

import pytest

from controller.rollout.errors import RolloutSpecError
from controller.rollout.plan import plan
from controller.rollout.schema_1 import RENAMED
from controller.rollout.spec import check_against, check_guards, group_shape, load_spec
from shadow.statistics import BettingSequence, earliest_possible
from tests.rollout.campaign import DEMO, demo_spec


def test_demo_has_six_stages_with_their_group_sizes() -> None:
    spec = demo_spec()
    assert [stage.name for stage in spec.stages] == ["shadow", "1 %", "5 %", "25 %", "50 %", "100 %"]
    assert [spec.group_of(i) for i in range(6)] == [(0, 0), (100, 1), (20, 1), (4, 1), (2, 1), (20, 19)]


def test_the_incumbent_keeps_some_blocks_at_full_share() -> None:
    assert group_shape(1.0, 0.05) == (20, 19)
    assert group_shape(1.0, 0.1) == (10, 9)


def test_the_digest_names_the_content_not_the_spelling() -> None:
    assert load_spec(DEMO.replace("    ", " ")).digest() == demo_spec().digest()
    assert load_spec(DEMO.replace("days = 7 ", "days = 8 ")).digest() != demo_spec().digest()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("period_s = 300", "period_s = 300\nperiods = 3", "`periods`: unknown key"),
        ("period_s = 300", "", "`period_s`: missing"),
        ("period_s = 300", 'period_s = "300"', "`period_s`: input should be a valid integer"),
        ("alpha = 0.05\ncost", "alpha = nan\ncost", "`outcome.alpha`"),
        ("washout_ticks = 12", "washout_ticks = 48", "`washout_ticks` .48. must be below `block_ticks` .48."),
        ('name = "5 %"', 'name = "1 %"', "stage names must differ"),
        ("share = 0.05", "share = 0.5", "rise from stage to stage"),
        ("share = 0.0\n", "share = 0.001\n", "begin with 0"),
        ("share = 0.05", "share = 0.0501", "no group of at most 100 blocks"),
        ('cause = "candidate_nan"', 'cause = "bad_mood"', "missing for the causes .'candidate_nan'."),
        ('cause = "candidate_nan"', 'cause = "bad_mood"', "unknown causes .'bad_mood'."),
        ('cause = "candidate_nan"', 'cause = "breach"', "each cause has one breaker"),
        ("bet = 50.0", "bet = 101.0", "must not exceed 1 / `p0`"),
        ("min_scored_share = 0.25", "min_scored_share = 0.5", "stage `25 %` asks for a benefit"),
        ('metric = "hot"', 'metric = "energy"', "metric `energy` is neither `cost` nor in `outcome.guard_clips`"),
        ("guard_clips = { hot = 60.0 }", "guard_clips = { hot = 0.0 }", "`outcome.guard_clips.hot`"),
        ('{ kind = "clean_blocks", blocks = 2 },', '{ kind = "horoscope" },', "horoscope"),
        ("schema_version = 2", "schema_version = 3", "`schema_version`"),
        ("schema_version = 2", "schema_version 2", "is not TOML"),
    ],
)
def test_a_wrong_specification_gets_one_clear_message(old: str, new: str, message: str) -> None:
    assert old in DEMO
    with pytest.raises(RolloutSpecError, match=message):
        load_spec(DEMO.replace(old, new, 1) if "bet" not in old else DEMO.replace(old, new))


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("cost_clip_frac", "energy_clip_frac"),
        ("guard_clips = { hot = 60.0 }", "quality_clip_degree_minutes = 60.0"),
        ("schema_version = 2", "schema_version = 1"),
    ],
)
def test_schema_1_key_gets_one_message_with_the_new_keys(new: str, old: str) -> None:
    assert new in DEMO
    with pytest.raises(RolloutSpecError) as refused:
        load_spec(DEMO.replace(new, old))
    assert all(f"`outcome.{before}` to `outcome.{now}`" in str(refused.value) for before, now in RENAMED.items())
    assert "schema_version = 2" in str(refused.value)
    assert ";" not in str(refused.value)


@pytest.mark.parametrize(("guards", "message"), [((), "`outcome.guard_clips.hot`"), (("hot", "damp"), "guard `damp`")])
def test_clips_and_the_plants_guards_must_agree(guards: tuple[str, ...], message: str) -> None:
    check_guards(demo_spec(), ["hot"])
    with pytest.raises(RolloutSpecError, match=message):
        check_guards(demo_spec(), guards)


def test_a_stage_without_a_deciding_check_is_refused() -> None:
    start, end = DEMO.index('    { kind = "duration"'), DEMO.index('    { kind = "frozen_proposals"')
    with pytest.raises(RolloutSpecError, match="promote on nothing"):
        load_spec(DEMO[:start] + DEMO[end:])


def test_stage_without_approval_requires_a_simulated_plant() -> None:
    check_against(demo_spec(), site_is_simulated=True)
    with pytest.raises(RolloutSpecError, match="at least 1 person"):
        check_against(demo_spec(), site_is_simulated=False)
    check_against(load_spec(DEMO.replace("approvals = 0", "approvals = 1")), site_is_simulated=False)


def test_the_plan_follows_from_limits_and_shares() -> None:
    plans = {p.stage: p for p in plan(demo_spec())}
    assert plans["shadow"].earliest_days == 7.0
    # One block in each of two groups of 100 blocks of 4 h: at the front of both, or at the back.
    assert plans["1 %"].earliest_days == pytest.approx(101 / 6)
    assert plans["1 %"].latest_days == pytest.approx(200 / 6)
    blocks = math.ceil(earliest_possible(0.01, 0.05) / 48) - 2
    assert plans["5 %"].earliest_days == pytest.approx((20 * (blocks - 1) + 1) / 6)
    assert plans["25 %"].earliest_days == pytest.approx(12 * 4 / 6)
    assert plans["50 %"].earliest_days == pytest.approx(24 * 2 / 6)


def test_a_stricter_limit_lengthens_the_plan() -> None:
    strict = load_spec(DEMO.replace("p0 = 0.005", "p0 = 0.001"))
    assert plan(strict)[0].earliest_days == pytest.approx(earliest_possible(0.001, 0.05) / 288)


def test_no_benefit_gate_is_planned_sooner_than_its_statistic_allows() -> None:
    sequence = BettingSequence.of(0.05, 0.2)
    for _ in range(8):
        sequence = sequence.update(0.2)
    spec = load_spec(DEMO.replace("groups = 12", "groups = 1").replace("delta = 30.0", "delta = 1e-6"))
    groups = plan(spec)[3].earliest_days * 6 / 4
    at_best = BettingSequence.of(0.05, 0.2)
    for _ in range(round(groups)):
        at_best = at_best.update(0.2)
    assert at_best.interval()[0] > -0.0001
