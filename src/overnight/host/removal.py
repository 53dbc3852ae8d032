"""A home that somebody has removed, or moved away, while it was in use: nobody makes it again by going on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from overnight.core.errors import HomeUnusableError, OvernightError
from overnight.host.home import Home


def is_gone(home: Home) -> bool:
    """Whether it is no home any more, whatever lies at its place. One that cannot be looked at may be there."""
    try:
        os.lstat(home.home_json)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def gone(home: Home) -> HomeUnusableError:
    """What its engine says last."""
    return HomeUnusableError(
        f"the home {home.path} was removed or moved while it was in use; the engine ends, and what runs with it",
        hint=f"put it back, or 'overnight backup restore PATH --to {home.path} --yes'; else add the tasks again",
    )


@contextmanager
def staying(home: Home) -> Iterator[None]:
    """Work in a home that should stay where it is. Whatever fails once it is gone fails because of that.

    Raises:
        HomeUnusableError: The home was removed, or moved away.
    """
    try:
        yield
    except (OvernightError, OSError) as error:
        if is_gone(home):
            raise gone(home) from error
        raise
