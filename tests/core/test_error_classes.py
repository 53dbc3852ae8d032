from __future__ import annotations

import pytest

from overnight.core.error_classes import class_of
from overnight.core.states import ErrorClass


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (("builtins.NameError", "builtins.Exception"), ErrorClass.PERMANENT),
        (("builtins.ModuleNotFoundError", "builtins.ImportError"), ErrorClass.PERMANENT),
        (("builtins.ConnectionResetError", "builtins.ConnectionError", "builtins.OSError"), ErrorClass.TRANSIENT),
        (("mine.Slow", "builtins.TimeoutError"), ErrorClass.TRANSIENT),
        (("builtins.MemoryError",), ErrorClass.RESOURCE),
        (("builtins.ValueError", "builtins.Exception", "builtins.object"), None),
        ((), None),
    ],
)
def test_a_type_is_what_it_or_a_base_of_it_is_known_as(names: tuple[str, ...], known: ErrorClass | None) -> None:
    assert class_of(names) is known


@pytest.mark.parametrize(
    ("errno", "known"),
    [
        ("ENOSPC", ErrorClass.RESOURCE),
        ("EMFILE", ErrorClass.RESOURCE),
        ("ECONNRESET", ErrorClass.TRANSIENT),
        ("EIO", ErrorClass.TRANSIENT),
        ("ENOENT", None),
    ],
)
def test_an_error_of_the_system_is_known_by_its_number(errno: str, known: ErrorClass | None) -> None:
    assert class_of(("builtins.OSError",), errno=errno) is known


@pytest.mark.parametrize(
    ("status", "told_when", "known"),
    [
        (429, False, ErrorClass.RATE_LIMITED),
        (503, True, ErrorClass.RATE_LIMITED),
        (503, False, ErrorClass.TRANSIENT),
        (500, False, ErrorClass.TRANSIENT),
        (408, False, ErrorClass.TRANSIENT),
        (404, False, ErrorClass.PERMANENT),
        (200, False, None),
    ],
)
def test_an_answer_is_known_by_its_status(status: int, told_when: bool, known: ErrorClass | None) -> None:  # noqa: FBT001 - parametrized
    assert class_of(("a.B",), status=status, told_when=told_when) is known


def test_the_status_says_more_than_the_type() -> None:
    assert class_of(("urllib.error.HTTPError", "urllib.error.URLError"), status=404) is ErrorClass.PERMANENT
