"""The tree of commands holds each one's first line of help, and imports a command when it is asked for."""

from importlib import import_module
from typing import Any, ClassVar

import pytest
import typer
from typer.testing import CliRunner

from controller.cli.lazy import Entry, LazyGroup
from controller.cli.main import TREE, app

GROUP: Any = typer.main.get_command(app)


def filled_at_once() -> typer.Typer:
    """The same tree with every command in it from the beginning."""
    full = typer.Typer(no_args_is_help=True, add_completion=False, help=app.info.help)
    for word, entry in TREE.items():
        what = getattr(import_module(f"controller.cli.{entry.module}"), entry.name)
        if isinstance(what, typer.Typer):
            full.add_typer(what, name=word)
        else:
            full.command(word)(what)
    return full


def page(tree: typer.Typer, *words: str) -> str:
    result = CliRunner().invoke(tree, [*words, "--help"], prog_name="understudy", env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("word", TREE)
def test_tree_line_is_the_first_line_of_the_command_help(word: str) -> None:
    assert TREE[word].help == GROUP.commands[word].help.splitlines()[0]


@pytest.mark.parametrize("words", [(), *((word,) for word in TREE)], ids=lambda words: " ".join(words) or "all")
def test_every_page_is_that_of_a_tree_filled_at_once(words: tuple[str, ...]) -> None:
    assert page(app, *words) == page(filled_at_once(), *words)


def test_commands_are_listed_in_the_order_of_the_tree() -> None:
    assert GROUP.list_commands(None) == list(GROUP.commands) == list(TREE)


def test_unknown_command_is_refused_with_the_nearest_name() -> None:
    result = CliRunner().invoke(app, ["stpo"])
    assert result.exit_code == 2
    assert "Did you mean 'stop'?" in result.output


def test_import_error_is_not_reported_as_an_unknown_command() -> None:
    class Broken(LazyGroup):
        tree: ClassVar = {"walk": Entry("walking", "walk", "Walk.")}

    with pytest.raises(ModuleNotFoundError, match=r"controller\.cli\.walking"):
        Broken(name="broken").get_command(None, "walk")
