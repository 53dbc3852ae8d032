"""What this machine has at the moment: room on the disk, memory, CPUs, load, and who waits for them.

In a container the figures of the whole machine say little, so the limits of the control groups around
this process count as well: memory is what the tightest of them still allows, CPUs are what their
quotas allow. The load is that of the machine; where this process may use only a part of it, it is not told.

On Linux everything comes from /proc and /sys. Elsewhere psutil stands in, and there are no pressures.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

from overnight.core.gates import Reading
from overnight.host.filesystem import free_bytes

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_FIGURE = re.compile(r"^(\w+)[: ]+(\d+)", re.MULTILINE)
_PRESSURE = re.compile(r"^(some|full) avg10=([0-9.]+)", re.MULTILINE)
#: What a control group says when it has no limit is larger than any memory there is.
_NO_LIMIT = 1 << 60


class Machine:
    """This machine, for a home in `directory`.

    Args:
        directory: Whose file system the room is measured on.
        proc: Where the kernel tells about the machine.
        cgroups: Where control groups are mounted.
    """

    def __init__(self, directory: Path, *, proc: Path = _PROC, cgroups: Path = _CGROUPS) -> None:
        self._directory = directory
        self._proc = proc
        self._groups = list(_groups(proc, cgroups))
        self._all_cpus = os.cpu_count() or 1
        #: CPUs that this process may use.
        self.cpus = self._usable_cpus()

    def look(self) -> Reading:
        """Everything, as it is now. Some 0.1 ms."""
        total, available = self._memory()
        return Reading(
            disk_free=free_bytes(self._directory),
            memory_available=available,
            memory_total=total,
            cpus=self.cpus,
            load=os.getloadavg()[0] if self.cpus == self._all_cpus else None,
            cpu_pressure=self._pressure("cpu", "some"),
            memory_pressure=self._pressure("memory", "some"),
            disk_pressure=self._pressure("io", "full"),
        )

    def _memory(self) -> tuple[int | None, int | None]:
        """All memory and what of it can be had without swapping, bytes."""
        figures = _figures(_read(self._proc / "meminfo"))
        if "MemAvailable" not in figures:
            return _memory_elsewhere()
        total, available = figures["MemTotal"] * 1024, figures["MemAvailable"] * 1024
        for group in self._groups:
            limit, used = _memory_of(group)
            total, available = min(total, limit), min(available, max(0, limit - used))
        return total, available

    def _usable_cpus(self) -> int:
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else self._all_cpus
        return max(1, min([allowed, *(math.ceil(quota) for group in self._groups if (quota := _quota_of(group)))]))

    def _pressure(self, what: str, who: str) -> float | None:
        """Share of the last ten seconds in which `who` ("some" or "full") waited."""
        if self.cpus == self._all_cpus:
            return pressure(_read(self._proc / "pressure" / what), who)
        told = (pressure(_read(group / f"{what}.pressure"), who) for group in self._groups)
        return next((share for share in told if share is not None), None)


def pressure(words: str, who: str) -> float | None:
    """The share of ten seconds out of a file of pressures, 0 to 1; None when it is not there.

    Source: Documentation/accounting/psi.rst of Linux.
    """
    shares = dict(_PRESSURE.findall(words))
    return float(shares[who]) / 100 if who in shares else None


def _groups(proc: Path, cgroups: Path) -> Iterator[Path]:
    """The directories of the control groups around this process, innermost first, of both versions."""
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for mount in _mounts(controllers, cgroups):
            inside = mount / path.lstrip("/")
            # Inside a container the path may be that of the host; then the mount itself is our group.
            inside = inside if inside.is_dir() else mount
            yield inside
            yield from (above for above in inside.parents if above.is_relative_to(mount))


def _mounts(controllers: str, cgroups: Path) -> list[Path]:
    if not controllers:
        return [cgroups]
    return [cgroups / name for name in controllers.split(",") if name in ("memory", "cpu")]


def _memory_of(group: Path) -> tuple[int, int]:
    """Limit and use of a control group, bytes; what the kernel would give back at once is not used."""
    limit = _number(group / "memory.max") or _number(group / "memory.limit_in_bytes") or _NO_LIMIT
    if limit >= _NO_LIMIT:
        return _NO_LIMIT, 0
    used = _number(group / "memory.current") or _number(group / "memory.usage_in_bytes") or 0
    kept = _figures(_read(group / "memory.stat"))
    return limit, max(0, used - kept.get("total_inactive_file", kept.get("inactive_file", 0)))


def _quota_of(group: Path) -> float | None:
    """How many CPUs a control group may use; None for no limit."""
    words = _read(group / "cpu.max").split() or [
        _read(group / "cpu.cfs_quota_us").strip(),
        _read(group / "cpu.cfs_period_us").strip(),
    ]
    quota, period = words if len(words) == 2 else ("", "")  # noqa: PLR2004 - a pair
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None


def _figures(words: str) -> dict[str, int]:
    return {name: int(number) for name, number in _FIGURE.findall(words)}


def _number(path: Path) -> int | None:
    words = _read(path).strip()
    return int(words) if words.isdecimal() else None


def _read(path: Path) -> str:
    """A small file of the kernel; empty when it is not there or not told."""
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def _memory_elsewhere() -> tuple[int | None, int | None]:
    import psutil

    memory = psutil.virtual_memory()
    return memory.total, memory.available
