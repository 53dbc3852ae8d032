-- What runs of tests came to. Instants are POSIX seconds, durations seconds.

CREATE TABLE IF NOT EXISTS runs (
    -- What people call it: 1, 2, 3 ...
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What it came from, so that nothing is taken in twice.
    record     TEXT NOT NULL UNIQUE,
    suite      TEXT NOT NULL,
    command    TEXT NOT NULL,
    began_at   REAL NOT NULL,
    -- NULL: nobody saw its end.
    seconds    REAL,
    -- Equal for the same code; of a run whose code is not known one of its own.
    code       TEXT NOT NULL,
    verdict    TEXT NOT NULL CHECK (verdict IN ('green', 'red', 'incomplete')),
    -- Of an incomplete one.
    why        TEXT NOT NULL,
    exit_code  INTEGER,
    passed     INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    skipped    INTEGER NOT NULL,
    unfinished INTEGER NOT NULL,
    again      INTEGER NOT NULL,
    task_id    INTEGER,
    CHECK ((verdict = 'incomplete') = (why <> '')),
    CHECK (verdict <> 'green' OR (exit_code IS 0 AND failed = 0 AND unfinished = 0))
) STRICT;

CREATE INDEX IF NOT EXISTS runs_by_suite ON runs (suite, id);

CREATE TABLE IF NOT EXISTS tests (
    id    INTEGER PRIMARY KEY,
    suite TEXT NOT NULL,
    name  TEXT NOT NULL,
    UNIQUE (suite, name)
) STRICT;

-- Every attempt of every test; in the order in which runs come, so that a run is written in one place.
CREATE TABLE IF NOT EXISTS results (
    run     INTEGER NOT NULL REFERENCES runs,
    test    INTEGER NOT NULL REFERENCES tests,
    attempt INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('passed', 'failed', 'error', 'skipped', 'unfinished')),
    seconds REAL NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run, test, attempt)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS failures ON results (run, test) WHERE outcome IN ('failed', 'error');
