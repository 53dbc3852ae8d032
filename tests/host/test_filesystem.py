from __future__ import annotations

from pathlib import Path

import pytest

from overnight.host.filesystem import file_system_type, free_bytes, is_network, parse_mounts, type_at

TABLE = rb"""22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
27 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 27 0:35 / /home rw - autofs systemd-1 rw,fd=45
41 40 0:50 / /home rw,relatime shared:300 master:2 - nfs4 server:/export rw,vers=4.2
42 41 252:3 / /home/with\040space\011and\134 rw - xfs /dev/vdb rw
43 27 0:60 / /mnt/phone rw - fuse.sshfs me@phone: rw
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (b"/", "ext4"),
        (b"/homes/are/elsewhere", "ext4"),
        (b"/home", "nfs4"),
        (b"/home/anna/project", "nfs4"),
        (b"/home/with space\tand\\/project", "xfs"),
        (b"/mnt/phone/x", "fuse.sshfs"),
    ],
)
def test_the_innermost_and_latest_mount_counts(place: bytes, kind: str) -> None:
    assert type_at(place, parse_mounts(TABLE)) == kind


def test_without_a_mount_table_the_type_is_unknown() -> None:
    assert type_at(b"/x", []) == "unknown"


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "NFS", "ceph", "vboxsf"])
def test_files_of_other_machines_are_known_as_such(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "fuseblk", "unknown"])
def test_local_disks_are_local(kind: str) -> None:
    assert not is_network(kind)


def test_a_path_that_does_not_exist_yet_has_a_type(tmp_path: Path) -> None:
    assert file_system_type(tmp_path / "not" / "yet") == file_system_type(tmp_path) != ""


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self")

    assert file_system_type(tmp_path / "link") in ("proc", "unknown")


def test_there_is_some_room(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
