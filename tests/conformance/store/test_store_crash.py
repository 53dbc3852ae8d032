"""Real processes that really die: at every COMMIT, in the middle of adding, several at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from store_parts import CAUSE, NOON, Implementation, SmallEngine, settlement, storm, task, tasks, told

from overnight.core.errors import NotFoundError
from overnight.core.states import TaskState
from overnight.store.contract import Counts, Query, Selector, Store, Verb

HERE = Path(__file__).parent

#: Each operation that writes, as a child does it in a store that `prepare` has made ready.
OPERATIONS = {
    "add": "store.add(tasks(3), now=NOON)",
    "open_batch": "store.open_batch(now=NOON, owner='me')",
    "publish": "store.publish(1, now=NOON)",
    "act": "store.act(Verb.CANCEL, Selector(everything=True), now=NOON, by='me')",
    "remove": "store.remove(Selector(everything=True), now=NOON, by='me')",
    "ask": "store.ask('stop', now=NOON, by='me')",
    "set_queue": "store.set_queue(Queue('q', slots=1), now=NOON, by='me')",
    "pop": "store.pop('default', owner='1:2:b', now=NOON, by='me')",
    "hand_in": "store.hand_in([settlement(popped)], now=NOON)",
    "take_fence": "store.take_fence(now=NOON, by='me')",
    "turn": "store.turn(fence=1, now=NOON, settlements=[settlement(left)], claim=claim)",
    "move_waits": "store.move_waits(60.0, fence=1, now=NOON)",
    "forget_finished": "store.forget_finished(before=NOON + 1, after=0, limit=9, fence=1, now=NOON, by='me')",
    "set_storm": "store.set_storm(storm(probes=1), now=NOON)",
    "end_storm": "store.end_storm(storm(), now=NOON, by='me')",
    "drained": "store.drained(10**6, seq=9)",
}

CHILD = """
import os, sys
from pathlib import Path
from store_parts import *
from overnight.store.contract import *
name, path, operation, moment = sys.argv[1:5]
implementation = next(one for one in IMPLEMENTATIONS if one.name == name)
armed = False
def die(which, when):
    if armed and (which, when) == (operation, moment):
        os._exit(17)
store = implementation.open(Path(path), hooks=die)
open_attempt = store.left_open()[0]
left = Claimed(open_attempt.task_id, open_attempt.attempt, 1, 1, b"", 0, 0, 1, 0)
popped = Claimed(store.popped()[0].task_id, 1, 1, 1, b"", 0, 0, 1, 0)
claim = Claim(count=1, lanes={lane.id: {} for lane in store.orders().lanes}, pools={})
armed = True
"""


def child(*arguments: str, script: str) -> subprocess.Popen[bytes]:
    """A process that runs `script` beside this folder's parts."""
    places = os.pathsep.join([str(HERE), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": places},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def picture(store: Store) -> tuple[object, ...]:
    """Everything that an operation might have changed."""
    return (
        store.counts(),
        store.tasks(Query()),
        store.left_open(),
        store.popped(),
        store.orders(),
        store.open_batches(),
        list(told(store)),
        store.journal_seq(),
    )


def prepare(implementation: Implementation, path: Path) -> tuple[object, ...]:
    """A bit of everything: fence 1, batch 1 open, one running, one popped, some pending, one failed in a storm."""
    store = implementation.open(path, create=True)
    engine = SmallEngine(store)
    engine.turn(settlement(engine.one("failed"), TaskState.FAILED, fingerprint=CAUSE))
    store.set_storm(storm(), now=NOON)
    engine.bring(TaskState.RUNNING, "running")
    store.add(tasks(3), now=NOON)
    store.pop("default", owner="4:5:b", now=NOON, by="me")
    store.add(tasks(2), now=NOON, batch=store.open_batch(now=NOON, owner="me"))
    before = picture(store)
    store.close()
    return before


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_crash_before_commit_leaves_nothing_and_one_after_it_everything(
    implementation: Implementation, tmp_path: Path, operation: str
) -> None:
    after = {}
    for moment in ("before_commit", "after_commit"):
        path = tmp_path / f"{moment}.db"
        before = prepare(implementation, path)
        dying = child(implementation.name, str(path), operation, moment, script=CHILD + OPERATIONS[operation])
        dying.communicate(timeout=30)
        assert dying.returncode == 17
        store = implementation.open(path)
        after[moment] = picture(store)
        assert store.recount() == []
        store.close()
        assert (after[moment] == before) is (moment == "before_commit")


def test_a_batch_that_was_half_abandoned_can_only_be_abandoned(implementation: Implementation, tmp_path: Path) -> None:
    """Abandoning takes several transactions, for nobody sees the batch; a crash after the first must not show half."""
    path = tmp_path / "queue.db"
    before = prepare(implementation, path)
    dying = child(implementation.name, str(path), "abandon", "after_commit", script=CHILD + "store.abandon(1)")
    dying.communicate(timeout=30)
    assert dying.returncode == 17
    store = implementation.open(path)
    assert picture(store) == before
    with pytest.raises(NotFoundError):
        store.publish(1, now=NOON)
    store.abandon(1)
    assert store.open_batches() == []
    assert store.recount() == []
    store.close()


ADDING = """
import sys
from pathlib import Path
from store_parts import *
implementation = next(one for one in IMPLEMENTATIONS if one.name == sys.argv[1])
store = implementation.open(Path(sys.argv[2]))
for n in range(int(sys.argv[4])):
    ids = store.add([task(f"{sys.argv[3]}-{n}-{k}") for k in range(3)], now=NOON).ids
    print(*ids, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(implementation: Implementation, store: Store, path: Path) -> None:
    """The child is killed while it adds; every add that it has told of is there, whole."""
    adding = child(implementation.name, str(path), "a", "1000000", script=ADDING)
    assert adding.stdout is not None
    lines = [adding.stdout.readline() for _ in range(20)]
    adding.send_signal(signal.SIGKILL)
    rest, _ = adding.communicate(timeout=30)
    told_of = [
        int(word) for line in (*lines, *rest.splitlines(keepends=True)) if line[-1:] == b"\n" for word in line.split()
    ]
    assert len(told_of) >= 60
    assert store.states(told_of).keys() == set(told_of)
    assert store.counts().pending % 3 == 0


def test_producers_do_not_lose_each_others_tasks(implementation: Implementation, store: Store, path: Path) -> None:
    """Four of them at once, while an engine turns."""
    engine = SmallEngine(store)
    producers = [child(implementation.name, str(path), str(n), "25", script=ADDING) for n in range(4)]
    done = 0
    while any(producer.poll() is None for producer in producers):
        claimed = engine.claim(8)
        engine.turn(*map(settlement, claimed))
        done += len(claimed)
    ids = [int(word) for producer in producers for word in producer.communicate(timeout=30)[0].split()]
    assert [producer.returncode for producer in producers] == [0] * 4
    assert len(set(ids)) == len(ids) == 300
    while claimed := engine.claim(100):
        engine.turn(*map(settlement, claimed))
        done += len(claimed)
    assert done == 300
    assert store.counts() == Counts(completed=300)


def test_a_change_by_another_process_is_seen_and_one_of_our_own_is_not(
    implementation: Implementation, store: Store, path: Path
) -> None:
    before = store.change_token()
    store.add([task("mine")], now=NOON)
    assert store.change_token() == before
    other = implementation.open(path)
    other.add([task("theirs")], now=NOON)
    other.close()
    assert store.change_token() != before
    assert store.counts().pending == 2


def test_a_change_before_a_new_connection_is_seen_by_it(
    implementation: Implementation, store: Store, path: Path
) -> None:
    before = store.change_token()
    with closing(implementation.open(path)) as other:
        other.add([task("theirs")], now=NOON)
    store.reopen()
    assert store.change_token() != before


def test_a_store_is_the_same_after_it_was_closed(implementation: Implementation, tmp_path: Path) -> None:
    before = prepare(implementation, tmp_path / "queue.db")
    again = implementation.open(tmp_path / "queue.db")
    assert picture(again) == before
    assert again.act(Verb.CANCEL, Selector(everything=True), now=NOON, by="me").changed == 2
    again.close()
