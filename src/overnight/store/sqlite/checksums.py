"""A checksum on every page of the store, so that damage is found when it is read.

SQLite's own checks look at structure: they miss damage inside values. The ``cksumvfs`` extension,
which APSW ships, puts eight bytes at the end of each page and compares them at every read. The
room for them must be reserved before the first page is written. A program that writes the file
without the extension (the ``sqlite3`` shell) leaves wrong checksums behind; reading is harmless.

Source: https://www.sqlite.org/cksumvfs.html
"""

from __future__ import annotations

from pathlib import Path

import apsw

from overnight.core.errors import HomeUnusableError

#: The name under which the extension registers itself.
VFS = "cksmvfs"

_BYTES = 8


def register() -> None:
    """Make the VFS known to this process. The second time costs nothing."""
    if VFS in apsw.vfs_names():
        return
    # Found by hand: apsw.sqlite_extra does the same with importlib.resources, for 4 ms at every start.
    found = sorted((Path(apsw.__file__).parent / "sqlite_extra_binaries").glob("cksumvfs.*"))
    if not found:
        raise HomeUnusableError(
            "this APSW comes without cksumvfs, which guards the store; nothing was touched",
            hint="pip install --force-reinstall --only-binary apsw apsw",
        )
    usual = apsw.vfs_names()[0]
    carrier = apsw.Connection("")
    try:
        carrier.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1)
        carrier.load_extension(str(found[0]))
    finally:
        carrier.close()
    # The extension makes itself everybody's default; other files of the process are none of its business.
    apsw.set_default_vfs(usual)


def reserve(connection: apsw.Connection) -> None:
    """Reserve the room in a file that has no page yet."""
    import ctypes  # files are made once

    count = ctypes.c_int(_BYTES)
    connection.file_control("main", apsw.SQLITE_FCNTL_RESERVE_BYTES, ctypes.addressof(count))
