"""Files about which nothing was said but that they are there: what is done with them, and emptying a queue of them.

Such a file gets the work of the processor that runs it: its handler, or its workflow. What stands in its action
until then is the name of no function; an engine without a processor takes the default workflow.
"""

from __future__ import annotations

from overnight.core.claims import Bind
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind
from overnight.host.home import Home
from overnight.store.contract import Selector, Store, Verb
from overnight.wiring.removing import remove

DEFAULT_WORKFLOW = "wf-pipeline-full"
#: What stands for a function in the action of such a file.
UNBOUND = "overnight:file"
#: What an engine without a processor does with them.
BY_DEFAULT = Bind(UNBOUND, DEFAULT_WORKFLOW)

#: What `clear` cancels, and what it forgets then.
WAITING = (TaskState.WAITING, TaskState.PENDING)
GIVEN_UP = (TaskState.FAILED, TaskState.CANCELLED, TaskState.HELD)


def is_unbound(action: Action) -> bool:
    """Whether it says only that there is a file."""
    return action.kind is ActionKind.CALL and action.call == UNBOUND


def clear(home: Home, store: Store, queue: str, *, now: float, by: str) -> int:
    """Empty a queue: forget what waits in it, and what has failed, was cancelled or is held. Returns how much.

    What runs goes on, and what is completed stays on record. Not one transaction: when this is
    interrupted, what waited is cancelled and still there, and the next call forgets it.
    """
    store.act(Verb.CANCEL, Selector(queue=queue, states=WAITING), now=now, by=by)
    return remove(home, store, Selector(queue=queue, states=GIVEN_UP), now=now, by=by)
