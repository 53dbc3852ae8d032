"""What a tree of processes uses: CPU time, memory, and how many there are.

Memory is a question of what to do with pages that several processes share. Their sum by process (RSS)
counts them as often, so eight workers that were forked from one large process look eight times as
large; their fair share (PSS) does not, and is what the tree would give back. But PSS costs a walk over
the page tables, milliseconds for each gigabyte, so it is asked for only when RSS, which is never less,
is beyond the limit.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from overnight.core.limits import Usage
from overnight.host.processes import LINUX, children, read_whole, stat_fields

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Of the fields after the name in /proc/PID/stat: user, system, user of the waited for, system of the waited for.
_CPU = slice(11, 15)
_STATE, _THREADS, _RESIDENT = 0, 17, 21


def measure(root: int, leave: Collection[int] = (), *, exact_above: int | None = None) -> Usage:
    """What is below a process has and has used, without the process itself.

    Args:
        root: The process; ours, when CPU time is to grow steadily: what it has waited for counts, too.
        leave: Children of it that are left out, with what is below them.
        exact_above: From so many bytes on shared memory is counted once.
    """
    if not LINUX:
        return _measure_elsewhere(root, leave)
    cpu_ticks = resident = threads = 0
    members = below(root, leave)
    for pid in members:
        fields = stat_fields(pid)
        if fields is None:
            continue
        cpu_ticks += sum(map(int, fields[_CPU]))
        if fields[_STATE] not in b"ZX":
            resident += int(fields[_RESIDENT]) * _PAGE
            threads += int(fields[_THREADS])
    if exact_above is not None and resident > exact_above:
        resident = min(resident, sum(map(_fair_share, members)))
    return Usage(cpu_ticks / _TICK + _of_the_reaped(root), resident, threads)


def below(root: int, leave: Collection[int]) -> list[int]:
    """Everything below a process, parents first."""
    members = [pid for pid in children(root) if pid not in leave]
    seen = set(members)
    for pid in members:  # grows while it is walked
        fresh = [child for child in children(pid) if child not in seen]
        seen.update(fresh)
        members += fresh
    return members


def _of_the_reaped(root: int) -> float:
    """CPU seconds of what this process has waited for itself: orphans that have ended."""
    if root != os.getpid():
        return 0.0
    times = os.times()
    return times.children_user + times.children_system


def _fair_share(pid: int) -> int:
    """Bytes of memory, of shared pages only a share; all of them where it may not be seen."""
    try:
        words = read_whole(f"/proc/{pid}/smaps_rollup")
        return int(words.partition(b"\nPss:")[2].split(maxsplit=1)[0]) * 1024
    except (OSError, IndexError):  # gone, a zombie, or another user's
        fields = stat_fields(pid)
        return int(fields[_RESIDENT]) * _PAGE if fields else 0


def _measure_elsewhere(root: int, leave: Collection[int]) -> Usage:
    """Shared memory counts for each process: the system does not tell shares."""
    import psutil

    cpu, resident, threads = _of_the_reaped(root), 0, 0
    for pid in below(root, leave):
        try:
            process = psutil.Process(pid)
            times = process.cpu_times()
            cpu += times.user + times.system
            resident += process.memory_info().rss
            threads += process.num_threads()
        except psutil.Error:
            continue
    return Usage(cpu, resident, threads)
