"""The settings of backups. How long they are kept is said for checkpoints and backups together (`Keeping`)."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.setting import Setting

#: Who keeps backups.
ENGINES = ("own", "restic", "borg")

BACKUP_SETTINGS = (
    Setting(
        name="backup_engine",
        kind=kinds.choice(*ENGINES),
        default="own",
        help="Who keeps backups: `own` needs nothing; `restic` and `borg` must be installed.",
        environment="OVERNIGHT_BACKUP_ENGINE",
        key="backup.engine",
    ),
    Setting(
        name="backup_repository",
        kind=kinds.PATH,
        default="",
        default_words="that of RESTIC_REPOSITORY or BORG_REPO",
        help="The repository of `restic` or `borg`, which is there already; a directory counts from the project.",
        environment="OVERNIGHT_BACKUP_REPOSITORY",
        key="backup.repository",
    ),
    Setting(
        name="backup_password_command",
        kind=kinds.COMMAND,
        default=(),
        default_words="none",
        help="Prints the password of the repository, where the environment says nothing of it (`RESTIC_PASSWORD` ...).",
        environment="OVERNIGHT_BACKUP_PASSWORD_COMMAND",
        key="backup.password_command",
    ),
    Setting(
        name="backup_include",
        kind=kinds.PATTERNS,
        default=(),
        default_words="none",
        help="What of the project is in a backup besides `overnight.toml` and the files that workflows name.",
        environment="OVERNIGHT_BACKUP_INCLUDE",
        key="backup.include",
    ),
    Setting(
        name="backup_output",
        kind=kinds.SWITCH,
        default=False,
        help="Have what tasks printed in a backup.",
        environment="OVERNIGHT_BACKUP_OUTPUT",
        key="backup.output",
    ),
    Setting(
        name="backup_second",
        kind=kinds.PATH,
        default="",
        default_words="none",
        help="A directory for a second copy of every backup, best on another disk; or a second repository.",
        environment="OVERNIGHT_BACKUP_SECOND",
        key="backup.second",
    ),
    Setting(
        name="backup_room",
        kind=kinds.SIZE,
        default=20 * 1024**3,
        help="How much disk all backups together may take after a `backup prune`; the newest three stay in any case.",
        environment="OVERNIGHT_BACKUP_ROOM",
        key="backup.room",
        minimum=0,
    ),
    Setting(
        name="backup_max_age",
        kind=kinds.LIMIT,
        default=7 * 86400.0,
        help="How old the newest backup may be before `doctor` warns, where there are backups.",
        environment="OVERNIGHT_BACKUP_MAX_AGE",
        key="backup.max_age",
    ),
)
