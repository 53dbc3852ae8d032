"""The system at a glance: what checks find, wherever it is shown, without a place of its own for any of them."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from overnight.core.configuration import parse
from overnight.core.sentence import Level
from overnight.host.home import Home, create
from overnight.ops.checks import CHECKS
from overnight.ui.cli import glance
from overnight.ui.cli.glance import words_of
from overnight.ui.report.markup import page
from overnight.ui.web.programs import Programs

Call = Callable[..., Any]
OWN = '[check.raid]\nfile = "there-is-none"\n'


def test_every_check_is_asked_and_those_of_people_too() -> None:
    words = words_of(parse(OWN))
    assert (words[0], words[-1]) == ("doctor", "--json")
    assert set(words[1:-1]) == {*CHECKS, "raid"} - {"dependencies"}


def test_a_check_shows_itself_in_every_form(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(OWN)
    overnight("add", "--", "true")
    told = overnight("status", "--detailed", "--json").json["findings"]
    assert told["overall"] == "FAIL"
    assert told["checks"][0]["id"] == "raid"
    text = overnight("status", "--detailed").out
    page = overnight("status", "--detailed", "--format", "html").out
    for one in told["checks"]:
        assert one["id"] in text
        assert f"<td>{one['id']}</td>" in page
    assert text.splitlines()[1].startswith("check raid fails: ")
    assert page.index("check raid fails: ") < page.index("Health: FAIL")
    assert "health: FAIL" in text
    assert "findings" not in overnight("status", "--json").json


def test_a_state_that_is_called_like_a_level_paints_no_banner() -> None:
    """`running` is both; the words of the banner were on the blue of the bar."""
    style = page("", "")
    for level in Level:
        assert not re.search(rf"(?m)(?:^|[}},])\.{level}\b[^{{}}]*{{background", style), level


def test_the_page_of_health_asks_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "overnight.toml").write_text(OWN)
    home = create(place / ".overnight")
    asked: list[Sequence[str]] = []

    async def run(_: Programs, words: Sequence[str], __: float) -> tuple[int, str, str]:
        asked.append(words)
        fix = '{"title": "Look", "argv": null, "text": "at it"}'
        return (
            0,
            f'{{"overall": "FAIL", "checks": [{{"id": "x", "status": "fail", "summary": "s", "fixes": [{fix}]}}]}}',
            "",
        )

    monkeypatch.setattr(Programs, "_run", run)
    found = asyncio.run(_health(home))
    assert asked == [words_of(parse(OWN))]
    assert (found.overall, found.checks[0].advice) == ("FAIL", ["Look: at it"])


async def _health(home: Home) -> Any:
    programs = Programs(home)
    programs.health()
    assert programs._examining is not None
    await programs._examining
    return programs.health()


def test_an_examination_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("doctor", 60)

    monkeypatch.setattr(subprocess, "run", late)
    found = glance.glance(create(tmp_path / ".overnight"), parse(""))
    assert (found.overall, "did not answer" in found.trouble) == ("UNKNOWN", True)
    assert "did not answer" in glance.lines_of(found)[0]
    assert "did not answer" in glance.failing(found)[0]


def test_it_is_said_again_and_again_until_somebody_has_seen_enough(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    words = [sys.executable, "-m", "overnight", "status", "--watch", "--interval", "0.01s", "--format", "json"]
    with subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert [b'"counts"' in child.stdout.readline() for _ in range(2)] == [True, True]
        child.send_signal(signal.SIGINT)
        child.stdout.read()
        assert child.wait() == 130
    assert overnight("status", "--watch", "--format", "html").status == 2
