"""Two nodes of Ray on this machine, as a program: ``python ray_cluster.py``. A test talks to it over its pipes.

It says where the cluster is, then obeys lines: ``kill NAME`` ends everything of a node at once, as a power cut would;
``stop NAME`` and ``go NAME`` freeze it and let it go on. It ends with its input, and by itself after five minutes.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

NAMES = ("a", "b")
#: What Ray is told of a node besides its CPUs and its name.
HAS: dict[str, dict[str, Any]] = {"b": {"num_gpus": 2, "resources": {"scanner": 1}, "labels": {"zone": "west"}}}
LONGEST = 300


class RayNodes:
    """A cluster in a process of its own, for tests.

    Args:
        process: Which runs this file.
        address: Of the cluster.
    """

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self._process = process
        self.address = address

    def tell(self, words: str) -> None:
        """Do something to a node, and wait until it is done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == "done"


@contextlib.contextmanager
def two_nodes(scratch: Path) -> Iterator[RayNodes]:
    """A cluster with two nodes, a and b, of two CPUs each; b has two graphics cards, too. Gone afterwards."""
    environ = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    with (scratch / "ray.err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            env=environ,
            cwd=scratch,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = next(line for line in process.stdout if line.startswith("at "))[3:].strip()
        yield RayNodes(process, address)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def main() -> None:
    """Have the cluster until our input ends."""
    signal.alarm(LONGEST)
    cluster = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "node_ip_address": "127.0.0.1"},
    )
    nodes = {name: cluster.add_node(num_cpus=2, node_ip_address="127.0.0.1", **_told(name)) for name in NAMES}
    _say(f"at {cluster.address}")
    signals = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "go": signal.SIGCONT}
    for line in sys.stdin:
        verb, name = line.split()
        strike(nodes[name], signals[verb])
        _say("done")
    for node in nodes.values():
        strike(node, signal.SIGCONT)
    cluster.shutdown()


def _told(name: str) -> dict[str, Any]:
    more = HAS.get(name, {})
    return {**more, "labels": {"overnight-node": name, **more.get("labels", {})}}


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def strike(node: Any, number: signal.Signals) -> None:
    """A signal for the node's daemon and all below it."""
    for pid in [process.process.pid for processes in node.all_processes.values() for process in processes]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one = psutil.Process(pid)
            for each in [one, *one.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.send_signal(number)


if __name__ == "__main__":
    main()
