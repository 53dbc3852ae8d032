"""Parts that do nothing: found without running them, tried where they can do no harm, and looked at again cheaply."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from overnight.core.configuration import parse
from overnight.core.dormancy import Dormancy, Found, Kind, Part
from overnight.core.errors import ConfigurationError
from overnight.core.settings import Settings, resolve
from overnight.core.source_facts import Facts, facts_of
from overnight.host import namespaces
from overnight.host.files import names_in, write_aside
from overnight.host.home import Home, create
from overnight.host.interpreter import python_for
from overnight.host.processes import everybody
from overnight.ops.dormant import importing, inserting, reading, survey, trying
from overnight.ops.dormant.importing import Order, Verdict
from overnight.ops.dormant.inserting import insert, take_back
from overnight.ops.dormant.keeping import DormantStore, Record
from overnight.ops.dormant.naming import Names
from overnight.ops.dormant.survey import Ground
from overnight.ops.dormant.tree import files_of
from overnight.ops.dormant.trial import import_trial, syntax_trial

NOW = 2_000_000_000.0
GUARD = "\nif __name__ == '__main__':\n    pass\n"


class Project:
    """A directory with files, looked at as `overnight dormant list` does it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        self.now = NOW

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def look(self, home: Home | None = None, *, most: int | None = None, **said: Any) -> survey.Survey:
        config = self.path / "overnight.toml"
        configured = parse(config.read_text() if config.exists() else "")
        settings: Settings = resolve(flags=said, environ={}, configured=configured.settings)
        ground = Ground(self.path, home, settings, configured, lambda: pytest.fail("no store"), os.environ, self.now)
        return survey.survey(ground, survey.Effort(files=most))

    def states(self, home: Home | None = None) -> dict[str, Dormancy | None]:
        return {one.part.name: one.dormancy for one in self.look(home).found}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# -- finding -----------------------------------------------------------------------------------


def test_a_script_is_dormant_until_something_that_runs_names_it(project: Project) -> None:
    project.write("jobs/a.py", "import sys" + GUARD)
    project.write("bin/b", "#!/bin/sh\ntrue\n").chmod(0o755)
    project.write("README.md", "run jobs/a.py and bin/b")
    project.write("tests/test_a.py", "from jobs import a" + GUARD)
    project.write(".venv/pyvenv.cfg", "")
    project.write(".venv/x.py", GUARD)
    project.write("Makefile", "# nightly:\n#\tpython jobs/a.py\n")
    assert project.states() == {"jobs/a.py": Dormancy.UNREFERENCED, "bin/b": Dormancy.UNREFERENCED}
    project.write("Makefile", "nightly:\n\tpython jobs/a.py\n")
    project.write(".github/workflows/x.yml", "run: ./bin/b\n")
    assert project.states() == {"jobs/a.py": None, "bin/b": None}


def test_nothing_is_imported_to_make_a_list(project: Project) -> None:
    mark = project.path / "imported"
    harm = f"import overnight\nopen({str(mark)!r}, 'w')\n@overnight.task\ndef f(x): ...\n"
    project.write("jobs/harm.py", harm + GUARD)
    project.write("lib.py", harm.replace("open(", "KEPT = open("))
    project.write("overnight.toml", '[workflow.w]\n[[workflow.w.step]]\nid = "a"\ncall = "lib:f"\n')
    found = project.look().found
    assert {one.part.key for one in found} == {"workflow:w", "script:jobs/harm.py", "function:lib:f"}
    assert not mark.exists()


def test_what_is_missing_is_named_with_what_would_be_installed(project: Project) -> None:
    project.write("a.py", "import no_such_package_x\nimport helper" + GUARD)
    project.write("helper.py", "")
    project.write("far/below/d.py", "import helper, below" + GUARD)
    project.write("b.py", "import subprocess\nsubprocess.run(['no-such-program-x'])" + GUARD)
    project.write("c.py", "def f(:" + GUARD)
    found = {one.part.name: one for one in project.look().found}
    assert found.pop("far/below/d.py").dormancy is Dormancy.UNREFERENCED
    assert {one.dormancy for one in found.values()} == {Dormancy.UNLOADABLE}
    assert (found["a.py"].part.package, found["a.py"].part.needs) == ("no_such_package_x", ("no_such_package_x",))
    assert "no-such-program-x" in found["b.py"].part.missing


def test_patterns_choose_what_is_looked_at_and_reasons_leave_out(project: Project) -> None:
    project.write("old/a.py", "X = 1\n")
    project.write("old/b.py", '# overnight: dormant = "permanent: kept for the audit"\nX = 1\n')
    project.write("jobs/c.py", GUARD)
    project.write("overnight.toml", '[dormant]\nscan = ["old/*.py"]\n')
    found = {one.part.name: one for one in project.look().found}
    assert {name: one.dormancy for name, one in found.items()} == {"old/a.py": Dormancy.UNREFERENCED, "old/b.py": None}
    assert found["old/b.py"].part.permanent == "kept for the audit"


def test_what_the_configuration_defines_is_judged(project: Project) -> None:
    project.write(
        "overnight.toml",
        """
[workflow.w]
[[workflow.w.step]]
id = "a"
run = ["true"]
[workflow.gone]
[[workflow.gone.step]]
id = "a"
run = ["no-such-program-x"]
[schedules.s]
every = "1d"
run = ["true"]
[queue.q]
slots = 1
[alerts.a]
on = "run-ended"
targets = ["t"]
[targets.t]
command = ["true"]
[targets.lonely]
command = ["true"]
[check.c]
run = ["no-such-program-x"]
[check.rare]
run = ["no-such-program-x"]
dormant = "permanent: only on the big machine"
""".replace("run-ended", _a_trigger()),
    )
    assert project.states() == {
        "w": Dormancy.NEVER,
        "gone": Dormancy.UNLOADABLE,
        "s": Dormancy.NEVER,
        "q": Dormancy.NEVER,
        "a": None,
        "t": Dormancy.UNTESTED,
        "lonely": Dormancy.UNREFERENCED,
        "c": Dormancy.UNLOADABLE,
        "rare": None,
    }


def _a_trigger() -> str:
    from overnight.core.alert_conditions import TRIGGERS

    return next(iter(TRIGGERS))


def test_a_target_that_was_reached_once_is_awake(project: Project) -> None:
    home = create(project.path / ".overnight")
    project.write(
        "overnight.toml", f'[alerts.a]\non = "{_a_trigger()}"\ntargets = ["t"]\n[targets.t]\ncommand = ["true"]\n'
    )
    assert project.states(home)["t"] is Dormancy.UNTESTED
    store = DormantStore(home.dormant)
    store.note(Record(NOW, "target:t", survey.REACHED, "delivered", "", "me"))
    store.close()
    assert project.states(home)["t"] is None


def test_a_target_of_reports_is_named_by_them(project: Project) -> None:
    project.write("overnight.toml", '[report]\ntargets = ["hook"]\n[targets.hook]\ncommand = ["true"]\n')
    assert project.states() == {"hook": Dormancy.UNTESTED}


def test_modules_and_paths_name_a_file_however_much_of_it_they_say() -> None:
    names = Names(
        {"x": Facts(paths=("../bin/go.sh", "/srv/app/jobs/a.py"), modules=("audio",), calls=("pkg.video:cut",))}
    )
    assert names.has_file("deploy/bin/go.sh")
    assert not names.has_file("deploy/sbin/go.sh")
    assert names.has_file("jobs/a.py")
    assert names.has_file("src/audio.py")
    assert names.has_function("src/pkg/video.py", "cut")
    assert not names.has_function("src/other/video.py", "cut")
    assert not names.has_file("x")


# -- looking again -----------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were really read."""
    seen: list[str] = []

    def noted(text: str, path: str, *, parse: bool = False) -> Facts:
        seen.append(path)
        return facts_of(text, path, parse=parse)

    monkeypatch.setattr(reading, "facts_of", noted)
    return seen


def test_a_second_look_reads_only_what_has_changed(project: Project, reads: list[str]) -> None:
    home = create(project.path / ".overnight")
    path = project.write("a.py", GUARD)
    project.write("b.py", GUARD)
    project.look(home)
    assert sorted(reads) == ["a.py", "b.py"]
    reads.clear()
    project.look(home)
    assert reads == []
    path.write_text("import no_such_package_x" + GUARD)
    assert project.states(home)["a.py"] is Dormancy.UNLOADABLE
    assert reads == ["a.py"]
    path.unlink()
    assert "a.py" not in project.states(home)


def test_a_change_that_moves_neither_size_nor_time_is_seen_while_the_file_is_young(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = create(project.path / ".overnight")
    path = project.write("a.py", "import json1" + GUARD)
    monkeypatch.setattr(reading, "_stamp", lambda _: "always the same")
    project.now = path.stat().st_mtime + 1
    assert project.states(home)["a.py"] is Dormancy.UNLOADABLE
    path.write_text("import json " + GUARD)
    assert project.states(home)["a.py"] is Dormancy.UNREFERENCED


def test_a_look_that_may_not_take_long_says_what_it_left(project: Project) -> None:
    home = create(project.path / ".overnight")
    for name in "abc":
        project.write(f"{name}.py", GUARD)
    assert project.look(most=2)[1:] == (2, 1, True)
    assert project.look(home, most=2)[1:] == (2, 1, True)
    assert project.look(home, most=2)[1:] == (3, 0, True)


def test_a_home_above_very_much_is_not_looked_through_to_its_end(project: Project) -> None:
    for number in range(30):
        project.write(f"deep{number}/below/a.py", GUARD)
    project.write("near.py", GUARD)
    found = files_of(project.path, (), most_entries=20)
    assert ([file.path for file in found.files], found.is_whole) == (["near.py"], False)
    assert files_of(project.path, ()).is_whole


def test_a_cache_that_is_damaged_costs_time_and_nothing_else(project: Project) -> None:
    home = create(project.path / ".overnight")
    project.write("a.py", GUARD)
    home.dormant.write_bytes(b"no database at all" * 100)
    assert project.states(home) == {"a.py": Dormancy.UNREFERENCED}
    assert project.states(home) == {"a.py": Dormancy.UNREFERENCED}


def test_names_that_lead_elsewhere_or_that_nobody_could_write_are_left(project: Project) -> None:
    project.write("real.py", GUARD)
    (project.path / "link.py").symlink_to("real.py")
    (project.path / "line\nend.py").write_text(GUARD)
    (project.path / os.fsdecode(b"\xff.py")).write_text(GUARD)
    os.mkfifo(project.path / "pipe.py")
    assert [file.path for file in files_of(project.path, ["*.py"]).files] == ["real.py"]


# -- trying ------------------------------------------------------------------------------------

HARM = {
    "deletes": ("import shutil\nshutil.rmtree({data!r})", "refused"),
    "writes": ("open({data!r} + '/new', 'w')", "refused"),
    "forks": ("import os\nos.fork()", "refused"),
    "starts": ("import subprocess\nsubprocess.run(['touch', {data!r} + '/new'])", "refused"),
    "exits": ("import sys\nsys.exit(3)", "exited"),
    "ends": ("import os\nos._exit(0)", "silent"),
    "loops": ("while True: pass", "late"),
    "raises": ("1 / 0", "raised"),
}


@pytest.mark.parametrize("how", HARM)
def test_a_trial_contains_what_does_harm_when_it_is_imported(project: Project, how: str) -> None:
    kept = project.write("data/kept", "precious")
    text, outcome = HARM[how]
    path = project.write("harm.py", text.format(data=str(kept.parent)))
    verdict = import_trial(path, [], cwd=project.path, seconds=1.0 if how == "loops" else 20.0)
    assert (verdict.outcome, kept.read_text(), names_in(kept.parent)) == (outcome, "precious", ["kept"])
    if outcome == "refused":
        assert verdict.line == len(text.splitlines())


def test_the_wall_of_the_system_holds_where_python_does_not_see_it(project: Project) -> None:
    kept = project.write("data/kept", "precious")
    path = project.write("harm.py", f"import ctypes\nctypes.CDLL(None).unlink({os.fsencode(kept)!r})\n")
    if import_trial(project.write("good.py", ""), [], cwd=project.path).is_open:
        pytest.skip("this machine has no namespaces for us")
    assert import_trial(path, [], cwd=project.path).outcome == "imported"
    assert kept.read_text() == "precious"


def test_a_trial_leaves_no_process_behind(project: Project) -> None:
    text = "import ctypes, time\nif not ctypes.CDLL(None).fork():\n    time.sleep(30)\n"
    path = project.write("harm.py", text)
    assert import_trial(path, [], cwd=project.path).outcome == "imported"
    left = [pid for pid in everybody() if os.fsencode(path) in _command_of(pid)]
    assert left == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends by a clock")
def test_a_trial_whose_guard_is_killed_is_over_with_it(project: Project, tmp_path: Path) -> None:
    path = project.write("harm.py", "import time\ntime.sleep(30)\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    order = msgspec.json.encode(Order(str(path), [], str(scratch), 25.0)).decode()
    words = [*python_for("overnight.ops.dormant.trial"), order]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as guard:
        importer = _importer_below(guard)
        guard.kill()
        try:
            assert psutil.wait_procs([importer], timeout=15.0)[1] == []
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                importer.kill()


def _importer_below(guard: subprocess.Popen[bytes]) -> psutil.Process:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for one in psutil.Process(guard.pid).children():
            if b"dormant.importing" in _command_of(one.pid):
                return one
    raise AssertionError("it has started nothing")


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # gone meanwhile


def test_a_trial_says_that_good_files_are_good(project: Project) -> None:
    text = "import json, tempfile\nopen(tempfile.gettempdir() + '/x', 'w').write('a')\ndef f(x): ...\nN = 1\n"
    path = project.write("jobs/good.py", text + GUARD.replace("pass", "1 / 0"))
    roots = [str(project.path)]
    assert import_trial(path, roots, cwd=project.path).outcome == "imported"
    assert import_trial(path, roots, cwd=project.path, module="jobs.good", function="f").outcome == "imported"
    wrong = import_trial(path, roots, cwd=project.path, module="jobs.good", function="N")
    assert (wrong.outcome, "no function" in wrong.words) == ("raised", True)


def test_a_shell_reads_a_script_and_runs_nothing_of_it(project: Project) -> None:
    mark = project.path / "mark"
    assert syntax_trial(project.write("a.sh", f"touch {mark}\n"), "sh").outcome == "imported"
    assert syntax_trial(project.write("b.sh", "if true; then\n"), "sh").outcome == "raised"
    assert syntax_trial(project.write("c.sh", ""), "no-such-shell").outcome == "raised"
    assert not mark.exists()


def test_what_is_refused_is_refused_by_words_without_the_wall_too(tmp_path: Path) -> None:
    refuse = importing._hook(str(tmp_path))
    refuse("open", ("/etc/x", "r", os.O_RDONLY))
    refuse("open", (str(tmp_path / "x"), "w", os.O_WRONLY))
    refuse("open", (1, "w", os.O_WRONLY))
    refuse("sqlite3.connect", (":memory:",))
    refuse("import", ("x",))
    inside = os.open(tmp_path, os.O_RDONLY)
    refuse("os.remove", ("x", inside))
    os.close(inside)
    for event, *arguments in (
        ("open", "/etc/x", None, os.O_RDWR),
        ("os.remove", str(tmp_path.parent), -1),
        ("os.chmod", 3, 0o777, -1),
        ("socket.connect", object(), ("h", 1)),
        ("os.fork",),
        ("os.kill", 1, 9),
        ("os.rename", str(tmp_path / "x"), "/x", -1, -1),
    ):
        with pytest.raises(importing.RefusedError):
            refuse(event, tuple(arguments))


def test_the_seal_cannot_be_had_by_a_process_that_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(namespaces, "_call", no)
    assert importing._seal("/nowhere") is False


# -- writing -----------------------------------------------------------------------------------

TABLE = '[workflow.new]\n[[workflow.new.step]]\nid = "run"\nrun = ["true"]\n'
MINE = "# mine\r\n[queue.a]   # kept\r\nslots = 2\r\n\r\n# the end, without a line's end"


def test_a_table_comes_after_everything_and_can_be_taken_out_again(project: Project) -> None:
    path = project.write("overnight.toml", "")
    path.write_bytes(MINE.encode())
    path.chmod(0o640)
    link = project.path / "link.toml"
    link.symlink_to("overnight.toml")
    done = insert(link, TABLE)
    assert path.read_bytes().startswith(MINE.encode())
    assert set(parse(path.read_text()).workflows) == {"new"}
    assert (stat.S_IMODE(path.stat().st_mode), link.is_symlink()) == (0o640, True)
    assert take_back(done)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (MINE.encode(), 0o640)


def test_a_file_that_was_not_there_is_not_there_again(project: Project) -> None:
    path = project.path / "overnight.toml"
    done = insert(path, TABLE)
    assert path.read_text() == TABLE
    path.write_text(TABLE + "# somebody\n")
    assert not take_back(done)
    path.write_text(TABLE)
    assert take_back(done)
    assert not path.exists()


def test_of_many_who_add_at_once_each_is_there(project: Project) -> None:
    path = project.write("overnight.toml", MINE)
    tables = [TABLE.replace("new", f"new-{number}") for number in range(8)]
    at_once = threading.Barrier(len(tables))

    def add(table: str) -> inserting.Inserted:
        at_once.wait(60)
        return insert(path, table)

    with ThreadPoolExecutor(len(tables)) as threads:
        done = list(threads.map(add, tables))
    assert set(parse(path.read_text()).workflows) == {f"new-{number}" for number in range(8)}
    for one in done[1:]:  # in the order of their numbers, and not of their places in the file
        assert take_back(one)
    assert set(parse(path.read_text()).workflows) == {"new-0"}
    path.write_text(f"{path.read_text()}timeout = '5m'\n")
    assert not take_back(done[0]), "the line of somebody would belong to another table"


def test_what_cannot_be_added_leaves_the_file_alone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.write("overnight.toml", TABLE)
    with pytest.raises(ConfigurationError):  # there is one of this name
        insert(path, TABLE)
    path.write_text("nonsense = \n")
    with pytest.raises(ConfigurationError):
        insert(path, TABLE)
    assert path.read_text() == "nonsense = \n"
    path.write_bytes(b"# \xff\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        insert(path, TABLE)
    path.write_text("# mine\n")

    def interrupted(file: Path, data: bytes) -> Path:
        aside = write_aside(file, data)
        path.write_text("# somebody was faster\n")
        return aside

    monkeypatch.setattr(inserting, "write_aside", interrupted)
    with pytest.raises(ConfigurationError, match="just changed"):
        insert(path, TABLE)
    assert (path.read_text(), names_in(project.path)) == ("# somebody was faster\n", ["overnight.toml"])


def test_a_disk_that_fills_up_leaves_the_whole_old_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.write("overnight.toml", MINE)

    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inserting, "write_aside", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        insert(path, TABLE)
    assert path.read_bytes() == MINE.encode()


def test_a_part_that_is_found_has_a_key_of_its_own() -> None:
    assert Found(Part(kind=Kind.SCRIPT, name="a.py"), None).part.key == "script:a.py"


def test_a_trial_that_was_not_sealed_off_says_so() -> None:
    assert "this machine seals off no process" in trying._judged("x", Verdict("imported", is_open=True)).words
    assert "this machine" not in trying._judged("x", Verdict("imported")).words
