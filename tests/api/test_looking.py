"""The first look of the built-in workflows, at every kind of thing that a path can name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from overnight import Permanent
from overnight.api.built_in_steps import extract, probe


@pytest.mark.parametrize(
    ("name", "content", "type_", "lines"),
    [
        ("a.txt", b"one\ntwo\n", "text/plain", 2),
        ("a.txt", b"one\ntwo", "text/plain", 2),
        ("empty", b"", "text/plain", 0),
        ("notes", "Ä\n".encode(), "text/plain", 1),
        ("a.png", b"\x89PNG\0\n\n", "image/png", None),
        ("blob", b"\xff\xfe\n", "application/octet-stream", None),
        ("cut", b"x" * 8191 + "Ä\n".encode(), "text/plain", 1),
    ],
)
def test_a_file_is_described(here: Path, name: str, content: bytes, type_: str, lines: int | None) -> None:
    (here / name).write_bytes(content)
    about = probe(name)
    assert about["size_bytes"] == len(content)
    assert about["type"] == type_
    assert about["sha256"] == hashlib.sha256(content).hexdigest()
    assert (extract(name)["lines"] if about["text"] else None) == lines


def test_a_large_file_is_read_in_pieces(here: Path) -> None:
    content = b"line\n" * 500_000
    (here / "large").write_bytes(content)
    assert (extract("large")["lines"], probe("large")["sha256"]) == (500_000, hashlib.sha256(content).hexdigest())


def test_a_missing_file_may_come_later_and_is_no_permanent_failure() -> None:
    with pytest.raises(FileNotFoundError):
        probe("missing")


def test_what_is_no_file_will_never_be_one(here: Path) -> None:
    """A pipe that nobody writes to is not waited for."""
    os.mkfifo(here / "pipe")
    (here / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises((Permanent, IsADirectoryError)):
            probe(name)
