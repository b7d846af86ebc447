"""The user's own load: irregular, with gaps, in whatever unit; and one clear error where it cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from simulators.cooling.world.load_csv import LoadFile, LoadFileError, read_load
from simulators.cooling.world.scenario import DisturbanceSource, scenario

LANES = np.array([0, 1])


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "load.csv"
    path.write_text(text)
    return path


def test_irregular_samples_become_straight_lines_at_five_minute_nodes(tmp_path: Path) -> None:
    series = read_load(
        _file(tmp_path, "time,load_percent\n2024-01-01T00:00,40\n2024-01-01T00:10,60\n2024-01-01T00:40,30\n"), 4, 250.0
    )
    assert series.fracs[:, 0] == pytest.approx([0.4, 0.5, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3])


@pytest.mark.parametrize(
    ("header", "value", "share"),
    [("load_frac", "0.5", 0.5), ("load_percent", "50", 0.5), ("load_kw", "500", 0.5), ("load_kw", "0", 0.0)],
)
def test_every_unit_becomes_a_share_of_design_power(tmp_path: Path, header: str, value: str, share: float) -> None:
    text = f"time,{header}\n2024-01-01T00:00,{value}\n2024-01-01T01:00,{value}\n"
    assert np.unique(read_load(_file(tmp_path, text), 4, 250.0).fracs) == pytest.approx(share)


def test_zone_columns_are_read_in_any_order(tmp_path: Path) -> None:
    text = "rack,z2_kw,time,z1_kw\na,100,2024-01-01T00:00,50\nb,100,2024-01-01T01:00,50\n"
    assert read_load(_file(tmp_path, text), 2, 200.0).fracs[0] == pytest.approx([0.25, 0.5])


def test_missing_values_are_interpolated_and_reported(tmp_path: Path) -> None:
    text = "time,load_frac\n2024-01-01T00:00,0.2\n2024-01-01T01:00,\n2024-01-01T02:00,0.4\n2024-01-01T02:05,0.4\n"
    series = read_load(_file(tmp_path, text), 4, 250.0)
    assert series.fracs[12, 0] == pytest.approx(0.3)
    assert series.gaps == ((4, 7200.0),)


def test_load_file_is_aligned_by_weekday_and_hour_and_repeats(tmp_path: Path) -> None:
    rows = "".join(f"2023-01-02T{hour:02d}:00,{hour}\n" for hour in range(24)) + "2023-01-02T23:55,23.9\n"
    load = LoadFile(_file(tmp_path, "time,load_percent\n" + rows))
    world = scenario("greensboro-year", load=load)
    monday = (7 - 6) * 365 * 288 + 288  # a year whose first day is a Sunday
    source = DisturbanceSource(world, 0, LANES, np.array([monday + 36, monday + 288 + 36]))
    assert source.row(0)["it_kw"][0] == pytest.approx(np.full((2, 4), 7.5), abs=0.3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("when,load_kw\n", "line 1: no column `time`"),
        ("time,load_mw\n", "line 1, column `load_mw`: its unit"),
        ("time,z1_kw\n", "one for each of 4 zones"),
        ("time,load_kw\n2024-01-01T00:00,5\n", "1 samples"),
        ("time,load_kw\nyesterday,5\n", "line 2, column `time`: `yesterday`"),
        ("time,load_kw\n2024-01-01T00:00,5\n2024-01-01T00:00,5\n", "line 3, column `time`: not later"),
        (
            "time,load_kw\n2024-01-01T00:00,5\n2024-01-01T01:00,five\n",
            "line 3, column `load_kw`: `five` is not a number",
        ),
        ("time,load_frac\n2024-01-01T00:00,50\n", "line 2, column `load_frac`: 50 is not from 0 to 1; check its unit"),
        ("time,load_kw\n2024-01-01T00:00,-5\n", "0 or more"),
        ("time,load_kw\n2024-01-01T00:00,nan\n", "line 2, column `load_kw`: nan is not 0 or more"),
        ("time,load_kw\n2024-01-01T00:00,5,6\n", "line 2: 3 values for 2 columns"),
        ("time,load_kw\n2024-01-01T00:00,\n2024-01-01T01:00,\n", "column `load_kw`: fewer than 2 values"),
        ("time,load_kw\n2024-01-01T00:00,5\n2024-01-01T01:00+00:00,5\n2024-01-01T00:30,5\n", "line 4"),
        ("", "given nothing"),
    ],
)
def test_invalid_file_is_one_error_with_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LoadFileError) as caught:
        read_load(_file(tmp_path, text), 4, 250.0)
    assert message in str(caught.value)


def test_missing_or_binary_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("nowhere.csv", "x.csv"):
        with pytest.raises(LoadFileError, match="cannot be read"):
            read_load(tmp_path / name, 4, 250.0)
