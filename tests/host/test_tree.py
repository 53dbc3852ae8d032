"""What a tree of processes uses, measured against trees that are known."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from overnight.host import tree
from overnight.host.processes import children
from overnight.host.tree import measure

MB = 1_000_000
#: Takes `sys.argv[1]` MB, shares them with so many children, and says when all of them are there.
SHARING = """
import os, signal, sys
signal.alarm(120)
memory = b"x" * (int(sys.argv[1]) * 1_000_000)
reader, writer = os.pipe()
for _ in range(int(sys.argv[2])):
    if not os.fork():
        signal.alarm(120)
        os.write(writer, b"!")
        signal.pause()
for _ in range(int(sys.argv[2])):
    os.read(reader, 1)
print("there", flush=True)
sys.stdin.read()
"""


@contextmanager
def a_tree(megabytes: int, forks: int) -> Iterator[int]:
    """A tree with that much memory, shared by so many more processes; its root."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", SHARING, str(megabytes), str(forks)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        yield process.pid
        os.killpg(process.pid, 9)


def everybody_but(pid: int) -> list[int]:
    """Children of this process that are none of the test's."""
    return [child for child in children(os.getpid()) if child != pid]


@pytest.mark.skipif(sys.platform != "linux", reason="shares are told by Linux alone")
def test_shared_memory_is_counted_once_when_it_matters() -> None:
    with a_tree(100, 4) as root:
        others = everybody_but(root)
        by_process = measure(os.getpid(), others)
        once = measure(os.getpid(), others, exact_above=200 * MB)
        not_needed = measure(os.getpid(), others, exact_above=2000 * MB)

    assert by_process.memory_bytes > 500 * MB
    assert 100 * MB < once.memory_bytes < 180 * MB
    assert not_needed.memory_bytes > 500 * MB
    assert once.processes == 5


def test_what_is_left_out_is_left_out_with_what_is_below_it() -> None:
    with a_tree(50, 2) as root:
        assert measure(os.getpid(), [*everybody_but(root), root]).processes == 0


def test_elsewhere_the_same_is_told_without_shares() -> None:
    with a_tree(100, 2) as root:
        others = everybody_but(root)
        here, there = measure(os.getpid(), others), tree._measure_elsewhere(os.getpid(), others)

    assert there.processes == here.processes == 3
    assert there.memory_bytes == pytest.approx(here.memory_bytes, rel=0.05)


def test_cpu_time_stays_when_those_who_used_it_have_gone() -> None:
    """Of children that were waited for, by whoever is in the tree or by its root."""
    before = measure(os.getpid()).cpu_seconds
    burn = f"{sys.executable} -S -c 'sum(range(10**7))'; read x"
    with subprocess.Popen(["sh", "-c", burn], stdin=subprocess.PIPE) as process:
        while measure(os.getpid()).cpu_seconds < before + 0.1:
            assert process.poll() is None
        during = measure(os.getpid()).cpu_seconds
        process.communicate(b"\n")

    assert measure(os.getpid()).cpu_seconds >= during - 0.02


def test_threads_count_as_the_kernel_counts_them() -> None:
    code = (
        "import threading, time, sys\n"
        "for _ in range(4): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "print('there', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert measure(os.getpid(), everybody_but(process.pid)).processes == 5
        process.kill()


def test_a_process_that_is_gone_has_nothing() -> None:
    assert tree._fair_share(2**22 + 1) == 0
