from __future__ import annotations

import msgspec

from overnight.core.task import Action, ActionKind, Backoff


def test_equal_actions_have_equal_digests_whatever_the_order_of_their_environment() -> None:
    one = Action(ActionKind.COMMAND, b"/", argv=(b"x",), env={b"A": b"1", b"B": b"\xff"})
    two = Action(ActionKind.COMMAND, b"/", argv=(b"x",), env={b"B": b"\xff", b"A": b"1"})
    assert one.digest() == two.digest()


def test_an_action_with_another_environment_has_another_digest_and_the_same_identity() -> None:
    one = Action(ActionKind.COMMAND, b"/", argv=(b"x",), env={b"A": b"1"})
    two = Action(ActionKind.COMMAND, b"/", argv=(b"x",), env={b"A": b"2"})
    assert one.digest() != two.digest()
    assert one.identity() == two.identity()


def test_a_value_that_is_the_default_is_the_default_whichever_object_it_is() -> None:
    plain = Action(ActionKind.COMMAND, b"/")
    said = msgspec.structs.replace(plain, backoff=Backoff(2.0, 2.0, 60.0), timeout=float("300"))
    assert said == plain
    assert said.digest() == plain.digest()
