"""Checks that are not ours: those that ``overnight.toml`` names, and those that installed packages bring.

A program that is a check speaks as monitoring plugins do everywhere (Nagios plugin API): its exit status is the
answer, its first line the summary, what follows a bar the figures. A package names its checks under the
entry point ``overnight.checks``; one that cannot be loaded is a finding that names it, and nothing else.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import msgspec

from overnight.core.check_tables import Asked, WantedCheck
from overnight.core.durations import format_duration
from overnight.core.errors import UsageError
from overnight.core.events import printable
from overnight.core.findings import Finding, Fix, Status
from overnight.core.secrets import shown_address
from overnight.host.clock import Clock
from overnight.ops.asking import SLACK
from overnight.ops.checks import CHECKS, load
from overnight.ops.checks.contract import Check, Cost, Scene, by_hand, fail, ok, unknown, warn

GROUP = "overnight.checks"
#: Title of what stands for a check of a package that cannot be asked.
_BROUGHT = "plug-in"
_SHOWN = 300
#: Bytes of what a program prints that are kept.
_MOST_SAID = 65536
#: What systemd says of a unit that is not active. Source: systemctl(1), is-active.
_STATES = frozenset({"inactive", "failed", "activating", "deactivating", "unknown"})
_FIGURE = re.compile(r"'?[^=']+'?=(?P<value>-?[0-9.]+)(?P<unit>[A-Za-z%]*)")
#: Units of figures, as ours and how many of ours. Source: Nagios plugin API, "Performance data".
_UNITS = {
    "s": ("seconds", 1.0),
    "ms": ("seconds", 1e-3),
    "us": ("seconds", 1e-6),
    "%": ("ratio", 1e-2),
    **{f"{prefix}B": ("bytes", 1024.0**power) for power, prefix in enumerate(("", "K", "M", "G", "T"))},
}


def catalogue(wanted: Mapping[str, WantedCheck]) -> dict[str, Callable[[], Check]]:
    """Every check by its id, ours first; each is made when it is asked.

    Args:
        wanted: Those that the configuration names.

    Raises:
        UsageError: One of those has the name of one of ours.
    """
    found: dict[str, Callable[[], Check]] = {name: _ours(name) for name in CHECKS}
    for check in map(check_of, wanted.values()):
        if check.id in found:
            raise UsageError(
                f"there are two checks {check.id!r}; nothing was examined", hint="give the one of yours another name"
            )
        found[check.id] = _made(check)
    for check in brought(entry_points(group=GROUP)):
        known = _second(check, found) if check.id in found else check
        found[known.id] = _made(known)
    return found


def _second(check: Check, found: Mapping[str, object]) -> Check:
    """Of two checks of one name the later one is not asked, which is a finding; it may be one already."""
    stem = check.id if check.title == _BROUGHT else f"plugin-{check.id}"
    name = next(one for one in (stem, *(f"{stem}-{n}" for n in range(2, len(found) + 3))) if one not in found)
    if check.title == _BROUGHT:
        return msgspec.structs.replace(check, id=name)
    mend = by_hand(name, "Remove the package, or name yours otherwise", "pip list shows what is installed")
    words = f"an installed package brings a second check {check.id!r}, which is not asked"
    return Check(name, _BROUGHT, lambda _: [fail(name, words, mend)])


def _ours(name: str) -> Callable[[], Check]:
    return lambda: load(name)


def _made(check: Check) -> Callable[[], Check]:
    return lambda: check


def brought(points: Iterable[EntryPoint]) -> Iterator[Check]:
    """The checks of installed packages: an entry point is a `Check`, or gives several when it is called."""
    for point in points:
        try:
            checks = _checks_in(point.load())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a package of others does is its failure
            yield _broken(point, error)
        else:
            yield from checks


def _checks_in(thing: object) -> list[Check]:
    if isinstance(thing, Check):
        return [thing]
    found = list(thing()) if callable(thing) else []
    checks = [one for one in found if isinstance(one, Check)]
    if not found or checks != found:
        raise TypeError("it gives something else than checks")
    return checks


def _broken(point: EntryPoint, error: BaseException) -> Check:
    name = f"plugin-{point.name}"
    package = point.dist.name if point.dist is not None else point.value
    words = " ".join(printable(f"the checks of {package} cannot be loaded ({type(error).__name__}: {error})").split())
    mend = by_hand(name, "Mend or remove the package", f"pip show {package}; pip install --upgrade {package}")
    return Check(name, _BROUGHT, lambda _: [fail(name, words[:_SHOWN], mend)])


def check_of(wanted: WantedCheck) -> Check:
    """The check that somebody has asked for."""
    ask = _ASK[wanted.asked]
    cost = Cost.FAST if wanted.asked is Asked.FILE else Cost.SLOW
    # Whoever names a service wants to know of it at once; it may be slow to answer, and costs next to nothing.
    every = 0.0 if wanted.every is None and wanted.asked is not Asked.RUN else wanted.every
    return Check(wanted.name, wanted.name, lambda scene: [ask(wanted, scene)], cost, wanted.timeout + SLACK, every)


# -- programs ---------------------------------------------------------------------------------


def _run(wanted: WantedCheck, scene: Scene) -> Finding:
    """Ask a program. What is still there of it at its time limit is ended."""
    try:
        child = subprocess.Popen(
            wanted.words,
            cwd=scene.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        words = f"{wanted.words[0]} cannot be started ({error.strerror})"
        return unknown(wanted.name, words, _mend(wanted, "Install the program"))
    with child:
        try:
            said = _said(child, scene.clock.monotonic() + wanted.timeout, scene.clock)
        except subprocess.TimeoutExpired:
            _end(child)
            return _late(wanted)
    return answered(wanted, child.returncode, said)


def _late(wanted: WantedCheck) -> Finding:
    again = f"{shlex.join(wanted.words)}; timeout = ... in [check.{wanted.name}]"
    see = by_hand(f"{wanted.name}-late", "See what it waits for, or give it longer", again)
    own = (_mend(wanted, "Mend it"),) if wanted.fix else ()
    return unknown(wanted.name, f"no answer within {format_duration(wanted.timeout)}", *own, see)


def _said(child: subprocess.Popen[bytes], until: float, clock: Clock) -> bytes:
    """The beginning of what it prints, when it has ended. The rest is read and let go: it may be endless.

    Raises:
        subprocess.TimeoutExpired: It has not ended by then (monotonic seconds).
    """
    kept, pipe = bytearray(), child.stdout
    assert pipe is not None  # noqa: S101 - see how it was started
    while (left := until - clock.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
        block = os.read(pipe.fileno(), _MOST_SAID)
        kept += block[: _MOST_SAID - len(kept)]
        if not block:
            child.wait(max(0.0, until - clock.monotonic()))
            return bytes(kept)
    raise subprocess.TimeoutExpired(child.args, left)


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()


def answered(wanted: WantedCheck, exit_code: int, said: bytes) -> Finding:
    """What a plugin's end means: statuses other than 0, 1 and 2 mean that it does not know."""
    status = Status(exit_code) if exit_code in {0, 1, 2} else Status.UNKNOWN
    first = next(iter(said.decode("utf-8", "replace").splitlines()), "")
    words, _, figures = first.partition("|")
    summary = words.strip()[:_SHOWN] or f"exit status {exit_code}, and not a word"
    value, unit = _figure(figures)
    fixes = () if status is Status.OK else (_mend(wanted, "See to it"),)
    return Finding(wanted.name, status, summary, value, unit, fixes)


def _figure(figures: str) -> tuple[float | None, str]:
    found = _FIGURE.search(figures)
    if found is None:
        return None, ""
    unit, factor = _UNITS.get(found["unit"], ("count" if found["unit"] in {"", "c"} else "", 1.0))
    try:
        return float(found["value"]) * factor, unit
    except ValueError:
        return None, ""


# -- services ---------------------------------------------------------------------------------


def _http(wanted: WantedCheck, scene: Scene) -> Finding:
    (url,) = wanted.words
    shown = shown_address(url)
    began = scene.clock.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=wanted.timeout) as answer:  # noqa: S310 - only http and https are read
            status = answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return fail(wanted.name, f"{shown} answers {error.code}", _mend(wanted, "Mend the service"))
    except (OSError, ValueError, http.client.HTTPException) as error:
        # What is wrong with an address is told with the part of it that is.
        wrong = isinstance(error, http.client.InvalidURL)
        words = "it is no address" if wrong else printable(str(getattr(error, "reason", error)))
        return fail(wanted.name, f"{shown} does not answer ({words})", _mend(wanted, "Start the service"))
    took = scene.clock.monotonic() - began
    return ok(wanted.name, f"{shown} answers {status}", value=took, unit="seconds")


def _tcp(wanted: WantedCheck, scene: Scene) -> Finding:
    host, port = wanted.words
    began = scene.clock.monotonic()
    try:
        socket.create_connection((host, int(port)), wanted.timeout).close()
    except OSError as error:
        words = f"nobody answers at {host}:{port} ({error.strerror or error})"
        return fail(wanted.name, words, _mend(wanted, "Start the service"))
    return ok(wanted.name, f"{host}:{port} answers", value=scene.clock.monotonic() - began, unit="seconds")


def _file(wanted: WantedCheck, scene: Scene) -> Finding:
    path = Path(scene.project, wanted.words[0])
    try:
        age = max(0.0, scene.clock.now() - path.stat().st_mtime)
    except OSError as error:
        return fail(wanted.name, f"{path}: {error.strerror}", _mend(wanted, "Find what should write it"))
    words = f"{path} was written {format_duration(age)} ago"
    if wanted.max_age is not None and age > wanted.max_age:
        return warn(wanted.name, words, _mend(wanted, "Find what should write it"), value=age, unit="seconds")
    return ok(wanted.name, words, value=age, unit="seconds")


def _systemd(wanted: WantedCheck, scene: Scene) -> Finding:
    (unit,) = wanted.words
    found = _run(wanted._replace(words=("systemctl", "is-active", "--", unit)), scene)
    look = by_hand(f"{wanted.name}-look", "See why", f"systemctl status {unit}; journalctl -u {unit} -n 50")
    if found.status is Status.OK:
        return ok(wanted.name, f"{unit} is active")
    if found.summary in _STATES:
        own = (_mend(wanted, "Mend it"),) if wanted.fix else ()
        return fail(wanted.name, f"{unit} is {found.summary}", *own, look)
    # Neither systemd nor an answer: its programs would say no more.
    return unknown(wanted.name, found.summary, *(found.fixes or (_mend(wanted, "Ask where systemd runs"),)))


def _mend(wanted: WantedCheck, title: str) -> Fix:
    """The command that somebody has named for it, or where it comes from, and how one is named."""
    if wanted.fix:
        return Fix(wanted.name, title, wanted.fix)
    words = (
        f"it is what [check.{wanted.name}] in overnight.toml asks; fix = [...] there names the command that mends it"
    )
    return by_hand(wanted.name, title, words)


_ASK: dict[Asked, Callable[[WantedCheck, Scene], Finding]] = {
    Asked.RUN: _run,
    Asked.HTTP: _http,
    Asked.TCP: _tcp,
    Asked.FILE: _file,
    Asked.SYSTEMD: _systemd,
}
