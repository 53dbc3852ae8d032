"""What engine and agent say to each other.

The engine speaks in `Open` and `Word`, the agent in `Hello`, `Opened`, `Report`, `Printed`, `Refused` and `Closed`.
All of it carries the fence of the engine and a *term*, which rises with every `Open`: a word of an older engine, or one
that was on its way when a line broke, changes nothing any more.

**The lease.** Each report carries a stamp, the agent's own monotonic clock, and the engine's next word gives it back.
The agent may go on until the newest stamp that came back is `ttl` old, so a word that was under way for an hour extends
nothing. The engine has seen every stamp before it gave it back; so once nothing was heard for `ttl`, no attempt
of the agent is within its lease, whatever either side still has in its buffers. No two clocks are ever compared.

**Letters.** Outcomes travel in numbered letters. An agent keeps a letter until the engine says that it is
committed, and gives it again when it is asked anew.
"""

from __future__ import annotations

import msgspec

from overnight.core.endings import Ended, Froze, Lost
from overnight.core.resources import Granted
from overnight.core.task import Action
from overnight.executors.contract import Over, Spec

#: Raised whenever a message changes its meaning: engine and agents must speak the same.
PROTOCOL = 2

Key = tuple[int, int]


class Message(msgspec.Struct, frozen=True, array_like=True):
    """What all messages are like: small, and told from each other by their tags."""


class Facts(msgspec.Struct, frozen=True):
    """What a node says of itself."""

    name: str
    #: How many attempts it runs at a time, at most.
    slots: int
    version: str
    python: str
    protocol: int = PROTOCOL
    cpus: int = 0
    memory_bytes: int = 0
    gpus: int = 0
    pid: int = 0
    labels: dict[str, str] = {}
    #: What it has of named resources, and the ids of those that are handed out by name.
    resources: dict[str, float] = {}
    ids: dict[str, tuple[str, ...]] = {}


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A part of a file that comes with a letter."""

    task_id: int
    attempt: int
    #: Name of the file of a result, path of one that goes beside an input; empty for what the attempt printed.
    name: bytes
    data: bytes


# -- engine to agent -----------------------------------------------------------------------------


class Open(Message, frozen=True, tag="open"):
    """I am your engine now. Whatever you run that is not in `left` ends; the rest goes on."""

    fence: int
    term: int
    #: What the engine has on record as handed to this node.
    left: list[Key]
    #: Seconds, from the stamp on.
    ttl: float
    #: The newest stamp that was heard.
    echo: float


class Submit(Message, frozen=True, tag="submit"):
    """Run these in this slot, in this order. `actions` are those that this agent has not been told of in this term."""

    slot: int
    specs: list[Spec]
    actions: dict[int, Action]


class Ship(Message, frozen=True, tag="ship"):
    """A piece of the file that the input of an attempt names; all pieces come before the attempt."""

    task_id: int
    attempt: int
    #: Its path on the machine of the engine.
    original: bytes
    data: bytes


class Recall(Message, frozen=True, tag="recall"):
    """Give back what no worker has read; `Report.recalled` answers with the number."""

    number: int
    slot: int | None


class Cancel(Message, frozen=True, tag="cancel"):
    """End these, as `Executor.cancel` does."""

    keys: list[Key]
    grace: float | None


class End(Message, frozen=True, tag="end"):
    """End these at once. They count as interrupted, whatever their ends look like."""

    keys: list[Key]
    why: str


class Freeze(Message, frozen=True, tag="freeze"):
    """Let one stand still, or go on."""

    key: Key
    frozen: bool


class Resize(Message, frozen=True, tag="resize"):
    """Have so many slots."""

    slots: int


class Forget(Message, frozen=True, tag="forget"):
    """No action that you were told of is known any more: those that are still needed come again."""


class Insist(Message, frozen=True, tag="insist"):
    """No node has what an action needs: run it all the same, so that its task fails with the reason."""


class Follow(Message, frozen=True, tag="follow"):
    """Send what this attempt prints, from byte `at` of its frames on, as soon as there is something; -1: no more."""

    key: Key
    at: int


class Close(Message, frozen=True, tag="close"):
    """End everything, and then yourself."""


AboutSome = Cancel | End | Freeze | Forget | Insist | Follow
Order = Submit | Ship | Recall | Resize | Close | AboutSome


class Word(Message, frozen=True, tag="word"):
    """What is to be done, what is committed, and the newest stamp that was heard."""

    fence: int
    term: int
    echo: float
    #: Letters up to this number are committed.
    ack: int
    orders: list[Order] = []


# -- agent to engine -----------------------------------------------------------------------------


class Hello(Message, frozen=True, tag="hello"):
    """A line has been made; nothing happens before `Open`."""

    facts: Facts
    stamp: float


class Opened(Message, frozen=True, tag="opened"):
    """You are my engine. These of `left` are told of in letters, or still run; the others never came here."""

    term: int
    stamp: float
    told: list[Key]
    #: Task, attempt, slot as this node counts, and which ones of named resources are its own.
    still: list[tuple[int, int, int, Granted]]


class Report(Message, frozen=True, tag="report"):
    """A sign of life, and what has happened."""

    term: int
    stamp: float
    #: Slots that have no worker at the moment.
    resting: list[int] = []
    #: What has begun since the last report, with POSIX seconds.
    begun: list[tuple[int, int, float]] = []
    recalled: list[tuple[int, list[Key]]] = []
    froze: list[Froze] = []
    #: Number of the letter; 0 for none.
    letter: int = 0
    ended: list[Ended] = []
    lost: list[Lost] = []
    pieces: list[Piece] = []
    #: What this node has not, and an attempt needs; it did not begin.
    unfit: str = ""
    #: The lease has run out: open again.
    lapsed: bool = False

    @property
    def overs(self) -> list[Over]:
        """The outcomes in the letter."""
        return [*self.ended, *self.lost]


class Printed(Message, frozen=True, tag="printed"):
    """A piece of what an attempt has printed until now; the next one goes when it is asked for."""

    term: int
    key: Key
    #: Where in its frames it begins.
    at: int
    data: bytes


class Refused(Message, frozen=True, tag="refused"):
    """This node cannot be used by you, and why."""

    term: int
    why: str


class Closed(Message, frozen=True, tag="closed"):
    """Everything has ended, and so have I."""

    term: int


ToAgent = Open | Word
ToEngine = Hello | Opened | Report | Printed | Refused | Closed

encode = msgspec.msgpack.Encoder().encode
to_agent: msgspec.msgpack.Decoder[ToAgent] = msgspec.msgpack.Decoder(ToAgent)
_to_engine: msgspec.msgpack.Decoder[ToEngine] = msgspec.msgpack.Decoder(ToEngine)


def understood(packed: bytes) -> ToEngine | None:
    """What an agent says; None when it is of another kind than ours."""
    try:
        return _to_engine.decode(packed)
    except msgspec.MsgspecError:
        return None
