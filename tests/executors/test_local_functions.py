"""Python functions in a runner: what they return, raise and print, and what a runner must notice."""

from __future__ import annotations

import os
import signal
import sys
import textwrap

import msgspec
import pytest
from executor_bench import Bench

from overnight.core.endings import Ending, Evidence
from overnight.core.resources import told
from overnight.core.states import ErrorClass
from overnight.host.processes import identity

SOURCE = """
import os, sys
import overnight
def echo(value): return {"value": value, "list": [1, None]}
def nothing(value): pass
def fail(value): raise KeyError(f"no {value}\\nat all")
def leave(value): sys.exit(3)
def interrupt(value): raise KeyboardInterrupt
def later(value): raise overnight.Retry("busy", at=1900000000)
def never(value): raise overnight.Permanent("broken input")
def strange(value): return object()
def crash(value): os._exit(9)
def kill(value): os.kill(os.getpid(), 11)
def fork(value):
    if not os.fork(): return "child"
    os.wait()
    return "parent"
def environ(value):
    import subprocess
    names = ("OVERNIGHT_TASK_ID", "OVERNIGHT_ATTEMPT", "OVERNIGHT_QUEUE", "OVERNIGHT_COOKIE")
    outside = subprocess.run(["env"], capture_output=True, text=True).stdout
    return {name: [os.environ[name], f"{name}={os.environ[name]}" in outside] for name in names}
def shout(value): print("x" * int(value)); print("err", file=sys.stderr)
def child_prints(value): os.system(f"echo {value}")
def close(value): sys.stdout.close(); os.close(1); return 1
def surrogate(value): return os.fsencode(value).hex()
def broken_str(value):
    class Bad(Exception):
        def __str__(self): raise RuntimeError
    raise Bad
not_callable = 5
"""


def call(bench: Bench, name: str) -> int:
    return bench.call(f"functions:{name}", SOURCE)


def test_what_it_returns_is_kept_as_json(bench: Bench) -> None:
    ended = bench.run(call(bench, "echo"), "ä b")

    assert (ended.ending, ended.result) == (Ending.RETURNED, '{"value":"ä b","list":[1,null]}'.encode())


def test_none_is_an_empty_result(bench: Bench) -> None:
    assert bench.run(call(bench, "nothing")).result == b""


def test_an_input_of_any_bytes_comes_back_by_fsencode(bench: Bench) -> None:
    assert bench.run(call(bench, "surrogate"), b"\xff\xfe a").result == b'"fffe2061"'


def test_an_exception_is_told_with_its_traceback_and_without_our_frames(bench: Bench) -> None:
    ended = bench.run(call(bench, "fail"), "x")

    assert (ended.ending, ended.error_type, ended.error_class) == (Ending.RAISED, "builtins.KeyError", None)
    assert ended.error == "KeyError: 'no x\\nat all'"
    assert "functions.py" in ended.detail
    assert "runner.py" not in ended.detail


@pytest.mark.parametrize(("name", "kind"), [("leave", "SystemExit"), ("interrupt", "KeyboardInterrupt")])
def test_what_would_end_a_program_only_ends_the_attempt(bench: Bench, name: str, kind: str) -> None:
    ended = bench.run(call(bench, name))

    assert (ended.ending, ended.error_type) == (Ending.RAISED, f"builtins.{kind}")


def test_it_may_ask_for_a_later_time(bench: Bench) -> None:
    ended = bench.run(call(bench, "later"))

    assert (ended.ending, ended.retry_at, ended.error) == (Ending.POSTPONED, 1900000000.0, "busy")


def test_it_may_say_that_no_retry_will_help(bench: Bench) -> None:
    ended = bench.run(call(bench, "never"))

    assert (ended.ending, ended.error_class, ended.error) == (Ending.RAISED, ErrorClass.PERMANENT, "broken input")


def test_a_result_that_is_no_json_fails_for_good(bench: Bench) -> None:
    ended = bench.run(call(bench, "strange"))

    assert (ended.ending, ended.error_class) == (Ending.RAISED, ErrorClass.PERMANENT)
    assert "returned a object that cannot be written as JSON" in ended.error


def test_an_exception_that_cannot_be_shown_is_still_an_outcome(bench: Bench) -> None:
    assert bench.run(call(bench, "broken_str")).error == "Bad: (its message cannot be shown: RuntimeError)"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:f", "there is no module 'no_such_module'"),
        ("functions:missing", "has no 'missing'"),
        ("functions:not_callable", "is no function but a int"),
    ],
)
def test_what_cannot_be_found_is_refused_for_good(bench: Bench, name: str, words: str) -> None:
    call(bench, "nothing")

    ended = bench.run(bench.call(name))

    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert words in ended.error


def test_a_module_that_fails_to_import_is_an_exception_of_the_users(bench: Bench) -> None:
    ended = bench.run(bench.call("broken:f", "import no_such_thing\n"))

    assert (ended.ending, ended.error_type) == (Ending.RAISED, "builtins.ModuleNotFoundError")


@pytest.mark.parametrize(("name", "how"), [("crash", "exit status 9"), ("kill", "signal 11 (SIGSEGV)")])
def test_a_worker_that_dies_loses_only_what_it_ran(bench: Bench, name: str, how: str) -> None:
    before = bench.start(bench.spec(call(bench, "echo"), "a"))
    [dying] = bench.start(bench.spec(call(bench, name)))
    after = bench.start(*(bench.spec(call(bench, "nothing")) for _ in range(40)))

    lost = bench.lost(dying)

    assert (lost.evidence, lost.worker_died) == (Evidence.STARTED, True)
    assert how in lost.error
    assert [bench.ended(key).ending for key in before + after] == [Ending.RETURNED] * 41


def test_the_child_of_a_function_that_forks_does_not_go_on_as_a_runner(bench: Bench) -> None:
    ended = bench.run(call(bench, "fork"))
    assert ended.result == b'"parent"'
    assert [bench.run(call(bench, "echo"), "x").ending for _ in range(3)] == [Ending.RETURNED] * 3
    assert len(bench.seen) == 4


def test_a_function_and_its_children_see_which_task_they_are(bench: Bench) -> None:
    action = call(bench, "environ")
    first, second = (bench.run(action).result.decode() for _ in range(2))

    assert '"OVERNIGHT_TASK_ID":["1",true]' in first
    assert '"OVERNIGHT_TASK_ID":["2",true]' in second
    assert f'"OVERNIGHT_COOKIE":["{bench.cookie}",true]' in first


# -- output ----------------------------------------------------------------------------------


def test_what_is_printed_belongs_to_the_one_who_printed_it(bench: Bench) -> None:
    """Five hundred in a row without a pause, from nothing to more than a pipe holds, some by a child."""
    action, child, quiet = call(bench, "shout"), call(bench, "child_prints"), call(bench, "nothing")
    sizes = [(7919 * number) % 3000 if number % 50 else 200_000 for number in range(500)]
    keys = bench.start(*(bench.spec(action, str(size)) for size in sizes))
    children = bench.start(*(bench.spec(child, f"c{number}") for number in range(20)))
    silent = bench.start(*(bench.spec(quiet) for number in range(20)))

    for key, size in zip(keys, sizes, strict=True):
        assert bench.printed(bench.ended(key)) == {1: b"x" * size + b"\n", 2: b"err\n"}
    for number, key in enumerate(children):
        assert bench.printed(bench.ended(key))[1] == b"c%d\n" % number
    assert [bench.ended(key).output for key in silent] == [None] * 20


def test_a_function_may_close_its_output(bench: Bench) -> None:
    assert bench.run(call(bench, "close")).ending is Ending.RETURNED
    assert bench.run(call(bench, "nothing")).ending is Ending.RETURNED


# -- contexts --------------------------------------------------------------------------------


def test_a_changed_source_is_imported_anew(bench: Bench) -> None:
    action = bench.call("changing:f", "def f(value): return 1\n")
    assert bench.run(action).result == b"1"
    (bench.root / "changing.py").write_text("def f(value): return 'two'\n")

    assert bench.run(action).result == b'"two"'


def test_each_directory_and_environment_has_a_worker_of_its_own(bench: Bench) -> None:
    source = "import os\ndef f(value): return [os.getcwd(), os.environ.get('X')]\n"
    places = []
    for name in ("one", "two"):
        (bench.root / name).mkdir()
        (bench.root / name / "module.py").write_text(source)
        places.append(os.fsencode(bench.root / name))
    environ = bench.environ | {b"X": b"y"}
    actions = [bench.call("module:f", cwd=place, env=env) for place in places for env in (bench.environ, environ)]

    results = [bench.run(action).result.decode() for action in actions * 2]

    expected = [f'["{os.fsdecode(place)}",{value}]' for place in places for value in ("null", '"y"')]
    assert results == expected * 2


def test_an_interpreter_without_msgspec_is_refused_with_its_reason(bench: Bench) -> None:
    bare = bench.root / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    action = bench.call("functions:nothing", SOURCE, python=os.fsencode(bare))

    ended = bench.run(action)

    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert "cannot run functions: it has no msgspec" in ended.error
    assert bench.run(call(bench, "nothing")).ending is Ending.RETURNED


def test_another_interpreter_runs_functions_with_its_own_msgspec(bench: Bench) -> None:
    source = "import sys\ndef f(value): return sys.executable\n"

    ended = bench.run(bench.call("module:f", source, python=os.fsencode(sys.executable)))

    assert ended.result == b'"%s"' % os.fsencode(sys.executable)


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/true"])
def test_an_interpreter_that_is_none_is_refused_in_the_end(bench: Bench, python: str) -> None:
    ended = bench.run(bench.call("functions:nothing", SOURCE, python=os.fsencode(python)))

    assert ended.ending is Ending.REFUSED


def test_a_missing_directory_is_refused(bench: Bench) -> None:
    ended = bench.run(bench.call("functions:nothing", SOURCE, cwd=b"/no/such"))

    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert "the directory '/no/such' cannot be entered" in ended.error


def test_the_users_directory_does_not_hide_what_the_runner_is_made_of(bench: Bench) -> None:
    for name in ("msgspec", "socket", "overnight"):
        (bench.root / f"{name}.py").write_text("raise RuntimeError('not me')\n")

    assert bench.run(bench.call("mine:f", "def f(value): return 1\n")).result == b"1"


def test_results_of_any_size_come_through(bench: Bench) -> None:
    source = textwrap.dedent("""
        def f(value): return "x" * int(value)
        """)
    action = bench.call("large:f", source, inline_result=10_000_000)
    sizes = [10, 100_000, 140_000, 150_000, 300_000, 5_000_000]
    keys = bench.start(*(bench.spec(action, str(size)) for size in sizes))

    assert [len(bench.ended(key).result) - 2 for key in keys] == sizes
    assert not list((bench.root / "spool").glob("spill-*"))


def test_commands_and_functions_keep_their_order_in_a_slot(bench: Bench) -> None:
    source = "def f(value): open('order', 'a').write(value)\n"
    function, command = bench.call("order:f", source), bench.shell('printf %s "$1" >> order')
    kinds = [function, command, command, function, function, command]
    keys = bench.start(*(bench.spec(kind, str(number)) for number, kind in enumerate(kinds)))

    assert all(bench.ended(key).started_at for key in keys)
    assert (bench.root / "order").read_text() == "012345"


def test_what_ended_before_a_long_one_is_told_while_it_runs(bench: Bench) -> None:
    """They share a frame, and the runner reports only between attempts."""
    source = "import time\ndef f(value):\n  time.sleep(60 if value == 'long' else 0)\n  return value or None\n"
    action = bench.call("mixed:f", source)
    quick, told, long = bench.start(*(bench.spec(action, value) for value in ("", "told", "long")))

    assert bench.ended(quick).ending is Ending.RETURNED
    assert bench.ended(told).result == b'"told"'
    assert bench.executor.started(long) is not None
    bench.executor.cancel([long], grace=0.0)
    assert bench.ended(long).ending is Ending.CANCELLED
    assert len(bench.seen) == 3


def test_sigterm_from_outside_to_a_runner_is_the_death_of_a_worker(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.call("long:f", "import time\ndef f(value): time.sleep(60)\n")))
    bench.until_begun(key)

    os.kill(bench.runner(), signal.SIGTERM)

    assert bench.lost(key).worker_died


def test_what_a_failed_function_left_behind_is_dead_before_its_end_is_told(bench: Bench) -> None:
    """A child, and a daemon that has left its parents; what a function that succeeded keeps running may stay."""
    source = """
import subprocess
def f(value):
    child = subprocess.Popen(["sh", "-c", "(setsid sh -c 'echo $$ > daemon; sleep 60') & sleep 60"])
    open("child", "w").write(str(child.pid))
    while True:
        try:
            if open("daemon").read(): break
        except FileNotFoundError:
            pass
    if value == "fail": raise ValueError
"""
    action = bench.call("leaving:f", source)

    assert bench.run(action, "succeed").ending is Ending.RETURNED
    kept = [int((bench.root / name).read_text()) for name in ("child", "daemon")]
    assert all(identity(pid) for pid in kept)
    (bench.root / "daemon").unlink()
    assert bench.run(action, "fail").ending is Ending.RAISED
    left = [int((bench.root / name).read_text()) for name in ("child", "daemon")]
    assert not any(identity(pid) for pid in kept + left)
    assert bench.run(bench.call("leaving:f"), "succeed").ending is Ending.RETURNED


def test_a_function_is_told_which_ones_of_a_resource_are_its_own(bench: Bench) -> None:
    """A library looks once, so another choice is another process; the same one goes on in the same process."""
    names = "('OVERNIGHT_GPU', 'CUDA_VISIBLE_DEVICES')"
    action = bench.call("ids:own", f"import os\ndef own(_): return [*map(os.environ.get, {names}), os.getpid()]")
    grants = [told({"gpu": ids}) if ids else () for ids in ("0", "0", "1", "", "0")]
    specs = [msgspec.structs.replace(bench.spec(action), granted=each) for each in grants]
    found = [msgspec.json.decode(bench.ended(key).result) for key in bench.start(*specs)]
    assert [one[:2] for one in found] == [["0", "0"], ["0", "0"], ["1", "1"], [None, None], ["0", "0"]]
    pids = [one[2] for one in found]
    assert pids[0] == pids[1]
    assert len(set(pids)) == 4
