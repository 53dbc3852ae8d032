"""Every command of ``docs/routines.md`` and ``docs/report.md`` can be typed: an emergency is no time for a slip."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from overnight.ui.cli.group import COMMANDS, load

DOCS = Path(__file__).parents[2] / "docs"
_SPAN = re.compile(r"`(overnight [^`]+)`|^(overnight [^#\n]+)", re.MULTILINE)


def commands(page: str) -> list[str]:
    text = (DOCS / page).read_text("utf-8")
    return sorted({(found[1] or found[2]).strip() for found in _SPAN.finditer(text)})


def options_of(command: click.Command) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize("page", ["routines.md", "report.md"])
def test_every_command_and_option_exists(page: str) -> None:
    assert len(commands(page)) >= 10
    for line in commands(page):
        name, *words = shlex.split(line.replace("...", "X"))[1:]
        assert name in COMMANDS, line
        command = load(name)
        if isinstance(command, click.Group) and words and not words[0].startswith("-"):
            inner = command.get_command(click.Context(command), words.pop(0))
            assert inner is not None, line
            command = inner
        wanted = {word.partition("=")[0] for word in words if re.fullmatch(r"-\w|--[\w-]+(=.*)?", word)}
        assert wanted <= options_of(command), line
