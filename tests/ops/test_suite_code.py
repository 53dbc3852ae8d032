"""Two runs had the same code if, and only if, the same was to be committed before them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from overnight.ops.suites import code
from overnight.ops.suites.code import UNKNOWN, look


def git(place: Path, *words: str) -> str:
    names = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *names, *words], cwd=place, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with one file."""
    git(tmp_path, "init")
    (tmp_path / "a.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    return tmp_path


def test_the_word_of_a_clean_tree_is_that_of_git(project: Path) -> None:
    assert look(project).word == f"git:{git(project, 'rev-parse', 'HEAD^{tree}')}"


def test_a_change_is_another_word_and_stays_it_when_it_is_committed(project: Path) -> None:
    clean = look(project)
    (project / "a.py").write_text("2")
    (project / "new.py").write_text("3")
    dirty = look(project)
    assert dirty.changed(clean) == [b"a.py", b"new.py"]
    git(project, "add", ".")
    assert look(project).word == dirty.word
    git(project, "commit", "-m", "two")
    assert look(project).word == dirty.word
    assert dirty.word != clean.word


def test_files_that_go_and_names_of_any_bytes_count(project: Path) -> None:
    clean = look(project)
    (project / "a.py").unlink()
    (project / "two\nlines *").write_text("x")
    assert look(project).changed(clean) == [b"a.py", b"two\nlines *"]


def test_the_repository_stays_as_it_is(project: Path) -> None:
    (project / "new.py").write_text("3")
    before = sorted(path for path in (project / ".git").rglob("*"))
    index = (project / ".git" / "index").read_bytes()
    look(project)
    assert sorted(path for path in (project / ".git").rglob("*")) == before
    assert (project / ".git" / "index").read_bytes() == index


def test_what_is_ignored_or_made_by_programs_or_named_is_no_code(project: Path) -> None:
    (project / ".gitignore").write_text("out/\nreport.xml\n")
    clean = look(project)
    for name in ("out/x", "__pycache__/a.pyc", "deep/__pycache__/b.pyc", "report.xml", ".overnight/queue.db"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("made")
    git(project / "deep", "init")  # another repository is its own business
    without = frozenset({project / "report.xml", project / ".overnight"})
    assert look(project, without=without).word == clean.word


def test_without_git_all_files_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "a.py").write_text("1")
    first = look(tmp_path)
    assert first.word.startswith("files:")
    (tmp_path / ".hidden").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pipe").unlink()
    assert look(tmp_path) == first
    (tmp_path / "a.py").chmod(0o755)
    assert look(tmp_path).changed(first) == [b"a.py"]


def test_a_tree_that_is_too_large_is_not_known(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is copied anywhere."""
    monkeypatch.setattr(code, "MOST_BYTES", 10)
    (project / "data").write_text("x" * 11)
    assert look(project) == UNKNOWN
    (project / ".gitignore").write_text("data")
    assert look(project) != UNKNOWN
