"""Attempts on other machines: an agent on each, which runs them as one machine does, and the engine's side of it.

How words get from one to the other is a `carrier`'s business: sockets of this machine (`sockets`), or
Ray (`overnight.executors.ray`). Everything that must be right whoever dies is here, and knows neither.
"""

from __future__ import annotations
