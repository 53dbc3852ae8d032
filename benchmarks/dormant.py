"""How long a look for dormant parts takes: 1,000 files of Python's own library, the first time and the second.

Whole processes, by the processor's time: a look has one thread, and others may use the machine; wall clock stands
beside it. Twice: as a project of which scripts alone are parsed, and with a pattern that has every file parsed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from measuring import OVERNIGHT, Row, cpu_of_children, directory, seconds

FILES = 1000
_LOOK = (*OVERNIGHT, "dormant", "list")


def copy(target: Path) -> int:
    """Put so many files of the library below a directory, in folders of a hundred. Returns their bytes."""
    library = Path(os.__file__).parent
    sources = [path for path in sorted(library.rglob("*.py")) if "site-packages" not in path.parts][:FILES]
    assert len(sources) == FILES, len(sources)
    for number, source in enumerate(sources):
        folder = target / f"part{number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / f"m{number}_{source.name.removeprefix('__')}")
    return sum(path.stat().st_size for path in target.rglob("*.py"))


class Look(NamedTuple):
    """Seconds of CPU, and by the clock."""

    used: float
    took: float


def look(cwd: Path) -> Look:
    """One look, as a whole process."""
    before = cpu_of_children()
    took = seconds(_LOOK, cwd)
    return Look(cpu_of_children() - before, took)


def looked(cwd: Path, pattern: str) -> tuple[Look, Look, int]:
    """The first look, the best of three more, and the bytes that are kept for them."""
    (cwd / "overnight.toml").write_text(f'[dormant]\nscan = ["{pattern}"]\n' if pattern else "")
    kept = cwd / ".overnight" / "dormant.db"
    kept.unlink(missing_ok=True)
    return look(cwd), min(look(cwd) for _ in range(3)), kept.stat().st_size


def measure() -> list[Row]:
    """The rows of the table."""
    rows = []
    with directory() as cwd:
        size = copy(cwd / "jobs")
        seconds((*OVERNIGHT, "add", "--", "true"), cwd)
        for words, pattern in (("scripts are parsed", ""), ("every file is parsed", "jobs/**/*.py")):
            first, second, kept = looked(cwd, pattern)
            for when, one, most in (("first", first, 8), ("second", second, 1)):
                what = f"`dormant list` of {FILES:,} files ({size / 1e6:.0f} MB), {words}, the {when} time"
                about = f"{one.took:.2f} s by the clock; {kept / 1e6:.1f} MB kept"
                rows.append(Row(what, f"{one.used:.2f} s of CPU", about, f"< {most} s", one.used < most))
    return rows
