"""Checks that fail, hang or have nothing to say do it alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenes import no_store

from overnight.core.findings import Finding, Status
from overnight.core.settings import resolve
from overnight.host.clock import SystemClock
from overnight.ops.checks import CHECKS, load
from overnight.ops.checks.contract import Check, Scene, ok
from overnight.ops.examination import Examiner, examine


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    settings = resolve(flags={}, environ={}, configured={})
    return Scene(tmp_path, None, no_store, settings, SystemClock())


def well(_scene: Scene) -> Iterator[Finding]:
    yield ok("well", "all is well")


def raises(_scene: Scene) -> Iterator[Finding]:
    yield ok("raises", "so far")
    raise RuntimeError("one\ntwo")


def test_the_answers_come_in_the_order_of_the_checks(scene: Scene) -> None:
    answers = examine([Check("b", "B", well), Check("a", "A", well)], scene)
    assert [answer.check.id for answer in answers] == ["b", "a"]


def test_a_check_that_raises_has_failed_and_the_others_go_on(scene: Scene) -> None:
    broken, other = examine([Check("raises", "The raising one", raises), Check("well", "Well", well)], scene)
    [finding] = broken.findings
    assert finding == Finding("raises", Status.FAIL, "The raising one: the check itself failed (RuntimeError: one two)")
    assert other.findings[0].status is Status.OK


def test_a_title_that_says_no_more_than_the_id_is_not_repeated(scene: Scene) -> None:
    [answer] = examine([Check("memory", "memory", raises)], scene)
    assert answer.findings[0].summary == "the check itself failed (RuntimeError: one two)"


def test_a_check_that_wants_to_end_the_process_has_failed_and_is_asked_again(scene: Scene) -> None:
    """As a plug-in may that was written as a program: nobody is stuck."""
    asked = []

    def leaves(_scene: Scene) -> Iterator[Finding]:
        asked.append(1)
        raise SystemExit(2)

    examiner, check = Examiner(), Check("leaves", "The leaving one", leaves, timeout=5.0)
    for _ in range(2):
        [answer] = examiner.examine([check], scene)
        assert answer.findings[0].status is Status.FAIL
        assert answer.findings[0].summary == "The leaving one: the check itself failed (SystemExit: 2)"
    assert len(asked) == 2


def test_a_check_past_its_deadline_is_unknown_and_nobody_waits_for_it(scene: Scene) -> None:
    over = threading.Event()

    def stuck(_scene: Scene) -> Iterator[Finding]:
        over.wait(60)
        yield from ()

    late, other = examine([Check("stuck", "A mount", stuck, timeout=0.05), Check("well", "Well", well)], scene)
    over.set()
    assert [finding.status for finding in late.findings] == [Status.UNKNOWN]
    assert late.findings[0].summary == "A mount: no answer within 0.1 s"
    assert [fix.text for fix in late.findings[0].fixes] == ["overnight doctor stuck"]
    assert other.findings[0].status is Status.OK


def test_a_check_that_does_not_apply_says_nothing(scene: Scene) -> None:
    [answer] = examine([Check("none", "None", lambda _scene: ())], scene)
    assert answer.findings == []


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_of_ours_answers_in_its_own_name_or_not_at_all(name: str, scene: Scene) -> None:
    check = load(name)
    [answer] = examine([check], scene)
    assert check.id == name
    assert {finding.check for finding in answer.findings} <= {name}
    # On a busy machine a slow one may run out of its time.
    assert Status.FAIL not in {finding.status for finding in answer.findings}, answer.findings
