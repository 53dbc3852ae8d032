"""What programs under test are started with, also on a machine smaller than those on which people leave work running.

With less free disk than the gate wants no engine would start at all, and with little memory one of them
says so on stderr. Neither is what most tests are about, and neither is the process that watches beside.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from overnight.core.gates import Thresholds
from overnight.host.resources import Machine

_READING = Machine(Path(tempfile.gettempdir())).look()
#: Twice what the gates want: other tests use the same disk and memory meanwhile.
_IS_SMALL = _READING.disk_free < 2 * Thresholds().disk or (_READING.memory_available or 0) < 8_000_000_000
_NO_GATES = {"OVERNIGHT_GATE_DISK": "0", "OVERNIGHT_GATE_MEMORY": "0"}
#: Their variables.
ROOM: dict[str, str] = {"OVERNIGHT_MONITOR": "false"} | (_NO_GATES if _IS_SMALL else {})
