"""Commands in real processes: words, environment, how they end, and what refuses them."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import msgspec
import pytest
from executor_bench import Bench, bench_without

from overnight.core.endings import Ending
from overnight.core.resources import told
from overnight.core.states import ErrorClass
from overnight.monitor.progress import Progress, reports

EVERY_BYTE = bytes(range(1, 256))
#: What the controls take out of a keeper: half of what the kernel says of an end, and bytes that are no text.
ONLY_THE_SIGNAL = "import os; os.waitstatus_to_exitcode = lambda status: -(status & 0x7F)"
ONLY_THE_STATUS = "import os; os.waitstatus_to_exitcode = lambda status: status >> 8"
ONLY_TEXT = """
from overnight.executors.local import command
whole = command.expand
command.expand = lambda *words, **named: [word.decode(errors="replace").encode() for word in whole(*words, **named)]
"""


def exit_codes(bench: Bench) -> list[int | None]:
    """What is told of commands that end with each of the 256."""
    action = bench.shell('exit "$1"')
    keys = bench.start(*(bench.spec(action, str(code)) for code in range(256)))
    first = [bench.ended(key).exit_code for key in keys[:100]]
    bench.executor.ack()  # 99 asks for a stop: nothing begins until that has been heeded
    return first + [bench.ended(key).exit_code for key in keys[100:]]


def end_by(bench: Bench, number: int) -> tuple[Ending, int | None, int | None]:
    """What is told of a command that a signal has ended: how, by which signal, with which status."""
    ended = bench.run(bench.shell('kill -"$1" $$'), str(number))
    return ended.ending, ended.signal, ended.exit_code


def printed(bench: Bench, name: bytes) -> bytes:
    """An input as a command gets it."""
    return bench.printed(bench.run(bench.command("printf", "%s", "{}"), name))[1]


def test_every_exit_code_is_told_as_it_was(bench: Bench) -> None:
    assert exit_codes(bench) == list(range(256))


@pytest.mark.parametrize("number", sorted(set(range(1, 32)) - {17, 18, 19, 20, 21, 22, 23, 28}))
def test_every_signal_that_ends_a_process_is_told_as_it_was(bench: Bench, number: int) -> None:
    """The others (CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH) end nobody."""
    assert end_by(bench, number) == (Ending.SIGNALLED, number, None)


def test_half_of_what_the_kernel_says_of_an_end_is_a_success(tmp_path: Path) -> None:
    """The control of both."""
    with bench_without(tmp_path / "signal", ONLY_THE_SIGNAL) as bench:
        assert exit_codes(bench) == [0] * 256
    with bench_without(tmp_path / "status", ONLY_THE_STATUS) as bench:
        assert end_by(bench, signal.SIGSEGV) == (Ending.EXITED, None, 0)


def test_signals_that_the_keeper_ignores_are_at_their_defaults_in_a_command(bench: Bench) -> None:
    bench.run(bench.shell("grep SigIgn /proc/$$/status > ignored"))

    ignored = int(bench.until_there("ignored").split()[1], 16)
    assert ignored & 0x7FFFFFFF == 0  # signals 1 to 31; the two behind them belong to the C library


def test_a_name_with_every_byte_arrives_as_it_is(bench: Bench) -> None:
    assert printed(bench, EVERY_BYTE) == EVERY_BYTE


def test_a_name_that_has_been_text_on_the_way_is_another_name(tmp_path: Path) -> None:
    """The control."""
    with bench_without(tmp_path, ONLY_TEXT) as bench:
        assert printed(bench, EVERY_BYTE) not in (b"", EVERY_BYTE)


def test_an_input_is_the_first_argument_of_a_script(bench: Bench) -> None:
    ended = bench.run(bench.shell('printf "%s-%s" "$#" "$1"'), "$(touch oops) ; 'x\"")

    assert bench.printed(ended)[1] == b"1-$(touch oops) ; 'x\""
    assert not (bench.root / "oops").exists()


def test_stdout_and_stderr_are_kept_apart(bench: Bench) -> None:
    ended = bench.run(bench.shell("echo out; echo err >&2; exit 3"))

    assert bench.printed(ended) == {1: b"out\n", 2: b"err\n"}
    assert ended.detail == "err"


def test_binary_output_is_kept_as_it_came(bench: Bench) -> None:
    (bench.root / "binary").write_bytes(bytes(range(256)) * 1000)

    ended = bench.run(bench.command("cat", "binary"))

    assert bench.printed(ended)[1] == bytes(range(256)) * 1000


def test_a_command_may_close_its_output(bench: Bench) -> None:
    ended = bench.run(bench.shell("exec >&- 2>&-; exit 4"))

    assert (ended.exit_code, ended.output) == (4, None)


def test_stdin_is_empty(bench: Bench) -> None:
    assert bench.run(bench.command("cat")).output is None


def test_a_command_hears_of_the_attempts_that_have_begun_and_not_of_those_that_were_taken_back(bench: Bench) -> None:
    action = bench.shell('echo "$OVERNIGHT_ATTEMPT $OVERNIGHT_ATTEMPT_ID"')
    [key] = bench.start(msgspec.structs.replace(bench.spec(action, attempt=3), begun=1))
    assert bench.printed(bench.ended(key))[1] == b"2 3\n"


def test_a_task_knows_who_and_where_it_is(bench: Bench) -> None:
    action = bench.command("env", "-0", timeout=60.0, retries=2)
    ended = bench.run(action, "x y")

    words = dict(line.split(b"=", 1) for line in bench.printed(ended)[1].split(b"\0") if line)
    # `env` was given the input as a word to run; it says so on stderr and prints nothing.
    assert words == {}
    ended = bench.run(bench.shell("env -0", timeout=60.0, retries=2), "x y")
    words = dict(line.split(b"=", 1) for line in bench.printed(ended)[1].split(b"\0") if line)
    assert words[b"OVERNIGHT_TASK_ID"] == b"%d" % ended.task_id
    assert words[b"OVERNIGHT_ATTEMPT"] == words[b"OVERNIGHT_ATTEMPT_ID"] == b"1"
    assert words[b"OVERNIGHT_MAX_ATTEMPTS"] == b"3"
    assert words[b"OVERNIGHT_INPUT"] == b"x y"
    assert words[b"OVERNIGHT_QUEUE"] == b"default"
    assert words[b"OVERNIGHT_WORKFLOW"] == words[b"OVERNIGHT_STEP"] == b""
    assert words[b"OVERNIGHT_SLOT"] == b"1"
    assert words[b"OVERNIGHT_HOME"] == os.fsencode(bench.root)
    assert words[b"OVERNIGHT_WORK_DIR"] == os.fsencode(bench.root / "work" / str(ended.task_id))
    assert 55 < int(words[b"OVERNIGHT_DEADLINE"]) - ended.started_at <= 60
    others = {name for name in words if not name.startswith(b"OVERNIGHT_")}
    assert others <= {b"PATH", b"PWD", b"SHLVL", b"_", b"NOTIFY_SOCKET"}


def test_a_secret_is_looked_up_when_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "s3cret")
    bench = Bench(tmp_path)
    bench.open()
    ended = bench.run(bench.shell('printf %s "$SOME_TOKEN"', env_names=(b"SOME_TOKEN", b"UNSET_TOKEN")))
    bench.close()

    assert bench.printed(ended)[1] == b"s3cret"


def test_the_directory_of_a_task_is_there_for_a_command_that_names_it(bench: Bench) -> None:
    ended = bench.run(bench.shell('cd "$OVERNIGHT_WORK_DIR" && pwd -P'))

    assert bench.printed(ended)[1].strip() == os.fsencode((bench.root / "work" / str(ended.task_id)).resolve())


@pytest.mark.parametrize("instant", ["1900000000", '"2030-03-17T17:46:40Z"', '"2030-03-17T18:46:40+01:00"'])
def test_a_task_may_say_when_to_try_again(bench: Bench, instant: str) -> None:
    script = (
        f"""echo 'garbage' > "$OVERNIGHT_CONTROL"; echo '{{"retry_at": {instant}}}' >> "$OVERNIGHT_CONTROL"; exit 75"""
    )

    first = bench.run(bench.shell(script))
    second = bench.run(bench.shell("exit 75"))

    assert (first.exit_code, first.retry_at) == (75, 1900000000.0)
    assert second.retry_at is None


def test_one_that_reports_all_night_may_still_say_when_to_try_again(bench: Bench) -> None:
    script = (
        """yes '{"progress": 0.1, "message": "one of very many"}' | head -n 40000 > "$OVERNIGHT_CONTROL";"""
        """echo '{"retry_at": 1900000000}' >> "$OVERNIGHT_CONTROL"; exit 75"""
    )

    assert bench.run(bench.shell(script)).retry_at == 1900000000.0


def test_what_a_command_says_of_itself_is_found_while_it_runs_and_goes_with_it(bench: Bench, tmp_path: Path) -> None:
    """It need not name itself: its file does."""
    spool, go = bench.root / "spool", tmp_path / "go"
    report = """echo '{"progress": 0.4, "message": "page 4"}' >> "$OVERNIGHT_CONTROL";"""
    script = f"{report} until test -e {go}; do sleep 0.02; done"
    [key] = bench.start(bench.spec(bench.shell(script), attempt=3))
    bench.until(lambda: reports(spool))

    assert reports(spool) == {(key.task_id, 3): Progress(0.4, "page 4", key.task_id, 3)}

    go.touch()
    bench.ended(key)
    assert reports(spool) == {}


def test_it_tells_what_a_command_has_used(bench: Bench) -> None:
    ended = bench.run(bench.command("python3", "-c", "x = b'x' * 600_000_000\nfor i in range(10**6): pass"))

    assert ended.cpu_seconds is not None
    assert 0.01 < ended.cpu_seconds < 10
    assert ended.peak_memory_bytes is not None
    assert 600_000_000 < ended.peak_memory_bytes < 800_000_000


def test_a_peak_below_the_engines_own_is_known(tmp_path: Path) -> None:
    """A keeper is small; what it has inherited of the engine it was started by must not hide a task's memory."""
    ballast = b"x" * 200_000_000
    bench = Bench(tmp_path)
    bench.open()

    ended = bench.run(bench.command(sys.executable, "-S", "-c", "b'x' * 80_000_000"))
    bench.close()

    assert ballast
    assert ended.peak_memory_bytes is not None
    assert 80_000_000 < ended.peak_memory_bytes < 120_000_000


def test_a_peak_below_the_keepers_own_is_not_known(bench: Bench) -> None:
    """The kernel counts what the process was before exec, which was the keeper's memory."""
    assert bench.run(bench.command("true")).peak_memory_bytes is None


# -- refused ---------------------------------------------------------------------------------


def test_an_outcome_does_not_wait_for_the_long_command_behind_it(bench: Bench) -> None:
    quick, long = bench.start(bench.spec(bench.shell("exit 0")), bench.spec(bench.shell("sleep 100")))

    assert bench.ended(quick).exit_code == 0

    assert [event.key for event in bench.seen] == [quick]
    bench.executor.cancel([long], grace=0.0)


def test_a_missing_program_is_refused_for_good(bench: Bench) -> None:
    ended = bench.run(bench.command("no-such-program"))

    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert "no program 'no-such-program' on the task's PATH" in ended.error
    assert ":/" not in ended.error


def test_a_program_that_moves_is_found_again(bench: Bench) -> None:
    """Where a program lies is remembered; a wrong memory must cost nothing."""
    for name in ("one", "two"):
        (bench.root / name).mkdir()
    bench.environ = {b"PATH": os.fsencode(f"{bench.root}/one:{bench.root}/two:/bin:/usr/bin")}
    program = bench.root / "one" / "tool"
    program.write_text("#!/bin/sh\necho here\n")
    program.chmod(0o755)
    action = bench.command("tool")
    bench.run(action)
    program.rename(bench.root / "two" / "tool")

    assert bench.printed(bench.run(action))[1] == b"here\n"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"#!/no/such/interpreter\n", 0o755, "its interpreter"),
        (b"\x7fELF\0\0\0\0nonsense", 0o755, "cannot be run (Exec format error)"),
        (b"#!/bin/sh\n", 0o644, "cannot be run (Permission denied)"),
    ],
)
def test_a_program_that_cannot_run_is_refused_with_its_reason(
    bench: Bench, content: bytes, mode: int, words: str
) -> None:
    program = bench.root / "program"
    program.write_bytes(content)
    program.chmod(mode)

    ended = bench.run(bench.command("./program"))

    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert words in ended.error


def test_a_script_without_a_first_line_goes_to_the_shell(bench: Bench) -> None:
    program = bench.root / "program"
    program.write_text('printf "%s" "$1"\n')
    program.chmod(stat.S_IRWXU)

    assert bench.printed(bench.run(bench.command("./program"), "a b"))[1] == b"a b"


def test_a_missing_directory_is_refused_for_good(bench: Bench) -> None:
    ended = bench.run(bench.command("true", cwd=b"/no/such\xff"))

    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert ended.error.startswith("the directory '/no/such\\udcff' cannot be entered")


def test_words_too_long_for_the_kernel_are_refused(bench: Bench) -> None:
    action = bench.command("true", env={b"PATH": b"/bin:/usr/bin", b"BIG": b"x" * 140_000})

    assert "longer than the kernel takes" in bench.run(action).error
    assert bench.run(bench.command("true")).exit_code == 0


def test_the_longest_input_arrives_whole(bench: Bench) -> None:
    longest = b"x" * (128 * 1024 - 1)

    ended = bench.run(bench.command("printf", "%s"), longest)

    assert bench.printed(ended)[1] == longest


@pytest.mark.parametrize(
    ("name", "words"), [("missing", "does not exist"), (".", "is a directory"), ("fifo", "is no regular file")]
)
def test_an_input_that_should_be_a_file_and_is_none_is_refused(bench: Bench, name: str, words: str) -> None:
    os.mkfifo(bench.root / "fifo")
    (bench.root / "file").touch()
    action = bench.command("true", expects="file")

    ended = bench.run(action, name)

    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert words in ended.error
    assert bench.run(action, "file").exit_code == 0


# -- statuses --------------------------------------------------------------------------------


def test_a_dying_orphan_does_not_take_the_status_of_the_command(bench: Bench) -> None:
    """Orphans become children of the keeper and end while the command runs; a stray waitpid(-1) would reap both."""
    orphans = "for i in 1 2 3 4 5 6 7 8; do (setsid sh -c 'exit 0' &) ; done; "

    codes = [bench.run(bench.shell(orphans + "exit 7")).exit_code for _ in range(10)]

    assert codes == [7] * 10


def test_the_engines_own_children_keep_their_status_when_a_keeper_dies(bench: Bench) -> None:
    from overnight.host.purge import forget, spare

    mine = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    spare(mine)
    os.kill(bench.keeper(), signal.SIGKILL)

    assert bench.run(bench.command("true")).exit_code == 0
    assert os.waitstatus_to_exitcode(os.waitpid(mine, 0)[1]) == 7
    forget(mine)


def test_actions_that_nothing_waits_for_are_forgotten(bench: Bench) -> None:
    """A queue in which each task has an action of its own never lets a slot fall empty."""
    slot = bench.executor._slots[0]
    gated = [bench.spec(bench.shell(f"until [ -e go-{number} ]; do sleep 0.01; done")) for number in range(100)]
    keys, most = bench.start(gated[0]), 0
    for number, spec in enumerate(gated[1:]):
        keys += bench.start(spec)
        (bench.root / f"go-{number}").touch()
        assert bench.ended(keys[number]).exit_code == 0
        bench.executor.ack()
        most = max(most, len(slot._actions))
    (bench.root / "go-99").touch()

    assert bench.ended(keys[99]).exit_code == 0
    assert most <= 70


def test_a_command_is_told_which_ones_of_a_resource_are_its_own(bench: Bench) -> None:
    """Whatever its action says of the same variable."""
    env = bench.environ | {b"OVERNIGHT_GPU": b"9"}
    action = bench.shell('printf %s "$OVERNIGHT_GPU/$CUDA_VISIBLE_DEVICES"', env=env)
    granted = msgspec.structs.replace(bench.spec(action), granted=told({"gpu": ("0", "3")}))
    [first, second] = bench.start(granted, bench.spec(action))
    assert bench.printed(bench.ended(first))[1] == b"0,3/0,3"
    assert bench.printed(bench.ended(second))[1] == b"9/"
