"""`understudy token create` and `understudy login`: who may use the API and the console."""

import time
from typing import Annotated

import typer

from controller.api.access import create_login_url, create_token
from controller.cli.options import DEMO, SiteOption, StateOption, operator
from controller.cli.places import state_dir
from controller.settings import load_site

tokens = typer.Typer(no_args_is_help=True, help="Tokens for the HTTP API.")
RoleOption = Annotated[str, typer.Option(help="viewer, operator or approver.")]


@tokens.command()
def create(
    actor: Annotated[str, typer.Argument(help="Whose token it is; the audit names them.")],
    role: RoleOption = "viewer",
    valid_days: Annotated[float, typer.Option(help="Days until it expires; default: never.")] = 0.0,
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """Make a token and print it, once: only its hash is kept."""
    folder = state_dir(load_site(site), state)
    folder.mkdir(parents=True, exist_ok=True)
    valid_for_s = int(valid_days * 86400) or None
    typer.echo(create_token(folder, actor, role, _now_us, valid_for_s))


@tokens.callback()
def _group() -> None:
    """Keep `create` a subcommand even while it is the only one."""


def login(role: RoleOption = "approver", site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Print a link that opens the console once, within a quarter of an hour."""
    found = load_site(site)
    web = found.settings.web
    url = create_login_url(
        state_dir(found, state), f"http://{web.host}:{web.port}", _now_us, actor=operator(), role=role
    )
    typer.echo(url)


def _now_us() -> int:
    return time.time_ns() // 1000
