"""`python -m controller.cli`: the same as the `understudy` command."""

from controller.cli.main import app

app()
