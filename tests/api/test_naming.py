"""Functions that a worker would not find, or would take for another one, are refused when they are handed in."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from work_for_workers import Worker, loud, louder_record, louder_shout, record, shout

import overnight
from overnight.api.arguments import ArgumentValueError
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
