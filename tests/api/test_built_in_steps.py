"""The built-in workflows do their work on any file, whatever it is called, and a second time."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from overnight import Permanent, Retry
from overnight.api import built_in_steps as steps


def whole(path: str) -> dict[str, object]:
    """All steps of the pipeline on one file, as an engine would call them."""
    outputs: dict[str, object] = {"probe": steps.probe(path)}
    context = SimpleNamespace(outputs=outputs)
    if outputs["probe"]["text"]:  # type: ignore[index]  # it is a table
        outputs["extract"] = steps.extract(path)
    outputs["copy"] = steps.copy(path)
    outputs["summarise"] = steps.summarise(path, context)
    steps.same_content(path, context)
    return steps.publish(path, context)


def test_a_text_is_published_with_what_is_known_of_it(here: Path) -> None:
    (here / "in").mkdir()
    content = "one two\nthree\nfour\nfive"
    (here / "in" / "a.txt").write_text(content)
    said = whole("in/a.txt")
    assert said == {"path": str(here / "published/in/a.txt"), "sidecar": str(here / "published/in/a.txt.json")}
    assert (here / "published/in/a.txt").read_text() == content
    known = json.loads((here / "published/in/a.txt.json").read_text())
    assert known["summary"] == "a.txt: text/plain, 23 bytes, 4 lines, 5 words"
    assert known["extract"]["first_lines"] == ["one two", "three", "four"]
    assert known["sha256"] == hashlib.sha256(content.encode()).hexdigest()
    assert sorted(path.name for path in (here / "published/in").iterdir()) == ["a.txt", "a.txt.json"]


def test_what_is_no_text_is_published_as_well(here: Path) -> None:
    (here / "blob").write_bytes(bytes(range(256)) * 10_000)
    whole("blob")
    known = json.loads((here / "published/blob.json").read_text())
    assert (known["extract"], known["size_bytes"]) == (None, 2_560_000)


@pytest.mark.parametrize(("content", "lines"), [("", 0), ("one", 1), ("one\n", 1), ("one\n\ntwo", 3)])
def test_lines_are_counted_as_people_do(here: Path, content: str, lines: int) -> None:
    (here / "a").write_text(content)
    assert steps.extract("a")["lines"] == lines


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8")
def test_a_name_that_is_not_utf_8_is_a_name(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \n.txt")
    (here / name).write_text("x")
    whole(name)
    assert (here / "published" / name).read_text() == "x"


def test_files_of_one_name_in_two_places_are_two(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "one").mkdir()
    (here / "one" / "a").write_text("1")
    (here / "a").write_text("2")
    monkeypatch.chdir(here / "one")
    monkeypatch.setenv("PUBLISH_DIR", str(here / "out"))
    whole("a")
    whole("../a")
    inner = str(here / "a").lstrip("/")
    assert ((here / "out/a").read_text(), (here / "out" / inner).read_text()) == ("1", "2")


def test_a_step_that_was_interrupted_after_its_work_can_run_again(here: Path) -> None:
    (here / "a").write_text("x")
    first = whole("a")
    context = SimpleNamespace(outputs={"summarise": {}})
    assert steps.publish("a", context) == first
    assert whole("a") == first


def test_the_gate_does_not_open_for_another_content(here: Path) -> None:
    (here / "a").write_text("x")
    context = SimpleNamespace(outputs={"probe": steps.probe("a")})
    steps.copy("a")
    (here / "published" / ".a.copy").write_text("y")
    with pytest.raises(Permanent, match=r"the copy .* was read first"):
        steps.same_content("a", context)
    (here / "a").write_text("z")
    steps.copy("a")
    with pytest.raises(Permanent, match="the copy"):
        steps.same_content("a", context)


def test_a_file_that_is_being_written_to_is_looked_at_later(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "a").write_text("x")
    real = steps._digest

    def digest(path: str) -> tuple[str, int]:
        found = real(path)
        (here / "a").write_text("more of it")
        return found

    monkeypatch.setattr(steps, "_digest", digest)
    with pytest.raises(Retry, match="was changed while it was read"):
        steps.probe("a")
