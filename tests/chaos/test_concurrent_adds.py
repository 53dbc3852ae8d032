"""Many processes add at once while an engine drains, and some of them are killed in the middle of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from killing import Site, violations

from overnight.store.sqlite import SqliteStore
from overnight.wiring.adding import CHUNK

PRODUCERS = 10
EACH = 300

#: Adds EACH tasks under its own names, one by one and by the dozen in turn, and prints the ids that it was given.
PRODUCER = f"""
import json, os, sys
from overnight import wiring
from overnight.core.task import Action, ActionKind, NewTask
name, done = sys.argv[1], 0
home = wiring.find_home()
store = wiring.open_store(home)
action = Action(kind=ActionKind.CALL, cwd=os.fsencode(os.getcwd()), call="job:light")
while done < {EACH}:
    size = min(12 if done % 3 else 1, {EACH} - done)
    inputs = [f"light-{{name}}-{{done + n}}" for n in range(size)]
    added = store.add([NewTask(action, one.encode()) for one in inputs], now=wiring.clock.now(), by=name)
    wiring.ring(home)
    print(json.dumps(dict(zip(inputs, added.ids, strict=True))), flush=True)
    done += size
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def producer(site: Site, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PRODUCER, name], cwd=site.directory, stdout=subprocess.PIPE)


def test_ten_producers_beside_an_engine_lose_nothing_and_double_nothing(site: Site) -> None:
    """One of the ten is killed on the way; what it was told of is there, and nothing twice."""
    site.add(("wait",), 1)  # keeps the engine at work until all is added
    engine = site.start()
    site.until(lambda: site.notes("begin"))
    producers = [producer(site, str(number)) for number in range(PRODUCERS)]
    assert producers[0].stdout is not None
    first = producers[0].stdout.readline()
    producers[0].send_signal(signal.SIGKILL)
    told = [first + producers[0].communicate()[0], *(one.communicate()[0] for one in producers[1:])]
    assert [one.returncode for one in producers] == [-signal.SIGKILL] + [0] * (PRODUCERS - 1)
    (site.directory / "go").touch()
    site.until(lambda: engine.poll() is not None)
    assert engine.returncode == 0

    acknowledged = {name: task_id for words in told for name, task_id in _acknowledged(words)}
    assert len(set(acknowledged.values())) == len(acknowledged) >= (PRODUCERS - 1) * EACH
    with closing(SqliteStore.open(site.directory / ".overnight" / "queue.db", readonly=True)) as store:
        books = {name: store.get(task_id).input.decode() for name, task_id in acknowledged.items()}
        assert all(name == found for name, found in books.items())
    # The killed one may have added one call more than it has told of.
    site.inputs += sorted(site.attempts().keys() - set(site.inputs))
    assert 0 <= len(site.inputs) - 1 - len(acknowledged) <= 12
    ran = Counter(note.about for note in site.notes("begin"))
    assert ran == Counter(site.inputs)
    assert violations(site) == []


def _acknowledged(words: bytes) -> list[tuple[str, int]]:
    """What a producer was told of, in whole lines: a torn one was not told."""
    whole = [line for line in words.splitlines(keepends=True) if line.endswith(b"\n")]
    return [pair for line in whole for pair in json.loads(line).items()]


def total(site: Site) -> int:
    return sum(site.terminal.counts()[state] for state in ("pending", "waiting", "running", "completed"))


def batches(site: Site) -> int:
    path = site.directory / ".overnight" / "queue.db"
    if not path.exists():
        return 0
    with closing(SqliteStore.open(path, readonly=True)) as store:
        return len(store.open_batches())


@pytest.mark.parametrize("killed", [1, 2])
def test_producers_killed_in_a_large_add_show_nothing_and_the_next_one_clears_up(site: Site, killed: int) -> None:
    count = 6 * CHUNK
    inputs = site.directory / "inputs"
    inputs.write_text("".join(f"{number}\n" for number in range(count)))
    site.terminal.run("add", "before", "--", "true")
    line = ("add", "-a", "inputs", "--", "true")
    for number in range(1, killed + 1):
        adding = site.terminal.start(*line)
        site.until(lambda: batches(site) or adding.poll() is not None)  # noqa: B023 - called at once
        adding.kill()
        assert adding.wait() == -signal.SIGKILL
        assert (total(site), batches(site)) == (1, 1), f"after kill {number}: the next one has removed the last one's"
        site.terminal.verify()
    site.terminal.run(*line)
    assert (total(site), batches(site)) == (1 + count, 0)
    site.terminal.verify()
