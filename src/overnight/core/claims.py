"""What engine and store say to each other in a turn: what may be claimed, what was, and what followed from it.

A workflow task is claimed by being begun: its steps become tasks, and it has no attempt of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from overnight.core.states import Reason, TaskState
from overnight.core.task import Action, ActionKind


class Role(StrEnum):
    """What the tasks of a lane are."""

    PLAIN = "plain"
    #: Begun when they are claimed, and not run.
    WORKFLOW = "workflow"
    STEP = "step"


class Lane(msgspec.Struct, frozen=True):
    """Queue × workflow × needed resources: the unit that a claim looks at."""

    id: int
    queue: str
    workflow: str
    needs: dict[str, float]
    role: Role = Role.PLAIN
    #: Tasks in it that are running; of workflow tasks, those that have been begun.
    running: int = 0
    #: The highest priority of what may be claimed of it; None when nothing may.
    head: int | None = None


class Bind(msgspec.Struct, frozen=True):
    """What tasks that call a certain function become when they are claimed: tasks of a workflow."""

    #: The function that stands in their place, ``module:function``.
    call: str
    workflow: str
    #: Seconds for one attempt at a step that says nothing of it; None for no limit. Unset: as the task has it.
    timeout: float | UnsetType | None = UNSET

    def bound(self, action: Action) -> Action:
        """What such a task does from then on. It is found again by what stood in its place."""
        timeout = action.timeout if self.timeout is UNSET else self.timeout
        return msgspec.structs.replace(
            action, kind=ActionKind.WORKFLOW, call=self.workflow, instead_of=self.call, timeout=timeout
        )


class Claim(msgspec.Struct, frozen=True):
    """How much may be claimed: at most `count`, from these lanes, as far as the pools last.

    `lanes` says what one task of each open lane takes from which pools; lanes that are not named
    are closed. Tasks are taken in order of priority, then order key, over all open lanes together.
    A lane whose next task would take more than a pool has (beyond 1e-9) is passed over from there
    on; the others go on.

    Where less can start than there is work asked for, only a share of it is taken: `core.pace.share_of`
    says how much, of what can start and the `in_hand` attempts under way. `least` None: all of it is.
    """

    count: int
    lanes: Mapping[int, Mapping[str, float]]
    pools: Mapping[str, float]
    in_hand: int = 0
    least: int | None = None
    #: Actions of which no plain task is taken.
    without: frozenset[int] = frozenset()
    #: But for one of each of these, taken before all others: the last one where it says so, else the first.
    probes: Mapping[int, bool] = {}
    #: Of plain tasks that are taken, some become tasks of a workflow.
    bind: Bind | None = None
    #: What such a one takes then, by the lane that it is taken from; what it takes as a plain task is for its steps.
    bound: Mapping[int, Mapping[str, float]] = {}
    #: Of lanes whose tasks need a node: the nodes where one may have its place, the best first, and what it takes
    #: there besides. It has its place at the first one whose pools last, and is passed over where none does.
    at: Mapping[int, Sequence[tuple[str, Mapping[str, float]]]] = {}


class Claimed(msgspec.Struct, frozen=True):
    """A task that has just become running, with what is needed to run and to judge it."""

    id: int
    attempt: int
    action_id: int
    lane_id: int
    input: bytes
    failures: int
    deaths: int
    generation: int
    priority: int
    #: Of a step: the task that it belongs to, its name, and the outputs of other steps that it uses, as JSON.
    parent_id: int | None = None
    step: str = ""
    given: bytes = b""
    #: How many earlier attempts began, or may have: not those that were recalled.
    begun: int = 0
    #: The node where it has its place; empty where any may run it.
    node: str = ""


class Opened(msgspec.Struct, frozen=True):
    """A workflow task that has been begun, or goes on."""

    id: int
    lane_id: int
    #: Lanes of its steps.
    lanes: frozenset[int]


class Rested(msgspec.Struct, frozen=True):
    """A task that no attempt of its own brought to this state, but its steps, or what it waited for.

    `lane_id` is that of a workflow task that was open until now; None for any other task.
    """

    id: int
    state: TaskState
    reason: Reason | None = None
    error: str = ""
    lane_id: int | None = None


class Turn(msgspec.Struct, frozen=True):
    """What a turn did."""

    claimed: list[Claimed]
    #: (task id, attempt) of settlements that matched nothing: their task has moved on.
    stale: list[tuple[int, int]]
    #: When the next waiting task of people becomes due, POSIX seconds; None when none waits for a time.
    next_due: float | None
    #: Workflow tasks that were claimed, which is to be begun.
    opened: list[Opened] = []
    #: Tasks that came to rest by what became of others, or that let others go on.
    rested: list[Rested] = []
    #: Whether running steps were asked to end, because the time of their task is over.
    asked: bool = False
    #: As `next_due`, of the runner's own tasks; none of them becomes due earlier, but it may be later.
    own_due: float | None = None


class OpenAttempt(msgspec.Struct, frozen=True):
    """An attempt on record that has not been settled."""

    task_id: int
    attempt: int
    action_id: int
    lane_id: int
    slot: int | None
    claimed_at: float
    failures: int
    deaths: int
    generation: int
    fence: int
    step: str = ""
