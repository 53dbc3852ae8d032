"""Calling a program that keeps backups: without a terminal, with our environment, and its words without passwords."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from overnight.core.environment import looks_secret
from overnight.core.events import printable
from overnight.core.secrets import masked
from overnight.ops.backups.programs.contract import ProgramError, Refusal

#: Seconds that a program has to clean up when we are ended.
_GRACE = 10
#: Characters of what a program says that are passed on.
_MOST = 600
_PASSWORD = re.compile(r"(//[^/@:\s]*):[^/@\s]*@")


class Advice(NamedTuple):
    """What to type about each refusal."""

    install: str
    password: str
    init: str
    unlock: str


def shown(repository: str) -> str:
    """An address without its password."""
    return printable(_PASSWORD.sub(r"\1:***@", repository))


class Running:
    """One program with one repository.

    Args:
        program: As it is typed.
        title: The repository for people.
        environ: What it sees.
        judge: Why it has refused, by its exit status and what it said; and that in one line.
        advice: For people.
    """

    def __init__(
        self,
        program: str,
        title: str,
        environ: Mapping[str, str],
        judge: Callable[[int, str], tuple[Refusal, str]],
        advice: Advice,
    ) -> None:
        self._program = program
        self._title = title
        self._environ = dict(environ)
        self._judge = judge
        self._advice = advice
        self._secrets = {name: value for name, value in environ.items() if looks_secret(os.fsencode(name)) and value}

    def __call__(self, *words: str, cwd: Path | None = None, held: Sequence[int] = ()) -> bytes:
        """What it prints.

        Raises:
            ProgramError: It has refused, or is not there.
        """
        try:
            child = subprocess.Popen(
                [self._program, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=self._environ,
                start_new_session=True,  # without a terminal it asks nobody
                pass_fds=held,
            )
        except OSError as error:
            raise self._missing(error) from None
        with child:
            try:
                said, complaints = child.communicate()
            except BaseException:
                _end(child)
                raise
        if child.returncode:
            raise self._refused(child.returncode, complaints.decode("utf-8", "replace"))
        return said

    def _missing(self, error: OSError) -> ProgramError:
        return ProgramError(
            f"{self._program} cannot be started ({error.strerror}); nothing was done, and no task is concerned",
            hint=f"install it, as by '{self._advice.install}', or write engine = \"own\" into [backup]",
            why=Refusal.MISSING,
        )

    def _refused(self, status: int, complaints: str) -> ProgramError:
        why, line = self._judge(status, complaints)
        words = printable(shown(masked(line, self._secrets)))[:_MOST]
        what, hint = {
            Refusal.PASSWORD: (f"{self._program} has no password that opens {self._title}", self._advice.password),
            Refusal.NO_REPOSITORY: (f"there is no repository of {self._program} at {self._title}", self._advice.init),
            Refusal.LOCKED: (f"somebody is at work on {self._title}", self._advice.unlock),
            Refusal.AWAY: (f"{self._title} does not answer", "see whether its host can be reached, and type it again"),
        }.get(why, (f"{self._program} ended with status {status} on {self._title}", self._see()))
        return ProgramError(
            f"{what} ({words}); no backup was made or changed, and no task is concerned",
            hint=hint,
            why=why,
            words=words,
        )

    def _see(self) -> str:
        return f"'{self._program} check' with the same repository and password tells more"


def _end(child: subprocess.Popen[bytes]) -> None:
    """Have it clean up and end, with all that it has started."""
    for number, patience in ((signal.SIGINT, _GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience)
            return
