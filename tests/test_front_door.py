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


#: What the import may bring along: itself, and what it needs to fetch the rest later. How long that takes is
#: measured by ``benchmarks/importing.py``; here stands why it cannot be long.
ALLOWED = {"overnight", "__future__", "importlib", "importlib._bootstrap", "importlib._bootstrap_external", "warnings"}


def test_importing_it_loads_nothing_but_itself() -> None:
    """Nothing of the house, nothing that is installed, and of the standard library next to nothing."""
    loaded = in_a_fresh_python("import sys; b = set(sys.modules); import overnight; print(*set(sys.modules) - b)")

    assert set(loaded) - ALLOWED == set()


def test_asking_what_there_is_loads_nothing_either() -> None:
    loaded = in_a_fresh_python(
        "import sys; import overnight; b = set(sys.modules); dir(overnight), hasattr(overnight, 'x');"
        "print(*set(sys.modules) - b)"
    )

    assert loaded == []


@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        ("FileQueue", {"asyncio", "click", "rich", "psutil", "multiprocessing", "http", "ssl", "sqlite3", "email"}),
        ("AutonomousProcessor", {"asyncio", "click", "rich", "psutil", "multiprocessing", "http", "ssl", "sqlite3"}),
        ("task", {"asyncio", "click", "rich", "psutil", "multiprocessing", "http", "ssl", "sqlite3", "email"}),
        ("Permanent", {"asyncio", "click", "rich", "psutil", "msgspec", "apsw", "subprocess", "pathlib", "hashlib"}),
    ],
)
def test_a_name_brings_only_what_it_needs(name: str, unwanted: set[str]) -> None:
    """A worker that raises `Permanent` must not load a store for it."""
    loaded = in_a_fresh_python(f"import sys; from overnight import {name}; print(*sys.modules)")

    assert set(loaded) & unwanted == set()


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
