"""``report --send``: it arrives with its page, once a call; a task that is tried again sends no second one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from email.message import Message as Letter
from pathlib import Path
from typing import Any, cast

import pytest
from receivers import Hook, Post, serving

from overnight.host.home import Home
from overnight.host.interpreter import python_for
from overnight.wiring import reporting

Call = Callable[..., Any]


@pytest.fixture
def post() -> Iterator[Post]:
    with serving(Post()) as made:
        yield made


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving(Hook()) as made:
        yield made


@pytest.fixture
def targets(overnight: Call, place: Path, post: Post, hook: Hook) -> None:
    """A home with a task that waits, and two targets."""
    (place / "overnight.toml").write_text(
        f'[report]\ntargets = ["post", "hook"]\n[targets.post]\nmail = "me@example.org"\nsmtp = "{post.place}"\n'
        f'[targets.hook]\nwebhook = "{hook.address}"\n'
    )
    overnight("add", "a", "--", "true")


@pytest.fixture
def courier(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one, and it is waited for."""

    def deliver(home: Home) -> None:
        program = [*python_for("overnight.wiring.delivering"), os.fspath(home.path)]
        subprocess.run(program, stdin=subprocess.DEVNULL, check=True, timeout=60)

    monkeypatch.setattr(reporting, "start_courier", deliver)


def parts(letter: Letter) -> list[tuple[str, str]]:
    found = [one for one in letter.walk() if not one.is_multipart()]
    return [(one.get_content_type(), cast("bytes", one.get_payload(decode=True)).decode()) for one in found]


@pytest.mark.usefixtures("targets", "courier")
def test_it_arrives_with_its_page_where_no_engine_runs(overnight: Call, post: Post, hook: Hook) -> None:
    ended = overnight("report", "--send")
    assert (ended.status, ended.out) == (0, "")
    assert "the report goes to post; 'overnight show 2' says whether it has arrived" in ended.err
    (letter,) = post.letters
    (_, words), (kind, page) = parts(letter)
    assert "Nothing moves: no engine runs" in str(letter["Subject"])
    assert "1 task, each accounted for" in words
    assert (kind, page.lower().startswith("<!doctype html>")) == ("text/html", True)
    assert "1 task, each accounted for" in hook.taken[0]["text"]
    assert hook.taken[0]["text"].count("Nothing moves: no engine runs") == 1
    assert overnight("show", "2", "--json").json["state"] == "completed"


@pytest.mark.usefixtures("targets")
def test_a_task_that_is_tried_again_sends_no_second_one(overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "start_courier", lambda _: None)
    monkeypatch.setenv("OVERNIGHT_TASK_ID", "17")
    first = overnight("report", "--to", "post")
    overnight("add", "b", "--", "true")  # so that the second one would say something else
    assert overnight("report", "--to", "post").err == first.err
    assert overnight("list", "--queue", "_ops", "--json").out.count("\n") == 1
    monkeypatch.delenv("OVERNIGHT_TASK_ID")
    assert overnight("report", "--to", "post").err != first.err


@pytest.mark.usefixtures("targets")
def test_pages_are_kept_for_a_while(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "start_courier", lambda _: None)
    monkeypatch.setattr(reporting, "KEPT", 2)
    for _ in range(3):
        overnight("report", "--to", "hook")
    assert len(list((place / ".overnight" / "reports").iterdir())) == 2


@pytest.mark.usefixtures("targets", "courier")
def test_it_is_sent_without_its_page_when_that_cannot_be_written(overnight: Call, place: Path, post: Post) -> None:
    (place / ".overnight" / "reports").write_text("in the way")
    assert overnight("report", "--to", "post").status == 0
    assert [kind for kind, _ in parts(post.letters[0])] == ["text/plain"]


@pytest.mark.usefixtures("targets")
def test_a_target_that_is_not_there_is_said_before_anything_is_gathered(overnight: Call) -> None:
    ended = overnight("report", "--to", "nobody")
    assert ended.status == 4
    assert "there is no target 'nobody'; nothing was sent" in ended.err
    assert "there are: post, hook" in ended.err


def test_without_a_name_it_is_said_how_to_give_one(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    ended = overnight("report", "--send")
    assert ended.status == 2
    assert "[targets.NAME] in overnight.toml" in ended.err
    (place / "overnight.toml").write_text('[targets.ops]\ncommand = "true"\n')
    assert "--to TARGET, or [report] targets" in overnight("report", "--send").err
