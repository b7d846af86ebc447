"""The ledger of a tick: reserve before a bid, charge on the bill, release once."""

from array_api_compat import array_namespace

from simulators.bidding.params import Array


def book(
    available: Array, reserved: Array, spent: Array, hold: Array, due: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Close a tick: what slot 0 holds is released, and the part that is due is charged instead of given back.

    All [.., micros]; `hold` and `due` are [.., slots] with the tick's own wins already in them, while `reserved` is
    not yet told of those. Returns available, reserved, spent and the two rings moved on by one tick.
    available + reserved + spent is unchanged, because each term moves by the negative of the others' sum.
    """
    xp = array_namespace(hold)
    outstanding = xp.sum(hold, axis=-1)
    available = available - (outstanding - reserved)
    released, charged = hold[..., 0], due[..., 0]
    empty = xp.zeros_like(hold[..., :1])
    return (
        available + released - charged,
        outstanding - released,
        spent + charged,
        xp.concat([hold[..., 1:], empty], axis=-1),
        xp.concat([due[..., 1:], empty], axis=-1),
    )
