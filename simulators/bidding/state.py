"""The state of a batch of accounts, and its exact way to bytes and back."""

import io
import zipfile
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from simulators.bidding.params import BILL_SLOTS, CONVERSION_SLOTS, Array, Params

HISTORY_TICKS = 3
HISTORY = ("impressions", "sampled", "bid_micros", "value_pico", "wins", "paid_micros", "conversions")


@dataclass(frozen=True, slots=True)
class State:
    """Lanes L x campaigns C after `tick` ticks; integers throughout but for `pressure`.

    Ledger [micros]: `available` + `reserved` + `spent` = budget, always. `hold` [L, C, BILL_SLOTS] are reservations by
    the tick that releases them, `due` the part of each that will then be charged. `incurred` counts charges at the
    time of the win. `expected_pico` is what the won impressions are truly worth, `predicted_pico` what the bidder
    believes they are [1e-12 conversions]. `conversions_due` [L, C, CONVERSION_SLOTS] are on their way. `recent`
    [L, C, 3, 7] and `total` [L, C, 7] hold HISTORY as the bidder has seen it, latest tick first.
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
    predicted_pico: Array
    clicks: Array
    conversions: Array
    conversions_due: Array
    late_wins: Array
    late_paid_micros: Array
    late_predicted_pico: Array
    recent: Array
    total: Array
    pressure: Array


def initial(params: Params) -> State:
    """The state before the first tick: every budget available, nothing known."""
    xp = array_namespace(params.budget_micros)
    shape, where = params.shape, device(params.budget_micros)

    def zeros(*tail: int) -> Array:
        return xp.zeros((*shape, *tail), dtype=xp.int64, device=where)

    return State(
        tick=0,
        available_micros=xp.asarray(params.budget_micros, copy=True),
        reserved_micros=zeros(),
        spent_micros=zeros(),
        hold_micros=zeros(BILL_SLOTS),
        due_micros=zeros(BILL_SLOTS),
        incurred_micros=zeros(),
        disputed_micros=zeros(),
        duplicates=zeros(),
        throttled_ticks=zeros(),
        expected_pico=zeros(),
        predicted_pico=zeros(),
        clicks=zeros(),
        conversions=zeros(),
        conversions_due=zeros(CONVERSION_SLOTS),
        late_wins=zeros(),
        late_paid_micros=zeros(),
        late_predicted_pico=zeros(),
        recent=zeros(HISTORY_TICKS, len(HISTORY)),
        total=zeros(len(HISTORY)),
        pressure=xp.zeros(shape, dtype=xp.float32, device=where),
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
