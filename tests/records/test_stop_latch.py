"""The STOP latch: its presence is what counts, and the first word stands."""

from pathlib import Path

from controller.records.stop_latch import Stop, clear_stop, read_stop, stop_path, write_stop


def test_stop_latches_and_is_lifted(tmp_path: Path) -> None:
    state = tmp_path / "new" / "site"
    assert read_stop(state) is None
    assert write_stop(state, "ada", "smoke", at=5) == Stop("ada", "smoke", 5)
    assert read_stop(state) == Stop("ada", "smoke", 5)
    assert clear_stop(state)
    assert not clear_stop(state)
    assert read_stop(state) is None
    assert list(state.iterdir()) == []


def test_the_first_word_stands(tmp_path: Path) -> None:
    write_stop(tmp_path, "ada", "smoke", at=5)
    assert write_stop(tmp_path, "bob", "me too").actor == "ada"
    assert [path.name for path in tmp_path.iterdir()] == ["STOP"]


def test_manually_created_latch_file_stops_the_candidate(tmp_path: Path) -> None:
    stop_path(tmp_path).touch()
    stop = read_stop(tmp_path)
    assert stop is not None
    assert stop.actor == "unknown"
    assert "cannot be read" in stop.reason
    assert write_stop(tmp_path, "ada", "smoke").actor == "unknown"


def test_the_time_of_a_stop_is_the_wall_clock(tmp_path: Path) -> None:
    assert write_stop(tmp_path, "ada", "smoke").at > 1_600_000_000_000_000
