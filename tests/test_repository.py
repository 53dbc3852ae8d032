"""The repository as a whole: it speaks of the project alone, its links lead somewhere, its pages are true."""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import overnight
from overnight.core.errors import OvernightError
from overnight.core.verdict import EXIT_DONE_AND_STOP, EXIT_TRY_LATER, PERMANENT_EXITS

PROJECT = Path(__file__).parents[1]
PLACES = (".ci", "benchmarks", "changelog.d", "docs", "examples", "scripts", "src", "tests")
#: What tools and the demo leave behind; not part of the repository.
LEFT_BEHIND = {"__pycache__", ".overnight", "files", "out", ".mypy_cache", ".ruff_cache", ".hypothesis"}

#: Words of whoever planned the work: they mean nothing to a reader of the repository. The classes of one
#: letter keep a pattern from finding itself.
FOREIGN = {
    "a path of one machine": r"(?<![\w.~>}\])])/w[o]rk/",
    "a number on a list of wishes": r"\b[Rr]e[q]uirements? [A-F]\d",
    "a page that is not here": r"\b(?:D[E]SIGN|CL[I]|ST[Y]LE|PR[O]OF|DASH[B]OARD|REQ[U]IREMENTS)\.md\b",
    "a folder that is not here": r"\bsh[a]red/[A-Z]",
    "a number on a list of work": r"\b[Ii]ss[u]e #?\d+\b",
    "a page of instructions": r"\bbr[i]ef\.md\b",
}
FRAGMENT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.(added|changed|fixed|removed|security)\.md")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def files() -> Iterator[Path]:
    """Every file that belongs to the repository."""
    # In a second work tree .git is a file, which names a path of the machine.
    yield from (path for path in PROJECT.iterdir() if path.is_file() and path.name != ".git")
    for place in PLACES:
        for folder, folders, names in os.walk(PROJECT / place):
            folders[:] = [name for name in folders if name not in LEFT_BEHIND]
            yield from (Path(folder, name) for name in names)


def pages() -> list[Path]:
    return sorted(path for path in files() if path.suffix == ".md")


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def foreign_words(text: str) -> list[str]:
    """What in a text speaks of something else than the project."""
    return [f"{what}: {found[0]}" for what, pattern in FOREIGN.items() for found in re.finditer(pattern, text)]


def twice(names: Iterable[str]) -> list[str]:
    """What is there more than once."""
    return sorted(one for one, number in Counter(names).items() if number > 1)


def test_no_two_test_files_have_one_name() -> None:
    """They are imported by it: the second of two is not run, wherever it lies."""
    assert twice(["test_a.py", "test_b.py", "test_a.py"]) == ["test_a.py"]
    assert twice(path.name for path in files() if path.name.startswith("test_") and path.suffix == ".py") == []


def test_the_text_speaks_of_the_project_alone() -> None:
    found = {name(path): foreign_words(path.read_bytes().decode("utf-8", "replace")) for path in files()}

    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "words",
    [
        ("see /wo", "rk/main"),
        ("requir", "ement A5 says"),
        ("as DES", "IGN.md has it"),
        ("in sha", "red/NOTES"),
        ("comes with is", "sue 3 of 12"),
        ("the br", "ief.md"),
    ],
)
def test_foreign_words_are_found(words: tuple[str, str]) -> None:
    assert len(foreign_words("".join(words))) == 1


def test_a_path_inside_a_home_is_not_foreign() -> None:
    assert foreign_words("`.overnight/work/TASK/`, {home}/work/7") == []


def headings(page: Path) -> set[str]:
    """The anchors that a page offers, as they are made from its headings."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(page: Path) -> list[str]:
    """Links inside the repository that lead nowhere."""
    dead = []
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in headings(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title\n[a](page.md#a-title) [b](gone.md) [c](#no-title) [d](https://example.org)\n", "utf-8")

    assert dead_links(page) == ["gone.md", "#no-title"]


def test_every_make_command_that_a_page_names_exists() -> None:
    """In code spans and blocks; prose may make what it likes."""
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = "\n".join(page.read_text("utf-8") for page in pages())
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE))

    assert {"demo", "test"} <= named <= targets


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]

    assert overnight.__version__ == project["version"]


def test_the_licence_is_there_in_full() -> None:
    text = (PROJECT / "LICENSE").read_text("utf-8")

    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_continuous_integration_runs_what_a_contributor_runs() -> None:
    script = PROJECT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text("utf-8")


def fragment_troubles(path: Path) -> list[str]:
    """What is wrong with a fragment of the changelog."""
    text = path.read_text("utf-8")
    troubles = {
        "its name is not <name>.<kind>.md": not FRAGMENT.fullmatch(path.name),
        "it is not one paragraph": not text.strip() or "\n\n" in text.strip(),
        "it has a heading": text.startswith("#"),
        "it ends without a full stop": not text.endswith(".\n"),
    }
    return [trouble for trouble, so in troubles.items() if so]


def test_every_changelog_fragment_is_well_formed() -> None:
    fragments = [path for path in sorted((PROJECT / "changelog.d").iterdir()) if path.name != "README.md"]

    assert {path.name: fragment_troubles(path) for path in fragments if fragment_troubles(path)} == {}


@pytest.mark.parametrize(
    ("file", "text", "trouble"),
    [
        ("Run.added.md", "It runs.\n", "name"),
        ("run.new.md", "It runs.\n", "name"),
        ("run.added.md", "\n.\n\nTwo.\n", "paragraph"),
        ("run.added.md", "# It runs.\n", "heading"),
        ("run.added.md", "It runs\n", "full stop"),
    ],
)
def test_a_bad_fragment_is_found(file: str, text: str, trouble: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_text(text, "utf-8")

    (found,) = fragment_troubles(path)
    assert trouble in found


def exit_codes(error: type[OvernightError]) -> set[int]:
    """The exit codes of an error and of every special case of it."""
    return {error.exit_code}.union(*(exit_codes(special) for special in error.__subclasses__()))


def test_the_page_of_exit_statuses_knows_every_one() -> None:
    """Ours by the errors, the tasks' by the table that judges them."""
    ours, theirs = (PROJECT / "docs" / "exit-status.md").read_text("utf-8").split("## What a task says")

    def named(table: str) -> set[int]:
        first_cells = re.findall(r"^\| ([^|]*)", table, re.MULTILINE)
        return {int(number) for cell in first_cells for number in re.findall(r"\b\d+\b", cell)}

    assert exit_codes(OvernightError) <= named(ours)
    assert named(theirs) == {0, EXIT_DONE_AND_STOP, EXIT_TRY_LATER, *PERMANENT_EXITS}
