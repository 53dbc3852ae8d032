"""Write down every command with its options, as the program itself describes them, to ``docs/cli.md``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from overnight.ui.cli.group import COMMANDS, global_options, load

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"

HEAD = """\
# Commands

Generated from the commands themselves by `make docs`; a test compares the two. `overnight COMMAND --help`
says the same. Results go to stdout, everything else to stderr. Instants in JSON are ISO 8601 in UTC,
durations are seconds. What each exit status means is in [exit-status.md](exit-status.md).

`overnight` alone is `overnight status`. Durations are written as `30`, `30s`, `5m`, `2h`, `1d`.

## Options of every command
"""


def page() -> str:
    """The whole page as text."""
    parts = [HEAD, *_options(global_options())]
    for name in COMMANDS:
        parts += _command(f"overnight {name}", load(name))
    return "\n".join(parts) + "\n"


def _command(path: str, command: click.Command) -> Iterator[str]:
    """One command and what is below it."""
    words = [_words(param) for param in command.params if isinstance(param, click.Argument)]
    below = isinstance(command, click.Group)
    yield from ["", f"## `{' '.join([path, *words, *(['COMMAND'] if below else [])])}`", ""]
    yield from _help(command)
    options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    if options:
        yield from ["", *_options(options)]
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(f"{path} {name}", inner)


def _words(argument: click.Argument) -> str:
    return argument.metavar or (argument.name or "").upper()


def _help(command: click.Command) -> Iterator[str]:
    """The help text; blocks that are not to be wrapped become code."""
    for number, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        if number:
            yield ""
        if paragraph.startswith("\b\n"):
            yield from ["```", *paragraph.splitlines()[1:], "```"]
        else:
            yield paragraph


def _options(options: list[click.Option]) -> Iterator[str]:
    yield from ["| option | meaning |", "|---|---|"]
    for option in options:
        names = ", ".join([*option.opts, *option.secondary_opts])
        value = "" if option.is_flag else " " + (option.metavar or _kind(option.type))
        default = f" [default: {option.default}]" if option.show_default else ""
        yield f"| `{names}{value}`{' (repeatable)' if option.multiple else ''} | {option.help or ''}{default} |"


def _kind(kind: click.ParamType) -> str:  # type: ignore[type-arg]  # generic in newer versions of click only
    """What stands for a value."""
    if isinstance(kind, click.Choice):
        return "\\|".join(str(choice) for choice in kind.choices)
    return {"integer range": "N", "text": "NAME"}.get(kind.name, kind.name.upper())


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
