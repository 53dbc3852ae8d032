"""Programs and functions are looked for where a task would find them, and nothing of the user's runs for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from overnight.core.workflow.model import Step, Workflow
from overnight.ops.functions import Functions
from overnight.ops.workflow_checks import Machine


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path


def said(here: Path, *steps: Step, path: str = "") -> list[str]:
    machine = Machine(here, {"PATH": path or str(here / "bin")}, sys.path)
    return [fault.what for fault in machine.check(Workflow(name="flow", steps=steps))]


def wrong_with(here: Path, call: str) -> str:
    return Functions([str(here), *sys.path]).wrong_with(call)


def program(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_a_program_is_looked_for_on_path_and_beside_the_file(here: Path) -> None:
    program(here / "bin" / "there")
    program(here / "local.sh")
    steps = [Step(id=f"s{n}", run=(name,)) for n, name in enumerate(("there", "gone", "./local.sh", "./lost.sh"))]
    assert said(here, *steps) == [
        "step 's1' runs 'gone', and there is none on PATH",
        "step 's3' runs './lost.sh', and there is none in the directory of the workflow",
    ]


def test_a_program_whose_name_is_known_only_when_it_runs_is_left_alone(here: Path) -> None:
    assert said(here, Step(id="a", run=("{input}",)), Step(id="b", run=("{a.tool}", "x"))) == []


def test_a_step_with_a_path_of_its_own_is_looked_for_there(here: Path) -> None:
    program(here / "own" / "tool")
    assert said(here, Step(id="a", run=("tool",), env={"PATH": str(here / "own")})) == []


SOURCE = """
import json
from functools import partial
raise SystemExit("it was run")
def good(value, context): pass
def alone(value): pass
def optional(value, context=None, *, more=1): pass
def many(value, context, third): pass
def none(): pass
def named(value, *, more): pass
@partial
def decorated(a, b, c): pass
made = partial(good)
class Kind:
    def method(self): pass
if True:
    def inside(value): pass
"""


@pytest.mark.parametrize("name", ["good", "alone", "optional", "decorated", "made", "Kind.method", "inside", "json"])
def test_what_can_be_called_is_fine_and_the_module_does_not_run(here: Path, name: str) -> None:
    (here / "job.py").write_text(SOURCE)
    assert wrong_with(here, f"job:{name}") == ""
    assert "job" not in sys.modules


@pytest.mark.parametrize("name", ["many", "none", "named"])
def test_what_no_step_can_be_is_told_with_what_to_write(here: Path, name: str) -> None:
    (here / "job.py").write_text(SOURCE)
    assert wrong_with(here, f"job:{name}") == f"write it as def {name}(input, context), or def {name}(input)"


def test_what_is_not_there_is_told(here: Path) -> None:
    (here / "job.py").write_text("import json\nimport nowhere.to_be_found\ndef good(value): pass\n")
    (here / "broken.py").write_text("def good(value:\n")
    (here / "names.py").write_text("def good(value): pass\n")
    (here / "package").mkdir()
    assert wrong_with(here, "gone:f") == f"there is no module 'gone' in {here} or among what is installed"
    assert wrong_with(here, "package.gone:f").startswith("there is no module 'package.gone'")
    assert wrong_with(here, "job:good") == "module 'job' imports 'nowhere', which is not installed"
    assert "line 1: '(' was never closed" in wrong_with(here, "broken:good")
    assert wrong_with(here, "names:god") == "module 'names' has no 'god'; did you mean 'good'?"


@pytest.mark.parametrize("source", [f"x = {'-' * 100_000}1\n", f"x = a{'.b' * 100_000}\n"])
def test_a_module_that_is_too_much_for_the_parser_is_told_and_ends_no_look(here: Path, source: str) -> None:
    """As a program may write one: Python itself runs out of memory or of depth on it."""
    (here / "deep.py").write_text(source)
    assert "cannot be read" in wrong_with(here, "deep:f")


def test_a_module_that_makes_its_names_is_believed(here: Path) -> None:
    (here / "job.py").write_text("from math import *\n")
    (here / "lazy.py").write_text("def __getattr__(name): return print\n")
    assert [wrong_with(here, call) for call in ("job:sqrt", "lazy:any", "math:sqrt", "os.path:basename")] == [""] * 4


def test_modules_of_packages_and_of_packages_without_an_init_are_found(here: Path) -> None:
    (here / "one" / "two").mkdir(parents=True)
    (here / "one" / "two" / "three.py").write_text("def f(value): pass\n")
    assert wrong_with(here, "one.two.three:f") == ""
    assert wrong_with(here, "overnight.api.built_in_steps:probe") == ""
