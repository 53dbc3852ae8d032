"""Write down every command with its options, as the program describes them: ``docs/cli.md`` and a manual page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from overnight.core.version import VERSION
from overnight.ui.cli.group import COMMANDS, global_options, load
from overnight.ui.cli.group import overnight as program

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "cli.md"
MANUAL = DOCS / "overnight.1"

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
    for line, command in _commands():
        parts += ["", f"## `{line}`", "", *_help(command)]
        if options := _shown(command):
            parts += ["", *_options(options)]
    return "\n".join(parts) + "\n"


def _commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with the line that calls it, each above what is below it."""
    for name in COMMANDS:
        yield from _below(f"overnight {name}", load(name))


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    words = [_words(param) for param in command.params if isinstance(param, click.Argument)]
    inner = command.commands if isinstance(command, click.Group) else {}
    yield " ".join([path, *words, *(["COMMAND"] if inner else [])]), command
    for name, one in inner.items():
        yield from _below(f"{path} {name}", one)


def _shown(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option) and not param.hidden]


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
        names, value, meaning = _parts(option)
        repeatable = " (repeatable)" if option.multiple else ""
        yield f"| `{names}{value.replace('|', chr(92) + '|')}`{repeatable} | {meaning} |"


def _parts(option: click.Option) -> tuple[str, str, str]:
    """The names of an option, what stands for its value, and what it means."""
    names = ", ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else " " + (option.metavar or _kind(option.type))
    default = f" [default: {option.default}]" if option.show_default else ""
    return names, value, f"{option.help or ''}{default}"


def _kind(kind: click.ParamType) -> str:  # type: ignore[type-arg]  # generic in newer versions of click only
    """What stands for a value."""
    if isinstance(kind, click.Choice):
        return "|".join(str(choice) for choice in kind.choices)
    return {"integer range": "N", "text": "NAME"}.get(kind.name, kind.name.upper())


# -- the manual page -------------------------------------------------------------------------


def manual() -> str:
    """The manual page, whole, in the macros of man(7)."""
    lines = [
        f'.TH OVERNIGHT 1 "" "overnight {VERSION}" "User Commands"',
        *(".SH NAME", _roff("overnight - leave it running: a durable, unattended job runner")),
        *(".SH SYNOPSIS", ".B overnight", _roff("[OPTIONS] COMMAND [ARGS]...")),
        *(".SH DESCRIPTION", _roff(inspect.cleandoc(program.help or "")), ".PP"),
        _roff("Without a command it is 'overnight status'. Results go to stdout, everything else to stderr."),
        _roff("Durations are written as 30, 30s, 5m, 2h, 1d."),
        *(".SH OPTIONS", *_entries(global_options()), ".SH COMMANDS"),
    ]
    for line, command in _commands():
        lines += [f".SS {_roff(line)}", *_paragraphs(command), *_entries(_shown(command))]
    lines += [
        ".SH EXIT STATUS",
        *_statuses(),
        ".SH FILES",
        *_tagged([(".overnight/", "the home: store, journal, output")]),
    ]
    lines += [
        *_tagged([("overnight.toml", "settings, beside the home")]),
        ".SH SEE ALSO",
        ".BR parallel (1),",
        ".BR xargs (1)",
    ]
    return "\n".join(lines) + "\n"


def _roff(words: str) -> str:
    """Text that no line of it is taken for a macro, and no dash of it for a hyphen."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped, flags=re.MULTILINE)


def _paragraphs(command: click.Command) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        if number:
            yield ".PP"
        if paragraph.startswith("\b\n"):
            yield from [".nf", *(_roff(line) for line in paragraph.splitlines()[1:]), ".fi"]
        else:
            yield _roff(paragraph)


def _entries(options: list[click.Option]) -> Iterator[str]:
    for option in options:
        names, value, meaning = _parts(option)
        yield from [".TP", f"\\fB{_roff(names)}\\fR\\fI{_roff(value)}\\fR", _roff(meaning)]


def _tagged(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for tag, meaning in rows:
        yield from [".TP", f"\\fB{_roff(tag)}\\fR", _roff(meaning)]


def _statuses() -> Iterator[str]:
    """What ``docs/exit-status.md`` says first."""
    table = (DOCS / "exit-status.md").read_text("utf-8").split("\n## ")[1]
    rows = re.findall(r"^\| ([0-9, ]+) \| (.*) \|$", table, re.MULTILINE)
    return _tagged((number, meaning.replace("`", "")) for number, meaning in rows)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    MANUAL.write_text(manual(), "utf-8")
