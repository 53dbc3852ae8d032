"""What a workflow is: steps, what they need, phases, gates. Values only; `graph` says what they mean together.

A definition is written as text, because people write it; it becomes bytes when it is bound to a task
(`binding`). Equal definitions have equal digests, wherever and in whichever order of keys they were
written, so that a task can say by which one it was begun.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from overnight.core.digests import digest
from overnight.core.task import Backoff

#: A step's name stands in placeholders: ``{probe.duration}``.
STEP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
#: Stands for the input of the task in placeholders, so no step can have it.
RESERVED = frozenset({"input"})


class Input(StrEnum):
    """What a workflow works on."""

    #: Any text; nothing is looked at.
    VALUE = "value"
    #: A regular file that can be read; looked at when the first steps run, never before.
    FILE = "file"
    #: JSON; functions get the value, and ``{input.size}`` means a part of it.
    JSON = "json"


class OnFailure(StrEnum):
    """What the failure of a step means for its task."""

    #: What comes after it does not run, and the task fails.
    STOP = "stop"
    #: The task goes on, and completes with a warning.
    CONTINUE = "continue"


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node. Either `run` or `call`. None: as the task itself was added, or as the settings have it."""

    id: str
    #: The words of a command, with placeholders.
    run: tuple[str, ...] = ()
    #: ``module:function``.
    call: str = ""
    needs: tuple[str, ...] = ()
    #: The phase that it belongs to; of a gate, the phase that ends in it.
    phase: str = ""
    #: See `overnight.core.workflow.conditions`; false: the step is skipped.
    condition: str = ""
    on_failure: OnFailure = OnFailure.STOP
    #: Seconds of one attempt; 0 for no limit.
    timeout: float | None = None
    retries: int | None = None
    #: What is tried again: reasons, or exit statuses as ``exit:75``. Empty: whatever may be.
    retry_on: tuple[str, ...] = ()
    backoff: Backoff | None = None
    #: Named resources, as amounts.
    resources: dict[str, float] = {}
    #: Bytes of memory for its whole process tree.
    memory: int | None = None
    #: Variables of the environment besides those of the task.
    env: dict[str, str] = {}
    #: What its command leaves running goes on.
    keep_children: bool = False
    #: What it writes, as templates: two steps must not write the same.
    writes: tuple[str, ...] = ()
    title: str = ""


class Workflow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A recipe. Nodes are its steps and then its gates; a gate belongs to the phase that it ends."""

    name: str
    steps: tuple[Step, ...]
    gates: tuple[Step, ...] = ()
    #: Barriers, in order; empty when there are none.
    phases: tuple[str, ...] = ()
    input: Input = Input.VALUE
    #: Patterns of the inputs that it takes; empty for any.
    match: tuple[str, ...] = ()
    title: str = ""
    #: Seconds for a whole task, from its first step on.
    deadline: float | None = None

    @property
    def nodes(self) -> tuple[Step, ...]:
        """Everything that can run, in the order in which it was written, gates last."""
        return self.steps + self.gates

    def digest(self) -> bytes:
        """16 bytes over everything: equal for equal definitions only."""
        return digest(packed(self), 16)


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Workflow)


def packed(workflow: Workflow) -> bytes:
    """A definition as canonical JSON."""
    return _encoder.encode(workflow)


def unpacked(definition: bytes) -> Workflow:
    """The definition that `packed` has written."""
    return _decoder.decode(definition)
