"""The ledger of a tick: reserve before a bid, charge on the bill, release once; alone, and within shared budgets.

A shared budget is a ledger of its own, booked by the same function with the sums of its campaigns. Before a tick it is
divided among them, so they can bid side by side without asking each other, and together never take more than it has.
"""

import numpy as np

from simulators.bidding.physics.params import Array


def book(
    available: Array, reserved: Array, spent: Array, hold: Array, due: Array, flows: bool = True
) -> tuple[Array, Array, Array, Array, Array]:
    """Close a tick: what slot 0 holds is released, and the part that is due is charged instead of given back.

    All [.., micros]; `hold` and `due` are [.., slots] with the tick's own wins already in them, while `reserved` is
    not yet told of those. Returns available, reserved, spent and the two rings moved on by one tick.
    available + reserved + spent is unchanged, because each term moves by the negative of the others' sum.
    While no bills flow nothing is released and nothing charged: what was due waits in slot 0 for the first bills after.
    """
    outstanding = np.sum(hold, axis=-1)
    available = available - (outstanding - reserved)
    if not flows:
        return available, outstanding, spent, kept_back(hold), kept_back(due)
    released, charged = hold[..., 0], due[..., 0]
    empty = np.zeros_like(hold[..., :1])
    return (
        available + released - charged,
        outstanding - released,
        spent + charged,
        np.concat([hold[..., 1:], empty], axis=-1),
        np.concat([due[..., 1:], empty], axis=-1),
    )


def kept_back(ring: Array) -> Array:
    """A ring [.., slots] one tick on, with what should have left it joined to what leaves next."""
    return np.concat([ring[..., :1] + ring[..., 1:2], ring[..., 2:], np.zeros_like(ring[..., :1])], axis=-1)


def funds(available: Array, shared: Array, member: Array, is_open: tuple[bool, ...]) -> Array:
    """The money that each campaign may reserve in a tick [L, C, micros]: its own money, and its part of every open shared budget.

    `shared` [L, P] is free in each shared budget, `member` [L, C, P] who draws on it. Where it does not hold the
    members' whole own money it is divided in proportion to that. Parts are rounded down, one micro spare for the
    rounding of the quotient, so that their sum never exceeds it.
    """
    allowed = available
    for p in range(shared.shape[1]):
        if is_open[p]:
            wanted = available * member[:, :, p]
            total, free = np.sum(wanted, axis=1, keepdims=True), shared[:, p : p + 1]
            quotient = np.astype(wanted, np.float64) / np.astype(np.clip(total, 1, None), np.float64)
            part = np.clip(np.astype(np.floor(np.astype(free, np.float64) * quotient), np.int64) - 1, 0, None)
            part = np.where(total <= free, wanted, part)
            allowed = np.where(member[:, :, p] > 0, np.minimum(allowed, part), allowed)
    return allowed


def joined(ring: Array, member: Array, is_open: tuple[bool, ...]) -> Array:
    """The campaigns' amounts [L, C, slots] summed into each open shared budget: [L, P, slots]."""
    sums = [np.sum(ring * member[:, :, p, None], axis=1) * int(is_open[p]) for p in range(member.shape[2])]
    return np.stack(sums, axis=1) if sums else ring[:, :0, :]
