"""What is known of workflows outside of a turn: how they are defined now, and how a task of one stands."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from overnight.core.workflow.cascades import Tally
from overnight.core.workflow.model import Workflow


class Defined(msgspec.Struct, frozen=True):
    """A workflow by which tasks are begun from now on. `defined_at`: POSIX seconds."""

    name: str
    #: Who has laid it down: a file, or a Python module.
    source: str
    defined_at: float
    digest: bytes
    workflow: Workflow


class Family(msgspec.Struct, frozen=True):
    """A workflow task that has been begun, and by which definition. `begun_at`: POSIX seconds.

    Its steps are the tasks `first_id`, `first_id` + 1 ... in the order of the nodes of its graph.
    """

    task_id: int
    digest: bytes
    workflow: Workflow
    first_id: int
    tally: Tally
    begun_at: float


class Took(NamedTuple):
    """How long a step took: how many of its runs were looked at, and the mean of them in seconds."""

    runs: int
    seconds: float
