"""`understudy config check`: everything a site consists of, checked without starting anything."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from controller import bootstrap
from controller.cli.options import DEMO, SiteOption

app = typer.Typer(no_args_is_help=True, help="A site's files.")
console = Console(highlight=False)


@app.command()
def check(
    candidate: Annotated[str, typer.Option(help="Another bundle of the site, by name.")] = "", site: SiteOption = DEMO
) -> None:
    """Check site, envelope, rollout, bundle and code. Exit code 2 and one line where something is wrong."""
    loaded = bootstrap.load(Path(site), candidate)
    bootstrap.rehearse(loaded)
    settings = loaded.site.settings
    console.print(f"site      {settings.name}: plant `{settings.plant.name}` of kind `{settings.plant.kind}`")
    console.print(
        f"envelope  {len(loaded.envelope.rules)} rules, proved by {loaded.prover}, {loaded.envelope.digest[:16]}"
    )
    console.print(f"rollout   {' -> '.join(stage.name for stage in loaded.spec.stages)}, {loaded.spec.digest()[:16]}")
    console.print(
        f"candidate {loaded.bundle.manifest.name}, signed by {loaded.bundle.signer}, {loaded.bundle.digest[:16]}"
    )
    console.print(f"kernel    {loaded.kernel_digest[:16]}, as recorded")


@app.callback()
def _group() -> None:
    """Keep `check` a subcommand even while it is the only one."""
