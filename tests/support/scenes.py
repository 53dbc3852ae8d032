"""What a check is given that needs little."""

from __future__ import annotations

from overnight.store.contract import Store


def no_store() -> Store:
    """For a check that asks for none."""
    raise AssertionError("nobody should have asked for a store")
