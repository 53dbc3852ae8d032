"""What a supervisor says: to whoever waits at the terminal, to a service manager, into the log and ``engine.json``."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import Any

import msgspec

from overnight.core.durations import iso
from overnight.core.events import printable
from overnight.core.supervision import Note, Ready, Refused, Report, Word
from overnight.host.channel import Channel
from overnight.host.clock import Clock
from overnight.host.files import write_atomically
from overnight.host.home import Home
from overnight.host.service import ServiceManager

#: Size at which the log is set aside as ``engine.log.1``.
LOG_BYTES = 10_000_000
#: Seconds that the command for giving up may take: less than a service manager waits for a word of ours (60).
HOOK_PATIENCE = 30.0


class Voice:
    """How one supervisor is heard. Nothing that it says can keep it from its work.

    Args:
        home: Whose.
        waiting: Descriptor of a channel to whoever waits until an engine is up; -1 for nobody.
        service: The service manager.
        clock: For the lines of the log.
        foreground: There is a terminal; otherwise stdout and stderr are the log.
    """

    def __init__(self, home: Home, waiting: int, service: ServiceManager, clock: Clock, *, foreground: bool) -> None:
        self._home = home
        self._waiting = Channel.inherited(waiting) if waiting >= 0 else None
        self._service = service
        self._clock = clock
        self._foreground = foreground

    def tell(self, words: str) -> None:
        """Say something to everybody."""
        self._log(words)
        self._service.status(words)
        self._send(Note(printable(words)))

    def ready(self, pid: int) -> None:
        """An engine is up. Nobody waits any more."""
        words = f"engine {pid} works"
        self._log(words)
        self._service.ready(words)
        self._send(Ready(pid))
        self._hang_up()

    def refuse(self, refusal: Refused) -> bool:
        """There will be no engine. Whether somebody waits and has been told."""
        refusal = Refused(refusal.status, printable(refusal.message), printable(refusal.hint))
        self._log(refusal.message, refusal.hint)
        self._service.status(refusal.message)
        self._send(refusal)
        told = self._waiting is not None and not self._waiting.ended
        self._hang_up()
        return told

    def give_up(self, refusal: Refused, hook: tuple[bytes, ...]) -> None:
        """There will be no other engine. Whoever does not wait for one is told by the command `hook`."""
        somebody_waits = self.refuse(
            msgspec.structs.replace(refusal, hint=refusal.hint or f"see what {self._home.log} says")
        )
        if hook and not somebody_waits:
            self._run(hook, refusal.message)

    def _run(self, hook: tuple[bytes, ...], why: str) -> None:
        name = os.fsdecode(hook[0])
        environ = {**os.environ, "OVERNIGHT_HOME": os.fspath(self._home.path), "OVERNIGHT_WHY": why}
        try:
            done = subprocess.run(hook, env=environ, stdin=subprocess.DEVNULL, timeout=HOOK_PATIENCE, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            self._log(f"{name} was to be told, and could not be: {error}")
        else:
            self._log(f"{name} was told, and ended with status {done.returncode}")

    def write_info(self, state: str, why: str, report: Report) -> None:
        """Put into ``engine.json`` what the last engine cannot say any more; the rest stays as it left it."""
        words: dict[str, Any] = {"pid": 0}
        with contextlib.suppress(OSError, msgspec.DecodeError):
            words = msgspec.json.decode(self._home.engine_info.read_bytes(), type=dict[str, Any])
        words |= {"state": state, "why": printable(why), "supervisor": msgspec.to_builtins(report)}
        with contextlib.suppress(OSError):  # information only
            write_atomically(self._home.engine_info, msgspec.json.encode(words) + b"\n", durable=False)

    def keep_short(self) -> None:
        """Set the log aside when it has become long; stdout and stderr are the new one from then on."""
        if self._foreground:
            return
        with contextlib.suppress(OSError):
            if self._home.log.stat().st_size < LOG_BYTES:
                return
            self._home.log.replace(self._home.log.with_name("engine.log.1"))
            log = open_log(self._home)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)

    def _log(self, words: str, hint: str = "") -> None:
        if self._foreground:
            lines = f"overnight: {words}\n" + (f"  try: {hint}\n" if hint else "")
        else:
            lines = f"{iso(self._clock.now())} supervisor {os.getpid()}: {words}\n"
        with contextlib.suppress(OSError):
            sys.stderr.write(lines)
            sys.stderr.flush()

    def _send(self, word: Word) -> None:
        if self._waiting is not None:
            self._waiting.send(msgspec.json.encode(word))

    def _hang_up(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None


def open_log(home: Home) -> int:
    """A descriptor to add to the log of a home."""
    return os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
