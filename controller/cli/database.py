"""`understudy db upgrade`."""

import typer
from rich.console import Console

from controller.cli.options import DEMO, SiteOption, StateOption
from controller.cli.places import state_dir
from controller.records import lookup
from controller.settings import load_site
from migrations import upgrade as migrate

app = typer.Typer(no_args_is_help=True, help="The store's database.")
console = Console()


@app.command()
def upgrade(site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Bring the store's tables up to this version; data stays."""
    found = load_site(site)
    folder = state_dir(found, state)
    folder.mkdir(parents=True, exist_ok=True)
    url = lookup.store_url(found.settings.store.url, folder)
    migrate(url)
    console.print(f"the store of site `{found.settings.name}` is up to date")


@app.callback()
def _group() -> None:
    """Keep `upgrade` a subcommand even while it is the only one."""
