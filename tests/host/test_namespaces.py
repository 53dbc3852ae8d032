"""Pid namespaces: entered for real where the system lets us, as root and as nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from overnight.host import namespaces
from overnight.host.processes import children, identity

SOURCE = str(Path(namespaces.__file__).parents[2])
ENTER = f"""
import sys
sys.path[:] = [{SOURCE!r}, *sys.path]
from overnight.host import namespaces
namespaces.enter()
"""

if namespaces.refusal():
    pytest.skip(f"no pid namespaces here: {namespaces.refusal()}", allow_module_level=True)


def inside(body: str, *before: str, **options: object) -> subprocess.Popen[str]:
    """A Python that goes on inside a namespace."""
    words = [*before, sys.executable, "-c", ENTER + body]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]  # options as they come


def test_the_first_process_sees_itself_and_nobody_else() -> None:
    with inside("import os; print(os.getpid(), [name for name in os.listdir('/proc') if name.isdigit()])") as process:
        assert process.communicate()[0] == "1 ['1']\n"

    assert process.returncode == 0


@pytest.mark.parametrize(("ending", "status"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", 0), ("", 0)])
def test_it_ends_as_the_first_process_ends(ending: str, status: int) -> None:
    """SIGKILL to itself is nothing to the first process."""
    with inside(f"import os\n{ending}") as process:
        assert process.wait() == status


def test_when_the_first_process_is_killed_everything_in_it_dies() -> None:
    body = """
import subprocess, sys
subprocess.Popen(["setsid", "env", "-i", "sh", "-c", "trap '' TERM HUP; sleep 60"])
print("there", flush=True)
sys.stdin.read()
"""
    with inside(body) as process:
        assert process.stdout is not None
        process.stdout.readline()
        [first] = children(process.pid)
        tree = [first, *children(first)]
        os.kill(first, signal.SIGKILL)

        assert process.wait() == -signal.SIGKILL
    assert len(tree) == 2
    assert all(identity(pid) is None for pid in tree)


def test_a_refusal_is_told_in_the_words_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "CLONE_NEWPID", 0)
    assert namespaces.refusal() == ""
    monkeypatch.setattr(sys, "path", ["/nowhere"])
    assert "No module named" in namespaces.refusal()


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/usr/bin/python3").exists(), reason="root may become nobody")
def test_who_is_not_root_may_do_it_too() -> None:
    """Where the system allows it; then set-uid programs do not work inside."""
    code = ENTER + "import os; print(os.getpid(), os.getuid())"
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
    )
    if "Permission denied" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("not allowed for others than root, or the source cannot be read by them")

    assert done.stdout == "1 65534\n", done.stderr
