"""First and second law, stability, time scales and independence of lanes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.cooling.physics.energy_balance import net_heat_kw, stored_kj
from simulators.cooling.physics.outputs import Outputs, PlantOutput, ZoneOutput
from simulators.cooling.physics.params import default_params, with_values
from simulators.cooling.physics.plant import advance
from simulators.cooling.physics.records import numbers_of
from simulators.cooling.physics.state import PlantState, State, ZoneState
from simulators.cooling.simulation import start_setpoints, start_state
from simulators.cooling.world.randomisation import Randomisation, randomised, uniform
from simulators.cooling.world.signals import setpoint_specs
from tests.simulators.cooling.conftest import Bench, bench, weather_and_load

SPECS = setpoint_specs(4)
COMMANDS = st.tuples(*(st.floats(s.low, s.high) if s.values is None else st.sampled_from(s.values) for s in SPECS))


@settings(derandomize=True, max_examples=80, deadline=None)
@given(
    economisers=st.sampled_from([0.0, 0.8]),
    commands=st.lists(COMMANDS, min_size=1, max_size=4),
    it_kw=st.floats(20.0, 250.0),
    wet_bulb=st.floats(-15, 27),
)
def test_energy_is_conserved_in_every_sub_step(
    economisers: float, commands: list[tuple[float, ...]], it_kw: float, wet_bulb: float
) -> None:
    params = with_values(default_params(), water_economiser_frac=economisers, air_economiser_frac=economisers)
    made = bench(params, settle_minutes=0.0)
    for command in commands:
        made.setpoints = np.array([command])
        for _ in range(5):
            before = stored_kj(made.state, made.params, made.dt_s)
            outputs = made.run(0.5, it_kw=it_kw, wet_bulb_c=wet_bulb, dry_bulb_c=wet_bulb + 5.0).at(-1)
            after, heat = stored_kj(made.state, made.params, made.dt_s), net_heat_kw(outputs)
            for part in range(2):
                gained = (after[part] - before[part]) / made.dt_s
                assert np.all(np.abs(gained - heat[part]) < 1e-6 * 1000.0)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(command=COMMANDS, it_kw=st.floats(30.0, 240.0), wet_bulb=st.floats(-15.0, 27.0))
def test_nothing_is_ever_negative_or_free(command: tuple[float, ...], it_kw: float, wet_bulb: float) -> None:
    made = bench(settle_minutes=0.0)
    made.setpoints = np.array([command])
    o = made.run(60.0, it_kw=it_kw, wet_bulb_c=wet_bulb, dry_bulb_c=wet_bulb + 6.0)
    for name in ("fan_kw", "chiller_kw", "chw_pump_kw", "cw_pump_kw", "tower_kw", "rejected_kw", "chiller_load_kw"):
        assert np.all(o[name] >= 0.0), name
    assert np.all(np.isfinite(np.concatenate([o["inlet_c"].ravel(), o["cws_c"].ravel()])))
    assert np.all(o["chiller_kw"] * 14.0 >= o["chiller_load_kw"])  # no chiller of these sets does better than COP 14
    assert np.all(o["cws_c"] >= min(wet_bulb, 13.0) - 1e-9)


WITH_ECONOMISERS = Randomisation().with_spreads(
    {
        "it_power_slope_frac_per_k": uniform(0.0, 0.01),
        "water_economiser_frac": uniform(0.0, 0.9),
        "air_economiser_frac": uniform(0.0, 1.0),
    }
)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(plant=st.integers(0, 10_000), command=COMMANDS, it_kw=st.floats(20.0, 250.0), wet_bulb=st.floats(-15.0, 27.0))
def test_randomised_plants_keep_the_energy_balance(
    plant: int, command: tuple[float, ...], it_kw: float, wet_bulb: float
) -> None:
    params = randomised(default_params(), WITH_ECONOMISERS, "range", plant, np.array([0]), 0)
    made = bench(params, settle_minutes=0.0)
    made.setpoints = np.array([command])
    for _ in range(6):
        before = stored_kj(made.state, made.params, made.dt_s)
        o = made.run(0.5, it_kw=it_kw, wet_bulb_c=wet_bulb, dry_bulb_c=wet_bulb + 5.0).at(-1)
        after, heat = stored_kj(made.state, made.params, made.dt_s), net_heat_kw(o)
        for part in range(2):
            assert np.all(np.abs((after[part] - before[part]) / made.dt_s - heat[part]) < 1e-6 * 1000.0)
        for name in ("it_kw", "fan_kw", "chiller_kw", "chw_pump_kw", "cw_pump_kw", "tower_kw", "makeup_kg_s"):
            assert np.all(o[name] >= 0.0), name
        assert np.all(o["chiller_kw"] * 16.0 >= o["chiller_load_kw"])


@pytest.mark.parametrize("event", ["setpoints", "load", "fans", "chiller"])
def test_half_minute_steps_match_one_second_steps_within_50_mk(event: str) -> None:
    coarse, fine = _track(30.0, event), _track(1.0, event)
    for name in ("inlet_c", "hot_c", "rack_c", "chws_c", "cws_c"):
        assert np.max(np.abs(coarse[name] - fine[name])) < 0.05, name


def _track(dt_s: float, event: str) -> dict[str, np.ndarray]:
    """Two hours around an event, as temperatures each five minutes."""
    made = bench(dt_s=dt_s, settle_minutes=60.0)
    rows = []
    for step in range(24):
        values = {}
        if event == "setpoints" and step >= 4:
            made.setpoints = np.array([[21.0, 0.6, 0.65, 0.7, 0.75, 11.0, 20.0, 1.0]])
        if event == "load" and step >= 4:
            values["it_kw"] = 190.0
        if event == "fans" and step >= 4:
            values["fan_available"] = 0.6
        if event == "chiller":
            made.setpoints[:, -1] = 2.0 if step >= 4 else 1.0
        outputs = made.run(5.0, **values)
        state = made.state
        rows.append({"inlet_c": outputs["inlet_c"][-1], "hot_c": state["hot_c"], "rack_c": state["rack_c"],
                     "chws_c": state["chws_c"], "cws_c": state["cws_c"]})  # fmt: skip
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def test_hall_without_fans_heats_by_its_thermal_mass(plant: Bench) -> None:
    inlet_c, before = plant.run(0.5)["inlet_c"][-1, 0, 0], plant.state
    o = plant.run(10.0, fan_available=0.0)
    capacity = 3600.0 + 10_000.0

    def mean_c(state: State) -> float:
        return float(np.mean(3600.0 * state["hot_c"] + 10_000.0 * state["rack_c"])) / capacity

    heat_kw = np.mean(o["it_kw"] + o["fan_kw"] + o["envelope_kw"] - o["coil_kw"])
    assert mean_c(plant.state) - mean_c(before) == pytest.approx(heat_kw * 600.0 / capacity, rel=1e-6)
    assert o["inlet_c"][5, 0, 0] - inlet_c > 6.0  # halls are known to gain 6 K in three minutes
    assert np.all(np.diff(o["inlet_c"][:, 0, 0]) > 0)


def test_too_little_air_makes_racks_breathe_their_own_exhaust() -> None:
    plenty, scarce = bench(fan=1.0).run(5.0), bench(fan=0.4).run(5.0)
    assert np.all(plenty["inlet_c"][-1] - plenty["supply_c"][-1] < 1.5)
    assert np.all(scarce["inlet_c"][-1] - scarce["supply_c"][-1] > 4.0)


@pytest.mark.parametrize(
    ("setpoint", "value"), [("supply_air_c", 21.0), ("chws_c", 11.0), ("tower_c", 23.0), ("fan", 0.7)]
)
def test_asking_for_less_cooling_saves_chiller_or_fan_energy(setpoint: str, value: float) -> None:
    def cooling(o: Outputs) -> float:
        return float((o["fan_kw"][-1].sum() + o["chw_pump_kw"][-1] + o["chiller_kw"][-1] + o["tower_kw"][-1]).sum())

    cold = bench(**{setpoint: value - (0.1 if setpoint == "fan" else 1.0) * (-1 if setpoint == "fan" else 1)})
    warm = bench(**{setpoint: value})
    if setpoint == "tower_c":  # the chiller pays for warm condenser water, the tower for cold
        assert warm.run(5.0)["chiller_kw"][-1] > cold.run(5.0)["chiller_kw"][-1]
        assert warm.run(5.0)["tower_kw"][-1] < cold.run(5.0)["tower_kw"][-1]
    else:
        assert cooling(warm.run(5.0)) < cooling(cold.run(5.0))


def test_chiller_takes_its_start_time_but_stops_at_once(plant: Bench) -> None:
    plant.setpoints[:, -1] = 2.0
    rising = plant.run(5.0)["chillers"][:, 0]
    assert rising[0] < 1.2
    assert np.all(np.diff(rising) >= 0.0)
    assert rising[-1] == 2.0
    plant.run(5.0)
    plant.setpoints[:, -1] = 1.0
    assert plant.run(0.5)["chillers"][0, 0] == 1.0


def test_with_all_chillers_tripped_water_and_halls_warm_up(plant: Bench) -> None:
    o = plant.run(20.0, chillers_available=0.0)
    assert np.all(o["chiller_kw"] < 0.01)
    assert np.all(np.diff(o["chws_c"][:, 0]) > 0)
    assert o["inlet_c"][-1, 0, 0] > o["inlet_c"][0, 0, 0] + 2.0


def test_it_power_grows_with_inlet_temperature_only_when_configured() -> None:
    warm = {"supply_air_c": 26.0, "fan": 0.7}
    flat, steep = bench(**warm).run(5.0), bench(with_values(default_params(), it_power_slope_frac_per_k=0.01), **warm)
    inlet = flat["supply_c"][-1, 0, 0]
    assert flat["it_kw"][-1, 0, 0] == 165.0
    assert 165.0 * (1 + 0.008 * (inlet - 25.0)) < steep.run(5.0)["it_kw"][-1, 0, 0] < 165.0 * 1.05


def test_sub_steps_together_or_one_by_one_give_equal_bits() -> None:
    together, apart = bench(settle_minutes=10.0), bench(settle_minutes=10.0)
    together.run(5.0)
    for _ in range(10):
        apart.run(0.5)
    assert together.state.to_bytes() == apart.state.to_bytes()


@pytest.mark.parametrize("zones", [1, 3, 8, 33])
def test_a_lane_has_the_same_bits_in_any_batch(zones: int) -> None:
    params, rng = default_params(zones), np.random.default_rng(zones)
    lanes = 1024
    row = weather_and_load(10, lanes, zones)
    row = row.replaced(
        it_kw=rng.uniform(80.0, 240.0, row["it_kw"].shape), wet_bulb_c=rng.uniform(0, 25, row["wet_bulb_c"].shape)
    )
    command = start_setpoints(zones, lanes) * rng.uniform(0.9, 1.1, (lanes, zones + 4))
    command[:, -1] = rng.integers(1, 3, lanes)
    state = start_state(row, command, 2)
    whole, outputs = advance(state, command, row, params)
    for first, batch in ((0, 1), (5, 3), (36, 1), (100, 64)):
        mine = slice(first, first + batch)
        some, did = advance(state.lanes(mine), command[mine], row.at((slice(None), mine)), params)
        assert some.to_bytes() == whole.lanes(mine).to_bytes()
        assert did.zone.tobytes() == outputs.at((slice(None), mine)).zone.tobytes()
        assert did.plant.tobytes() == outputs.at((slice(None), mine)).plant.tobytes()


def test_lanes_may_be_different_plants() -> None:
    params = with_values(default_params(), fan_rated_kw=np.array([13.0, 26.0]))
    row, command = weather_and_load(10, 2), start_setpoints(4, 2)
    _, o = advance(start_state(row, command, 2), command, row, params)
    assert o["fan_kw"][-1, 1] == pytest.approx(2.0 * o["fan_kw"][-1, 0])


def test_a_saved_state_comes_back_to_the_bit(plant: Bench) -> None:
    assert State.from_bytes(plant.state.to_bytes()).to_bytes() == plant.state.to_bytes()
    with pytest.raises(ValueError, match="not a saved cooling state"):
        State.from_bytes(plant.state.to_bytes()[:-8])


def test_shapes_that_do_not_fit_are_refused(plant: Bench) -> None:
    row = weather_and_load(10)
    for setpoints, met, params in (
        (plant.setpoints[:, 1:], row, plant.params),
        (plant.setpoints, weather_and_load(10, 1, 3), plant.params),
        (plant.setpoints, weather_and_load(10, 2), plant.params),
        (plant.setpoints, row, default_params(5)),
        (plant.setpoints, row, with_values(plant.params, fan_rated_kw=np.array([13.0, 26.0]))),
    ):
        with pytest.raises(ValueError, match="expected"):
            advance(plant.state, setpoints, met, params)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(plant=st.integers(0, 10_000), command=COMMANDS, it_kw=st.floats(20.0, 250.0), wet_bulb=st.floats(-20.0, 27.0))
def test_every_field_stays_in_its_declared_range(
    plant: int, command: tuple[float, ...], it_kw: float, wet_bulb: float
) -> None:
    params = randomised(default_params(), WITH_ECONOMISERS, "range", plant, np.array([0]), 0)
    made = bench(params, settle_minutes=0.0)
    made.setpoints = np.array([command])
    o = made.run(60.0, it_kw=it_kw, wet_bulb_c=wet_bulb, dry_bulb_c=wet_bulb + 5.0, dew_point_c=wet_bulb - 2.0)
    for record, batch in ((ZoneOutput, o), (PlantOutput, o), (ZoneState, made.state), (PlantState, made.state)):
        for name, number in numbers_of(record).items():
            assert np.all((batch[name] >= number.low) & (batch[name] <= number.high)), name
