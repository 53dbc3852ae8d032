"""A message on its way: one task however often it is handed on, no secret in it, and one function that sends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from receivers import Hook, serving

from overnight import wiring
from overnight.core.alert_messages import Message
from overnight.core.alerts import Notice, Tells
from overnight.core.asks import Permanent
from overnight.core.lanes import OPS_QUEUE
from overnight.core.states import TaskState
from overnight.host.home import Home, create
from overnight.monitor.notifiers.contract import DeliveryError
from overnight.testing import FakeClock
from overnight.wiring import delivering
from overnight.wiring.configuration import read

NOON = 1_800_000_000.0
SECRET = "hush-4711"  # noqa: S105 - the tests look for it where it must not be
MESSAGE = Message("k-ops-1", "ops", NOON, "subject", "body", (Notice("disk", Tells.FIRED, NOON, "little"),))


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving(Hook()) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "overnight.toml").write_text(f'[targets.ops]\nwebhook = "{hook.address}?token=${{HOOK_TOKEN}}"\n')
    made = create(tmp_path / ".overnight")
    wiring.open_store(made, create=True, migrate=True).close()
    monkeypatch.setenv("OVERNIGHT_HOME", os.fspath(made.path))
    monkeypatch.setenv("HOOK_TOKEN", SECRET)
    return made


def handed(home: Home) -> int:
    (task,) = delivering.hand_on(home, [MESSAGE], read(home).targets).values()
    return task


def test_a_message_that_is_handed_on_twice_is_one_task_without_a_secret(home: Home) -> None:
    assert handed(home) == handed(home)
    with closing(wiring.open_store(home, readonly=True)) as store:
        assert store.counts(queue=OPS_QUEUE).total == 1
        assert store.counts().total == 0
        (action,) = store.actions([store.get(1).action_id]).values()
    assert action.env_names == (b"HOOK_TOKEN",)
    assert not any(SECRET.encode() in path.read_bytes() for path in home.path.rglob("*") if path.is_file())


def test_the_function_of_a_task_sends_it(home: Home, hook: Hook) -> None:
    assert home.config.exists()
    delivering.deliver(msgspec.json.encode(MESSAGE).decode())
    assert hook.told() == [("disk", "firing")]


def test_one_that_is_not_taken_fails_without_a_secret(home: Home, hook: Hook) -> None:
    assert home.config.exists()
    hook.status = 503
    with pytest.raises(DeliveryError, match="status 503"):
        delivering.deliver(msgspec.json.encode(MESSAGE).decode())


def test_a_target_that_is_gone_is_not_tried_again(home: Home) -> None:
    home.config.write_text("")
    with pytest.raises(Permanent, match="no target 'ops'"):
        delivering.deliver(msgspec.json.encode(MESSAGE).decode())


@pytest.fixture
def courier(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Be the courier of the home, without the alarm that would end the tests."""
    monkeypatch.setattr("sys.argv", ["courier", os.fspath(home.path)])
    monkeypatch.setattr("signal.alarm", lambda _: 0)
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    yield delivering.main
    signal.signal(signal.SIGALRM, before)


def test_a_courier_sends_what_waits_and_puts_back_what_is_not_taken(
    home: Home, hook: Hook, courier: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = handed(home)
    hook.status = 503
    courier()
    with closing(wiring.open_store(home)) as store:
        assert store.get(task).state is TaskState.WAITING
        assert SECRET not in store.get(task).error
        assert store.popped() == []
    hook.status = 200
    monkeypatch.setattr(wiring.clock, "now", lambda now=wiring.clock.now: now() + 3600)
    courier()
    with closing(wiring.open_store(home)) as store:
        assert store.get(task).state is TaskState.COMPLETED
    assert hook.told() == [("disk", "firing")]


def test_a_courier_begins_nothing_more_after_a_minute(
    home: Home, courier: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try of a dead target takes long, and there may be many of them."""
    clock = FakeClock()
    others = [msgspec.structs.replace(MESSAGE, key=f"k-ops-{number}") for number in (2, 3)]
    delivering.hand_on(home, [MESSAGE, *others], read(home).targets)

    def slow(_home: Home, _content: bytes) -> None:
        clock.advance(40.0)

    monkeypatch.setattr(delivering, "_deliver", slow)
    monkeypatch.setattr(wiring.clock, "monotonic", clock.monotonic)
    courier()
    with closing(wiring.open_store(home)) as store:
        assert store.counts(queue=OPS_QUEUE).completed == 2
        assert store.popped() == []


def test_a_delivery_that_does_not_end_is_put_back(
    home: Home, courier: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = handed(home)
    monkeypatch.setattr(delivering, "_deliver", lambda *_: os.kill(os.getpid(), signal.SIGALRM))
    courier()
    with closing(wiring.open_store(home)) as store:
        found = store.get(task)
        assert (found.state, found.failures, found.deaths) == (TaskState.WAITING, 1, 0)
        assert "has not answered within 120 s" in found.error
        assert store.popped() == []
