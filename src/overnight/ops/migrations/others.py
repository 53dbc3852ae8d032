"""Programs that migrate databases of this project by their own ways: they are named, and never driven."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple


class Other(NamedTuple):
    """One of them: by what it was known, and what to type."""

    program: str
    file: str
    look: str
    apply: str


def others(root: Path) -> list[Other]:
    """Those of the project in a directory."""
    found = []
    if (root / "alembic.ini").is_file() or _names_alembic(root / "pyproject.toml"):
        file = "alembic.ini" if (root / "alembic.ini").is_file() else "pyproject.toml"
        found.append(Other("alembic", file, "alembic current --verbose", "alembic upgrade head"))
    if _begins_django(root / "manage.py"):
        look = "python manage.py showmigrations --plan"
        found.append(Other("Django", "manage.py", look, "python manage.py migrate"))
    return found


def _names_alembic(path: Path) -> bool:
    try:
        return "alembic" in tomllib.loads(path.read_text("utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False


def _begins_django(path: Path) -> bool:
    try:
        return "django" in path.read_text("utf-8")
    except (OSError, ValueError):
        return False
