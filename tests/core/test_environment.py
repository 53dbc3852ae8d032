from __future__ import annotations

import pytest

from overnight.core.environment import looks_secret, split
from overnight.core.errors import UsageError


def test_only_what_programs_rely_on_is_taken_along() -> None:
    environ = {b"PATH": b"/bin", b"LC_ALL": b"C", b"DISPLAY": b":0", b"SSH_AUTH_SOCK": b"/s", b"HOME": b"/\xff"}
    assert split(environ) == ({b"HOME": b"/\xff", b"LC_ALL": b"C", b"PATH": b"/bin"}, ())


def test_a_name_that_was_asked_for_goes_by_value() -> None:
    assert split({b"LEVEL": b"3"}, [b"LEVEL"]) == ({b"LEVEL": b"3"}, ())


def test_a_secret_goes_by_name_and_need_not_be_set_yet() -> None:
    values, names = split({b"API_TOKEN": b"hush"}, [b"API_TOKEN", b"DB_PASSWORD"])
    assert values == {}
    assert names == (b"API_TOKEN", b"DB_PASSWORD")


def test_a_password_inside_of_a_url_makes_it_a_secret() -> None:
    assert split({b"DATABASE_URL": b"postgres://me:hush@host/db"}, [b"DATABASE_URL"]) == ({}, (b"DATABASE_URL",))
    assert split({b"SITE": b"http://host:80/a@b"}, [b"SITE"])[0] == {b"SITE": b"http://host:80/a@b"}


@pytest.mark.parametrize(
    "name",
    [
        b"GITHUB_TOKEN",
        b"AWS_ACCESS_KEY_ID",
        b"AWS_SECRET_ACCESS_KEY",
        b"PGPASSWORD",
        b"api_key",
        b"OPENAIKEY",
        b"DB_PWD",
        b"GOOGLE_APPLICATION_CREDENTIALS",
        b"SSH_AUTH_SOCK",
        b"SENTRY_DSN",
        b"MYSQL_PASS",
        b"SESSION_COOKIE",
    ],
)
def test_names_of_secrets_are_seen(name: bytes) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", [b"PATH", b"PWD", b"KEYBOARD_LAYOUT", b"COMPASS", b"AUTHOR", b"BYPASS_CHECK", b"LANG"])
def test_harmless_names_are_not(name: bytes) -> None:
    assert not looks_secret(name)


@pytest.mark.parametrize("name", [b"", b"LEVEL=3", b"NOT_SET"])
def test_a_name_that_cannot_work_is_refused_with_a_hint(name: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        split({}, [name])
    assert caught.value.hint
