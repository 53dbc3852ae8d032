"""What ``overnight.toml`` beside a home says."""

from __future__ import annotations

from overnight.core.configuration import Configuration, parse
from overnight.core.errors import ConfigurationError
from overnight.host.home import Home


def read(home: Home) -> Configuration:
    """What ``overnight.toml`` beside the home says; empty when there is none."""
    try:
        words = home.config.read_text("utf-8")
    except FileNotFoundError:
        words = ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{home.config} cannot be read ({error}); nothing was started", hint=f"mend {home.config.name}"
        ) from error
    return parse(words, str(home.config))
