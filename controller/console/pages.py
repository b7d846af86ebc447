"""Templates and what every page of the console is given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from controller.api.models import DecisionLine
from controller.api.services import Services, in_thread
from controller.api.views import line
from controller.console import present
from controller.protocol.status import PlantStatus

HERE = Path(__file__).parent
FRAGMENTS = ("banner", "setpoints", "decisions", "rollout", "trips")
LINES = 12


def environment() -> Environment:
    """The templates: everything escaped, every missing name an error."""
    made = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    made.trim_blocks = made.lstrip_blocks = True
    for function in (
        present.clock,
        present.plain,
        present.unit,
        present.amount,
        present.place,
        present.moved,
        present.limit_state,
        present.check,
        present.trip_words,
    ):
        made.globals[function.__name__] = function
    return made


TEMPLATES = environment()


@dataclass(frozen=True, slots=True)
class PageView:
    """All that the fragments show, read at one moment; each decision with what its command moved."""

    live: PlantStatus
    banner: present.Banner
    decisions: list[tuple[DecisionLine, str]]


async def view_of(found: Services, plant: str) -> PageView | None:
    """The view of a plant, or None if the control process never wrote a status of it. Raises the 503 problem."""
    live = await in_thread(lambda: found.backend.live(plant))
    if live is None:
        return None
    decisions = await in_thread(lambda: found.backend.decisions(plant, limit=LINES))
    lines = [(line(d), present.moved(d.memory_before.last, d.command.setpoints)) for d in decisions]
    reason = lines[0][0].reason if lines and lines[0][0].id == live.last_decision else ""
    return PageView(live, present.banner(live, found.now_us(), reason), lines)


def fragments(view: PageView) -> dict[str, str]:
    """The parts of the page that live, each as HTML."""
    return {name: TEMPLATES.get_template(f"_{name}.html").render(view=view, live=view.live) for name in FRAGMENTS}


def page(request: Request, template: str, status: int = 200, **given: Any) -> HTMLResponse:
    """A whole page. It is never stored by a browser: what it shows is true only now."""
    who = request.scope.get("principal")
    body = TEMPLATES.get_template(template).render(who=who, **given)
    return HTMLResponse(body, status, {"Cache-Control": "no-store"})
