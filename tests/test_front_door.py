"""`import overnight`: small, quick, and the same for people, type checkers and `dir`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import overnight

STUB = Path(overnight.__file__).with_suffix(".pyi")


def in_a_fresh_python(code: str) -> list[str]:
    """What a new interpreter prints, by words."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_importing_it_loads_nothing_of_the_house() -> None:
    loaded = in_a_fresh_python(
        "import overnight, sys; print(*[m for m in sys.modules if m.startswith(('overnight.', 'msgspec', 'click'))])"
    )

    assert loaded == []


def test_importing_it_takes_less_than_20_ms() -> None:
    """The best of five, because other processes cost time and never give any."""
    code = "import time; t = time.perf_counter(); import overnight; print(time.perf_counter() - t)"

    assert min(float(in_a_fresh_python(code)[0]) for _ in range(5)) < 0.020


@pytest.mark.parametrize("name", overnight.__all__)
def test_every_listed_name_is_there(name: str) -> None:
    assert getattr(overnight, name) is getattr(overnight, name)
    assert name in dir(overnight)


def test_type_checkers_see_the_same_names() -> None:
    nodes = ast.parse(STUB.read_text("utf-8")).body
    imported = {alias.asname for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    declared = {
        node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }

    assert imported | declared == set(overnight.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'overnight' has no attribute 'Retri'"):
        overnight.Retri  # type: ignore[attr-defined]  # noqa: B018  # the point of the test
