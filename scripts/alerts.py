"""Write the tables of ``docs/alerts.md`` from the lists in ``core/alert_conditions.py``."""

from __future__ import annotations

from pathlib import Path

from overnight.core.alerts_page import with_tables

PAGE = Path(__file__).parents[1] / "docs" / "alerts.md"

if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
    print(f"wrote {PAGE}")
