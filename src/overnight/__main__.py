"""``python -m overnight``: the same as the command ``overnight``."""

from __future__ import annotations

from overnight.ui.program import main

if __name__ == "__main__":
    main()
