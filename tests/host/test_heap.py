"""What becomes of memory that is freed. In a process of its own, whose heap is as it was made."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FREE = """
import ctypes
from overnight.host.heap import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
{before}
blocks = [libc.malloc(65536) for _ in range(40)]
top = libc.sbrk(0)
for block in blocks:
    libc.free(block)
print(libc.sbrk(0) < top)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others manage their heap in ways of their own")
@pytest.mark.parametrize(("before", "goes_back"), [("", "True"), ("keep_freed_memory()", "False")])
def test_memory_that_an_engine_frees_stays_with_it(before: str, goes_back: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", FREE.format(before=before)], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == goes_back
