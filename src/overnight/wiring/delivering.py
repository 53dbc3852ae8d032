"""Messages of alerts on their way: a task of the runner's own for each, and the function that it calls.

While an engine works, the task is its own. When none does (the run is over, or was killed), who watched starts a
courier: a process that takes what is left by itself and ends. What neither comes to is there for the next engine.
No message holds a secret, and none is in the store: the target is a name, and its values are looked up in
``overnight.toml`` and in the environment by whoever delivers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from overnight import wiring
from overnight.core.alert_messages import Message
from overnight.core.alert_settings import Target
from overnight.core.asks import Permanent
from overnight.core.endings import Ended, Ending
from overnight.core.environment import split
from overnight.core.errors import OvernightError
from overnight.core.lanes import OPS_QUEUE
from overnight.core.secrets import names_in
from overnight.core.task import Action, ActionKind, Backoff, NewTask
from overnight.core.verdict import Standing, judge
from overnight.executors.local.call import raised
from overnight.host.home import Home
from overnight.host.interpreter import python_for
from overnight.host.lock import read_owner
from overnight.store.contract import Popped, Store
from overnight.wiring.configuration import read

#: The function of every delivery.
CALL = "overnight.wiring.delivering:deliver"
#: Seconds for one try, and how often and at which intervals there is another: for some nine hours.
TIMEOUT, RETRIES, BACKOFF = 60.0, 45, Backoff(2.0, 2.0, 900.0)
#: Seconds after which a courier begins nothing more; after which what it is at counts as not taken; and after which it
#: ends, whatever it is at.
_ENOUGH, _TOO_LONG, _LONGEST = 60.0, 120, 180


def task_of(message: Message, home: Home, targets: Mapping[str, Target]) -> NewTask:
    """The task that delivers a message. Equal messages make equal tasks, so that one is not added twice."""
    names = sorted({name for target in targets.values() for text in target.texts() for name in names_in(text)})
    env, _ = split(os.environb)
    action = Action(
        kind=ActionKind.CALL,
        cwd=os.fsencode(home.path.parent),
        call=CALL,
        env=env,
        env_names=tuple(map(str.encode, names)),
        timeout=TIMEOUT,
        retries=RETRIES,
        backoff=BACKOFF,
    )
    return NewTask(action, msgspec.json.encode(message), queue=OPS_QUEUE, title=message.subject)


def hand_on(home: Home, messages: list[Message], targets: Mapping[str, Target]) -> dict[str, int]:
    """Put messages into the queue, each once, whoever tried before us; their tasks, by their keys.

    Raises:
        OvernightError: The store cannot be had; nothing was added.
    """
    with closing(wiring.open_store(home)) as store:
        tasks = [task_of(message, home, targets) for message in messages]
        added = store.add(tasks, now=wiring.clock.now(), by="alerts", unique=True)
    wiring.ring(home)
    return {message.key: task for message, task in zip(messages, added.at, strict=True)}


def deliver(words: str) -> None:
    """Hand a message over: what a delivery calls in its worker.

    Raises:
        OvernightError: It was not taken; there is another try. No secret is in the words.
        Permanent: There is no such target any more.
    """
    _deliver(Home(Path(os.environ["OVERNIGHT_HOME"])), words.encode("utf-8", "surrogateescape"))


def _deliver(home: Home, content: bytes) -> None:
    from overnight.monitor.sending import send

    message = msgspec.json.decode(content, type=Message)
    target = read(home).targets.get(message.target)
    if target is None:
        raise Permanent(f"there is no target {message.target!r} in {home.config.name} any more; nothing was sent")
    send(target, message, os.environ)


# -- without an engine -------------------------------------------------------------------------


def start_courier(home: Home) -> None:
    """Have what waits delivered by a process of its own, which nobody waits for. Cheap when nothing does.

    Raises:
        OSError: It cannot be started.
    """
    subprocess.Popen(
        [*python_for("overnight.wiring.delivering"), os.fspath(home.path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main() -> None:
    """Deliver what waits in the home that the last argument names, as long as no engine does."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_TOO_LONG)
    enough = wiring.clock.monotonic() + _ENOUGH
    home = Home(Path(sys.argv[-1]))
    with closing(wiring.open_store(home)) as store:
        while read_owner(home.lock) is None and wiring.clock.monotonic() < enough and (one := _next(store)) is not None:
            _deliver_popped(home, store, one)


def _too_long(_number: int, _frame: object) -> None:
    """Leave a delivery that does not end, so that its message is put back and counts as tried, not as a death."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST - _TOO_LONG)
    raise OvernightError(f"its target has not answered within {_TOO_LONG} s; there is another try")


def _next(store: Store) -> Popped | None:
    return store.pop(OPS_QUEUE, owner=wiring.owner(), now=wiring.clock.now(), by="courier", call=CALL)


def _deliver_popped(home: Home, store: Store, one: Popped) -> None:
    began, wall = wiring.clock.monotonic(), wiring.clock.now()
    key = (one.task_id, one.attempt)
    try:
        _deliver(home, one.input)
    except (OvernightError, Permanent) as error:
        now, seconds = wiring.clock.now(), wiring.clock.monotonic() - began
        ended = raised(error, *key, now=now, wall=wall, seconds=seconds)
    else:
        now = wiring.clock.now()
        ended = Ended(*key, Ending.RETURNED, wall, wiring.clock.monotonic() - began)
    action = store.actions([one.action_id])[one.action_id]
    store.hand_in([judge(ended, Standing(one.failures, one.deaths, action), now=now)], now=now)
