"""`understudy envelope check | prove | diff | test | commission | page | explain`."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import DEMO, SiteOption, StateOption
from controller.errors import SettingsError
from safety.tools import actions

app = typer.Typer(
    no_args_is_help=True, help="An envelope: what it means, what is proved of it, what it would have done."
)
PROVER_KEY = Path(".understudy/prover-key.pem")
File = Annotated[Path, typer.Argument(help="An envelope.toml.")]
CASES = Path("tests/cases")
CasesOption = Annotated[Path, typer.Option(help="Folder of cases: `decisions/` and the `envelopes/` they begin from.")]
SitesOption = Annotated[Path, typer.Option(help="Folder of the sites whose envelopes the cases name.")]


@app.command()
def check(envelope: File) -> None:
    """Load it, and say what it is called. Exit code 1 and one line where it may not be loaded."""
    _say(actions.check(envelope))


@app.command()
def prove(
    envelope: File,
    out: Annotated[Path | None, typer.Option(help="Where to write it; beside the envelope if not given.")] = None,
    key: Annotated[Path, typer.Option(help="Private key to sign with; made if the file does not exist.")] = PROVER_KEY,
) -> None:
    """Prove every obligation with z3 (the `prove` extra) and write the signed certificate that the service requires.

    What does not hold is shown by a counterexample in engineering units. Exit code 1 if anything fails: then nothing is written.
    """
    # Not for the other commands: they sign nothing, and need neither keys nor what reads them.
    from controller.certificates import CERTIFICATE, PROVERS, signed
    from controller.policies.trust import read_or_make_key

    _needs_z3("prove")
    result = actions.prove(envelope)
    for line in result.lines:
        typer.echo(line)
    if not result.passed:
        raise typer.Exit(1)
    to = out or envelope.with_name(CERTIFICATE)
    to.write_bytes(signed(result.made, read_or_make_key(key)))
    typer.echo(f"certificate: {to}")
    typer.echo(f"a site runs on it once {key.with_suffix('.pub')} lies in its folder trust/{PROVERS}/")


@app.command()
def diff(old: File, new: File) -> None:
    """Show the states and commands that the two envelopes judge differently, with examples, and who must approve."""
    _needs_z3("diff")
    _say(actions.diff(old, new))


@app.command("test")
def golden(
    cases: Annotated[
        Path, typer.Argument(help="Folder of cases: `decisions/` and the `envelopes/` they begin from.")
    ] = CASES,
    sites: SitesOption = Path("deploy/sites"),
) -> None:
    """Judge every golden decision again. Exit code 1 on any difference."""
    _say(actions.test(cases, sites))


@app.command()
def commission(envelope: File, log: Annotated[Path, typer.Option(help="CSV of the incumbent's own history.")]) -> None:
    """Count the commands of a real log that the envelope vetoes, by rule. Exit code 1 below 99.9 % accepted."""
    _say(actions.commission_log(envelope, log))


@app.command()
def page(
    envelope: File,
    out: Annotated[Path, typer.Option(help="Where to write the page.")],
    cases: CasesOption = CASES,
    sites: SitesOption = Path("deploy/sites"),
) -> None:
    """Write its page: hazard, rule, proof, test and last result."""
    _needs_z3("page")
    result = actions.make_page(envelope, cases, sites)
    if result.made:
        out.write_bytes(result.made)
        typer.echo(f"page: {out}")
    _say(result)


@app.command()
def explain(
    decision: Annotated[str, typer.Argument(help="A decision's id, or `last`.")],
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """A stored decision in an operator's words: who acts, who could not and why, and how near the nearest limit is."""
    # Not for the other commands: they look at files, this one at what a run has kept.
    from controller.cli.places import running_state
    from controller.records.decision import redecide
    from controller.records.lookup import envelope_of, find_decision, store_url

    found, folder = running_state(site, state)
    stored = find_decision(decision, folder, store_url(found.settings.store.url, folder))
    envelope = envelope_of(found, stored.digests.envelope, folder)
    given = stored.assignment
    typer.echo(f"assigned to {given.source}, stage `{given.stage}`: {given.why or 'no reason was given'}")
    if stored.without:
        typer.echo(
            f"kept out of this decision by guard, STOP, a breach or a failing record: {', '.join(stored.without)}"
        )
    _say(actions.explain(redecide(stored, envelope), envelope, stored.observation.authority))


def _needs_z3(command: str) -> None:
    """The service is installed without z3; who looks after its envelopes needs it."""
    if importlib.util.find_spec("z3") is None:
        raise SettingsError(
            f"`envelope {command}` needs z3: `make test` installs it, or `pip install -c constraints.txt -e .[prove]`"
        )


def _say(result: actions.Report) -> None:
    for line in result.lines:
        typer.echo(line)
    raise typer.Exit(0 if result.passed else 1)
