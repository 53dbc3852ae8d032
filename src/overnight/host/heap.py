"""Memory that is freed and asked for again all the time.

SQLite takes 64 KiB for each statement that it may have to undo, and frees them at its end. Where they happen to lie at
the top of the heap, the C library gives them back to the kernel each time, and the kernel clears them again: three
calls and a tenth of the processor time of an attempt. The C library gives back no less than twice the largest block
that was ever freed as a whole. Source: mallopt(3), M_MMAP_THRESHOLD, which is adjusted dynamically; elsewhere than with
glibc this changes nothing.
"""

from __future__ import annotations

#: Of it twice as much may stay with us.
_BLOCK_BYTES = 4 * 1024 * 1024


def keep_freed_memory() -> None:
    """From now on up to 8 MiB that are freed stay with this process, for what it does next. For one that works long."""
    bytearray(_BLOCK_BYTES)
