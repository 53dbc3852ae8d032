"""Deaths of keepers, runners and engines, by SIGKILL in the middle: what is known afterwards must be true.

The truth is a ledger that the tasks write themselves (append and fsync), never our own record.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from executor_bench import CLOCK, LEDGER_SOURCE, Bench, ledger

from overnight.core.endings import AttemptKey, Ended, Ending, Evidence, Lost
from overnight.executors.contract import Event, Froze
from overnight.executors.local import keeper_process, marks, slot
from overnight.executors.local.marks import Mark, MarksFile, Ring, State
from overnight.host.processes import identity


def written(bench: Bench) -> Counter[str]:
    """How often each task has really run."""
    path = bench.root / "ledger"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def balance(runs: Counter[str], told: Sequence[Event], keys: list[AttemptKey]) -> None:
    """Hold what was said against what was done."""
    events = [event for event in told if not isinstance(event, Froze)]
    assert sorted(event.key for event in events) == sorted(keys), "each attempt is told of exactly once"
    for event in events:
        ran = runs[str(event.task_id)]
        if isinstance(event, Ended):
            assert ran == 1, f"said to have ended, and ran {ran} times: {event}"
        elif event.evidence is Evidence.NEVER_STARTED:
            assert ran == 0, f"said never to have begun, and ran: {event}"
        else:
            assert ran <= 1


# -- workers die, the engine lives -----------------------------------------------------------


def ledger_action(bench: Bench, kind: str) -> int:
    if kind == "function":
        return bench.call("ledger_task:write", LEDGER_SOURCE)
    return bench.shell(ledger(str(bench.root / "ledger")))


@pytest.mark.parametrize("kind", ["command", "function"])
@pytest.mark.parametrize("victim", ["keeper", "runner"])
def test_killing_workers_again_and_again_loses_nothing_and_doubles_nothing(
    bench: Bench, kind: str, victim: str
) -> None:
    dice = random.Random(f"{kind} {victim}")  # noqa: S311 - for a schedule, not for a secret
    action = ledger_action(bench, kind)
    a_batch = 300 if kind == "function" else 100
    keys: list[AttemptKey] = []
    kills = 0
    while len(bench.seen) < len(keys) or kills < 3:
        if len(bench.seen) == len(keys):  # on a busy machine many end between two looks
            names = range(len(keys) + 1, len(keys) + a_batch + 1)
            keys += bench.start(*(bench.spec(action, str(number)) for number in names))
        goal = min(len(keys), len(bench.seen) + dice.randint(1, 40))
        bench.until(lambda goal=goal: len(bench.seen) >= goal)  # type: ignore[misc]  # mypy cannot see the default
        bench.executor.ack()
        if victim == "keeper" or kind == "command":
            os.kill(bench.keeper(), signal.SIGKILL)
            kills += 1
        elif (pid := bench.executor._slots[0]._marks.current().pid) and identity(pid):
            os.kill(pid, signal.SIGKILL)
            kills += 1

    balance(written(bench), bench.seen, keys)
    for event in bench.seen:
        assert not isinstance(event, Lost) or (event.evidence is Evidence.STARTED and event.worker_died)


def test_a_killed_keeper_takes_its_tree_along_before_anything_is_said(bench: Bench) -> None:
    action = bench.shell("(trap '' TERM HUP; setsid sh -c 'echo $$ > pid; sleep 60') & sleep 60")
    [key] = bench.start(bench.spec(action))
    daemon = int(bench.until_there("pid"))

    os.kill(bench.keeper(), signal.SIGKILL)
    lost = bench.lost(key)

    assert (lost.evidence, lost.worker_died) == (Evidence.STARTED, True)
    assert "keeper was killed by signal 9" in lost.error
    assert lost.started_at is not None
    assert identity(daemon) is None


@pytest.mark.parametrize("kind", ["command", "function"])
def test_marks_whose_name_is_removed_serve_the_next_worker_and_the_next_slot(bench: Bench, kind: str) -> None:
    """Keepers once opened them by name, and died one after the other when it was gone."""
    action = ledger_action(bench, kind)
    bench.run(action, "1")
    (bench.root / "marks").unlink()

    os.kill(bench.keeper(), signal.SIGKILL)
    bench.executor.resize(2)
    bench.until(lambda: bench.executor._slots[0]._serial == 2)
    for number in (0, 1):
        assert bench.run(action, "2", slot=number).started_at

    assert bench.executor._slots[0]._serial == 2, "no keeper has died for want of the file"
    assert written(bench) == {"1": 1, "2": 2}


def test_what_had_not_begun_when_a_keeper_died_runs_in_the_next_one(bench: Bench) -> None:
    sleep, true = bench.command("sleep", "60"), bench.command("true")
    running, *rest = bench.start(bench.spec(sleep), *(bench.spec(true) for _ in range(5)))
    bench.until_begun(running)

    os.kill(bench.keeper(), signal.SIGKILL)

    assert [bench.ended(key).exit_code for key in rest] == [0] * 5
    assert bench.lost(running).worker_died


@pytest.mark.parametrize("victim", ["keeper", "runner"])
def test_an_end_that_was_not_told_yet_is_known_after_the_death_of_the_worker(bench: Bench, victim: str) -> None:
    """A runner reports between attempts; it is killed in the second one, so its spool speaks for the first."""
    source = "import time\ndef f(value):\n  time.sleep(60 * (value == 'long'))\n  return value or None\n"
    action = bench.call("mixed:f", source)
    trivial, told, long = bench.start(*(bench.spec(action, value) for value in ("", "told", "long")))
    place = bench.executor._slots[0]._marks
    bench.until(lambda: place.read(Ring.RUNNER, 2).state == State.STARTED, listen=False)
    os.kill(bench.keeper() if victim == "keeper" else bench.runner(), signal.SIGKILL)

    assert bench.ended(trivial).ending is Ending.RETURNED
    assert bench.ended(told).result == b'"told"'
    assert bench.lost(long).evidence is Evidence.STARTED


def test_a_keeper_that_dies_at_once_is_not_started_in_a_hurry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[float] = []

    def broken(place: object) -> list[str]:
        starts.append(CLOCK.monotonic())
        pause = place.pause  # type: ignore[attr-defined]  # it is a Place
        return [sys.executable, "-S", "-c", f"import time; time.sleep({pause})"]

    monkeypatch.setattr(keeper_process, "keeper_argv", broken)
    monkeypatch.setattr(slot, "PAUSES", (0.0, 0.01, 0.1, 0.3))
    bench = Bench(tmp_path)
    bench.open()
    bench.until(lambda: len(starts) >= 6)
    bench.close()

    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps[2] >= 0.1
    assert min(gaps[3:]) >= 0.3


# -- the engine dies -------------------------------------------------------------------------

ENGINE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from executor_bench import Bench, LEDGER_SOURCE, ledger
kind, root, count = sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
bench = Bench(root, cookie=f"test:{root}", slots=2)
bench.open()
if kind == "function":
    action = bench.call("ledger_task:write", LEDGER_SOURCE)
elif kind == "command":
    action = bench.shell(ledger(str(root / "ledger")))
else:
    action = bench.shell(Path(root / "script").read_text())
for number in range(1, count + 1):
    bench.start(bench.spec(action, str(number)), slot=number % 2)
print("handed out", flush=True)
done = 0
while True:
    bench.until(lambda: len(bench.seen) > done)
    done = len(bench.seen)
    print(done, flush=True)
"""


def engine(root: Path, kind: str, count: int) -> subprocess.Popen[str]:
    """An engine of its own that hands out tasks and never acknowledges one."""
    support = str(Path(__file__).parents[1] / "support")
    argv = [sys.executable, "-c", ENGINE, support, kind, str(root), str(count)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})


@pytest.mark.parametrize("kind", ["command", "function"])
@pytest.mark.parametrize("told", [0, 1, 20, 60])
def test_after_a_kill_of_the_engine_every_attempt_is_known_exactly(tmp_path: Path, kind: str, told: int) -> None:
    keys = [AttemptKey(number, 1) for number in range(1, 101)]
    with engine(tmp_path, kind, len(keys)) as dying:
        assert dying.stdout is not None
        for line in dying.stdout:
            if (line.strip().isdigit() and int(line) >= told) or told == 0:
                break
        dying.kill()

    bench = Bench(tmp_path)
    events = bench.open(keys)
    runs = written(bench)
    bench.close()

    balance(runs, events, keys)
    assert not any(isinstance(event, Lost) and event.worker_died for event in events)
    assert sum(isinstance(event, Ended) for event in events) >= told


def test_asked_again_before_the_answer_was_committed_it_answers_the_same(tmp_path: Path) -> None:
    """It is killed between `open` and the commit; the next one must not take the cleared marks for the truth."""
    keys = [AttemptKey(number, 1) for number in range(1, 41)]
    with engine(tmp_path, "function", len(keys)) as dying:
        assert dying.stdout is not None
        for line in dying.stdout:
            if line.strip().isdigit() and int(line) >= 5:
                break
        dying.kill()
    first, second, third = (Bench(tmp_path) for _ in range(3))

    answers = first.open(keys)
    first.close()
    again = second.open(keys)
    second.executor.ack()
    second.close()
    forgotten = third.open(keys)
    third.close()

    assert answers == again
    assert any(isinstance(event, Ended) for event in answers)
    assert all(isinstance(event, Lost) for event in forgotten)


def test_nothing_of_a_killed_engine_is_alive_when_the_next_one_has_opened(tmp_path: Path) -> None:
    """The daemon ignores everything; keepers clear it up when their socket ends, and the opening waits for them."""
    (tmp_path / "script").write_text("(trap '' TERM HUP; setsid sh -c 'echo $$ > pid; sleep 60') & sleep 60")
    with engine(tmp_path, "script", 1) as dying:
        bench = Bench(tmp_path)
        daemon = int(bench.until_there_silently("pid"))
        dying.kill()
    [event] = bench.open([AttemptKey(1, 1)])

    assert isinstance(event, Lost)
    assert event.evidence is Evidence.STARTED
    assert identity(daemon) is None
    bench.close()


def test_even_with_all_keepers_killed_at_the_same_moment_the_sweep_finds_the_rest(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("(setsid sh -c 'echo $$ > pid; exec sleep 60') & sleep 60")
    with engine(tmp_path, "script", 1) as dying:
        bench = Bench(tmp_path)
        daemon = int(bench.until_there_silently("pid"))
        workers = [pid for pid in bench.survivors() if pid != daemon]
        for pid in (*workers, dying.pid):
            os.kill(pid, signal.SIGSTOP)
        for pid in (*workers, dying.pid):
            os.kill(pid, signal.SIGKILL)
    [event] = bench.open([AttemptKey(1, 1)])

    assert identity(daemon) is None
    assert workers
    assert isinstance(event, Lost)
    assert event.worker_died, "perhaps by what the task did, which must not be tried for ever"
    bench.close()


def left_marks(bench: Bench, state: State) -> None:
    """Marks as a killed engine leaves them, with task 1 in this state."""
    bench.root.joinpath("spool").mkdir()
    file = MarksFile(bench.root / "marks")
    file.grow(1)
    place = file.map(0)
    file.close()
    place.begin(Ring.RUNNER, 5, Mark(1, 1, 99, 1000.0, 50.0, -1.0, 5.0, 53.0, state))
    place.close()


def test_an_end_mark_alone_is_the_outcome_of_a_function_that_had_nothing_to_tell(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    left_marks(bench, State.TRIVIAL)

    events = bench.open([AttemptKey(1, 1), AttemptKey(2, 1)])
    bench.close()

    assert events == [Ended(1, 1, Ending.RETURNED, 1000.0, 3.0), Lost(2, 1, Evidence.NEVER_STARTED)]


def test_an_answer_that_nobody_asks_for_any_more_is_forgotten(tmp_path: Path) -> None:
    """The store was set back to a time before that attempt; its number comes again, for another one."""
    first, second, third = (Bench(tmp_path) for _ in range(3))
    left_marks(first, State.TRIVIAL)
    [answer] = first.open([AttemptKey(1, 1)])
    first.close()
    second.open([])
    second.close()

    again = third.open([AttemptKey(1, 1)])
    third.close()

    assert isinstance(answer, Ended)
    assert again == [Lost(1, 1, Evidence.NEVER_STARTED)]


def test_a_slot_that_goes_keeps_its_places_until_they_are_committed(tmp_path: Path) -> None:
    """Grown again at once it would begin with the same places, and an outcome that only they know would be gone."""
    bench = Bench(tmp_path, slots=2)
    bench.open()
    bench.run(bench.call("nothing:f", "def f(value): pass\n"), slot=1)
    keeper = bench.keeper(1)

    bench.executor.resize(1)
    assert identity(keeper)
    bench.executor.ack()
    bench.until(lambda: identity(keeper) is None)
    bench.close()


def test_after_another_boot_a_missing_start_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark of task 2 may only not have reached the disk."""
    bench = Bench(tmp_path)
    with monkeypatch.context() as earlier:
        earlier.setattr(marks, "boot_id", lambda: "an earlier boot")
        left_marks(bench, State.TRIVIAL)

    events = bench.open([AttemptKey(1, 1), AttemptKey(2, 1)])
    bench.close()

    assert events == [Ended(1, 1, Ending.RETURNED, 1000.0, 3.0), Lost(2, 1, Evidence.STARTED)]


def test_without_marks_everything_may_have_begun(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    events = bench.open([AttemptKey(1, 1)])
    bench.close()

    assert events == [Lost(1, 1, Evidence.STARTED)]


def test_places_and_spools_are_used_again_only_after_a_commit(bench: Bench) -> None:
    """A trivial outcome has no other record than its place; 1,024 of them fill the ring."""
    action = bench.call("nothing:f", "def f(value): pass\n")
    keys = bench.start(*(bench.spec(action) for _ in range(1500)))
    bench.until(lambda: len(bench.seen) == 1024)
    assert bench.executor.offers()[0].outstanding == 476

    bench.executor.ack()
    bench.until(lambda: len(bench.seen) == len(keys))


def test_a_place_is_empty_when_it_is_given_again(bench: Bench) -> None:
    """Else a worker killed while it writes its start would seem to have ended: the old state, under the new name."""
    action = bench.call("nothing:f", "def f(value): pass\n")
    for _ in range(marks.PLACES // 512):
        bench.start(*(bench.spec(action) for _ in range(512)))
        goal = len(bench.seen) + 512
        bench.until(lambda goal=goal: len(bench.seen) == goal)  # type: ignore[misc]  # mypy cannot see the default
        bench.executor.ack()
    place = bench.executor._slots[0]._marks
    before = place.read(Ring.RUNNER, marks.PLACES).state
    os.kill(bench.runner(), signal.SIGSTOP)
    bench.start(bench.spec(action))
    after = place.read(Ring.RUNNER, marks.PLACES).state
    os.kill(bench.runner(), signal.SIGCONT)

    assert (before, after) == (State.TRIVIAL, State.EMPTY)


def test_spools_stay_small_however_much_goes_through_them(bench: Bench) -> None:
    action = bench.call("large:f", "def f(value): return 'x' * 50_000\n")
    for _ in range(15):
        bench.start(*(bench.spec(action) for _ in range(16)))
        goal = len(bench.seen) + 16
        bench.until(lambda goal=goal: len(bench.seen) == goal)  # type: ignore[misc]  # mypy cannot see the default
        bench.executor.ack()

    assert sum(path.stat().st_size for path in (bench.root / "spool").glob("*-r*")) < 4_000_000
