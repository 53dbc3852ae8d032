"""What ``overnight.toml`` beside a home says."""

from __future__ import annotations

import stat

from overnight.core.configuration import Configuration, parse
from overnight.core.errors import ConfigurationError
from overnight.host.home import Home


def read(home: Home) -> Configuration:
    """What ``overnight.toml`` beside the home says; empty when there is none.

    Raises:
        ConfigurationError: It cannot be read, or makes no sense.
    """
    return parse(text_of(home), str(home.config))


def text_of(home: Home) -> str:
    """The text of ``overnight.toml`` beside the home; empty when there is none.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        if not home.config.exists() and not home.config.is_symlink():
            return ""
        if not stat.S_ISREG(home.config.stat().st_mode):  # a pipe would be waited for
            raise _unreadable(home, "it is no file")
        return home.config.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(home, f"byte {error.start + 1} is not UTF-8") from error
    except OSError as error:
        raise _unreadable(home, error.strerror or str(error)) from error


def _unreadable(home: Home, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{home.config} cannot be read ({why}); nothing was started",
        hint=f"mend {home.config.name}, or move it away for the defaults",
    )
