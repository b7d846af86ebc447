"""The `understudy` command. Every refusal is one line on standard error and exit code 2."""

from controller.processes.import_guard import refuse_stranger

refuse_stranger()  # before anything is imported that could be a stranger's

from controller.cli.main import app  # noqa: E402

__all__ = ["app"]
