"""The tree of commands."""

import errno
import sys
from typing import Any

import typer

from controller.cli.lazy import Entry, LazyGroup
from controller.errors import UnderstudyError
from controller.records.errors import RecordsError
from safety.kernel import ForeignKernelError

REFUSALS = (UnderstudyError, ValueError, RecordsError, ForeignKernelError)
TREE = {
    "run": Entry("running", "run", "Run a site: control, policy, shipping, and unless headless the operator's pages."),
    "replay": Entry(
        "records", "replay", "Judge a stored decision again. Exit code 1 if a recorded id or value differs by a bit."
    ),
    "override": Entry(
        "acts",
        "override",
        "Give your own command, or refuse the candidate, on the next tick or for a stated time. "
        "The envelope still judges it.",
    ),
    "stop": Entry(
        "stopping",
        "stop",
        "Take all authority from the candidate, at once. Works with the web process and every database gone; "
        "never stops the plant.",
    ),
    "start": Entry("acts", "start", "Clear STOP: the candidate has again what its rollout gives it."),
    "train": Entry("learn", "train", "Train a candidate on the site's simulated plant, export and sign it."),
    "evaluate": Entry(
        "learn",
        "evaluate",
        "A year of a bundle beside the incumbent and the best static setting, on the same weather and load.",
    ),
    "login": Entry("access", "login", "Print a link that opens the console once, within a quarter of an hour."),
    "calibrate": Entry(
        "calibration",
        "calibrate",
        "Fit the cooling plant's parameters to a log, and say how well they fit on days that were held out.",
    ),
    "rollout": Entry("rollouts", "app", "Look at the rollout, and act on it."),
    "breaker": Entry("breakers", "app", "Look at the breakers, trip one by hand, reset a latch."),
    "db": Entry("database", "app", "The store's database."),
    "token": Entry("access", "tokens", "Tokens for the HTTP API."),
    "config": Entry("config", "app", "A site's files."),
    "envelope": Entry("envelopes", "app", "An envelope: what it means, what is proved of it, what it would have done."),
}


class _OneLineErrors(LazyGroup):
    """Known errors are one line that says what to do; a traceback is for errors nobody foresaw."""

    tree = TREE

    def invoke(self, ctx: Any) -> Any:
        cause: Exception
        try:
            return super().invoke(ctx)
        except REFUSALS as error:
            message, cause = " ".join(str(error).split()), error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            message, cause = f"`{error.filename}`: {error.strerror}: check the path, its rights and the disk", error
        print(f"understudy: {message}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from cause


app = typer.Typer(
    cls=_OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Lets a learned policy earn control of a real plant, inside a deterministic safety envelope.",
)


@app.callback()
def _group() -> None:
    """Typer makes no group of an app that holds no command: this one's are in TREE."""
