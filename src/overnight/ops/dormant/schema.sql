-- What was read in files, so that a second look reads only what has changed; and what was tried or woken.
-- Instants are POSIX seconds. Losing the files costs a few seconds, losing the records costs memories.

CREATE TABLE IF NOT EXISTS files (
    path   TEXT PRIMARY KEY,
    -- Size, mtime, ctime and inode: a file of which all are the same is the same file.
    stamp  TEXT NOT NULL,
    -- Of files that were so young when they were read that a further change may have left the stamp alone.
    digest BLOB,
    -- core/source_facts.py, as MessagePack.
    facts  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS records (
    id      INTEGER PRIMARY KEY,
    at      REAL NOT NULL,
    part    TEXT NOT NULL,
    -- "activate" or "reached".
    what    TEXT NOT NULL,
    outcome TEXT NOT NULL,
    words   TEXT NOT NULL,
    by      TEXT NOT NULL
) STRICT;
