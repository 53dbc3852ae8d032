"""Python packages that do not fit together are named, and what cannot be judged is let be."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes import no_store

from overnight.core.findings import Finding, Status
from overnight.core.settings import resolve
from overnight.host.clock import SystemClock
from overnight.ops.checks.contract import Scene
from overnight.ops.checks.dependencies import CHECK


def asked(place: Path) -> Finding:
    settings = resolve(flags={}, environ={}, configured={})
    [finding] = CHECK.run(Scene(place, None, no_store, settings, SystemClock()))
    return finding


def install(place: Path, name: str, version: str, *needs: str) -> None:
    folder = place / f"{name}-{version}.dist-info"
    folder.mkdir()
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {one}" for one in needs)]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")


def test_what_is_missing_or_of_another_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "a_needy_one", "1.0", "No.Such_Package>=2", "another-one<2", "another_one>=1", "msgspec")
    install(tmp_path, "another_one", "2.5rc1")
    found = asked(tmp_path)
    assert found.status is Status.WARN
    assert found.summary.startswith("a-needy-one needs No.Such_Package>=2, which is not installed")
    assert "a-needy-one needs another-one<2, and 2.5rc1 is installed" in found.summary
    assert found.value == 2
    assert found.fixes


def test_what_belongs_to_others_or_makes_no_sense_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asked(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    needs = ('gone-a; extra == "more"', 'gone-b; python_version < "3"', "=== nonsense ===", "another-one>=1")
    install(tmp_path, "a_needy_one", "1.0", *needs)
    install(tmp_path, "another_one", "2.5rc1")
    (tmp_path / "nameless-1.dist-info").mkdir()
    found = asked(tmp_path)
    assert (found.status, found.value) == (before.status, before.value)
