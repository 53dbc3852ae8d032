"""What a runner cannot change about itself: interpreter, directory and environment of its start."""

from __future__ import annotations

import hashlib

import msgspec

from overnight.core.task import Action


def digest(action: Action) -> bytes:
    """Equal for actions that can run in one process after the other."""
    parts = (
        action.python,
        action.cwd,
        sorted(action.env.items()),
        action.env_names,
        action.retries,
        action.keep_output,
        # What their keeper watches for, which knows one runner and not each of its attempts.
        action.stall,
        action.memory,
        action.max_output,
        action.open_files,
        action.processes,
    )
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=16).digest()
