"""What the dashboard lets the program itself do, in a process of its own: examine everything, save a checkpoint.

A check may get stuck in the kernel, and a checkpoint reads a whole store: neither has a place in a process
that answers pages. The command is always one of ours, whole, and nothing of it comes from a request but the name of
a checkpoint that there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import tempfile
from collections.abc import Sequence

import msgspec

from overnight import wiring
from overnight.core.errors import NotNowError, OvernightError
from overnight.host.home import Home
from overnight.ui.cli.glance import PATIENCE, Answer, Glance, words_of
from overnight.ui.cli.unit import program
from overnight.ui.web.answers import CheckView, Done, Health, Plan
from overnight.ui.web.showing import shown
from overnight.wiring.configuration import read

#: Seconds for which an examination is good, and that a checkpoint may take.
GOOD_FOR, _CHECKPOINT_PATIENCE = 60.0, 300.0
#: Lines of a plan that are shown, besides its last ones.
_MOST_LINES = 30
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
            raise NotNowError(_first(err) or "no checkpoint was made")
        return Done(shown(out.strip()), "overnight checkpoint save", 1)

    async def verify(self, name: str) -> Done:
        """Read a checkpoint that there is from its beginning to its end.

        Raises:
            NotNowError: It could not be read.
        """
        words = ["checkpoint", "verify", name]
        async with self._saving:
            status, out, err = await self._run(words, _CHECKPOINT_PATIENCE)
        if status not in (0, 1) or not out.strip():
            raise NotNowError(_first(err) or "the checkpoint was not read to its end; nothing is known of it")
        return Done(shown(out.strip()), shlex.join(["overnight", *words]))

    async def plan(self, name: str) -> Plan:
        """What going back to a checkpoint that there is would undo.

        Raises:
            NotNowError: It could not be found out.
        """
        words = ["checkpoint", "restore", name]
        status, out, err = await self._run([*words, "--dry-run"], PATIENCE)
        if status != 0:
            raise NotNowError(_first(err) or "what it would undo could not be found out; nothing was changed")
        lines = [shown(one) for one in out.splitlines()]
        if len(lines) > _MOST_LINES:
            lines = [*lines[:_MOST_LINES], "…", *[one for one in lines[_MOST_LINES:] if not one.startswith("  ")]]
        command = shlex.join(["overnight", *words])
        return Plan(name, lines, f"{command} --dry-run", command)

    async def restore(self, name: str) -> Done:
        """Go back to a checkpoint that there is. Once begun it goes on, whatever becomes of us.

        Raises:
            NotNowError: Another one is under way, or it could not be done.
        """
        if self._saving.locked():
            raise NotNowError("something is done to checkpoints already; nothing was changed", hint="look again soon")
        words = ["checkpoint", "restore", name]
        async with self._saving:
            status, said = await asyncio.shield(self._run_to_the_end([*words, "--yes"]))
        if status != 0:
            raise NotNowError(_first(said) or "it did not go back; 'overnight status' says how it stands")
        told = [one.removeprefix("overnight: ") for one in said.splitlines() if one.startswith("overnight: ")]
        return Done(shown("; ".join(told), 1000), shlex.join(["overnight", *words]), 1)

    async def _run_to_the_end(self, words: Sequence[str]) -> tuple[int, str]:
        """Run a command of ours that must not be cut off: going back ends the engine, and us where we are beside it."""
        with tempfile.TemporaryFile() as said:  # and no pipe, of which nobody might be there to read
            process = await asyncio.create_subprocess_exec(
                *self._command(words),
                env={**os.environ, wiring.VIA: "dashboard"},
                cwd=self._home.path.parent,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            status = await process.wait()
            said.seek(0)
            return status, said.read(_MOST).decode("utf-8", "replace")

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

    def _command(self, words: Sequence[str]) -> list[str]:
        return [*program(), "--home", os.fspath(self._home.path), *words]

    async def _run(self, words: Sequence[str], patience: float) -> tuple[int, str, str]:
        """Run a command of ours beside the home, and end it when it takes too long."""
        process = await asyncio.create_subprocess_exec(
            *self._command(words),
            env={**os.environ, wiring.VIA: "dashboard"},
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


def _first(said: str) -> str:
    """The first line of what a program complained of."""
    return shown(said.strip().splitlines()[0].removeprefix("overnight: ")) if said.strip() else ""


def _check(one: Answer) -> CheckView:
    commands = [shown(fix.words()) for fix in one.fixes if fix.argv]
    advice = [shown(fix.words()) for fix in one.fixes if not fix.argv]
    return CheckView(one.id, one.status, shown(one.summary), commands, advice)
