"""The rules of the house, held by machine: who may know whom, what stays pure, how plugs look.

`inspect` reads a package folder as text and says what is out of place; nothing is imported. Hidden
ways to another room count like open ones: imports inside functions or under ``TYPE_CHECKING``,
``import_module("overnight...")``, tables of module names, and ``-m overnight...`` for a new process.

Every rule has been red: `BROKEN` holds one small broken house for each.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "overnight"


class Room(NamedTuple):
    """A room and the floor it is on."""

    floor: int
    name: str


FRONT_DOOR = Room(6, "front door")
DESK = Room(5, "desk")
ROOMS = {
    "core": Room(0, "core"),
    "host": Room(1, "host"),
    "store": Room(2, "store"),
    "executors": Room(2, "executors"),
    "engine": Room(3, "engine"),
    "monitor": Room(3, "monitor"),
    "ops": Room(4, "ops"),
    # One room in three files: the Python face, who meets whom, fakes for users.
    "api": DESK,
    "wiring": DESK,
    "testing": DESK,
    "ui": Room(6, "ui"),
    "__init__": FRONT_DOOR,
    # The street: `python -m overnight` walks in through a door.
    "__main__": Room(7, "__main__"),
}

WORDS_AND_ARITHMETIC = re.findall(
    r"\w+",
    "__future__ abc ast base64 binascii bisect collections contextlib copy dataclasses datetime decimal difflib enum "
    "fnmatch fractions functools graphlib hashlib heapq itertools json keyword math numbers operator re reprlib shlex "
    "statistics string struct textwrap tomllib types typing unicodedata zlib",
)
#: What `core` may import: words and arithmetic. A set names the only things that may be taken out.
PURE: dict[str, frozenset[str] | None] = {
    # It reads the words of cron, and is handed the time.
    "cronsim": None,
    "msgspec": None,
    "pathlib": frozenset({"PurePath", "PurePosixPath"}),
    "posixpath": frozenset({"basename", "dirname", "join", "normpath", "split", "splitext"}),
    "signal": frozenset({"Signals"}),
    **dict.fromkeys(WORDS_AND_ARITHMETIC),
}
#: Builtins that touch the world.
WORLDLY = frozenset({"open", "print", "input", "breakpoint"})
#: Ways to read a clock: only `host/clock.py` may.
CLOCKS = {
    "time": frozenset(
        f"{name}{unit}" for name in ("time", "monotonic", "perf_counter", "clock_gettime") for unit in ("", "_ns")
    ),
    "datetime": frozenset({"now", "utcnow", "today"}),
}
#: Folders of interchangeable parts. Commands have no contract: one verb, one file.
PLUGS = {
    **dict.fromkeys(("store", "executors", "monitor/notifiers", "ops/checks", "ops/migrations/databases"), True),
    "ui/cli/commands": False,
}
#: Names that say nothing about a duty.
NAMELESS = frozenset({"utils", "util", "common", "helpers", "helper", "models", "misc"})
MAX_LINES = 500

MODULE = re.compile(r"overnight(\.\w+)*\.?(:\w+)?")
DASH_M = re.compile(r"(?:^|\s)-m\s+(overnight[\w.]*)")


class Import(NamedTuple):
    """One way from a file to a module. `name` is what is taken out of it; empty for the module."""

    line: int
    module: str
    name: str


def inspect(house: Path) -> list[str]:
    """Everything that is out of place in a package folder, as ``file:line: what``."""
    findings: list[str] = []
    for path in sorted([*house.rglob("*.py"), *house.rglob("*.pyi")]):
        source = path.read_text("utf-8")
        tree = ast.parse(source)
        imports = list(_imports(tree))
        inside = path.relative_to(house)
        rules = [_name(inside), _length(source), _floors(inside, imports), _front_door(inside, imports)]
        if inside.parts[0] == "core":
            rules += [_pure_imports(tree, imports), _pure_calls(tree)]
        if inside != Path("host/clock.py"):
            rules.append(_clocks(tree, imports))
        findings += [f"{inside}:{line}: {what}" for rule in rules for line, what in rule]
    return findings + [f"{folder}: {what}" for folder in PLUGS for what in _plug(house, folder)]


def _imports(tree: ast.AST) -> Iterator[Import]:
    """Every way out of a file, open or hidden. What a docstring names leads nowhere."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (Import(node.lineno, module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from _in_words(node.lineno, node.value)
        elif isinstance(node, ast.List | ast.Tuple | ast.Call):
            yield from _after_dash_m(node.args if isinstance(node, ast.Call) else node.elts)


def _in_words(line: int, words: str) -> Iterator[Import]:
    """A module named in a string. ``overnight`` alone and ``overnight.toml`` are no modules."""
    parts = words.partition(":")[0].split(".")
    if MODULE.fullmatch(words) and len(parts) > 1 and parts[1] in ROOMS:
        yield Import(line, ".".join(parts), "")
    for found in DASH_M.finditer(words):
        yield Import(line, _as_program(found[1]), "")


def _after_dash_m(words: list[ast.expr]) -> Iterator[Import]:
    """``[python, "-m", "overnight"]``; longer names are found as strings already."""
    values = [word.value if isinstance(word, ast.Constant) else None for word in words]
    for index in range(1, len(values)):
        if values[index - 1 : index + 1] == ["-m", "overnight"]:
            yield Import(words[index].lineno, _as_program("overnight"), "")


def _as_program(module: str) -> str:
    return "overnight.__main__" if module == "overnight" else module


def _room_of(module: str, name: str) -> Room | None:
    """The room that an import leads to; None when it leads out of the house."""
    package, *inner = module.split(".")
    if package != "overnight":
        return None
    if not inner:
        return ROOMS.get(name, FRONT_DOOR)
    return ROOMS.get(inner[0], FRONT_DOOR)


def _floors(inside: Path, imports: list[Import]) -> Iterator[tuple[int, str]]:
    """Imports point down, and rooms on one floor do not know each other."""
    here = ROOMS.get(inside.parts[0].partition(".")[0])
    if here is None:
        yield 1, "is in no room; which floor is it on?"
        return
    for line, module, name in imports:
        there = _room_of(module, name)
        if module.startswith("."):
            yield line, "imports are absolute and whole"
        elif there is None or there in (here, FRONT_DOOR):
            continue
        elif there.floor == here.floor:
            yield line, f"{here.name} and {there.name} are on one floor and do not know each other"
        elif there.floor > here.floor:
            yield line, f"{here.name} looks up to {there.name}"


def _front_door(inside: Path, imports: list[Import]) -> Iterator[tuple[int, str]]:
    """The inside never goes out and comes in again."""
    for line, module, name in imports:
        if _room_of(module, name) is FRONT_DOOR and inside.with_suffix(".py") != Path("__init__.py"):
            yield line, "the inside does not use the front door"


def _pure_imports(tree: ast.AST, imports: list[Import]) -> Iterator[tuple[int, str]]:
    """`core` takes in words and arithmetic only."""
    for line, module, name in imports:
        package = module.split(".")[0]
        if package == "overnight":
            continue
        allowed = PURE.get(package, frozenset())
        taken = {name} if name else _taken_from(tree, module)
        if allowed is not None and not (taken and taken <= allowed):
            what = ".".join([module, *sorted(taken - allowed)[:1]])
            yield line, f"core is pure and does not know {what}"


def _taken_from(tree: ast.AST, module: str) -> set[str]:
    """What is used of a module that was imported whole."""
    names = _local_names(tree)
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and names.get(_last_word(node.value)) == module
    }


def _pure_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """`core` neither reads nor prints."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLDLY:
            yield node.lineno, f"core is pure and does not {node.func.id}()"


def _clocks(tree: ast.AST, imports: list[Import]) -> Iterator[tuple[int, str]]:
    """Only one file reads the clock, so that a test can be the clock."""
    message = "the clock is read in host/clock.py alone"
    for line, module, name in imports:
        if module == "time" and name in CLOCKS["time"]:
            yield line, message
    names = _local_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS.get(names.get(_last_word(node.value), ""), ()):
            yield node.lineno, message


def _local_names(tree: ast.AST) -> dict[str, str]:
    """From what things are called in this file to the module they come from. `date` is itself in ``datetime.date``."""
    return {
        alias.asname or alias.name: node.module if isinstance(node, ast.ImportFrom) and node.module else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    } | {"date": "datetime"}


def _last_word(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _name(inside: Path) -> Iterator[tuple[int, str]]:
    for part in inside.with_suffix("").parts:
        if part in NAMELESS:
            yield 1, f"{part!r} names no duty"


def _length(source: str) -> Iterator[tuple[int, str]]:
    if len(source.splitlines()) > MAX_LINES:
        yield MAX_LINES, "is too long; which second room is in there?"


def _plug(house: Path, folder: str) -> Iterator[str]:
    """A contract, implementations beside it, and a list that can be read as soon as there is a choice."""
    place = house / folder
    if not place.is_dir():
        return
    if PLUGS[folder] and not (place / "contract.py").is_file():
        yield "a plug has a contract.py"
    parts = {path.stem for path in place.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    parts -= {"__init__", "contract"}
    missing = parts - _listed(place)
    if len(parts) > 1 and missing:
        yield f"no list written by hand names {', '.join(sorted(missing))}"


def _listed(place: Path) -> set[str]:
    """The last words of every string and name in the upper-case lists of a folder and of the one above it."""
    found: set[str] = set()
    for path in [*place.glob("*.py"), *place.parent.glob("*.py")]:
        for node in ast.parse(path.read_text("utf-8")).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(target, ast.Name) and target.id.isupper() and isinstance(node, ast.Assign | ast.AnnAssign):
                found |= {word for leaf in ast.walk(node) for word in _words(leaf)}
    return found


def _words(leaf: ast.AST) -> list[str]:
    if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
        return re.findall(r"\w+", leaf.value.replace("-", "_"))
    if isinstance(leaf, ast.Name):
        return [leaf.id]
    return [leaf.attr] if isinstance(leaf, ast.Attribute) else []


def build(root: Path, files: dict[str, str]) -> Path:
    """A small house on disk."""
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return root


SOUND = {
    "__init__.pyi": "from overnight.api import Face as Face\n",
    "__init__.py": '_LAZY = {"Retry": "overnight.core.asks"}\n',
    "__main__.py": "from overnight.ui.cli import main\n",
    "core/states.py": "import re, signal, msgspec\nsignal.Signals(9)\nfrom datetime import datetime\n",
    "host/clock.py": "import time\nfrom overnight.core.states import S\nnow = time.time\n",
    "store/contract.py": "from overnight.core.states import S\n",
    "store/__init__.py": 'STORES = {"sqlite": "overnight.store.sqlite:open", "postgres": "overnight.store.postgres"}\n',
    "store/sqlite/__init__.py": "import time\ntime.sleep(0)\n",
    "store/postgres.py": "",
    "executors/contract.py": "",
    "executors/local/start.py": '"""python -m overnight"""\nX = [py, "-m", "overnight.executors.local.keeper"]\n',
    "engine/loop.py": 'from overnight.store.contract import Store\nNAME = "overnight.toml"\n',
    "api.py": "from overnight.wiring import meet\n",
    "wiring.py": "from overnight.engine.loop import Engine\n",
    "ui/cli/__init__.py": 'import overnight.wiring\nVERBS = ("run", "add")\n',
    "ui/cli/commands/run.py": "",
    "ui/cli/commands/add.py": "",
}

#: What is added to a sound house, and what must be said about it.
BROKEN = {
    "an import that looks up": ({"store/sqlite/a.py": "import overnight.engine.loop"}, "store looks up to engine"),
    "a look up inside a function": (
        {"core/a.py": "def f():\n  from overnight.host import clock"},
        "core looks up to host",
    ),
    "a look up for types": (
        {"host/a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  from overnight.store import contract"},
        "host looks up to store",
    ),
    "a look up in a stub": ({"host/a.pyi": "from overnight.store.contract import Store"}, "host looks up to store"),
    "a look up by name": (
        {"engine/a.py": "import importlib\nimportlib.import_module('overnight.ui.cli')"},
        "engine looks up to ui",
    ),
    "a look up in an f-string": ({"engine/a.py": "x = f'overnight.ui.cli.commands.{x}'"}, "engine looks up to ui"),
    "a look up in a table": ({"engine/a.py": "T = {'x': 'overnight.wiring:meet'}"}, "engine looks up to desk"),
    "a look up through a process": ({"engine/a.py": "run(py, '-m', 'overnight.ui.web')"}, "engine looks up to ui"),
    "a look up through the program": ({"host/a.py": "[py, '-m', 'overnight']"}, "host looks up to __main__"),
    "a look up in a command line": ({"host/a.py": "x = 'python -m overnight stop'"}, "host looks up to __main__"),
    "store knows executors": (
        {"store/sqlite/a.py": "from overnight.executors.contract import Spec"},
        "store and executors are on one floor",
    ),
    "engine knows monitor": ({"engine/a.py": "x = 'overnight.monitor'"}, "engine and monitor are on one floor"),
    "a relative import": ({"engine/a.py": "from . import loop"}, "absolute"),
    "a file in no room": ({"attic.py": ""}, "in no room"),
    "a clock in core": ({"core/a.py": "import time"}, "core is pure and does not know time"),
    "dice in core": ({"core/a.py": "from random import random"}, "core is pure and does not know random.random"),
    "files in core": ({"core/a.py": "from pathlib import Path"}, "core is pure and does not know pathlib.Path"),
    "signals sent by core": ({"core/a.py": "import signal\nsignal.alarm(1)"}, "does not know signal.alarm"),
    "processes in core": ({"core/a.py": "def f():\n  import subprocess"}, "core is pure"),
    "a wheel of others in core": ({"core/a.py": "import psutil"}, "core is pure"),
    "reading in core": ({"core/a.py": "open('x')"}, "does not open()"),
    "today in core": ({"core/a.py": "from datetime import datetime as d\nd.now()"}, "clock is read in"),
    "a clock in the engine": ({"engine/a.py": "import time as t\nt.monotonic()"}, "clock is read in"),
    "a clock taken out of its module": ({"engine/a.py": "from time import time"}, "clock is read in"),
    "a day taken from the clock": ({"ui/a.py": "import datetime\ndatetime.date.today()"}, "clock is read in"),
    "the front door": ({"engine/a.py": "import overnight"}, "front door"),
    "a name behind the front door": ({"ui/a.py": "from overnight import Retry"}, "front door"),
    "a name without a duty": ({"engine/utils.py": ""}, "names no duty"),
    "a folder without a duty": ({"ui/common/a.py": ""}, "names no duty"),
    "a long file": ({"engine/a.py": "x = 1\n" * 501}, "too long"),
    "a plug without a contract": ({"ops/checks/disk.py": ""}, "a plug has a contract.py"),
    "a part that is on no list": ({"store/memory.py": ""}, "no list written by hand names memory"),
    "a verb that is on no list": ({"ui/cli/commands/why.py": ""}, "no list written by hand names why"),
}


def test_the_house_stands() -> None:
    assert inspect(SOURCE) == []


def test_a_sound_house_raises_no_alarm(tmp_path: Path) -> None:
    assert inspect(build(tmp_path, SOUND)) == []


@pytest.mark.parametrize("what", BROKEN)
def test_the_inspector_sees(what: str, tmp_path: Path) -> None:
    """One broken house for each rule; nothing else in it is wrong, so it is the rule that speaks."""
    extra, expected = BROKEN[what]

    findings = inspect(build(tmp_path, SOUND | extra))

    assert len(findings) == 1, findings
    assert expected in findings[0]
    assert findings[0].startswith((*extra, *PLUGS)), findings
