"""What a function can ask for by raising: to be tried later, or never again.

Anything else that is raised is a plain failure, and the retry policy decides.
"""

from __future__ import annotations

from datetime import datetime


class Retry(Exception):  # noqa: N818 - people raise it as an instruction; nothing has gone wrong
    """Try this task again later. Counts as no failure.

    Args:
        why: For people.
        after: Seconds from now.
        at: POSIX seconds, or a datetime (a naive one is local time). Not together with `after`.

    Raises:
        ValueError: Both are given, or `after` is negative.
    """

    def __init__(self, why: str = "", *, after: float | None = None, at: float | datetime | None = None) -> None:
        if after is not None and at is not None:
            raise ValueError("Retry takes 'after' or 'at', not both")
        if after is not None and not after >= 0:
            raise ValueError(f"Retry(after={after}): seconds from now cannot be negative")
        super().__init__(why or "asked to be tried later")
        self.after = after
        self.at = at.timestamp() if isinstance(at, datetime) else at

    def due(self, now: float) -> float:
        """When, in POSIX seconds. With neither `after` nor `at` that is `now`."""
        return self.at if self.at is not None else now + (self.after or 0.0)


class RateLimited(Retry):
    """Try this task again later, and hold its whole queue until then: the next task would be told the same.

    Counts as no failure, of this task or of any other. With neither `after` nor `at`: in a minute.
    Arguments as of `Retry`.
    """


class Permanent(Exception):  # noqa: N818 - an instruction too: no retry will mend this
    """Fail for good; no further attempt would end differently.

    Args:
        why: For people; becomes the task's error.
    """
