"""A process that gives way is weighed less than one that has not, within its session and between sessions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from overnight.host.priority import NICE

SESSION = Path("/proc/self/autogroup")
WORDS = """
import os
from pathlib import Path
from overnight.host.priority import give_way
give_way()
session = Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), *(session.read_text().split()[-1:] if session.exists() else ()))
"""


def told(*, leads: bool) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", WORDS], start_new_session=leads, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_it_is_nice() -> None:
    assert told(leads=True)[0] == str(NICE)


# The file is there, and empty, where a group for processors weighs instead: as in most containers.
@pytest.mark.skipif(not (SESSION.exists() and SESSION.read_text()), reason="this system does not weigh sessions")
def test_a_session_that_it_leads_gives_way_as_a_whole() -> None:
    """Or niceness would mean nothing to those in other sessions; a session of others is left as it is."""
    before = SESSION.read_text().split()[-1]
    assert told(leads=False)[-1] == before
    assert told(leads=True)[-1] == str(NICE)
