"""Write ``docs/settings.md`` from the list in ``core/settings.py``."""

from __future__ import annotations

from pathlib import Path

from overnight.core.settings_page import page

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"

if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE}")
