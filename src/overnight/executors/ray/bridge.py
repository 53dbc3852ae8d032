"""The process that speaks with Ray: a driver which finds nodes, keeps an actor on each, and carries words.

It decides nothing. It ends with the line to its engine; the actors stay, and the bridge of the next engine finds
them by their names.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import socket
import sys
import threading
from typing import Any

import msgspec

from overnight.executors.nodes.agent_process import Errand
from overnight.executors.nodes.stream import Stream
from overnight.executors.ray.addresses import answers, is_here, refusal
from overnight.executors.ray.naming import Found, name_nodes, nodes_in
from overnight.executors.ray.shell import Shell
from overnight.executors.ray.words import Broken, Ended, Regain, Release, Say, Table, Task, ToEngine, encode, to_bridge

NAMESPACE = "overnight"
#: Seconds between two looks who is there, and for one answer of an agent.
LOOK_EVERY, LISTEN = 2.0, 2.0
#: Seconds for a driver to find its cluster, and for an actor to be made: the node may have to import much.
MAKE_WITHIN = 60.0
#: What says that a node cannot run an agent at all.
_MISSING = ("ModuleNotFoundError", "ImportError")
#: What exceptions of Ray mean whose words are for its authors.
_KNOWN = {
    "ActorDiedError": "Ray says that its actor has died",
    "ActorUnavailableError": "Ray does not reach its actor",
    "ActorUnschedulableError": "Ray has no room for its actor",
    "GetTimeoutError": "its actor does not answer",
}


_HAVE_IT = "have the token of the cluster in RAY_AUTH_TOKEN, or the path of its file in RAY_AUTH_TOKEN_PATH"
_WANTS_ONE = f"does the cluster ask for a token? then RAY_AUTH_MODE=token, and {_HAVE_IT}"
_START = "start one: 'ray start --head --include-dashboard=false', or name its address: --ray-address HOST:PORT"


class Link(threading.Thread):
    """The line to one node: makes its actor or finds it, and passes on what its agent says."""

    def __init__(self, bridge: Bridge, node: Found) -> None:
        super().__init__(daemon=True)
        self._bridge = bridge
        self.node = node
        self._actor: Any = None

    def run(self) -> None:
        """Until the actor is no more."""
        ray = self._bridge.ray
        try:
            self._actor = self._find()
            ray.get(self._actor.connect.remote(self._bridge.caller), timeout=MAKE_WITHIN)
            while (said := ray.get(self._actor.receive.remote(self._bridge.caller, LISTEN))) is not None:
                for packed in said if self._bridge.is_current(self) else ():
                    self._bridge.tell(Say(self.node.name, packed))
            ray.kill(self._actor)
            why = "its agent has ended"
        except Exception as error:  # noqa: BLE001 - Ray has many, and each means that nobody answers
            why = _in_short(error)
        if self._bridge.is_current(self):
            self._bridge.lost(self, why)

    def _find(self) -> Any:  # noqa: ANN401 - a handle of Ray
        ray, task = self._bridge.ray, self._bridge.task
        name = f"overnight-{task.home}-{self.node.name}"
        with contextlib.suppress(ValueError):
            return ray.get_actor(name, namespace=NAMESPACE)
        errand = Errand(
            self.node.name,
            directory="",
            cookie=f"{task.cookie}:{self.node.name}",
            slots=self.node.cpus,
            gpus=self.node.gpus,
            labels=dict(self.node.labels),
            resources=dict(self.node.resources),
            work=task.work,
            isolation=task.isolation,
        )
        there = importlib.import_module("ray.util.scheduling_strategies")
        options = {
            "name": name,
            "namespace": NAMESPACE,
            "lifetime": "detached",
            "max_restarts": 0,
            "max_task_retries": 0,
            # The node's share is the agent's, so that Ray gives it to nobody else.
            "num_cpus": self.node.cpus,
            "num_gpus": self.node.gpus,
            "resources": dict(self.node.resources),
            "scheduling_strategy": there.NodeAffinitySchedulingStrategy(self.node.id, soft=False),
        }
        return self._bridge.actor_class.options(**options).remote(errand, task.home)

    def send(self, packed: bytes) -> None:
        """To the agent; without an actor it is lost."""
        if self._actor is not None:
            with contextlib.suppress(Exception):  # the actor is dead, and `run` says so
                self._actor.send.remote(self._bridge.caller, packed)


class Bridge:
    """One bridge.

    Args:
        task: What it is told.
        ray: The module.
    """

    def __init__(self, task: Task, ray: Any) -> None:  # noqa: ANN401 - a module that may not be installed
        self.task = task
        self.ray = ray
        self.caller = os.urandom(8).hex()
        self._stream = Stream(socket.socket(fileno=task.line))
        self._lock = threading.Lock()
        self._links: dict[str, Link] = {}
        self._released: set[str] = set()
        #: Names by Ray's numbers.
        self._names: dict[str, str] = {}

    def serve(self) -> None:
        """Carry words until the engine goes."""
        if not self._start():
            return
        threading.Thread(target=self._look_around, daemon=True).start()
        with contextlib.suppress(EOFError):
            while True:
                select.select([self._stream], [], [])
                for packed in self._stream.receive():
                    self._heed(packed)

    def _start(self) -> bool:
        why = self._join() or refusal(self._cluster(), os.environ)
        if why is not None:
            self.tell(why)
            return False
        self.ray.method(concurrency_group="out")(Shell.receive)  # leaves its note at the function
        self.actor_class = self.ray.remote(concurrency_groups={"out": 1})(Shell)
        return True

    def _join(self) -> Broken | None:
        address = self.task.address
        try:
            self.ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
        except Exception as error:  # noqa: BLE001 - wrong token, wrong version, nobody there: each in its own words
            return Broken(f"Ray at {address!r} did not take us ({_in_short(error)})", _advice(error))
        return None

    def _cluster(self) -> str:
        """Where it really is: "auto" may be anywhere."""
        return str(self.ray.get_runtime_context().gcs_address)

    def _heed(self, packed: bytes) -> None:
        message = to_bridge.decode(packed)
        if isinstance(message, Release):
            self._released.add(message.node)
        elif isinstance(message, Regain):
            self._released.discard(message.node)
        elif (link := self._links.get(message.node)) is not None:
            link.send(message.packed)

    def _look_around(self) -> None:
        pause = threading.Event()
        while True:
            try:
                found = name_nodes(nodes_in(self.ray.nodes()), self._names)
            except Exception as error:  # noqa: BLE001 - the head is away; agents go on, and so do we when it is back
                self.tell(Broken(f"Ray does not say which nodes there are ({_in_short(error)})", ""))
                found = []
            self._names |= {node.id: node.name for node in found}
            found = [node for node in found if node.cpus]
            self.tell(Table([node.name for node in found]))
            for node in found:
                if node.name not in self._released and not self._is_linked(node):
                    self._links[node.name] = link = Link(self, node)
                    link.start()
            pause.wait(LOOK_EVERY)

    def _is_linked(self, node: Found) -> bool:
        """A line to a node of the same name that has begun anew since may wait for an answer for ever."""
        link = self._links.get(node.name)
        return link is not None and link.node.id == node.id

    def is_current(self, link: Link) -> bool:
        """Whether words come and go by this one."""
        return self._links.get(link.node.name) is link

    def lost(self, link: Link, why: str) -> None:
        """There is no line to a node any more; another one is made at the next look."""
        node = link.node
        if any(name in why for name in _MISSING):
            why = f"{why}; install the same overnight for the Python that Ray runs on {node.host}"
        self.tell(Ended(node.name, why))
        if self.is_current(link):
            del self._links[node.name]

    def tell(self, message: ToEngine) -> None:
        """Say this to the engine."""
        with self._lock:
            self._stream.send(encode(message))
            while self._stream.full:
                select.select([], [self._stream], [])
                self._stream.flush()


def _in_short(error: BaseException) -> str:
    """The words of an exception of Ray that say something, in one line."""
    kind = type(error).__name__
    if kind in _KNOWN and not any(name in str(error) for name in _MISSING):
        return _KNOWN[kind]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if any(name in line for name in (*_MISSING, "Error:"))]
    return f"{kind}: {(telling or lines or ['no words'])[-1 if telling else 0][:300]}"


def _advice(error: BaseException) -> str:
    words = str(error).lower()
    if "token" in words or "unauthenticated" in words:
        return _HAVE_IT
    if "version mismatch" in words:
        return "have the same Ray and the same Python here and on all nodes"
    if "could not find" in words:
        return _START
    # It listens, as was seen before: then it is most often the token, of which Ray says nothing here.
    in_token_mode = os.environ.get("RAY_AUTH_MODE") == "token"
    return f"is it the cluster's token? {_HAVE_IT}" if in_token_mode else _WANTS_ONE


def _environment(address: str) -> dict[str, str]:
    """What Ray is told before it is imported."""
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    if is_here(address) and ":" in address:
        # Else Ray puts the machine's own address in the place of loopback, and nobody listens there.
        environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    return environment


def main() -> None:
    """Be the bridge whose task stands in the last argument."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    task = msgspec.json.decode(sys.argv[-1], type=Task)
    os.environ.update(_environment(task.address))
    broken = refusal(task.address, os.environ)
    if broken is None and not answers(task.address):
        broken = Broken(f"nothing listens at {task.address!r}", _START)
    if broken is None:
        try:
            ray = importlib.import_module("ray")
        except ImportError as error:
            install = "pip install 'overnight[ray]', here and on every node"
            broken = Broken(f"Ray cannot be imported here ({error})", install)
        else:
            Bridge(task, ray).serve()
            os._exit(0)  # threads may wait for nodes that never answer
    stream = Stream(socket.socket(fileno=task.line))
    stream.send(encode(broken))
    stream.close()
