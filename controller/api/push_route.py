"""`POST /v1/plants/{plant}/decide`, the fast path: a bare Starlette route with msgspec, documented in the same schema.

It decodes, forwards to the control process and encodes; no thread, no second validation.
"""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controller.api.guards import check, principal
from controller.api.problems import Problem, response
from controller.api.roles import Role
from controller.api.services import Services
from controller.protocol.push import DecideRequest, DecideResponse

PATH = "/v1/plants/{plant}/decide"
ROLE = Role.OPERATOR
_decoder = msgspec.json.Decoder(DecideRequest)
_encoder = msgspec.json.Encoder()


async def decide(request: Request) -> Response:
    """One push-mode decision."""
    try:
        check(principal(request), ROLE)
        body = _decoder.decode(await request.body())
    except Problem as problem:
        return response(problem)
    except msgspec.ValidationError as error:
        return response(Problem(422, "invalid", str(error).lower()))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return response(Problem(400, "bad-request", f"the body is not JSON: {error}"))
    found: Services = request.app.state.services
    plant = request.path_params["plant"]
    if plant not in found.push_plants:
        return response(Problem(404, "not-found", f"plant `{plant}` is not served in push mode here"))
    answer = await found.backend.decide(plant, body)
    found.metrics.pushed(answer.status)
    return Response(_encoder.encode(answer), 200, media_type="application/json")


route = Route(PATH, decide, methods=["POST"])


def operation() -> tuple[dict[str, Any], dict[str, Any]]:
    """The OpenAPI path item of this route, and the schemas it refers to."""
    (request_schema, response_schema), schemas = msgspec.json.schema_components(
        [DecideRequest, DecideResponse], ref_template="#/components/schemas/{name}"
    )
    item = {
        "tags": ["push mode"],
        "operationId": "decide_push",
        "summary": "Decide",
        "description": "Send what the plant sees and its own controller's command; apply the command that comes back. "
        "When `status` is not `decided`, `setpoints` is empty: your own command stands.",
        "x-role": ROLE.word,
        "parameters": [{"name": "plant", "in": "path", "required": True, "schema": {"type": "string"}}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": request_schema, "example": REQUEST_EXAMPLE}},
        },
        "responses": {
            "200": {
                "description": "the command to apply, or why no command was decided",
                "content": {"application/json": {"schema": response_schema, "example": RESPONSE_EXAMPLE}},
            }
        },
    }
    return {"post": item}, dict(schemas)


REQUEST_EXAMPLE = {
    "taken_at": 1_767_225_900_000_000,
    "signals": {"signal_a": {"value": 24.6}, "signal_b": {"value": None, "quality": "bad"}},
    "incumbent": {"setpoint_a": 20.0, "setpoint_b": 9.0},
    "applied": {"setpoint_a": 20.5, "setpoint_b": 9.0},
    "deadline_ms": 50,
}
RESPONSE_EXAMPLE = {
    "status": "decided",
    "why": "block 41 of stage 4%",
    "rung": "candidate",
    "setpoints": {"setpoint_a": 20.7, "setpoint_b": 9.0},
    "valid_for_us": 600_000_000,
    "epoch": 3,
    "decision": "plant-a.plant.1767225900000000",
    "reasons": [],
}
