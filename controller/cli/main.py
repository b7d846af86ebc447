"""The tree of commands."""

import errno
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from controller.cli import (
    access,
    acts,
    breakers,
    calibration,
    config,
    database,
    envelopes,
    learn,
    records,
    rollouts,
    running,
)
from controller.errors import UnderstudyError
from controller.store.errors import RecordsError
from safety.kernel import ForeignKernelError

REFUSALS = (UnderstudyError, ValueError, RecordsError, ForeignKernelError)


class _OneLineErrors(TyperGroup):
    """Known errors are one line that says what to do; a traceback is for errors nobody foresaw."""

    def invoke(self, ctx: Any) -> Any:
        cause: Exception
        try:
            return super().invoke(ctx)
        except REFUSALS as error:
            told, cause = " ".join(str(error).split()), error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            told, cause = f"`{error.filename}`: {error.strerror}: check the path, its rights and the disk", error
        print(f"understudy: {told}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from cause


app = typer.Typer(
    cls=_OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Lets a learned policy earn control of a real plant, inside a deterministic safety envelope.",
)
app.command("run")(running.run)
app.command("replay")(records.replay)
app.command("override")(acts.override)
app.command("stop")(acts.stop)
app.command("start")(acts.start)
app.command("train")(learn.train)
app.command("evaluate")(learn.evaluate)
app.add_typer(rollouts.app, name="rollout")
app.add_typer(breakers.app, name="breaker")
app.add_typer(database.app, name="db")
app.add_typer(access.tokens, name="token")
app.add_typer(config.app, name="config")
app.add_typer(envelopes.app, name="envelope")
app.command("login")(access.login)
app.command("calibrate")(calibration.calibrate)
