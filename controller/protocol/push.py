"""Push mode on the wire: a plant that keeps its own loop sends what it sees and what its own controller wants.

It gets the command to apply, with reasons and validity. An answer whose `status` is not `decided` relinquishes: no setpoints, and
the plant's own command stands. Everything here is pure; `push_client` and `push_server` move the frames.

A frame on the control socket (`framing`) holds a MessagePack message, one of `Message`.
"""

from math import nan
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from controller.protocol.framing import FrameError, frame
from controller.records.decision import Decision
from safety.values import Authority, Observation, Proposal, Quality, Rung, Signal, Source

MAX_FRAME = 1 << 20
DEADLINE_MS = 50
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Setpoints = dict[Name, float]
Moment = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class PushSignal(Struct, frozen=True, forbid_unknown_fields=True):
    """A measured value in its engineering unit; null is a value that could not be read, and is bad."""

    value: float | None
    quality: Literal["good", "bad", "stale"] = "good"
    age_us: Moment = 0


class DecideRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the plant sees at `taken_at` (plant clock, microseconds since the epoch, UTC) and its own controller's command.

    `deadline_ms` is how long the plant will wait; after it the answer is `late` and the plant's own command stands.
    """

    taken_at: Moment
    signals: dict[Name, PushSignal]
    incumbent: Setpoints
    subject: Annotated[str, Meta(max_length=128)] = ""
    applied: Setpoints | None = None
    readback: Setpoints | None = None
    availability: dict[Name, bool] = field(default_factory=dict)
    authority: Literal["ours", "local"] = "ours"
    deadline_ms: Annotated[int, Meta(ge=1, le=10_000)] = DEADLINE_MS


class Reason(Struct, frozen=True):
    """One rule's finding on one source's proposal, in words."""

    rung: str
    rule: str
    outcome: str
    detail: str


class DecideResponse(Struct, frozen=True):
    """The command to apply. Empty `setpoints` relinquish: the plant's own command stands."""

    status: Literal["decided", "late", "unavailable", "refused"]
    why: str
    rung: str = Rung.RELINQUISH.value
    setpoints: dict[str, float] = field(default_factory=dict)
    valid_for_us: int = 0
    epoch: int = 0
    decision: str = ""
    reasons: list[Reason] = field(default_factory=list)


class Notify(Struct, frozen=True, array_like=True, tag="notify"):
    """Something was submitted to the operator queue: look at it on the next occasion."""


class Decide(Struct, frozen=True, array_like=True, tag="decide"):
    """A request, numbered per connection, with the time left for its answer."""

    number: int
    plant: str
    left_us: int
    request: DecideRequest


class DecideReply(Struct, frozen=True, array_like=True, tag="answer"):
    """The answer to the request of the same number."""

    number: int
    response: DecideResponse


Message = Notify | Decide | DecideReply
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """A message as a frame. Raises FrameError if it is longer than MAX_FRAME."""
    return frame(_encoder.encode(message), MAX_FRAME)


def decode(body: bytes) -> Message:
    """The message of a frame's body. Raises FrameError if the body is not a message."""
    try:
        return _decoder.decode(body)
    except ValueError as error:  # msgspec's errors, and text that is not UTF-8
        raise FrameError(f"a body of {len(body)} bytes is not a message: {error}") from error


def late(deadline_ms: int) -> DecideResponse:
    """The answer past the deadline."""
    return DecideResponse("late", f"no decision within {deadline_ms} ms: your own command stands")


def unavailable(why: str) -> DecideResponse:
    """The answer when the control process cannot be asked."""
    return DecideResponse("unavailable", f"{why}: your own command stands")


def observation(plant: str, request: DecideRequest) -> Observation:
    """The observation of a request; a value that is null is NaN and bad, whatever quality was claimed."""
    return Observation(
        plant=plant,
        subject=request.subject,
        taken_at=request.taken_at,
        signals={name: _signal(sent) for name, sent in request.signals.items()},
        applied=request.applied,
        readback=request.readback,
        availability=request.availability,
        authority=Authority(request.authority),
    )


def _signal(sent: PushSignal) -> Signal:
    if sent.value is None:
        return Signal(nan, Quality.STALE if sent.quality == "stale" else Quality.BAD, sent.age_us)
    return Signal(sent.value, Quality(sent.quality), sent.age_us)


def proposal(request: DecideRequest) -> Proposal:
    """The incumbent's proposal of a request: the plant's own command."""
    return Proposal(Source.INCUMBENT, request.incumbent)


def answer(decision: Decision) -> DecideResponse:
    """The answer that a decision gives the plant."""
    command = decision.command
    reasons = [
        Reason(judged.rung.value, f.rule, f.outcome.value, f.detail)
        for judged in decision.judged
        for f in judged.findings
    ]
    reasons += [Reason("state", f.rule, f.outcome.value, f.detail) for f in decision.state]
    return DecideResponse(
        status="decided",
        why=decision.assignment.why,
        rung=command.rung.value,
        setpoints=dict(command.setpoints),
        valid_for_us=command.valid_for_us,
        epoch=command.epoch,
        decision=decision.id,
        reasons=reasons,
    )
