"""``overnight verify``: prove that the books balance."""

from __future__ import annotations

import sys

import click
import msgspec

from overnight.monitor.books import Finding, audit
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.session import opened


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(*, as_json: bool) -> None:
    """Prove that the books balance.

    Every task is in exactly one state, every generation has at most one final outcome, counters equal
    counts, and the events are numbered without gaps. Changes nothing; exits 1 when something does not
    balance.
    """
    with opened(readonly=True) as session:
        findings = audit(session.store, session.home.journal)
        total = session.store.counts().total
    if as_json:
        words = {"balanced": not findings, "tasks": total, "findings": [msgspec.to_builtins(one) for one in findings]}
        printing.say(msgspec.json.encode(words).decode())
    elif findings:
        _tell(findings)
    else:
        printing.say(f"The books balance: {printing.count(total, 'task')}, each accounted for.")
    sys.exit(1 if findings else 0)


def _tell(findings: list[Finding]) -> None:
    for finding in findings:
        printing.say(f"{finding.what}: expected {finding.expected}, found {finding.found}")
    printing.note(
        f"overnight: {printing.count(len(findings), 'discrepancy', 'discrepancies')}; nothing was changed\n"
        "  try: keep the home as it is and report this, with the output of 'overnight verify --json'"
    )
