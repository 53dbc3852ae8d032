"""No value of a variable is ever seen."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.secrets import MissingVariableError, filled, half_written, masked, names_in, shown_address

VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="${}_"), min_size=4)


@given(VALUES)
def test_a_value_is_hidden_in_every_form_that_it_takes(value: str) -> None:
    coded = b64encode(value.encode()).decode()
    words = f"a {value} b {quote(value)} c {quote(value, safe='')} d {quote_plus(value)} e {value!r} f {coded}"
    seen = masked(words, {"TOKEN": value})
    for form in {value, quote(value), quote(value, safe=""), quote_plus(value), coded}:
        assert form not in seen.replace("${TOKEN}", "\0")
    assert "${TOKEN}" in seen


def test_a_value_within_another_one_does_not_leave_the_rest_of_it() -> None:
    assert masked("secret-and-more", {"A": "secret", "B": "secret-and-more"}) == "${B}"


def test_values_are_put_in_where_they_are_named() -> None:
    assert filled("https://${USER_NAME}:${PW}@x/${PW}", {"USER_NAME": "me", "PW": "p"}) == "https://me:p@x/p"
    assert names_in("${A}/${B}/${A}") == ["A", "B"]
    assert half_written("abc ${1}") == 4
    assert half_written("${A} $B {C}") is None


@pytest.mark.parametrize("environ", [{}, {"A": ""}])
def test_one_that_is_not_set_is_told_by_name(environ: dict[str, str]) -> None:
    with pytest.raises(MissingVariableError, match="the variable A is not set"):
        filled("${A}", environ)


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("https://me:pw@example.org:8443/hook/secret?token=x", "https://example.org:8443/..."),
        ("https://example.org/", "https://example.org"),
        ("slack://token/channel", "slack://token/..."),
        ("no address", "no address"),
    ],
)
def test_of_an_address_only_the_host_is_shown(address: str, seen: str) -> None:
    assert shown_address(address) == seen
