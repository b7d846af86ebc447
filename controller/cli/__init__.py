"""The `understudy` command. Every refusal is one line on standard error and exit code 2."""

from controller.cli.main import app

__all__ = ["app"]
