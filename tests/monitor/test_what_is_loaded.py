"""The process that watches starts beside every run of a second: it loads nothing that nobody has asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from overnight.host.home import create
from overnight.wiring import open_store

#: Each takes some milliseconds to come; what they are for has to be asked for first.
HEAVY = {
    "difflib",  # advice about slips in a configuration
    "overnight.executors.local.call",  # messages of alerts
    "overnight.monitor.notices",
    "overnight.monitor.traces",
    "prometheus_client",  # after a quarter of a minute
    "ssl",
    "tempfile",
    "tomllib",  # a configuration
    "urllib.request",  # signs of life
}


def test_a_quiet_home_is_watched_by_a_small_process(tmp_path: Path) -> None:
    home = create(tmp_path / ".overnight")
    open_store(home, create=True, migrate=True).close()
    program = (
        f"import sys; sys.path[:] = {[one for one in sys.path if one]!r}; from overnight.wiring.watching import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, *sys.modules)"
    )
    # Nobody holds the home, and its parent is gone: it looks once and ends.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, "[]", home.path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    status, *loaded = done.stdout.strip(".").split()
    assert status == "0"
    assert home.monitor_json.exists()
    assert sorted(HEAVY & set(loaded)) == []
