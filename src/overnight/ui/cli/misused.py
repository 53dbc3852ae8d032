"""What click has to say of a call that it cannot read, in our three parts. Loaded when there is such a call."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

#: A choice that was not there, as click says it.
_NO_CHOICE = re.compile(r"Invalid value for .+: '(.*)' is not one of")


def three_parts(error: click.UsageError) -> tuple[str, str]:
    """What happened and what that means, as one sentence; and what to type."""
    name = error.ctx.command_path if error.ctx else "overnight"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return f"{name!r} needs one of its commands: {_commands(error.ctx)}; nothing was done", f"'{name} --help'"
    close = getattr(error, "possibilities", None)
    message = getattr(error, "message", "") if close else error.format_message()
    message = re.sub(r"\s*\n\s*", " ", message).strip().rstrip(".")
    message = message.replace("a valid integer range", "a whole number").replace(". Choose from:", ", one of")
    meant = _near(getattr(error, "option_name", ""), close or ()) or _meant(error, message)
    hint = f"{meant!r}" if meant else f"'{name} --help' lists what there is"
    return f"{message[:1].lower()}{message[1:]}; nothing was done", hint


def _commands(ctx: click.Context | None) -> str:
    """The commands of a group that was called by its name alone."""
    return (
        ", ".join(ctx.command.list_commands(ctx)) if ctx and isinstance(ctx.command, click.Group) else "none was named"
    )


def _meant(error: click.UsageError, message: str) -> str:
    """What to type instead of a word that is none of those that can be chosen; empty where nobody knows."""
    wrong, param = _NO_CHOICE.match(message), getattr(error, "param", None)
    if wrong is None or not isinstance(param, click.Parameter) or not isinstance(param.type, click.Choice):
        return ""
    words = [_near(word, param.type.choices) for word in (wrong[1].split(",") if param.multiple else [wrong[1]])]
    if not all(words):
        return ""
    if isinstance(param, click.Option):
        return " ".join(f"{param.opts[-1]} {word}" for word in words)
    return f"{error.ctx.command_path if error.ctx else 'overnight'} {words[0]}"


def _near(name: str, names: object) -> str:
    """What was meant, of names; dashes, which all options have, make no two of them alike."""
    from difflib import get_close_matches

    if not isinstance(names, Sequence):
        return ""
    plain = {one.lstrip("-"): one for one in names}
    return next((plain[one] for one in get_close_matches(name.lstrip("-"), plain, n=1)), "")
