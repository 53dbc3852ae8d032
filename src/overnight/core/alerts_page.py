"""The tables of ``docs/alerts.md``, generated from the lists of triggers and figures."""

from __future__ import annotations

from overnight.core.alert_conditions import FIGURES, TRIGGERS

#: Between these the page is written by ``make docs``.
BEGIN, END = "<!-- generated: make docs -->", "<!-- end of what is generated -->"
_UNITS = {"ratio": "`20%` or `0.2`", "bytes": "`2GB`", "seconds": "`2h`", "number": "`100`"}


def tables() -> str:
    """What can happen, and what can be compared."""
    happens = [
        f"| `{one.name}` | {one.help} | {'until it is over' if one.lasts else 'a moment'} |"
        for one in TRIGGERS.values()
    ]
    figures = [f"| `{one.name}` | {_UNITS[one.unit]} | {one.help} |" for one in FIGURES.values()]
    return "\n".join(
        [
            *("| `on` | what happens | lasts |", "|---|---|---|", *happens, ""),
            *("| figure in `when` | bound | what it is |", "|---|---|---|", *figures),
        ]
    )


def with_tables(page: str) -> str:
    """The page with the tables as they are now.

    Raises:
        ValueError: It has no place for them.
    """
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"
