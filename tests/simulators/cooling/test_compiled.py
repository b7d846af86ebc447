"""Machine code gives the bits of the plain Python, is recompiled when a source changes, and needs no cache."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulators.cooling.physics import compiled as compiling
from simulators.cooling.physics.compiled import Compiled, compiled
from simulators.cooling.physics.params import default_params
from simulators.cooling.physics.plant import SUB_STEP_S, advance, advance_lanes
from simulators.cooling.physics.psychrometrics import fill_outdoor_air, outdoor_air
from simulators.cooling.simulation import start_setpoints, start_state
from simulators.cooling.world.randomisation import Randomisation, randomised, uniform
from simulators.cooling.world.signals import observe, read_signals
from tests.simulators.cooling.conftest import weather_and_load

ROOT = Path(__file__).parents[3]
LANES = 3
ECONOMISERS = {"water_economiser_frac": uniform(0.1, 0.9), "air_economiser_frac": uniform(0.1, 1.0)}


def digest() -> str:
    """Of everything that compiled code computes for some plants on a day with failures."""
    rng = np.random.default_rng(4)
    params = randomised(default_params(), Randomisation().with_spreads(ECONOMISERS), "bits", 1, np.arange(LANES), 0)
    row = weather_and_load(20, LANES)
    row = row.replaced(
        it_kw=rng.uniform(40.0, 250.0, row["it_kw"].shape),
        dry_bulb_c=rng.uniform(-10.0, 35.0, row["dry_bulb_c"].shape),
        dew_point_c=rng.uniform(-15.0, 20.0, row["dew_point_c"].shape),
        fan_available=rng.uniform(0.0, 1.0, row["fan_available"].shape),
        chillers_available=rng.integers(0, 3, row["chillers_available"].shape),
    )
    command = start_setpoints(4, LANES)
    command[:, -1] = rng.integers(1, 3, LANES)
    state, outputs = advance(start_state(row, command, params.transit_slots(SUB_STEP_S)), command, row, params)
    signals = observe(outputs, row, params)
    wet, ratio = outdoor_air(row["dry_bulb_c"], np.minimum(row["dew_point_c"], row["dry_bulb_c"]), 98_000.0)
    made = (state.zone, state.plant, outputs.zone, outputs.plant, signals, wet, ratio)
    assert all(np.isfinite(each.view(np.float64)).all() for each in made)
    return hashlib.sha256(b"".join(each.tobytes() for each in made)).hexdigest()


def _python(code: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def test_without_numba_the_bits_are_the_same() -> None:
    code = "from tests.simulators.cooling.test_compiled import digest; print(digest())"
    assert _python(code, NUMBA_DISABLE_JIT="1").stdout.strip() == digest()


def test_interpreted_and_compiled_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = digest()
    for each in (advance_lanes, read_signals, fill_outdoor_air):
        monkeypatch.setattr(each, "machine_code", each.interpreted)
    assert digest() == expected


def test_each_loop_is_compiled_for_one_kind_of_arguments() -> None:
    digest()
    row, read_only = weather_and_load(10, LANES), np.broadcast_to(start_setpoints(4, 1), (2 * LANES, 8))[::2]
    state, cut = start_state(row, read_only, 2), row.at(slice(2, 4))
    observe(advance(state, read_only, cut, default_params())[1].at(-1), cut.at(-1), default_params())
    observe(
        advance(state.lanes(slice(0, 1)), read_only[:1], row.at((slice(None), slice(1, 2))), default_params())[1],
        row.at((slice(None), slice(1, 2))),
        default_params(),
    )
    for each in (advance_lanes, read_signals, fill_outdoor_air):
        code: Any = each.machine_code
        assert len(code.signatures) == 1, each.interpreted.__name__


LAW = """
from law.physics.compiled import scalar

@scalar
def power(x: float) -> float:
    return {factor} * x
"""
LOOP = """
import numpy as np
from law.physics.compiled import compiled
from law.physics.law import power

@compiled
def total(values):
    found = 0.0
    for value in values:
        found += power(value)
    return found

print(total(np.ones(4)))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two files, of which one calls the other, and the means to compile them."""
    physics = tmp_path / "law" / "physics"
    physics.mkdir(parents=True)
    shutil.copy(str(compiling.__file__), physics)
    (physics / "law.py").write_text(LAW.format(factor=2.0))
    (physics / "loop.py").write_text(LOOP)
    return tmp_path


def test_changed_callee_source_is_recompiled(package: Path) -> None:
    cache = str(package / "cache")

    def run() -> tuple[float, bool]:
        done = _python("import law.physics.loop", package, XDG_CACHE_HOME=cache)
        return float(done.stdout), "compiling `total`" in done.stderr

    assert run() == (8.0, True)
    assert run() == (8.0, False)
    (package / "law" / "physics" / "law.py").write_text(LAW.format(factor=3.0))
    assert run() == (12.0, True)


def test_without_a_writable_cache_every_process_compiles(package: Path) -> None:
    (package / "file").write_text("")
    done = _python("import law.physics.loop", package, XDG_CACHE_HOME=str(package / "file"))
    assert float(done.stdout) == 8.0
    assert "every process" in done.stderr


def test_a_full_disk_costs_the_cache_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.caching import IndexDataCacheFile

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    doubled: Compiled[[float], float] = compiled(_doubled)
    assert doubled(4.0) == 8.0


def _doubled(x: float) -> float:
    return 2.0 * x
