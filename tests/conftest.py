"""What holds for all tests."""

from __future__ import annotations

import os

from small_machine import ROOM

os.environ.update(ROOM)
