"""Ids of decisions can be read back, and months are the calendar's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.records.decision import decision_id
from controller.records.identity import Key, keys_of, month_of

NAMES = st.text("ab.-", min_size=1, max_size=6)


@settings(derandomize=True)
@given(NAMES, NAMES, st.integers(-(2**62), 2**62))
def test_an_id_says_its_key(plant: str, subject: str, taken_at: int) -> None:
    assert Key(plant, subject, taken_at) in keys_of(decision_id(plant, subject, taken_at))


def test_malformed_id_has_no_key() -> None:
    assert (
        keys_of("") == keys_of("hall") == keys_of("hall.5") == keys_of("hall.plant.x") == keys_of("hall.plant.") == ()
    )


def test_a_month_begins_at_midnight_utc() -> None:
    new_year_us = 1_767_225_600_000_000
    assert (month_of(new_year_us - 1), month_of(new_year_us)) == (202512, 202601)
    assert month_of(-1) == 196912
