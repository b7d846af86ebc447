"""The OpenAPI document is complete, and no request it allows, or nearly allows, makes the service fail."""

from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from httpx import Response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from controller.api.access import AccessBook
from controller.api.reference import document, render
from controller.api.roles import Role
from tests.api.web_client import WebClient
from tests.loop.fakes import FakeSite
from tests.paths import ROOT

EXAMPLES_EACH = 5


def test_every_operation_has_summary_tag_and_unique_id(app: FastAPI) -> None:
    operations = [operation for item in app.openapi()["paths"].values() for operation in item.values()]
    assert all(
        operation["tags"] and (operation.get("description") or operation.get("summary")) for operation in operations
    )
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)


def test_every_guarded_operation_documents_its_problems(app: FastAPI) -> None:
    for path, item in app.openapi()["paths"].items():
        for operation in item.values():
            if operation["x-role"] != "none":
                assert "application/problem+json" in operation["responses"]["403"]["content"], path


def test_the_reference_page_is_what_the_schema_says(app: FastAPI) -> None:
    page = ROOT / "docs" / "reference" / "api.md"
    assert page.read_text() == render(), "run `python -m controller.api.reference > docs/reference/api.md`"
    assert document()["paths"].keys() == app.openapi()["paths"].keys()


def test_every_change_documents_its_key(app: FastAPI) -> None:
    for path, item in app.openapi()["paths"].items():
        if "post" in item and not path.endswith("/decide"):
            names = {parameter["name"] for parameter in item["post"]["parameters"] if parameter.get("required")}
            assert "Idempotency-Key" in names, path


def test_every_reference_of_the_document_leads_somewhere(app: FastAPI) -> None:
    document = app.openapi()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return here + [found for inner in value.values() for found in references(inner)]
        return [found for inner in value for found in references(inner)] if isinstance(value, list) else []

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_generated_valid_and_invalid_requests_never_cause_a_server_error(
    app: FastAPI, site: FakeSite, access: AccessBook, mode: GenerationMode
) -> None:
    caller = WebClient(app, {"Authorization": f"Bearer {access.create_token('fuzz', Role.APPROVER)}"})
    schema = schemathesis.openapi.from_dict(app.openapi())
    statuses: list[int] = []
    for result in schema.exclude(path_regex="/stream$").get_all_operations():  # a stream never ends: it is tested alone
        with suppress(Unsatisfiable):  # an operation without parameters cannot be asked wrongly
            statuses += exercise(result.ok(), caller, mode)
    assert len(statuses) > 100
    assert mode is GenerationMode.NEGATIVE or sum(status < 300 for status in statuses) > len(statuses) // 3


def exercise(operation: Any, caller: WebClient, mode: GenerationMode) -> list[int]:
    """Ask one operation in many ways; its documented answers are all that may come. Returns the statuses seen."""
    documented, statuses = operation.definition.raw["responses"], []

    @settings(
        max_examples=EXAMPLES_EACH,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        if "plant" in (case.path_parameters or {}):
            case.path_parameters["plant"] = "hall-a"  # else nearly every request would end at the 404
        answer = ask(caller, case.as_transport_kwargs(base_url="http://testserver"))
        statuses.append(answer.status_code)
        assert answer.status_code < 500, answer.text
        assert str(answer.status_code) in documented, (answer.status_code, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"

    holds()
    return statuses


def ask(caller: WebClient, sent: dict[str, Any]) -> Response:
    """Send a request that schemathesis made."""
    body = {"json": sent["json"]} if "json" in sent else {"content": sent.get("data")}
    headers = _sendable(sent.get("headers") or {})
    return caller.request(sent["method"], sent["url"], params=sent.get("params"), headers=headers, **body)


def _sendable(headers: Any) -> dict[str, str]:
    """Headers that an HTTP client can send at all, without the made-up token."""
    texts = {str(name): str(value) for name, value in dict(headers).items() if name != "Authorization"}
    return {name: value for name, value in texts.items() if value.isprintable() and value.isascii()}
