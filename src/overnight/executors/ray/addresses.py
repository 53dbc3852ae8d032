"""Where a cluster is, and whether it may be used.

Who reaches a cluster of Ray runs code on it: without a token only one on this machine is used.

Source: CVE-2023-48022; docs.ray.io, "Token authentication" (Ray 2.52 and later).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping

from overnight.executors.ray.words import Broken


def refusal(address: str, environ: Mapping[str, str]) -> Broken | None:
    """Why a cluster is not used; None when it may be."""
    if environ.get("RAY_AUTH_MODE", "") == "token" or is_here(address):
        return None
    words = f"the cluster at {address!r} is not on this machine, and nothing says that it asks for a token"
    hint = "start it, and this, with RAY_AUTH_MODE=token and the token in RAY_AUTH_TOKEN_PATH; see docs/nodes.md"
    return Broken(words, hint)


#: Seconds for somebody to answer at an address; Ray itself would wait for a minute.
ANSWER = 5.0


def answers(address: str) -> bool:
    """Whether somebody listens there; of an address without a port nothing is known."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return True
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except OSError:
        return False
    return True


def is_here(address: str) -> bool:
    """Whether an address leads to this machine alone."""
    if address in ("auto", "local"):
        return True
    host = address.removeprefix("ray://").rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
