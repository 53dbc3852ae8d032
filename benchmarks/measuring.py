"""What every benchmark needs: homes that are thrown away, whole processes timed, rows of a table."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")

OVERNIGHT = (sys.executable, "-m", "overnight")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
WORKFLOWS_PAGE = PAGE.with_name("workflows.md")


class Row(NamedTuple):
    """One line of the table. `met` None: there is no goal."""

    what: str
    figure: str
    beside: str
    must: str
    met: bool | None


@contextmanager
def directory() -> Iterator[Path]:
    """A directory of its own on the disk of the project, not in memory."""
    with tempfile.TemporaryDirectory(prefix="overnight-bench-", dir=os.environ.get("OVERNIGHT_BENCH_DIR")) as name:
        yield Path(name)


def seconds(argv: Sequence[str], cwd: Path, *, stdin: Path | None = None, expect: int = 0) -> float:
    """Wall-clock seconds of a whole process. Its output is thrown away; another exit status is an error."""
    with (stdin or Path(os.devnull)).open("rb") as source:
        started = time.perf_counter()
        done = subprocess.run(
            argv, cwd=cwd, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        took = time.perf_counter() - started
    if done.returncode != expect:
        raise SystemExit(f"{argv} exited {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return took


def cpu_of_children() -> float:
    """Seconds of CPU so far, of those that have ended and of what they have waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def counts(cwd: Path) -> dict[str, int]:
    """The counts of the home in this directory."""
    words = subprocess.run([*OVERNIGHT, "status", "--json"], cwd=cwd, capture_output=True, check=True)
    found: dict[str, int] = json.loads(words.stdout)["counts"]
    return found


def write_list(path: Path, count: int) -> Path:
    """A list file of `count` inputs that look like files."""
    path.write_text("".join(f"/data/in/file-{number:08d}.wav\n" for number in range(count)))
    return path


def pairs(ours: Callable[[], T], theirs: Callable[[], T], repeats: int) -> tuple[list[T], list[T]]:
    """Both sides in turn, A B A B ..., so that a noisy minute hits both."""
    first: list[T] = []
    second: list[T] = []
    for _ in range(repeats):
        first.append(ours())
        second.append(theirs())
    return first, second


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], form: str = "{:,.0f}") -> str:
    """Median with minimum and maximum."""
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def write_between(mark: str, text: str, page: Path = PAGE) -> None:
    """Put a text into a page, between `<!-- mark -->` and `<!-- /mark -->`."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->\n"
    before, _, rest = page.read_text().partition(begin)
    page.write_text(before + begin + text + end + rest.partition(end)[2])


def conditions() -> str:
    """The machine, in one line."""
    import apsw

    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()},"
        f" SQLite {apsw.sqlite_lib_version()}, synchronous=FULL"
    )
