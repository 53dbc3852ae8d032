"""What the dashboard lets the program itself do, in a process of its own: examine everything, save a checkpoint.

A check may get stuck in the kernel, and a checkpoint reads a whole store: neither has a place in a process
that answers pages. The command is always one of ours, whole, and nothing of it comes from a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence

import msgspec

from overnight import wiring
from overnight.core.errors import NotNowError, OvernightError
from overnight.host.home import Home
from overnight.ui.cli.glance import PATIENCE, Answer, Glance, words_of
from overnight.ui.cli.unit import program
from overnight.ui.web.answers import CheckView, Done, Health
from overnight.ui.web.showing import shown
from overnight.wiring.configuration import read

#: Seconds for which an examination is good, and that a checkpoint may take.
GOOD_FOR, _CHECKPOINT_PATIENCE = 60.0, 300.0
#: Bytes of an answer that are read.
_MOST = 1024 * 1024


class Programs:
    """Runs them, one of a kind at a time."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._health = Health(None, "", [])
        self._examining: asyncio.Task[None] | None = None
        self._saving = asyncio.Lock()

    def health(self, *, afresh: bool = False) -> Health:
        """What was found last; looked for anew when that is a while ago."""
        age = None if self._health.at is None else wiring.clock.now() - self._health.at
        if (afresh or age is None or age > GOOD_FOR) and (self._examining is None or self._examining.done()):
            self._examining = asyncio.create_task(self._examine())
        return self._health

    async def save(self) -> Done:
        """Make a checkpoint.

        Raises:
            NotNowError: One is being made, or it could not be.
        """
        if self._saving.locked():
            raise NotNowError("a checkpoint is being made; no other one was begun", hint="look again in a moment")
        async with self._saving:
            status, out, err = await self._run(["checkpoint", "save"], _CHECKPOINT_PATIENCE)
        if status != 0:
            raise NotNowError(err.strip().splitlines()[0] if err.strip() else "no checkpoint was made")
        return Done(shown(out.strip()), "overnight checkpoint save", 1)

    async def close(self) -> None:
        """End what is under way."""
        if self._examining is not None:
            self._examining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._examining

    async def _examine(self) -> None:
        now = wiring.clock.now()
        try:
            words = words_of(read(self._home))
            _, out, err = await self._run(words, PATIENCE)
            found = msgspec.json.decode(out, type=Glance)
        except OvernightError as error:
            self._health = Health(now, "UNKNOWN", [], shown(error.message))
            return
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            self._health = Health(now, "UNKNOWN", [], shown(f"'overnight doctor' did not answer: {error}"))
            return
        checks = [_check(one) for one in found.checks]
        self._health = Health(now, found.overall, checks, shown(err.strip()))

    async def _run(self, words: Sequence[str], patience: float) -> tuple[int, str, str]:
        """Run a command of ours beside the home, and end it when it takes too long."""
        process = await asyncio.create_subprocess_exec(
            *program(),
            "--home",
            os.fspath(self._home.path),
            *words,
            cwd=self._home.path.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_MOST,
        )
        try:
            async with asyncio.timeout(patience):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _check(one: Answer) -> CheckView:
    commands = [shown(fix.words()) for fix in one.fixes if fix.argv]
    advice = [shown(fix.words()) for fix in one.fixes if not fix.argv]
    return CheckView(one.id, one.status, shown(one.summary), commands, advice)
