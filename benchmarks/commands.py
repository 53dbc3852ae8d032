"""`/bin/true`, once an input, beside `xargs -P2 -n1`. Whole processes; ours adds the tasks, too."""

from __future__ import annotations

import statistics

from measuring import OVERNIGHT, Row, directory, pairs, seconds, spread, write_list

COMMANDS = 4000
SLOTS = 2


def measure(repeats: int = 5) -> list[Row]:
    """The rows of the table."""
    with directory() as home:
        listed = write_list(home / "list", COMMANDS)

        def ours() -> float:
            with directory() as cwd:
                argv = [*OVERNIGHT, "run", "--quiet", "-j", str(SLOTS), "-a", str(listed), "--", "/bin/true"]
                return COMMANDS / seconds(argv, cwd)

        def xargs() -> float:
            return COMMANDS / seconds(["xargs", f"-P{SLOTS}", "-n1", "/bin/true"], home, stdin=listed)

        mine, theirs = pairs(ours, xargs, repeats)
    share = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    return [
        Row(
            f"/bin/true a second, {COMMANDS:,} of them, {SLOTS} slots, whole process with its adds",
            spread(mine),
            f"xargs -P{SLOTS} {spread(theirs)}: {share:.0%} pair by pair",
            "≥ 90 % (then 100 %)",
            share >= 0.9,
        )
    ]


if __name__ == "__main__":
    print(*measure(3), sep="\n")
