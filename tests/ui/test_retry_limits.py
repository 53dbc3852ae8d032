"""``retry`` with limits: they hold from the next attempt on, for what failed and was selected, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


def timeouts(overnight: Call) -> list[float | None]:
    return [overnight("show", str(task_id), "--json").json["timeout"] for task_id in (1, 2, 3)]


@pytest.fixture
def failed(overnight: Call) -> None:
    """Two tasks that have failed alike, and one that waits for its time."""
    assert overnight("run", "--quiet", "--retries", "0", "--timeout", "30s", "a", "b", "--", "false").status == 1
    overnight("add", "--timeout", "30s", "--in", "1h", "c", "--", "false")


@pytest.mark.usefixtures("failed")
def test_only_what_is_selected_and_has_failed_gets_them(overnight: Call) -> None:
    assert overnight("retry", "2", "3", "--timeout", "5m").status == 1  # task 3 has not been tried yet
    assert timeouts(overnight) == [30.0, 300.0, 30.0]
    assert overnight("retry", "--all", "--timeout", "0", "--memory", "3GB").status == 0
    assert timeouts(overnight) == [None, 300.0, 30.0]
    assert overnight("show", "1", "--json").json["limits"]["memory"] == 3_000_000_000


@pytest.mark.usefixtures("failed")
def test_by_cause(overnight: Call) -> None:
    cause = overnight("show", "1", "--json").json["fingerprint"]
    assert overnight("retry", "--cause", cause, "--timeout", "1h").status == 0
    assert timeouts(overnight) == [3600.0, 3600.0, 30.0]
    assert [overnight("show", one, "--json").json["state"] for one in "12"] == ["pending", "pending"]


@pytest.mark.usefixtures("failed")
def test_without_a_selection_nothing_is_changed(overnight: Call) -> None:
    assert overnight("retry", "--timeout", "1h").status == 2
    assert timeouts(overnight) == [30.0, 30.0, 30.0]


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize(("words", "status"), [(("1", "999"), 4), (("1", "--from", "nosuch"), 2)])
def test_nothing_is_changed_when_not_all_that_is_named_exists(
    overnight: Call, words: tuple[str, ...], status: int
) -> None:
    said = overnight("retry", *words, "--timeout", "5m")
    assert (said.status, "nothing was changed" in said.err) == (status, True)
    assert timeouts(overnight) == [30.0, 30.0, 30.0]


def test_a_workflow_keeps_the_limits_of_its_definition(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text('[[workflow.w.step]]\nid = "a"\nretries = 0\nrun = ["false"]\n')
    assert overnight("run", "--quiet", "-w", "w", "x").status == 1
    said = overnight("retry", "--all", "--timeout", "1h")
    assert said.status == 0
    assert "1 workflow task keeps its definition" in said.err
