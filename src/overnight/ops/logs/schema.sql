-- What logs said, and how far they were read. Everything in here can be found again by reading them anew,
-- but for what is new about it. Instants are POSIX seconds.

CREATE TABLE IF NOT EXISTS positions (
    device  INTEGER NOT NULL,
    inode   INTEGER NOT NULL,
    path    BLOB NOT NULL,
    offset  INTEGER NOT NULL,
    head    BLOB NOT NULL,
    rest    BLOB NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (device, inode)
) STRICT, WITHOUT ROWID;

-- Errors that belong together: of tasks by their fingerprint, of lines by their template.
CREATE TABLE IF NOT EXISTS clusters (
    id         INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('task', 'line')),
    key        TEXT NOT NULL,
    template   TEXT NOT NULL,
    sample     TEXT NOT NULL,
    -- The file of the last one; of a task's own output "output".
    source     TEXT NOT NULL,
    task_id    INTEGER,
    first_seen REAL NOT NULL,
    last_seen  REAL NOT NULL,
    n          INTEGER NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS clusters_by_key ON clusters (kind, key);

CREATE TABLE IF NOT EXISTS hours (
    cluster INTEGER NOT NULL,
    hour    INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (cluster, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS facts (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last entry that was read of the log of the system.
CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, cursor TEXT NOT NULL) STRICT, WITHOUT ROWID;
