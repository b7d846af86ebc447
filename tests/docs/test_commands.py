"""The command line and its page say the same, and every command shown anywhere can be typed."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from controller.cli.main import app
from tests.docs.pages import REFERENCE, SHELL, fences, inline_code, name_of, pages, prose, section

PAGE = REFERENCE / "cli.md"
TREE: Any = typer.main.get_command(app)
OPERATORS = set("|&;<>()")


def leaves(command: Any = TREE, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for word, inner in command.commands.items():
        yield from leaves(inner, (*path, word))


LEAVES = dict(leaves())


def long_options(command: Any) -> list[str]:
    return [text for option in options(command) for text in option.opts if text.startswith("--")]


def options(command: Any) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "option"]


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_command_page_lists_every_option_and_argument(path: tuple[str, ...]) -> None:
    text, command = section(PAGE, path[0]), LEAVES[path]
    assert f"`understudy {' '.join(path)}" in text
    missing = [option for option in long_options(command) if option not in inline_code(text)]
    assert not missing, f"docs/reference/cli.md, section {path[0]}: {missing}"
    for param in command.params:
        if param.param_type_name == "argument":
            assert param.name.upper() in text


def test_every_option_on_the_page_exists() -> None:
    known = {"--help", *(text for command in LEAVES.values() for option in options(command) for text in option.opts)}
    shown = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", " ".join(inline_code(PAGE.read_text()))))
    assert shown - known == set()


def test_short_options_are_on_the_page() -> None:
    short = {text for command in LEAVES.values() for o in options(command) for text in o.opts if text[1] != "-"}
    assert short <= set(inline_code(PAGE.read_text()))


def shown() -> list[tuple[str, str]]:
    """Every line with an `understudy` command in it, and where it stands."""
    found = []
    for page in pages():
        for fence in fences(page, *SHELL):
            text = fence.text.replace("\\\n", " ")
            found += [(fence.where, line.removeprefix("$ ")) for line in text.splitlines()]
        found += [(name_of(page), code) for code in inline_code(prose(page))]
    return [(where, line) for where, line in found if re.match(r"(\.venv/bin/)?understudy\b", line)]


def calls(line: str) -> Iterator[list[str]]:
    """The words of each `understudy` command of a shell line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= OPERATORS:
            if words and words[0].rpartition("/")[2] == "understudy":
                yield words[1:]
            words = []
        else:
            words.append(word)


def fault(words: list[str]) -> str:
    """Return the fault of a command, empty if it has none. A word in capitals stands for any value."""
    command: Any = TREE
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0].isupper():
            return ""
        if rest[0] not in command.commands:
            return f"no command `{rest[0]}`"
        command = command.commands[rest.pop(0)]
    known = {text: option for option in options(command) for text in option.opts}
    takes_arguments = any(param.param_type_name == "argument" for param in command.params)
    while rest:
        word, _, value = rest.pop(0).partition("=")
        if not word.startswith("-"):
            if not takes_arguments:
                return f"`{word}` is one word too many"
        elif word not in known and word != "--help":
            return f"no option `{word}`"
        elif word != "--help" and not known[word].is_flag and not value:
            if not rest:
                return f"`{word}` requires a value"
            rest.pop(0)
    return ""


def test_commands_are_shown_at_all() -> None:
    assert len(shown()) > 40


def test_every_command_shown_can_be_typed() -> None:
    faults = [
        f"{where}: `{line}`: {message}" for where, line in shown() for words in calls(line) if (message := fault(words))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("understudy walk", "no command `walk`"),
        ("understudy rollout walk", "no command `walk`"),
        ("understudy run --far 3", "no option `--far`"),
        ("understudy run 3", "`3` is one word too many"),
        ("understudy stop --reason", "`--reason` requires a value"),
        ("true && understudy run --far", "no option `--far`"),
        ("understudy run --for=3d --headless | tee log", ""),
        ("understudy breaker reset TRIP_ID -r 'it was me'", ""),
    ],
)
def test_a_wrong_command_would_be_found(line: str, message: str) -> None:
    assert next(filter(None, map(fault, calls(line))), "") == message
