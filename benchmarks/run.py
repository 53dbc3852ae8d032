"""`make bench`: every figure, both sides in the same run, as one table.

    python benchmarks/run.py [--write] [NAME ...]

With `--write` the table goes into docs/benchmarks.md, between its two marks; that of workflows goes
into docs/workflows.md.
"""

from __future__ import annotations

import compileall
import sys
from pathlib import Path

import adding
import backing
import checkpointing
import commands
import containment
import damage
import depth
import doctoring
import dormant
import functions
import importing
import latency
import memory
import migrating
import monitoring
import reading_logs
import reporting
import screen
import slow_disk
import suites
import supervising
import workflows
from measuring import WORKFLOWS_PAGE, Row, conditions, write_between

import overnight

PARTS = {
    "functions": functions.measure,
    "commands": commands.measure,
    "importing": importing.measure,
    "latency": latency.measure,
    "depth": depth.measure,
    "adding": adding.measure,
    "supervising": supervising.measure,
    "containment": containment.measure,
    "slow_disk": slow_disk.measure,
    "workflows": workflows.measure,
    "damage": damage.measure,
    "checkpointing": checkpointing.measure,
    "monitoring": monitoring.measure,
    "memory": memory.measure,
    "backing": backing.measure,
    "doctoring": doctoring.measure,
    "reading_logs": reading_logs.measure,
    "dormant": dormant.measure,
    "reporting": reporting.measure,
    "suites": suites.measure,
    "migrating": migrating.measure,
    "screen": screen.measure,
}


def table(rows: list[Row]) -> str:
    """The rows as Markdown, with the machine above them."""
    lines = [conditions(), "", "| what | measured | beside | must | met |", "|---|---|---|---|---|"]
    met = {True: "yes", False: "**no**", None: ""}
    lines += [f"| {row.what} | {row.figure} | {row.beside} | {row.must} | {met[row.met]} |" for row in rows]
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> None:
    """Measure what is named, or everything."""
    # As an installed package is: where Python may not write what it has compiled, each process would compile us anew.
    compileall.compile_dir(Path(overnight.__file__).parent, quiet=1)
    names = [word for word in words if word != "--write"] or list(PARTS)
    rows: list[Row] = []
    for name in names:
        found = PARTS[name]()
        print(*found, sep="\n", flush=True)
        if name == "workflows" and "--write" in words:
            write_between("workflows", table(found), WORKFLOWS_PAGE)
        else:
            rows += found
    if rows:
        print("\n" + table(rows))
    if rows and "--write" in words:
        write_between("table", table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
