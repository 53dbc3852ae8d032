"""Secrets in a configuration: ``${NAME}`` stands for a variable of the environment, and its value is shown nowhere.

A value is looked up at the last moment, by the process that needs it, and is written to no file. Whatever that
process says goes through `masked` first, which puts the name back in the place of the value.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from string import ascii_letters, digits

from overnight.core.errors import OvernightError

_PLACE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: What was meant to be one and is none.
_HALF = re.compile(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*\})")
#: What of an address is no secret.
_SHOWN = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/@?#]*@)?([^/?#]*)(.*)", re.DOTALL | re.IGNORECASE)


class MissingVariableError(OvernightError):
    """A variable of the environment that a configuration names is not set where it is needed."""

    exit_code = 2


def names_in(words: str) -> list[str]:
    """The variables that a text names, each once."""
    return list(dict.fromkeys(_PLACE.findall(words)))


def half_written(words: str) -> int | None:
    """Where a ``${`` stands that begins no name; None when there is none."""
    found = _HALF.search(words)
    return found.start() if found else None


def filled(words: str, environ: Mapping[str, str]) -> str:
    """The text with all values in it.

    Raises:
        MissingVariableError: One is not set, or is empty.
    """
    for name in names_in(words):
        if not environ.get(name):
            raise MissingVariableError(
                f"the variable {name} is not set; nothing was sent",
                hint=f"export {name} where the engine is started, and start it again",
            )
    return _PLACE.sub(lambda found: environ[found[1]], words)


def masked(words: str, values: Mapping[str, str]) -> str:
    """A text without secrets: each value, and what a URL or a header makes of it, is replaced by ``${NAME}``.

    Args:
        words: Any text.
        values: What must not be seen, by the name that is shown instead.
    """
    hidden = {form: name for name, value in values.items() if value for form in _forms(value)}
    for form in sorted(hidden, key=len, reverse=True):
        words = words.replace(form, f"${{{hidden[form]}}}")
    return words


def _forms(value: str) -> set[str]:
    coded = b64encode(value.encode("utf-8", "surrogateescape")).decode()
    return {value, repr(value)[1:-1], coded, _in_url(value), _in_url(value, "/"), _in_url(value, " ").replace(" ", "+")}


def _in_url(value: str, more: str = "") -> str:
    """As addresses have it (RFC 3986, section 2); `more`: what is left besides the unreserved."""
    kept = f"{ascii_letters}{digits}-._~{more}".encode()
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in value.encode("utf-8", "surrogateescape"))


def shown_address(words: str) -> str:
    """An address as it may be shown: without user, password, path and query, where people put what is secret."""
    found = _SHOWN.fullmatch(words)
    if found is None:
        return words
    rest = "/..." if found[3].strip("/") else ""
    return f"{found[1]}{found[2]}{rest}"
