"""The settings of what an attempt may take, besides its time."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.setting import Setting
from overnight.core.task import DEFAULT_MEMORY, DEFAULT_STALL

#: Bytes beyond which a limit is a slip of the finger.
_A_LOT = 10**15

LIMIT_SETTINGS = (
    Setting(
        name="stall",
        kind=kinds.LIMIT,
        default=DEFAULT_STALL,
        help="How long an attempt may go without output, CPU time and reported progress before it is ended.",
        flag="--stall",
        environment="OVERNIGHT_STALL",
        key="defaults.stall",
    ),
    Setting(
        name="memory",
        kind=kinds.SIZE_LIMIT,
        default=DEFAULT_MEMORY,
        help="How much memory all processes of an attempt may have together before it is ended.",
        flag="--memory",
        environment="OVERNIGHT_MEMORY",
        key="defaults.memory",
        minimum=1_000_000,
        maximum=_A_LOT,
    ),
    Setting(
        name="max_output",
        kind=kinds.SIZE_LIMIT,
        default=None,
        help="How much an attempt may print before it is ended; more than keep_output is only not kept.",
        flag="--max-output",
        environment="OVERNIGHT_MAX_OUTPUT",
        key="defaults.max_output",
        minimum=1,
        maximum=_A_LOT,
    ),
    Setting(
        name="open_files",
        kind=kinds.COUNT_LIMIT,
        default=None,
        help="How many files each process of an attempt may have open; opening one more fails.",
        flag="--open-files",
        environment="OVERNIGHT_OPEN_FILES",
        key="defaults.open_files",
        minimum=16,
        maximum=1_000_000_000,
    ),
    Setting(
        name="processes",
        kind=kinds.COUNT_LIMIT,
        default=None,
        help="How many processes and threads an attempt may have at a time before it is ended.",
        flag="--processes",
        environment="OVERNIGHT_PROCESSES",
        key="defaults.processes",
        minimum=1,
        maximum=2**22,  # the kernel has no more: pid_max
    ),
    Setting(
        name="isolation",
        kind=kinds.choice("auto", "none", "cgroup", "pidns"),
        default="auto",
        help="What holds the processes of a worker together besides being its children; auto takes a cgroup if it can.",
        environment="OVERNIGHT_ISOLATION",
        key="workers.isolation",
    ),
)
