"""What running tasks say of how far they are, as `status` shows it."""

from __future__ import annotations

from pathlib import Path

from overnight.monitor.progress import Progress, reports


def test_the_last_report_of_each_attempt_counts_and_noise_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "control-0").write_bytes(
        b'{"progress": 0.1, "message": "one", "task": "7", "attempt": "1"}\n'
        b'{"progress": 0.2, "message": "two", "task": "7", "attempt": "1"}\n'
        b'{"progress": 9, "task": "7", "attempt": "1"}\nnoise\n{"progress": 0.5}\n\xff\n'
    )
    (tmp_path / "control-1").write_bytes(b'x" * 9}\n' * 5000 + b'{"message": "there", "task": 8, "attempt": 2}\n')
    assert reports(tmp_path) == {(7, 1): Progress(0.2, "two", 7, 1), (8, 2): Progress(None, "there", 8, 2)}
    (tmp_path / "control-1-9-3").write_bytes(b'{"progress": 0.5, "task": "7", "attempt": "1"}\n{"progress": 0.6}\n')
    assert reports(tmp_path)[9, 3] == Progress(0.6, "", 9, 3)
    assert reports(tmp_path / "nowhere") == {}
