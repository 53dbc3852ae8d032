"""``overnight chaos``: strike this program with faults on this machine, and see whether it keeps its promises."""

from __future__ import annotations

import os
import sys

import click
import msgspec

from overnight.testing import chaos as room
from overnight.testing.chaos import Result
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.values import Duration

#: How the interpreter starts this program, wherever it was called from.
PROGRAM = ("-P", "-c", "from overnight.ui.program import main; main()")
#: Violations of a family that are told.
TOLD = 5


@click.command(cls=Verb)
@click.option("--seconds", type=Duration(), default=room.USUAL, show_default="1m", help="For all faults together.")
@click.option("--seed", type=int, default=None, help="Of the dice; the same one strikes at the same moments.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def chaos(*, seconds: float, seed: int | None, as_json: bool) -> None:
    """Strike this program with faults on this machine: does it keep its promises here?

    Crashes, power cuts, errors of the disk and a full one, damaged checkpoints, and real kills of a real
    run, all in temporary directories; no home is touched and nothing is left behind. Exits 0 if nothing
    was lost, doubled or left running, and 1 otherwise.
    """
    number = int.from_bytes(os.urandom(3)) if seed is None else seed
    results = room.run(PROGRAM, seconds=seconds, seed=number, tell=(lambda _: None) if as_json else _tell)
    passed = all(one.passed for one in results)
    if as_json:
        words = {"passed": passed, "seed": number, "families": [_shape(one) for one in results]}
        printing.say(msgspec.json.encode(words).decode())
    elif passed:
        printing.say(f"passed (seed {number}): nothing was lost, doubled, damaged or left behind")
    else:
        printing.say(f"failed (seed {number})")
        printing.note("overnight: a promise was broken here; no home of yours was touched")
        printing.note(f"  try: 'overnight chaos --seed {number} --json', and report this with what it prints")
    sys.exit(0 if passed else 1)


def _shape(one: Result) -> dict[str, object]:
    return {"passed": one.passed, **msgspec.to_builtins(one)}


def _tell(one: Result) -> None:
    printing.say(
        f"{'pass' if one.passed else 'FAIL'}  {one.family:<11}  {one.count:>5,}  {one.what} ({one.seconds:.1f} s)"
    )
    if one.control:
        printing.say(f"      control: {printing.clean(one.control)}")
    for words in one.violations[:TOLD]:
        printing.say(f"      {printing.clean(words)}")
    sys.stdout.flush()
