"""The `understudy` command. Every refusal is one line on standard error and exit code 2."""

from controller.processes.import_guard import refuse_foreign_packages

refuse_foreign_packages()  # before any import that could load a foreign package

from controller.cli.main import app  # noqa: E402

__all__ = ["app"]
