"""What every way to reach somebody promises: taken once, or told why not, and no secret in the words."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from receivers import Hook, Post, log_socket, serving

from overnight.core.alert_messages import Message
from overnight.core.alert_settings import KINDS, Target
from overnight.core.alerts import Notice, Tells
from overnight.core.secrets import MissingVariableError
from overnight.monitor.notifiers import NOTIFIERS, command
from overnight.monitor.notifiers.contract import DeliveryError
from overnight.monitor.sending import send

#: What a library that is used here imports is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NOON = 1_800_000_000.0
SECRET = "hush-hush/42"  # noqa: S105 - that is what the tests look for
MESSAGE = Message(
    key="k1-ops-1",
    target="ops",
    at=NOON,
    subject="overnight (night): disk firing",
    body="disk firing: 1.2 GB are free",
    notices=(Notice("disk", Tells.FIRED, NOON, "1.2 GB are free"),),
)


class Way(NamedTuple):
    """One kind of target, whose receiver is on this machine."""

    target: Target
    #: Everything that was taken so far, as text.
    taken: Callable[[], list[str]]
    #: The receiver takes nothing more.
    close: Callable[[], None]


@pytest.fixture(params=sorted(NOTIFIERS))
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    with ExitStack() as stack:
        yield _MAKERS[request.param](stack, tmp_path)


def _target(kind: str, **values: Any) -> Target:
    return Target("ops", kind, values)


def _webhook(stack: ExitStack, _place: Path) -> Way:
    hook = stack.enter_context(serving(Hook()))
    target = _target("webhook", webhook=hook.address + "?token=${TOKEN}", headers={"Authorization": "Bearer ${TOKEN}"})
    return Way(target, lambda: [str(one) for one in hook.taken], lambda: setattr(hook, "status", 500))


def _apprise(stack: ExitStack, _place: Path) -> Way:
    pytest.importorskip("apprise")
    hook = stack.enter_context(serving(Hook()))
    target = _target("apprise", apprise=hook.address.replace("http", "json") + "?+X-Token=${TOKEN}")
    return Way(target, lambda: [str(one) for one in hook.taken], lambda: setattr(hook, "status", 500))


def _mail(stack: ExitStack, _place: Path) -> Way:
    post = stack.enter_context(serving(Post()))
    target = _target("mail", mail="me@example.org", smtp=post.place, **{"from": "night@example.org"})
    return Way(target, lambda: [one.as_string() for one in post.letters], lambda: setattr(post, "refuses", True))


def _command(_stack: ExitStack, place: Path) -> Way:
    (place / "out").mkdir()
    script = f"import os,sys; open({str(place / 'out')!r} + '/' + os.environ['OVERNIGHT_ALERT_KEY'], 'a').write("
    script += "os.environ['OVERNIGHT_ALERT_SUBJECT'] + sys.stdin.read())"
    target = _target("command", command=(sys.executable, "-c", script, "${TOKEN}"))
    return Way(
        target,
        lambda: [path.read_text() for path in (place / "out").glob("*")],
        lambda: shutil.rmtree(place / "out"),
    )


def _syslog(stack: ExitStack, place: Path) -> Way:
    path = place / "log"
    sock = stack.enter_context(log_socket(path))
    lines: list[str] = []

    def taken() -> list[str]:
        with suppress(BlockingIOError):
            lines.append(sock.recv(65536, socket.MSG_DONTWAIT).decode())
        return lines

    return Way(_target("syslog", syslog=str(path)), taken, path.unlink)


_MAKERS = {"webhook": _webhook, "apprise": _apprise, "mail": _mail, "command": _command, "syslog": _syslog}


def test_there_is_one_for_every_kind_of_target() -> None:
    assert set(NOTIFIERS) == set(KINDS) == set(_MAKERS)


def test_a_message_is_taken_once_with_what_it_says(way: Way) -> None:
    send(way.target, MESSAGE, {"TOKEN": SECRET})
    taken = way.taken()
    assert len(taken) == 1
    assert "disk firing" in taken[0]
    assert "1.2 GB are free" in taken[0]


def test_a_report_has_no_alerts_and_is_taken_all_the_same(way: Way) -> None:
    """Its page may be gone by then; that is no reason not to send the words."""
    report = Message("k1-report-1", "ops", NOON, "overnight (night): All done", "All done: 9 tasks", page="/gone.html")
    send(way.target, report, {"TOKEN": SECRET})
    taken = way.taken()
    assert len(taken) == 1
    assert "All done" in taken[0]


def test_a_command_finds_the_page_of_a_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    target = _target("command", command=("sh", "-c", f'printf %s "$OVERNIGHT_REPORT_PAGE" > {out}'))
    for page in ("", "/reports/night.html"):
        send(target, Message("k1-report-1", "ops", NOON, "subject", "body", page=page), {})
        assert out.read_text() == page


def test_a_receiver_that_does_not_take_it_is_an_error_without_a_secret(way: Way) -> None:
    way.close()
    with pytest.raises(DeliveryError) as caught:
        send(way.target, MESSAGE, {"TOKEN": SECRET})
    assert SECRET not in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert caught.value.message.startswith("ops: ")


def test_a_secret_that_is_not_there_is_told_by_its_name() -> None:
    target = _target("webhook", webhook="https://127.0.0.1/${TOKEN}")
    with pytest.raises(MissingVariableError, match="TOKEN"):
        send(target, MESSAGE, {})


def test_the_key_goes_with_the_message() -> None:
    """By it a receiver knows a second copy."""
    with serving(Hook()) as hook, serving(Post()) as post:
        send(_target("webhook", webhook=hook.address), MESSAGE, {})
        send(_target("mail", mail="me@example.org, you@example.org", smtp=post.place), MESSAGE, {})
        assert hook.headers["Idempotency-Key"] == hook.taken[0]["key"] == MESSAGE.key
        assert post.letters[0]["Message-ID"] == f"<{MESSAGE.key}@overnight>"
        assert post.letters[0]["To"] == "me@example.org, you@example.org"


def test_an_address_written_out_is_shortened_where_it_fails() -> None:
    target = _target("command", command=("false", "https://me:pw@example.org/hook/secret"))
    with pytest.raises(DeliveryError) as caught:
        send(target, MESSAGE, {})
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_address_that_points_elsewhere_has_taken_nothing(status: int) -> None:
    """Followed, it would be asked for as a page, without the message; and another host would get what is secret."""
    with serving(Hook()) as hook, serving(Hook()) as other:
        hook.status, hook.elsewhere = status, other.address
        target = _target("webhook", webhook=hook.address, headers={"Authorization": "Bearer ${TOKEN}"})
        with pytest.raises(DeliveryError, match=f"status {status}"):
            send(target, MESSAGE, {"TOKEN": SECRET})
        assert (other.gets, other.posts) == (0, 0)


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has taken the message; sent again because a child of it holds its output it would come a second time."""
    monkeypatch.setattr(command, "PATIENCE", 0.5)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    try:
        send(_target("command", command=("sh", "-c", f"timeout 30 cat {pipe} & cat >{tmp_path}/taken")), MESSAGE, {})
    finally:
        os.close(os.open(pipe, os.O_WRONLY))  # when there is a reader, which ends then
    assert "disk firing" in (tmp_path / "taken").read_text()
