"""``config show``: the settings in use, and where each comes from."""

from __future__ import annotations
