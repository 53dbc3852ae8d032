"""What kind of file system a path is on, and how much room it has.

The store maps memory that all its users share, and the lock must hold between them all. Neither
can be relied on across a network, so a home there is refused, and this file knows which types those are.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
UNKNOWN = "unknown"

#: Types whose files another machine serves, the host of a virtual machine included.
_NETWORK = frozenset(
    re.findall(
        r"\S+",
        "9p acfs afpfs afs beegfs ceph cifs coda davfs fuse.ceph fuse.curlftpfs fuse.davfs fuse.gcsfuse fuse.glusterfs "
        "fuse.goofys fuse.grpcfuse fuse.juicefs fuse.mount.s3 fuse.osxfs fuse.rclone fuse.s3fs fuse.seaweedfs "
        "fuse.smbnetfs fuse.sshfs fuse.vmhgfs-fuse gfs2 glusterfs gpfs lustre ncpfs nfs nfs3 nfs4 ocfs2 orangefs "
        "osxfuse prl_fs pvfs2 smb2 smb3 smbfs vboxsf vmhgfs webdav",
    )
)
_OCTAL = re.compile(rb"\\([0-7]{3})")


def file_system_type(path: Path) -> str:
    """The type of the file system that holds `path` (which need not exist yet), as the system names it.

    "unknown" where the system does not say.
    """
    place = os.fsencode(os.path.realpath(path))
    try:
        mounts = parse_mounts(_MOUNTS.read_bytes())
    except OSError:
        mounts = _mounts_by_psutil()
    return type_at(place, mounts)


def is_network(kind: str) -> bool:
    """Whether files of this type are shared with other machines."""
    return kind.lower() in _NETWORK


def free_bytes(path: Path) -> int:
    """Room that this user may fill on the file system of `path`."""
    figures = os.statvfs(path)
    return figures.f_bavail * figures.f_frsize


def total_bytes(path: Path) -> int:
    """How large the file system of `path` is, full or not."""
    figures = os.statvfs(path)
    return figures.f_blocks * figures.f_frsize


def type_at(place: bytes, mounts: list[tuple[bytes, str]]) -> str:
    """The type of the innermost mount above `place`; of two on the same directory the later one, which hides the other.

    Args:
        place: An absolute path without symbolic links.
        mounts: Mount points and types, in the order in which they were mounted.
    """
    above = [(len(point), kind) for point, kind in mounts if _is_above(point, place)]
    deepest = max((length for length, _ in above), default=0)
    return next((kind for length, kind in reversed(above) if length == deepest), UNKNOWN)


def parse_mounts(table: bytes) -> list[tuple[bytes, str]]:
    """Mount points and types out of ``/proc/self/mountinfo``.

    Source: proc(5). The fifth field is the mount point, with octal escapes; the type is the first
    one after a field that is a single hyphen, for the number of fields before that varies.
    """
    mounts = []
    for line in table.splitlines():
        fields, separator, rest = line.partition(b" - ")
        if separator:
            point = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), fields.split()[4])
            mounts.append((point, rest.split()[0].decode()))
    return mounts


def _is_above(point: bytes, place: bytes) -> bool:
    return place == point or place.startswith(point.rstrip(b"/") + b"/")


def _mounts_by_psutil() -> list[tuple[bytes, str]]:
    import psutil

    return [(os.fsencode(part.mountpoint), part.fstype) for part in psutil.disk_partitions(all=True)]
