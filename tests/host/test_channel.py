from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from overnight.host.channel import Channel


def test_messages_arrive_whole_and_in_order() -> None:
    here, there = Channel.pair()
    for number in range(200):
        here.send(b"message %d" % number)
    assert there.receive() == [b"message %d" % number for number in range(200)]
    assert there.receive() == []
    assert not there.ended
    here.close()
    there.close()


def test_a_message_in_two_pieces_is_one() -> None:
    here, there = Channel.pair()
    here._socket.send(b"one\ntw")
    assert there.receive() == [b"one"]
    here._socket.send(b"o\n")
    assert there.receive() == [b"two"]
    here.close()
    there.close()


def test_the_end_of_the_other_side_is_noticed_by_both() -> None:
    here, there = Channel.pair()
    here.send(b"last")
    here.close()
    assert there.receive() == [b"last"]
    assert there.ended
    assert there.receive() == []
    there.close()

    here, there = Channel.pair()
    there.close()
    here.send(b"x")
    assert here.ended
    here.close()


def test_nobody_waits_for_a_listener_that_is_stopped() -> None:
    here, there = Channel.pair()
    for _ in range(1_000_000 // 10):
        here.send(b"0123456789")
    heard = there.receive()
    assert set(heard) == {b"0123456789"}
    assert 0 < len(heard) < 100_000
    here.close()
    there.close()


def test_an_end_is_inherited_only_by_whom_it_is_handed_to() -> None:
    here, there = Channel.pair()
    assert not os.get_inheritable(there.fileno())
    script = (
        f"import os, sys; sys.path[:] = {sys.path!r}; from overnight.host.channel import Channel; "
        "end = int(sys.argv[1]); Channel.inherited(end).send(str(os.get_inheritable(end)).encode())"
    )
    subprocess.run([sys.executable, "-c", script, str(there.fileno())], pass_fds=[there.fileno()], check=True)
    there.close()
    assert here.receive() == [b"False"]
    assert here.ended
    here.close()


def test_an_end_may_be_closed_twice() -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    here, there = Channel.pair()
    for end in (here, there, here, there):
        end.close()
    assert len(list(Path("/dev/fd").iterdir())) == before
