"""What a look at everything takes: `doctor` in a project under git, the quick one, and with one check that hangs."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import OVERNIGHT, Row, cpu_of_children, directory, seconds, spread

FILES, REPEATS = 200, 7
#: A service that accepts nothing and says nothing, as a check of the user's.
HANGS = '[check.hung]\nrun = ["sleep", "60"]\n'


@contextmanager
def project() -> Iterator[Path]:
    """A project with some files under git, and a home with tasks that have ended."""
    with directory() as cwd:
        for number in range(FILES):
            (cwd / f"file-{number}.txt").write_text(f"{number}\n")
        (cwd / "README.md").write_text("# A project\n\nSee [a file](file-1.txt).\n")
        (cwd / ".gitignore").write_text(".overnight/\n")
        as_somebody = ("git", "-c", "user.name=bench", "-c", "user.email=bench@localhost")
        for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "all")):
            subprocess.run([*as_somebody, *words], cwd=cwd, check=True, capture_output=True)
        subprocess.run([*OVERNIGHT, "run", "--", "true"], cwd=cwd, check=True, stdin=subprocess.DEVNULL)
        yield cwd


def taken(cwd: Path, *words: str) -> tuple[list[float], float]:
    """Milliseconds of each run, and the CPU time of the median one. What it finds is of no matter here."""
    walls, cpus = [], []
    for _ in range(REPEATS):
        before = cpu_of_children()
        walls.append(1000 * seconds(["sh", "-c", '"$@"; test $? -lt 4', "sh", *OVERNIGHT, "doctor", *words], cwd))
        cpus.append(1000 * (cpu_of_children() - before))
    return walls, statistics.median(cpus)


def measure() -> list[Row]:
    """The rows of the table."""
    rows = []
    with project() as cwd:
        for what, words, most in (("--quick", ("--quick",), 300), ("of everything", (), 1000), ("one hangs", (), 5000)):
            if what == "one hangs":
                (cwd / "overnight.toml").write_text(HANGS)
            walls, cpu = taken(cwd, *words)
            met = statistics.median(walls) < most
            rows.append(Row(f"`doctor`, {what}", f"{spread(walls)} ms", f"{cpu:.0f} ms of CPU", f"< {most} ms", met))
    return rows


if __name__ == "__main__":
    print(*measure(), sep="\n")
