"""Two nodes in network namespaces of their own, and links to them that can be cut: a program, for Linux and root.

``hold PLACE`` makes the nodes in a network that nobody else sees, says "ready", and obeys lines: ``cut NAME`` takes the
link to a node down, as a pulled cable would, ``mend NAME`` brings it back. Words on the way meanwhile are not lost: TCP
gives them again. ``run PLACE ...`` is ``overnight ...`` with its nodes there: ``--on ray`` finds them instead of Ray's.

Agents listen on UNIX sockets, which know no networks; so on each side of a link a relay stands between those and TCP.
Everything ends with the input of its parent, and by itself after two minutes; the namespaces go with the processes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from overnight.executors.nodes.agent_process import Errand, agent_argv
from overnight.executors.nodes.sockets import SocketCarrier

#: Each node, and the third part of its addresses: 10.9.N.1 is our end of its link, 10.9.N.2 its own.
NAMES = {"a": 1, "b": 2}
SLOTS, PORT = 4, 7000
#: Seconds after which everything ends by itself.
LONGEST = 120
#: Put before the agent begins: it keeps no lease, and its guard knows of none.
UNLEASHED = """
from overnight.executors.nodes.agent import Agent; from overnight.executors.nodes.guard import Guard
Agent._keep_lease = lambda _: None; tell = Guard.tell; Guard.tell = lambda guard, _: tell(guard, float("inf"))
"""


def why_not() -> str:
    """Why there can be no such networks here; empty when there can."""
    words = ["unshare", "--net", "ip", "link", "add", "va", "type", "veth", "peer", "name", "vb"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    except OSError as error:
        return f"network namespaces cannot be made: {error}"
    return f"network namespaces cannot be made: {done.stderr.strip()}" if done.returncode else ""


class CutNetwork:
    """The nodes, seen from a test."""

    def __init__(self, process: subprocess.Popen[str], place: Path) -> None:
        self._process = process
        self.place = place

    @property
    def program(self) -> tuple[str, ...]:
        """How the interpreter starts the program with these nodes."""
        return (__file__, "run", str(self.place))

    def tell(self, words: str) -> None:
        """Do something to a link, and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        self.expect("done")

    def expect(self, words: str) -> None:
        """Wait until it says this."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == words


@contextlib.contextmanager
def two_nodes(place: Path, *, leases: bool = True) -> Iterator[CutNetwork]:
    """The nodes a and b; gone afterwards. Without `leases` they go on however long they hear nothing."""
    with (place / "network.err").open("w") as err:
        words = ["unshare", "--net", sys.executable, __file__, "hold", str(place), *([] if leases else ["unleashed"])]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        network = CutNetwork(process, place)
        network.expect("ready")
        yield network
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def main() -> None:
    """Be what the first word says."""
    what, place, *more = sys.argv[1:]
    if what == "run":
        run(Path(place), more)
    signal.alarm(LONGEST)
    if what == "hold":
        hold(Path(place), more)
    else:
        be_node(Path(place), *more)


def run(place: Path, words: list[str]) -> None:
    """The program; does not return."""
    from overnight.ui import program
    from overnight.wiring import nodes

    paths = {name: place / f"{name}.socket" for name in NAMES}
    carrier = lambda _task, clock, _log: SocketCarrier(paths, clock)  # noqa: E731 - in the place of a class
    mock.patch.object(nodes, "RayCarrier", carrier).start()
    sys.argv = ["overnight", *words]
    program.main()
    raise SystemExit


def hold(place: Path, more: list[str]) -> None:
    """Have nodes and links until our input ends."""
    nodes = {name: _make(place, name, more) for name in NAMES}
    for name, number in NAMES.items():
        listener = _listen_at(place / f"{name}.socket")
        reach = lambda number=number: socket.create_connection((f"10.9.{number}.2", PORT), timeout=2)  # noqa: E731
        threading.Thread(target=relay, args=(listener, reach), daemon=True).start()
    print("ready", flush=True)  # noqa: T201 - to the test
    for line in sys.stdin:
        verb, name = line.split()
        _ip("link", "set", f"v{name}", "down" if verb == "cut" else "up")
        print("done", flush=True)  # noqa: T201
    for node in nodes.values():
        assert node.stdin is not None
        node.stdin.close()
    for node in nodes.values():
        node.wait(40)


def _make(place: Path, name: str, more: list[str]) -> subprocess.Popen[str]:
    """One node, in a network of its own with a link to ours."""
    words = ["unshare", "--net", sys.executable, __file__, "node", str(place), name, *more]
    node = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert node.stdin is not None
    assert node.stdout is not None
    assert node.stdout.readline().strip() == "there"  # in its namespace by now
    _ip("link", "add", f"v{name}", "type", "veth", "peer", "name", "e0", "netns", str(node.pid))
    _ip("address", "add", f"10.9.{NAMES[name]}.1/30", "dev", f"v{name}")
    _ip("link", "set", f"v{name}", "up")
    node.stdin.write("go\n")
    node.stdin.flush()
    assert node.stdout.readline().strip() == "ready"
    return node


def be_node(place: Path, name: str, *more: str) -> None:
    """The node's side: its end of the link, its agent, a relay between both."""
    print("there", flush=True)  # noqa: T201 - to whoever holds us
    sys.stdin.readline()
    _ip("address", "add", f"10.9.{NAMES[name]}.2/30", "dev", "e0")
    _ip("link", "set", "e0", "up")
    path = place / f"agent-{name}.socket"
    agent = subprocess.Popen(_agent(place, name, path, leases=not more), stdin=subprocess.DEVNULL)
    listener = socket.create_server((f"10.9.{NAMES[name]}.2", PORT))
    threading.Thread(target=relay, args=(listener, lambda: _reach(path)), daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    sys.stdin.read()
    agent.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        agent.wait(20)


def _agent(place: Path, name: str, path: Path, *, leases: bool) -> list[str]:
    words = agent_argv(
        Errand(
            name,
            directory=str(place / f"node-{name}"),
            cookie=f"cut:{place}:{name}",
            slots=SLOTS,
            path=str(path),
            linger=20.0,
        )
    )
    if not leases:
        boot = words.index("-c") + 1
        words[boot] = words[boot].replace("; from", "\nfrom", 1).replace("; main()", f"\n{UNLEASHED}\nmain()", 1)
    return words


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL)


def _listen_at(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(path))
    listener.listen(8)
    return listener


def _reach(path: Path) -> socket.socket:
    end = socket.socket(socket.AF_UNIX)
    end.connect(os.fspath(path))
    return end


def relay(listener: socket.socket, reach: Callable[[], socket.socket]) -> None:
    """Connect whoever comes with whoever is reached, for ever."""
    while True:
        here, _ = listener.accept()
        try:
            there = reach()
        except OSError:
            here.close()
            continue
        there.settimeout(None)
        for source, sink in ((here, there), (there, here)):
            threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while words := source.recv(65536):
            sink.sendall(words)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
