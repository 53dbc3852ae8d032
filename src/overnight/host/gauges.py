"""The figures of this machine that need two looks: shares and rates between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import psutil

from overnight.host.clock import Clock
from overnight.host.resources import Machine

_ROUTES = (Path("/proc/net/route"), Path("/proc/net/ipv6_route"))
_UP = 0x1
_ON_OTHERS = ("dm-", "md", "loop", "zram", "ram")
_ANYWHERE = ("00000000", "0" * 32)


class _Totals(NamedTuple):
    """Since the machine was started: seconds of all CPUs, and bytes."""

    busy: float
    all: float
    disk_read: float
    disk_written: float
    network_received: float
    network_sent: float


class MachineGauges:
    """Everything that is measured of this machine, between two looks at it.

    Args:
        machine: For what one look tells.
        clock: Monotonic.
        routes: Where the kernel tells its routes.
    """

    def __init__(self, machine: Machine, clock: Clock, *, routes: tuple[Path, ...] = _ROUTES) -> None:
        self._machine = machine
        self._clock = clock
        self._routes = routes
        self._before: tuple[float, _Totals] | None = None

    def look(self) -> dict[str, float]:
        """By the names of `core.gauges`; what this machine does not tell, and rates at the first look, are left out."""
        reading = self._machine.look()
        told = {
            "load": reading.load,
            "memory_available": reading.memory_available,
            "disk_free": reading.disk_free,
            "cpu_pressure": reading.cpu_pressure,
            "memory_pressure": reading.memory_pressure,
            "disk_pressure": reading.disk_pressure,
            "network_up": None if (up := way_out(self._routes)) is None else float(up),
        }
        return {name: float(value) for name, value in told.items() if value is not None} | self._rates()

    def resident(self, pid: int) -> float | None:
        """Resident memory of a process, bytes; None when it has gone or may not be asked."""
        return resident(pid)

    def _rates(self) -> dict[str, float]:
        try:
            moment, totals = self._clock.monotonic(), _totals()
        except (OSError, RuntimeError, NotImplementedError, ValueError):  # psutil, where the kernel does not tell
            return {}
        before, self._before = self._before, (moment, totals)
        if before is None or moment <= before[0]:
            return {}
        seconds, was = moment - before[0], before[1]
        names = ("disk_read", "disk_written", "network_received", "network_sent")
        # Interfaces and disks come and go, and their totals with them.
        rates = {name: max(0.0, getattr(totals, name) - getattr(was, name)) / seconds for name in names}
        passed = totals.all - was.all
        return rates | ({"cpu": min(1.0, max(0.0, (totals.busy - was.busy) / passed))} if passed > 0 else {})


def resident(pid: int) -> float | None:
    """Resident memory of a process, bytes; None when it has gone or may not be asked."""
    try:
        return float(psutil.Process(pid).memory_info().rss)
    except (psutil.Error, OSError):
        return None


def _totals() -> _Totals:
    cpu = psutil.cpu_times()
    everything = sum(cpu) - getattr(cpu, "guest", 0.0) - getattr(cpu, "guest_nice", 0.0)  # user has these already
    idle = cpu.idle + getattr(cpu, "iowait", 0.0)
    disk = _whole_disks()
    nets = [one for name, one in psutil.net_io_counters(pernic=True).items() if not name.startswith("lo")]
    return _Totals(
        busy=everything - idle,
        all=everything,
        disk_read=sum(one.read_bytes for one in disk),
        disk_written=sum(one.write_bytes for one in disk),
        network_received=sum(one.bytes_recv for one in nets),
        network_sent=sum(one.bytes_sent for one in nets),
    )


def _whole_disks() -> list[Any]:
    """Counters of disks, without what lies on others: partitions, volumes, arrays and loops would count twice."""
    found = psutil.disk_io_counters(perdisk=True) or {}
    blocks = Path("/sys/block")
    if not blocks.is_dir():
        return list(found.values())
    return [one for name, one in found.items() if (blocks / name).exists() and not name.startswith(_ON_OTHERS)]


def way_out(routes: tuple[Path, ...] = _ROUTES) -> bool | None:
    """Whether there is a default route, so that nothing has to be sent to find out; None where that is not told."""
    told = [words for path in routes if (words := _lines(path)) is not None]
    if not told:
        return None
    return any(_leads_out(line.split()) for lines in told for line in lines)


def _lines(path: Path) -> list[str] | None:
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return None


def _leads_out(fields: list[str]) -> bool:
    """A line of either table: the old one has name, destination, gateway, flags; the new one destination, length ..."""
    if len(fields) >= 11 and fields[1] == _ANYWHERE[0] and fields[7] == _ANYWHERE[0]:  # noqa: PLR2004 - its columns
        return bool(int(fields[3], 16) & _UP)
    if len(fields) == 10 and fields[0] == _ANYWHERE[1] and fields[1] == "00":  # noqa: PLR2004 - the same
        return fields[9] != "lo" and bool(int(fields[8], 16) & _UP)
    return False
