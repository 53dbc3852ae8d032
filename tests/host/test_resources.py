"""What the machine says of itself, read out of files as kernels write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from overnight.host.resources import Machine, pressure

GIB = 1024**3
MEMINFO = """\
MemTotal:       33554432 kB
MemFree:         1048576 kB
MemAvailable:   16777216 kB
"""
PRESSURE = """\
some avg10=12.50 avg60=1.83 avg300=3.03 total=160109999
full avg10=2.25 avg60=0.00 avg300=0.00 total=0
"""


class Kernel:
    """Files under a directory of the test's, in place of /proc and /sys/fs/cgroup."""

    def __init__(self, root: Path) -> None:
        self.proc, self.groups, self.home = root / "proc", root / "cgroup", root / "home"
        for directory in (self.proc, self.groups, self.home):
            directory.mkdir()
        self.write(self.proc / "meminfo", MEMINFO)

    @staticmethod
    def write(path: Path, words: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{words}\n")

    def machine(self) -> Machine:
        return Machine(self.home, proc=self.proc, cgroups=self.groups)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_this_machine_tells_its_disk_memory_and_cpus(tmp_path: Path) -> None:
    reading = Machine(tmp_path).look()
    assert reading.disk_free > 0
    assert reading.memory_available is not None
    assert 0 < reading.memory_available <= (reading.memory_total or 0)
    assert 1 <= reading.cpus <= (os.cpu_count() or 1)


def test_memory_is_what_can_be_had_without_swapping(kernel: Kernel) -> None:
    reading = kernel.machine().look()
    assert (reading.memory_total, reading.memory_available) == (32 * GIB, 16 * GIB)


def test_in_a_container_memory_is_what_its_tightest_group_allows(kernel: Kernel) -> None:
    kernel.write(kernel.proc / "self" / "cgroup", "0::/outer/inner")
    kernel.write(kernel.groups / "outer" / "inner" / "memory.max", "max")
    kernel.write(kernel.groups / "outer" / "memory.max", 2 * GIB)
    kernel.write(kernel.groups / "outer" / "memory.current", GIB)
    # What is cached from files that nobody uses is given back at once.
    kernel.write(kernel.groups / "outer" / "memory.stat", f"anon 5\ninactive_file {GIB // 2}\n")
    reading = kernel.machine().look()
    assert (reading.memory_total, reading.memory_available) == (2 * GIB, 3 * GIB // 2)


def test_groups_of_the_first_version_count_as_well(kernel: Kernel) -> None:
    kernel.write(kernel.proc / "self" / "cgroup", "9:name=systemd:/\n4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc")
    # As seen from inside the container, where the path of the host is not there.
    kernel.write(kernel.groups / "memory" / "memory.limit_in_bytes", GIB)
    kernel.write(kernel.groups / "memory" / "memory.usage_in_bytes", GIB // 4)
    kernel.write(kernel.groups / "cpu" / "cpu.cfs_quota_us", 50_000)
    kernel.write(kernel.groups / "cpu" / "cpu.cfs_period_us", 100_000)
    reading = kernel.machine().look()
    assert (reading.memory_total, reading.memory_available, reading.cpus) == (GIB, 3 * GIB // 4, 1)


def test_a_group_without_a_limit_limits_nothing(kernel: Kernel) -> None:
    kernel.write(kernel.proc / "self" / "cgroup", "4:memory:/\n2:cpu:/")
    kernel.write(kernel.groups / "memory" / "memory.limit_in_bytes", 9223372036854771712)
    kernel.write(kernel.groups / "cpu" / "cpu.cfs_quota_us", -1)
    kernel.write(kernel.groups / "cpu" / "cpu.cfs_period_us", 100_000)
    assert kernel.machine().look().memory_total == 32 * GIB
    assert kernel.machine().cpus == Machine(kernel.home).cpus


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_cpus_are_those_that_this_process_may_use(kernel: Kernel) -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert kernel.machine().cpus == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_pressures_are_those_of_the_machine(kernel: Kernel) -> None:
    for what in ("cpu", "memory", "io"):
        kernel.write(kernel.proc / "pressure" / what, PRESSURE)
    machine = kernel.machine()
    machine._all_cpus = machine.cpus
    reading = machine.look()
    assert (reading.cpu_pressure, reading.memory_pressure, reading.disk_pressure) == (0.125, 0.125, 0.0225)
    assert reading.load is not None


def test_of_a_part_of_the_machine_the_load_is_not_told_and_the_pressure_is_its_own(kernel: Kernel) -> None:
    kernel.write(kernel.proc / "self" / "cgroup", "0::/")
    kernel.write(kernel.groups / "cpu.max", "10000 100000")
    kernel.write(kernel.groups / "cpu.pressure", PRESSURE.replace("12.50", "80.00"))
    kernel.write(kernel.proc / "pressure" / "cpu", PRESSURE)
    machine = kernel.machine()
    machine._all_cpus = 64
    reading = machine.look()
    assert (reading.cpus, reading.load, reading.cpu_pressure) == (1, None, 0.8)


def test_a_kernel_that_tells_no_pressure_is_no_trouble(kernel: Kernel) -> None:
    reading = kernel.machine().look()
    assert (reading.cpu_pressure, reading.memory_pressure, reading.disk_pressure) == (None, None, None)
    assert pressure("", "some") is None
    assert pressure(PRESSURE.splitlines()[0], "full") is None


def test_where_there_is_no_proc_memory_is_asked_for_elsewhere(kernel: Kernel) -> None:
    (kernel.proc / "meminfo").unlink()
    reading = kernel.machine().look()
    assert reading.memory_available is not None
    assert reading.memory_available <= (reading.memory_total or 0)
