"""The state of a batch of accounts, and its exact way to bytes and back."""

import io
import zipfile
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from simulators.bidding.physics.params import BILL_SLOTS, CONVERSION_SLOTS, LAG_MAX_TICKS, Array, Params

HISTORY_TICKS = 3
HISTORY = (
    *("impressions", "sampled", "bid_micros", "value_pico", "wins", "paid_micros", "conversions"),
    *("clicks", "predicted_pico", "charged_micros", "held_micros"),
)


@dataclass(frozen=True, slots=True)
class State:
    """Lanes L x campaigns C after `tick` ticks; integers throughout but for `pressure`.

    Ledger [micros]: `available` + `reserved` + `spent` = budget, always. `hold` [L, C, BILL_SLOTS] are reservations by
    the tick that releases them, `due` the part of each that will then be charged; `shared_*` are the same of each
    shared budget [L, P]. `incurred` counts charges at the time of the win. `expected_pico` is what the won impressions
    are truly worth [1e-12 conversions]. `conversions_due` [L, C, CONVERSION_SLOTS] are on their way. `recent`
    [L, C, HISTORY_TICKS + LAG_MAX_TICKS, 11] and `total` [L, C, 11] hold HISTORY as it is reported, latest tick first.
    `standing` is the multiplier commanded last [L, C].
    """

    tick: int
    available_micros: Array
    reserved_micros: Array
    spent_micros: Array
    hold_micros: Array
    due_micros: Array
    incurred_micros: Array
    disputed_micros: Array
    duplicates: Array
    throttled_ticks: Array
    expected_pico: Array
    clicks: Array
    conversions: Array
    conversions_due: Array
    late_wins: Array
    late_paid_micros: Array
    late_predicted_pico: Array
    recent: Array
    total: Array
    pressure: Array
    standing: Array
    shared_available_micros: Array
    shared_reserved_micros: Array
    shared_spent_micros: Array
    shared_hold_micros: Array
    shared_due_micros: Array


def initial(params: Params) -> State:
    """The state before the first tick: every budget available, nothing known."""
    shape = params.shape

    def zeros(*tail: int) -> Array:
        return np.zeros((*shape, *tail), dtype=np.int64)

    def shared(*tail: int) -> Array:
        return np.zeros((*params.shared_micros.shape, *tail), dtype=np.int64)

    return State(
        tick=0,
        available_micros=params.budget_micros.copy(),
        reserved_micros=zeros(),
        spent_micros=zeros(),
        hold_micros=zeros(BILL_SLOTS),
        due_micros=zeros(BILL_SLOTS),
        incurred_micros=zeros(),
        disputed_micros=zeros(),
        duplicates=zeros(),
        throttled_ticks=zeros(),
        expected_pico=zeros(),
        clicks=zeros(),
        conversions=zeros(),
        conversions_due=zeros(CONVERSION_SLOTS),
        late_wins=zeros(),
        late_paid_micros=zeros(),
        late_predicted_pico=zeros(),
        recent=zeros(HISTORY_TICKS + LAG_MAX_TICKS, len(HISTORY)),
        total=zeros(len(HISTORY)),
        pressure=np.zeros(shape, dtype=np.float32),
        standing=np.zeros(shape, dtype=np.float64),
        shared_available_micros=params.shared_micros.copy(),
        shared_reserved_micros=shared(),
        shared_spent_micros=shared(),
        shared_hold_micros=shared(BILL_SLOTS),
        shared_due_micros=shared(BILL_SLOTS),
    )


def to_bytes(state: State) -> bytes:
    """Write a state (numpy) as an uncompressed .npz: no pickle, every bit kept."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{f.name: np.asarray(getattr(state, f.name)) for f in fields(State)})
    return buffer.getvalue()


def from_bytes(data: bytes) -> State:
    """Read what `to_bytes` wrote; raises `ValueError` when it is something else."""
    names = {f.name for f in fields(State)}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"not a saved bidding state: {error}") from error
    if set(found) != names:
        raise ValueError(f"a saved bidding state has {sorted(names)}, given {sorted(found)}")
    arrays: dict[str, Any] = {**found, "tick": int(found["tick"])}
    return State(**arrays)
