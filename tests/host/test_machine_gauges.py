"""The figures of this machine that need two looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from overnight.core.gauges import NAMES
from overnight.host.clock import SystemClock
from overnight.host.gauges import MachineGauges, way_out
from overnight.host.resources import Machine

OLD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
NEW_DEFAULT = f"{'0' * 32} 00 {'0' * 32} 00 {'fd' + '0' * 30} 00000400 00000003 00000000 0000000{{flag}}     {{name}}\n"


def test_rates_come_with_the_second_look(tmp_path: Path) -> None:
    gauges = MachineGauges(Machine(tmp_path), SystemClock())
    first, second = gauges.look(), gauges.look()
    assert {"disk_free", "memory_available"} <= first.keys() <= set(NAMES)
    assert {"disk_read", "disk_written", "network_received", "network_sent"} <= second.keys() - first.keys()
    assert all(value >= 0 for value in second.values())
    assert second.get("cpu", 0) <= 1


def test_the_memory_of_a_process_is_told_while_it_is_there(tmp_path: Path) -> None:
    gauges = MachineGauges(Machine(tmp_path), SystemClock())
    assert (gauges.resident(os.getpid()) or 0) > 1_000_000
    assert gauges.resident(2**22 + 1) is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (OLD, "", False),
        (OLD + "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n", "", True),
        (OLD + "eth0 00000000 010200C0 0002 0 0 0 00000000 0 0 0\n", "", False),
        (OLD + "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n", "", False),
        (OLD, NEW_DEFAULT.format(flag=3, name="eth0"), True),
        (OLD, NEW_DEFAULT.format(flag=2, name="eth0"), False),
        (OLD, NEW_DEFAULT.format(flag=1, name="lo"), False),
    ],
)
def test_there_is_a_way_out_where_a_default_route_is_up(tmp_path: Path, old: str, new: str, expected: bool) -> None:  # noqa: FBT001 - a column
    (tmp_path / "route").write_text(old)
    (tmp_path / "ipv6_route").write_text(new)
    assert way_out((tmp_path / "route", tmp_path / "ipv6_route")) is expected


def test_where_nobody_tells_of_routes_it_is_not_known(tmp_path: Path) -> None:
    assert way_out((tmp_path / "route",)) is None
