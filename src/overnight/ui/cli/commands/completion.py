"""``completion``: what makes a shell complete our commands."""

from __future__ import annotations

import click

from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb, overnight


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash: eval "$(overnight completion bash)"    in ~/.bashrc
    zsh:  eval "$(overnight completion zsh)"     in ~/.zshrc
    fish: overnight completion fish > ~/.config/fish/completions/overnight.fish
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"click knows no completion for {shell}")
    # The script itself is click's; asking bash for its version on the way is not needed.
    maker = kind(overnight, {}, "overnight", "_OVERNIGHT_COMPLETE")
    printing.say(maker.source_template % maker.source_vars())
