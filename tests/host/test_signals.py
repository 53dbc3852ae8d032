from __future__ import annotations

import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from overnight.host.signals import SignalWatch


def descriptors() -> set[str]:
    """Which descriptors this process has open."""
    return {entry.name for entry in Path("/dev/fd").iterdir()}


def send(*numbers: signal.Signals) -> None:
    """To this process; Python's own part is done when this returns."""
    for number in numbers:
        signal.raise_signal(number)


def test_signals_are_read_in_the_order_in_which_they_came() -> None:
    with SignalWatch() as watch:
        send(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

        assert select.select([watch], [], [], 5)[0] == [watch]
        assert watch.take() == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
        assert watch.take() == []
        assert select.select([watch], [], [], 0)[0] == []


def test_the_handlers_of_before_are_back_afterwards() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with SignalWatch() as watch:
            send(signal.SIGTERM)
            assert heard == []
        send(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        assert signal.set_wakeup_fd(-1) == -1
        watch.close()
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_signals_are_not_told() -> None:
    """The interpreter reports every signal that has a handler, such as SIGCHLD of a child watcher."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with SignalWatch() as watch:
            send(signal.SIGUSR1, signal.SIGTERM)
            assert watch.take() == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_what_nohup_has_ignored_stays_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with SignalWatch() as watch:
            send(number)
            assert watch.take() == []
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_term_that_the_parent_ignored_still_stops_us() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with SignalWatch() as watch:
            send(signal.SIGTERM)
            assert watch.take() == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_more_signals_than_fit_do_no_harm() -> None:
    with SignalWatch() as watch:
        for _ in range(70_000):
            send(signal.SIGHUP)
        assert set(watch.take()) == {signal.SIGHUP}


def test_another_thread_is_told_that_it_cannot_watch() -> None:
    caught: list[BaseException] = []

    def watch() -> None:
        try:
            SignalWatch()
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def test_no_descriptor_is_left() -> None:
    before = descriptors()
    for _ in range(10):
        with SignalWatch():
            pass
    assert descriptors() == before


def test_a_signal_from_outside_ends_a_wait_in_the_kernel() -> None:
    program = (
        "import select, sys\n"
        "from overnight.host.signals import SignalWatch\n"
        "with SignalWatch() as watch:\n"
        "    print('ready', flush=True)\n"
        "    select.select([watch], [], [])\n"
        "    print(*watch.take(), flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child, child.stdout as said:
        assert said.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        assert said.readline() == f"{int(signal.SIGTERM)}\n"
    assert child.returncode == 0
