"""A group of commands whose modules are imported when they are asked for: `stop` does not wait for what `run` needs."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is: a module of `controller.cli`, and a function or a `Typer` in it.

    `help` is the first line of its own help once more, so that listing the commands imports none of them.
    """

    module: str
    name: str
    help: str


class LazyGroup(TyperGroup):
    """The commands of `tree`, in that order."""

    tree: ClassVar[Mapping[str, Entry]] = {}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands: Any = Commands(self.tree)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        # No `get`: it would take a KeyError of the module that is imported for a command that does not exist.
        if cmd_name not in self.commands:
            return None
        return self.commands[cmd_name]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The page of this very group, but with stand-ins for the commands: it shows only their words and first lines."""
        listed = copy(self)
        listed.commands = {word: TyperCommand(word, help=entry.help) for word, entry in self.tree.items()}
        TyperGroup.format_help(listed, ctx, formatter)


class Commands(Mapping[str, Any]):
    """The commands of a tree by their words, each made of its module when it is first asked for."""

    def __init__(self, tree: Mapping[str, Entry]) -> None:
        self._tree = tree
        self._made: dict[str, Any] = {}

    def __getitem__(self, word: str) -> Any:
        entry = self._tree[word]
        if word not in self._made:
            self._made[word] = _made(word, getattr(import_module(f"controller.cli.{entry.module}"), entry.name))
        return self._made[word]

    def __contains__(self, word: object) -> bool:
        return word in self._tree

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree)

    def __len__(self) -> int:
        return len(self._tree)


def _made(word: str, what: Any) -> Any:
    """The command of a function or of a `Typer`, as a tree that was filled at once would have made it."""
    holder = typer.Typer(add_completion=False, callback=lambda: None)
    if isinstance(what, typer.Typer):
        holder.add_typer(what, name=word)
    else:
        holder.command(word)(what)
    group: Any = typer.main.get_command(holder)
    return group.commands[word]
