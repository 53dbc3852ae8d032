"""/bin/true through the local executor alone, against `xargs -P2 -n1`, in turn in the same run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from executor_functions import Bench, drive


def xargs(count: int) -> float:
    """Seconds that xargs takes."""
    begin = time.perf_counter()
    subprocess.run(["xargs", "-P2", "-n1", "/bin/true"], input=b"x\n" * count, check=True)
    return time.perf_counter() - begin


def main(count: int = 4000) -> None:
    """Measure and print."""
    ours = theirs = 0.0
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root), slots=2)
        bench.open()
        action = bench.command("/bin/true")
        drive(bench, action, 100, 4)
        for _ in range(5):
            seconds, peer = drive(bench, action, count, 4), xargs(count)
            ours, theirs = ours + seconds, theirs + peer
            print(f"{count / seconds:7,.0f} commands/s   xargs {count / peer:7,.0f}/s   {peer / seconds:.0%}")
        bench.close()
    print(f"all rounds: {theirs / ours:.0%} of xargs")


if __name__ == "__main__":
    main()
