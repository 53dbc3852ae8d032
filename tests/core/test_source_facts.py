"""What is read out of files that nobody runs."""

from __future__ import annotations

import pytest

from overnight.core.source_facts import facts_of, module_of

GUARDED = "import json, PIL.Image\nfrom . import near\n\nif __name__ == '__main__':\n    print(json)\n"


def test_a_script_is_told_by_its_guard_its_first_line_or_what_it_calls() -> None:
    guarded = facts_of(GUARDED, "jobs/a.py")
    assert (guarded.is_script, guarded.is_guarded, guarded.packages) == (True, True, ("json", "PIL"))
    shell = facts_of("#!/usr/bin/env bash\nls $1\n", "bin/list")
    assert (shell.is_script, shell.interpreter, shell.takes_arguments) == (True, "bash", True)
    assert facts_of("#!/bin/sh -e\n", "x").interpreter == "sh"
    assert facts_of("import os\nos.remove('x')\n", "a.py").is_script
    assert not facts_of("import os\nX = os.getcwd()\ndef f(): f()\n", "a.py").is_script


@pytest.mark.parametrize(
    "text",
    [
        "for i in range(2):\n    shutil.rmtree(i)\n",
        "with open('x') as f:\n    send(f)\n",
        "if True:\n    work()\n",
        "try:\n    work()\nexcept OSError:\n    pass\n",
        "x = shutil.rmtree('y')\n",
        "f = open('x', mode='w')\n",
        "done = subprocess.run(['true'])\n",
        "[os.remove(x) for x in y]\n",
    ],
)
def test_work_at_import_is_seen_wherever_it_stands(text: str) -> None:
    assert facts_of(text, "a.py").is_script


@pytest.mark.parametrize(
    "text",
    [
        "if TYPE_CHECKING:\n    work()\n",
        "try:\n    import x\nexcept ImportError:\n    warn()\n",
        "if a:\n    def f():\n        work()\n",
        "log = logging.getLogger('x')\nf = open('w')\n".replace("'w'", "'words'"),
        "later = lambda: os.remove('x')\n",
    ],
)
def test_what_only_waits_to_be_called_is_no_work_at_import(text: str) -> None:
    assert not facts_of(text, "a.py").is_script


def test_functions_are_known_by_their_decorators_whatever_those_are_called() -> None:
    text = """
import overnight as night
from overnight import task as job, workflow
import other

@night.task
def a(x): ...

@job(retries=2)
def b(x): ...

@workflow("ingest", title="x")
def c(flow): ...

@other.task
def d(x): ...
"""
    found = [(one.kind, one.name, one.line) for one in facts_of(text, "a.py").functions]
    assert found == [("task", "a", 7), ("task", "b", 10), ("workflow", "ingest", 13)]
    assert facts_of("@task\ndef a(x): ...  # overnight\n", "a.py").functions == ()


def test_what_it_names_is_read_from_what_could_run_and_not_from_comments() -> None:
    text = """
# python jobs/old.py
import a.b as c, d
from ..near import one, two
from pkg import (
    three,
    four,
)
subprocess.run(["ffmpeg", "-i", x]); run("./bin/go.sh"); call = "m.n:f"
"""
    found = facts_of(text, "top/below/me.py", parse=True)
    assert found.programs == ("ffmpeg",)
    assert "bin/go.sh" in {path.removeprefix("./") for path in found.paths}
    assert "jobs/old.py" not in found.paths
    assert found.calls == ("m.n:f",)
    assert set(found.modules) >= {"a.b", "d", "top.near", "top.near.one", "pkg.three", "pkg.four"}


def test_a_reason_to_lie_there_stands_in_a_comment_of_the_file() -> None:
    text = '#!/bin/sh\n# overnight: dormant = "permanent: once a year, by hand"\n'
    assert facts_of(text, "x.sh").permanent == "once a year, by hand"
    assert facts_of('#!/bin/sh\n# overnight: dormant = "permanent: "\n', "x.sh").permanent == ""


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\0'\n", "(" * 5000, "if __name__ == '__main__':\n"])
def test_what_is_no_python_says_so(text: str) -> None:
    assert facts_of(text, "a.py", parse=True).wrong


def test_of_what_changes_where_modules_lie_nobody_says_what_it_needs() -> None:
    assert facts_of("import sys\nsys.path.insert(0, 'lib')\nimport near\n", "a.py", parse=True).packages == ()


def test_a_file_has_a_module_where_its_path_is_made_of_names() -> None:
    assert module_of("pkg/sub/a.py") == "pkg.sub.a"
    assert module_of("pkg/__init__.py") == "pkg"
    assert module_of("my-jobs/a.py") == ""
