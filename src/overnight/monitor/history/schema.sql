-- What was, for charts and comparisons. Its own file: watching never competes with working, and no
-- rollback of the queue undoes it. Instants are POSIX seconds; each row says of how many seconds (span)
-- it tells. The columns of the samples come from core/gauges.py and are added when they are missing.

CREATE TABLE IF NOT EXISTS samples (
    span INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    -- Looks that are in it.
    n    INTEGER NOT NULL,
    PRIMARY KEY (span, at)
) STRICT, WITHOUT ROWID;

-- Attempts that have ended, by core/tallies.Key.
CREATE TABLE IF NOT EXISTS tallies (
    span        INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    queue       TEXT NOT NULL,
    workflow    TEXT NOT NULL,
    step        TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    error_class TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    n           INTEGER NOT NULL,
    seconds     REAL NOT NULL,
    longest     REAL NOT NULL,
    PRIMARY KEY (span, at, queue, workflow, step, outcome, error_class, fingerprint)
) STRICT, WITHOUT ROWID;

-- The same since the history began, without an end: what counters are made of.
CREATE TABLE IF NOT EXISTS totals (
    queue    TEXT NOT NULL,
    workflow TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    n        INTEGER NOT NULL,
    seconds  REAL NOT NULL,
    -- How many in each class of durations (core/tallies.BUCKETS): a JSON list.
    buckets  TEXT NOT NULL,
    PRIMARY KEY (queue, workflow, outcome)
) STRICT, WITHOUT ROWID;

-- Things to remember: the last event that is in the tallies ("journal_seq"), and that others were told of.
CREATE TABLE IF NOT EXISTS facts (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where each alert stands, and what is on its way to each target: records of core/alerts.py and
-- core/alert_messages.py as JSON. Written in one transaction with the messages that come of it and with the last
-- event that was looked at ("alerts_seq"), before anything is sent.
CREATE TABLE IF NOT EXISTS alerts (
    name   TEXT PRIMARY KEY,
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS outgoing (
    target TEXT PRIMARY KEY,
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages. `task`: the task that delivers it; none until it is in the queue.
CREATE TABLE IF NOT EXISTS messages (
    key     TEXT PRIMARY KEY,
    at      REAL NOT NULL,
    target  TEXT NOT NULL,
    content TEXT NOT NULL,
    task    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS messages_at ON messages (at);

-- A person wants to hear nothing of an alert until then.
CREATE TABLE IF NOT EXISTS silences (
    alert  TEXT PRIMARY KEY,
    until  REAL NOT NULL,
    reason TEXT NOT NULL,
    by     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
