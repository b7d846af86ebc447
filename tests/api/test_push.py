"""Push mode: frames survive any cut, every request gets an answer, and lateness relinquishes."""

import asyncio
import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.protocol.framing import FrameBuffer
from controller.protocol.push import (
    MAX_FRAME,
    Decide,
    DecideReply,
    DecideRequest,
    DecideResponse,
    PushSignal,
    decode,
    encode,
    observation,
)
from controller.protocol.push_client import PushClient, notify
from controller.protocol.push_server import PushServer
from safety.values import Quality
from tests.api.conftest import Client
from tests.loop.fakes import FakeSite

BODY = {
    "taken_at": 1_767_300_000_000_000,
    "signals": {"zone_1_c": {"value": 24.0}},
    "incumbent": {"supply_air_c": 20.0, "chw_supply_c": 8.0, "fan_frac": 0.7},
}
REQUEST = DecideRequest(taken_at=5, signals={"t": PushSignal(math.nan, "bad")}, incumbent={"x": 1.0}, deadline_ms=500)


def test_unreadable_value_is_bad_whatever_quality_was_sent() -> None:
    request = DecideRequest(taken_at=5, signals={"t": PushSignal(None, "good", 7)}, incumbent={})
    signal = observation("p", request).signals["t"]
    assert math.isnan(signal.value)
    assert (signal.quality, signal.age_us) == (Quality.BAD, 7)


def test_a_decision_comes_back_with_command_reasons_and_validity(client: Client, site: FakeSite) -> None:
    answer = client("operator").post("/v1/plants/hall-a/decide", json=BODY).json()
    assert (answer["status"], answer["rung"], answer["valid_for_us"]) == ("decided", "incumbent", 600_000_000)
    assert set(answer["setpoints"]) == set(BODY["incumbent"])  # type: ignore[call-overload]
    assert answer["decision"] == site.history[-1].id


def test_without_a_control_process_the_plants_own_command_stands(client: Client, site: FakeSite) -> None:
    site.control_down = True
    answer = client("operator").post("/v1/plants/hall-a/decide", json=BODY).json()
    assert (answer["status"], answer["rung"], answer["setpoints"]) == ("unavailable", "relinquish", {})
    assert "own command" in answer["why"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b'{"taken_at": 1}', 422),
        (b'{"taken_at": -1, "signals": {}, "incumbent": {}}', 422),
        (b'{"taken_at": 1, "signals": {}, "incumbent": {}, "typo": 1}', 422),
        (b'{"taken_at": 1, "signals": {"t": {"value": "hot"}}, "incumbent": {}}', 422),
    ],
)
def test_a_bad_body_is_a_problem_that_names_the_field(client: Client, body: bytes, status: int) -> None:
    answer = client("operator").post("/v1/plants/hall-a/decide", content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_plant_that_is_not_pushed_is_a_404(client: Client) -> None:
    assert client("operator").post("/v1/plants/hall-b/decide", json=BODY).status_code == 404


class Control:
    """The control process's end of the socket, with a handler that tests steer."""

    def __init__(self, path: Path) -> None:
        self.notified = 0
        self.delay_s = 0.0
        self.fail = False
        self.seen: list[int] = []
        self.server = PushServer(path, self.handle, self.notify)
        self.server.start()

    def handle(self, plant: str, request: DecideRequest) -> DecideResponse:
        self.seen.append(request.taken_at)
        time.sleep(self.delay_s)
        if self.fail:
            raise ValueError("broken")
        return DecideResponse("decided", plant, "incumbent", dict(request.incumbent), decision=str(request.taken_at))

    def notify(self) -> None:
        self.notified += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def control(path: Path) -> Iterator[Control]:
    made = Control(path)
    yield made
    made.server.close()


def asking(path: Path, requests: list[DecideRequest]) -> list[DecideResponse]:
    async def ask() -> list[DecideResponse]:
        client = PushClient(path)
        try:
            return await asyncio.gather(*(client.decide("hall-a", request) for request in requests))
        finally:
            client.close()

    return asyncio.run(ask())


def test_concurrent_requests_on_one_connection_get_their_own_answers(control: Control, path: Path) -> None:
    requests = [DecideRequest(taken_at=n, signals={}, incumbent={"x": n}, deadline_ms=5000) for n in range(50)]
    answers = asking(path, requests)
    assert [answer.decision for answer in answers] == [str(n) for n in range(50)]


def test_past_the_deadline_the_answer_is_late_and_relinquishes(control: Control, path: Path) -> None:
    control.delay_s = 0.2
    slow = DecideRequest(taken_at=1, signals={}, incumbent={"x": 1.0}, deadline_ms=20)
    (answer,) = asking(path, [slow])
    assert (answer.status, answer.rung, answer.setpoints) == ("late", "relinquish", {})
    assert "within 20 ms" in answer.why


def test_what_waited_too_long_is_answered_without_a_decision(path: Path) -> None:
    clock = iter([0, 100_000])
    seen: list[int] = []
    server = PushServer(path, lambda *_: pytest.fail("decided"), lambda: None, monotonic_us=lambda: next(clock))
    server.start()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(encode(Decide(1, "hall-a", 50_000, REQUEST)))
        (message,) = [decode(body) for body in FrameBuffer(MAX_FRAME).feed(sock.recv(4096))]
    server.close()
    assert not seen
    assert isinstance(message, DecideReply)
    assert message.response.status == "late"


def test_a_handler_that_fails_answers_unavailable_and_serves_on(control: Control, path: Path) -> None:
    control.fail = True
    assert asking(path, [REQUEST])[0].status == "unavailable"
    control.fail = False
    assert asking(path, [REQUEST])[0].status == "decided"


def test_noise_costs_only_its_own_connection(control: Control, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as noisy:
        noisy.connect(str(path))
        noisy.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert noisy.recv(16) == b""
    assert asking(path, [REQUEST])[0].status == "decided"


def test_a_notify_arrives(control: Control, path: Path) -> None:
    notify(path)
    asking(path, [REQUEST])  # accepted later, so the notify has been read by then
    assert control.notified == 1


def test_notification_without_a_listener_is_not_an_error(path: Path) -> None:
    notify(path)
    assert not path.exists()


def test_nobody_at_the_socket_is_unavailable_at_once(path: Path) -> None:
    answers = asking(path, [REQUEST] * 3)
    assert {answer.status for answer in answers} == {"unavailable"}


def test_stopped_control_process_fails_waiting_requests_and_can_return(path: Path) -> None:
    async def stop_and_restart() -> list[str]:
        first = Control(path)
        client = PushClient(path)
        statuses = [(await client.decide("hall-a", REQUEST)).status]
        await asyncio.to_thread(first.server.close)
        statuses.append((await client.decide("hall-a", REQUEST)).status)
        second = Control(path)
        await asyncio.sleep(0.3)
        statuses.append((await client.decide("hall-a", REQUEST)).status)
        client.close()
        await asyncio.to_thread(second.server.close)
        return statuses

    assert asyncio.run(stop_and_restart()) == ["decided", "unavailable", "decided"]


def test_the_socket_is_for_its_owner_only(control: Control, path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0
