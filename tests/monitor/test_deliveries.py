"""What becomes of messages: a dead target is said once, whoever watches, and so is its return."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from overnight.core.alert_messages import Message
from overnight.core.lanes import OPS_QUEUE
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.monitor.deliveries import Deliveries
from overnight.monitor.history.alerting import Book
from overnight.monitor.history.keeping import History
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0
DELIVERY = Action(kind=ActionKind.CALL, cwd=b"/data", call="m:deliver")


class Post:
    """Messages, the tasks that deliver them, and what is said of targets."""

    def __init__(self, place: Path) -> None:
        self.store = SqliteStore.open(place / "queue.db", create=True, migrate=True)
        self.history = History(place / "history.db")
        self.told: list[str] = []
        self.at = NOON
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.deliveries = Deliveries(self.store, self.told.append)

    def send(self, target: str) -> int:
        key = f"k-{target}-{self.store.counts(queue=OPS_QUEUE).total}"
        message = Message(key, target, NOON, "subject", "body")
        self.history.alerting.write(Book({}, {}, 1, 1), [message], now=NOON)
        task = self.store.add([NewTask(DELIVERY, key.encode(), queue=OPS_QUEUE)], now=NOON).ids[0]
        self.history.alerting.handed_on({key: task})
        return task

    def ended(self, task: int, *, good: bool) -> None:
        """One attempt of a delivery."""
        self.at += 60
        one = self.store.pop(OPS_QUEUE, owner="1:1:x", now=self.at, by="me", task_id=task)
        assert one is not None
        settlement = Settlement(
            one.task_id,
            one.attempt,
            TaskState.COMPLETED if good else TaskState.WAITING,
            Outcome.COMPLETED if good else Outcome.FAILED,
            one.failures if good else one.failures + 1,
            0,
            self.at,
            not_before=None if good else self.at + 2,
            reason=None if good else Reason.ERROR,
            error="" if good else "refused",
        )
        assert self.store.hand_in([settlement], now=self.at) == []

    def look(self) -> list[str]:
        self.deliveries.look(self.history, now=self.at)
        return [words.partition(" (")[0] for words in self.told]

    def close(self) -> None:
        self.history.close()
        self.store.close()


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with closing(Post(tmp_path)) as made:
        yield made


def test_a_dead_target_is_said_once_however_many_messages_wait_for_it(post: Post) -> None:
    tasks = [post.send("ops"), post.send("ops"), post.send("phone")]
    for task in tasks[:2]:
        post.ended(task, good=False)
        post.look()
    post.begin()
    post.ended(tasks[0], good=False)
    assert post.look() == ["alerts: target ops cannot be reached"]
    assert "refused" in post.told[0]


def test_that_it_is_reached_again_is_said_too(post: Post) -> None:
    task = post.send("ops")
    post.ended(task, good=False)
    post.look()
    post.ended(task, good=True)
    assert post.look()[1:] == ["alerts: target ops is reached again"]
    later = post.send("ops")
    post.ended(later, good=False)
    assert post.look()[2:] == ["alerts: target ops cannot be reached"]


def test_what_was_delivered_before_is_no_sign_of_life(post: Post) -> None:
    post.ended(post.send("ops"), good=True)
    waits = post.send("ops")
    post.ended(waits, good=False)
    post.look()
    post.begin()
    assert post.look() == ["alerts: target ops cannot be reached"]


def test_nothing_is_said_of_a_target_that_takes_its_messages(post: Post) -> None:
    post.ended(post.send("ops"), good=True)
    assert post.look() == []


def test_what_failed_before_the_target_was_reached_again_says_nothing_about_it(post: Post) -> None:
    """It waits for its next try, or was given up: who is told of it looks for what is wrong with a good target."""
    waits, taken = post.send("ops"), post.send("ops")
    post.ended(waits, good=False)
    post.look()
    post.ended(taken, good=True)
    post.look()
    said = ["alerts: target ops cannot be reached", "alerts: target ops is reached again"]
    assert post.look() == said
    post.begin()
    assert post.look() == said
    post.ended(waits, good=False)
    assert post.look() == [*said, said[0]]
