"""The setting that says where the tasks are."""

from __future__ import annotations

from overnight.core.kinds import Kind
from overnight.core.setting import Setting


def _address(written: object) -> str:
    # Most homes have a file.
    from overnight.core.migrations.addresses import parse
    from overnight.core.migrations.statements import Dialect

    if not written:
        return ""
    if not isinstance(written, str) or "${" in written or parse(written).dialect is not Dialect.POSTGRES:
        raise ValueError("this is no address of a PostgreSQL database; write postgresql://USER:PASSWORD@HOST/DATABASE")
    return written


def _shown(address: str) -> str:
    from overnight.core.migrations.addresses import shown

    return shown(address)


STORE = Setting(
    name="store",
    kind=Kind("address of a store", "`postgresql://USER:PASSWORD@HOST/DATABASE`", _address, _shown),
    default="",
    default_words="a file in the home",
    help="Where tasks of many hosts are kept: the address of a PostgreSQL database.",
    environment="OVERNIGHT_STORE",
)
