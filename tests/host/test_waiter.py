"""Waiting for the first of several things."""

from __future__ import annotations

import math
import os
import socket
import time

from overnight.host.waiter import KernelWaiter


class Pipe:
    """Something that becomes readable when it is rung."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def fileno(self) -> int:
        return self.reader

    def ring(self) -> None:
        os.write(self.writer, b"!")

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


def test_what_is_readable_is_told_at_once() -> None:
    quiet, loud = Pipe(), Pipe()
    loud.ring()

    assert KernelWaiter().wait((quiet, loud), math.inf) == [loud]
    quiet.close()
    loud.close()


def test_nothing_is_told_when_nothing_happens_and_the_time_is_waited_for() -> None:
    quiet = Pipe()
    begin = time.monotonic()

    assert KernelWaiter().wait((quiet,), 0.05) == []
    assert time.monotonic() - begin >= 0.05
    quiet.close()


def test_who_has_got_the_number_of_another_one_is_told_for_himself() -> None:
    """A doorbell that is hung up again has the number of the one before."""
    waiter, first, other = KernelWaiter(), Pipe(), Pipe()
    assert waiter.wait((first, other), 0.0) == []
    number = first.fileno()
    os.close(first.reader)
    second = Pipe()
    assert second.fileno() == number
    second.ring()

    assert waiter.wait((second, other), math.inf) == [second]
    os.close(first.writer)
    second.close()
    other.close()


def test_an_end_counts_as_readable() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()

    assert KernelWaiter().wait((ours,), math.inf) == [ours]
    ours.close()
