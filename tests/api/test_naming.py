"""Functions that a worker would not find, or would take for another one, are refused when they are handed in."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from work_for_workers import (
    Worker,
    later,
    loud,
    louder_record,
    louder_shout,
    one_by_one,
    one_by_one_later,
    record,
    shout,
)

import overnight
from overnight.api.access import Access
from overnight.api.arguments import ArgumentTypeError, ArgumentValueError
from overnight.api.naming import name_of

Python = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize("wrapped", [louder_record, louder_shout])
def test_a_wrapper_under_the_name_of_another_function_is_refused(wrapped: Callable[[str], str]) -> None:
    """The worker would find the plain one."""
    with pytest.raises(ArgumentValueError, match="is not this function but"):
        name_of(wrapped)


def test_a_decorated_function_is_what_stands_in_its_module() -> None:
    assert name_of(loud).call == "work_for_workers:loud"
    assert name_of(shout).call == "work_for_workers:shout"
    assert name_of(overnight.task(retries=1)(record)).call == "work_for_workers:record"


def test_a_method_of_an_object_is_refused_with_what_to_do() -> None:
    with pytest.raises(ArgumentValueError, match="belongs to an object of this process") as caught:
        name_of(Worker().moving)
    assert caught.value.hint == "write a function that makes the object and calls its method, and hand in that"
    assert name_of(Worker.still).call == "work_for_workers:Worker.still"


@pytest.mark.parametrize("function", [later, overnight.task(later), one_by_one, one_by_one_later])
def test_what_runs_nothing_when_it_is_called_is_refused_before_the_night(function: Callable[[str], object]) -> None:
    with pytest.raises(ArgumentTypeError, match="a worker calls it, which runs nothing of it; nothing was changed"):
        name_of(function)


def test_a_module_that_was_started_by_its_name_is_found_after_a_change_of_directory(here: Path, python: Python) -> None:
    """An engine that is started later looks where the task says, and not where the program once was."""
    (here / "pack").mkdir()
    (here / "pack/__init__.py").touch()
    (here / "pack/job.py").write_text(
        "import os\n"
        "from overnight.api.naming import name_of\n"
        "def work(path): return path\n"
        "if __name__ == '__main__':\n"
        "    os.chdir('/')\n"
        "    print(name_of(work))\n"
    )
    out, err = python(
        "import runpy, sys; sys.path.insert(0, ''); runpy.run_module('pack.job', run_name='__main__', alter_sys=True)"
    ).communicate()
    assert out == f"Named(call='pack.job:work', root={str(here)!r})\n", err


def test_a_project_below_the_prefix_of_the_interpreter_is_told_to_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in ``/usr/src/app``; what is installed below it is found by every worker, and is not."""
    assert path_of(overnight.Overnight().add(msgspec.json.encode, "a")) == ""
    root = Path(inspect.getfile(record)).parent
    for name in ("prefix", "base_prefix"):
        monkeypatch.setattr(sys, name, str(root.parent))
    assert path_of(overnight.Overnight().add(record, "a")).split(os.pathsep)[0] == str(root)
    assert path_of(overnight.Overnight().add(json.dumps, "a")) == ""


def path_of(number: int) -> str:
    """Where a worker looks for the function of a task, besides its directory."""
    access = Access(None)
    action = access.store.actions([access.store.get(number).action_id])
    return next(iter(action.values())).env.get(b"PYTHONPATH", b"").decode()


def test_a_function_that_only_the_program_defines_is_refused(here: Path, python: Python) -> None:
    (here / "job.py").write_text(
        "import overnight\n"
        "def above(path): return path\n"
        "if __name__ == '__main__':\n"
        "    def below(path): return path\n"
        "    night = overnight.Overnight()\n"
        "    print(night.add(above, 'x'))\n"
        "    try: night.add(below, 'x')\n"
        "    except overnight.OvernightError as error: print(error.message, error.hint, sep='|')\n"
    )
    out, err = python(
        "import runpy, sys; sys.argv = ['job.py']; runpy.run_path('job.py', run_name='__main__')"
    ).communicate()
    assert out == (
        "1\n'below' is defined below 'if __name__ == \"__main__\":', and a worker, which imports the script,"
        " does not get there; nothing was changed|move 'def below' above that line\n"
    ), err
