"""The settings of migrations of a database of the user's."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.kinds import Kind
from overnight.core.secrets import half_written, names_in
from overnight.core.setting import Setting


def _address(written: object) -> str:
    # Most files name no database, and every call reads its file.
    from overnight.core.migrations.addresses import ACCEPTED, parse

    if not isinstance(written, str):
        raise ValueError(f"this is no address; write {ACCEPTED}")  # noqa: TRY004 - as all kinds say it
    if half_written(written) is not None:
        raise ValueError(f"a variable stands in it that is none; write {ACCEPTED}")
    if not names_in(written):
        parse(written)
    return written


def _shown(address: str) -> str:
    from overnight.core.migrations.addresses import shown

    return shown(address)


ADDRESS = Kind("address", "`sqlite:PATH` or `postgres://USER:${PASSWORD}@HOST/DATABASE`", _address, _shown)

MIGRATION_SETTINGS = (
    Setting(
        name="migrations_database",
        kind=ADDRESS,
        default="",
        default_words="none",
        help="The database of yours that `overnight migrate` looks after.",
        environment="OVERNIGHT_MIGRATIONS_DATABASE",
        key="migrations.database",
    ),
    Setting(
        name="migrations_folder",
        kind=kinds.PATH,
        default="db/migrations",
        help="Where its migrations lie: `001_name.sql` or `20260301120000_name.sql`, below the project.",
        environment="OVERNIGHT_MIGRATIONS_FOLDER",
        key="migrations.folder",
    ),
    Setting(
        name="migrations_wait",
        kind=kinds.DURATION,
        default=10.0,
        help="How long a server, or a lock that others hold, is waited for.",
        environment="OVERNIGHT_MIGRATIONS_WAIT",
        key="migrations.wait",
        minimum=0.1,
        maximum=3600.0,
    ),
)
