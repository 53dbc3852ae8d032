r"""Where the results of an input lie below a directory: a path that is its own for every input.

The layout is that of GNU parallel: ``1/INPUT``, and ``1/A/2/B`` for an input of two columns. In a
name ``/`` is written ``\_``, TAB ``\t``, and a backslash twice; every other byte stays. ``.`` and
``..`` would lead elsewhere and are written ``\.`` and ``\..``. What no file system takes as a name is
cut, and told apart by a digest after ``\h``.
"""

from __future__ import annotations

from overnight.core.digests import digest
from overnight.core.placeholders import columns

#: Bytes of a name that every file system takes (NAME_MAX), and of a path that leaves room for what stands before it.
LONGEST_NAME = 255
LONGEST_PATH = 2048
_CUT = 160
_ESCAPES = ((b"\\", b"\\\\"), (b"/", b"\\_"), (b"\t", b"\\t"))


def result_path(input_bytes: bytes) -> bytes:
    """The directory of an input, relative; empty for a task without one."""
    names = [_name(column) for column in columns(input_bytes)]
    path = b"/".join(b"%d/%s" % (number, name) for number, name in enumerate(names, 1))
    if len(path) <= LONGEST_PATH:
        return path
    return b"1/" + _cut(names[0], input_bytes)


def _name(column: bytes) -> bytes:
    if column in (b"", b".", b".."):
        return b"\\" + column
    name = column
    for byte, written in _ESCAPES:
        name = name.replace(byte, written)
    return name if len(name) <= LONGEST_NAME else _cut(name, column)


def _cut(name: bytes, whole: bytes) -> bytes:
    return name[:_CUT] + b"\\h" + digest(whole, 16).hex().encode()
