"""The how-tos of ``docs/routines.md`` work: each command of theirs is typed, in their order, into a home with work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
PAGE = (Path(__file__).parents[2] / "docs" / "routines.md").read_text("utf-8")
_HOW_TO = re.compile(r"^## ([^\n(]+?) *(?:\([^\n]*)?$|^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: What is no 0 although all went as it should: there are failures, nobody works, waiting was long enough. What doctor
#: finds is the machine's, which may be busy; a call that is wrong has no results.
FINE = {"doctor": {0, 1, 2, 3}, "wait": {1, 3, 124}, "logs": {0, 1}}


def how_tos() -> dict[str, list[str]]:
    """The commands of each how-to, by its heading."""
    found: dict[str, list[str]] = {}
    heading = ""
    for one in _HOW_TO.finditer(PAGE):
        heading = one[1] or heading
        if one[2]:
            found[heading] = [line.partition("#")[0].strip() for line in one[2].splitlines()]
    return found


def test_there_is_one_for_every_day_one_before_a_deployment_and_one_for_trouble() -> None:
    assert list(how_tos()) == ["Every day", "Before a deployment", "When something is wrong"]


@pytest.mark.parametrize("heading", how_tos())
def test_every_command_of_a_how_to_works(
    heading: str, overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_GATE_MEMORY", "0")
    step = '[[workflow.say.step]]\nid = "a"\nrun = ["echo", "{input}"]\n'
    (place / "overnight.toml").write_text(f"[defaults]\nretries = 0\n[workflow.say]\n{step}")
    words = ("run", "--quiet", "bad", "good", "--", "sh", "-c", 'echo "error: $0"; test "$0" = good')
    assert overnight(*words).status == 1
    [failed] = [one for one in overnight("list", "--state", "failed", "--json").lines if '"bad"' in one]
    number = re.search(r'"id":(\d+)', failed)
    assert number is not None
    for line in how_tos()[heading]:
        said = overnight(*shlex.split(line.replace("ID", number[1]))[1:])
        fine = FINE.get(line.split()[1], {0, 1} if line in ("overnight run", "overnight log ID") else {0})
        assert said.status in fine, (line, said)
        assert said.out or "doctor" not in line, (line, said)
        assert "unexpected" not in said.err, line
