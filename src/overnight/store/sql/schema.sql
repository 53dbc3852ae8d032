-- The store of one home. SQLite runs it as it stands; store/postgres/dialect.py translates it.
--
-- The states, reasons and outcomes repeat core/states.py; a test compares them. Instants are POSIX
-- seconds. Inputs are bytes. Ids are handed out by meta.last_task_id and never used again.

CREATE TABLE meta (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    -- The number of the engine that may write; rises whenever one takes over.
    fence        INTEGER NOT NULL DEFAULT 0 CHECK (fence >= 0),
    -- The number of the last event that is in the journal for good.
    journal_seq  INTEGER NOT NULL DEFAULT 0 CHECK (journal_seq >= 0),
    last_task_id INTEGER NOT NULL DEFAULT 0 CHECK (last_task_id >= 0)
) STRICT;
INSERT INTO meta (one) VALUES (1);

-- What to do with an input. Shared by all tasks that do the same, so that a task row stays small.
CREATE TABLE actions (
    id         INTEGER PRIMARY KEY,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 16),
    identity   BLOB NOT NULL CHECK (length(identity) = 16),
    -- core.task.Action as msgpack.
    definition BLOB NOT NULL
) STRICT;

-- A large add goes in several transactions; what it adds stays hidden until published_at is set.
CREATE TABLE batches (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    owner        TEXT NOT NULL,
    opened_at    REAL NOT NULL,
    published_at REAL,
    -- 1: being removed, in pieces; it can no longer be published.
    abandoned    INTEGER NOT NULL DEFAULT 0 CHECK (abandoned IN (0, 1)),
    first_id     INTEGER,
    last_id      INTEGER
) STRICT;
CREATE INDEX batches_open ON batches (id) WHERE published_at IS NULL;

-- Queue, workflow and needs together: the unit that a claim looks at. A batch has lanes of its own,
-- so that publishing it is one row however many tasks it has. Workflow tasks, which are begun and not run, and
-- their steps have lanes of their own: steps can go on while no further task is begun. No foreign key from tasks: it would
-- want an index over all tasks to let a lane go.
CREATE TABLE lanes (
    id       INTEGER PRIMARY KEY,
    queue    TEXT NOT NULL,
    workflow TEXT NOT NULL,
    -- JSON object: resource -> amount, keys in order.
    needs    TEXT NOT NULL,
    -- 0: no batch.
    batch_id INTEGER NOT NULL DEFAULT 0,
    role     TEXT NOT NULL DEFAULT 'plain' CHECK (role IN ('plain', 'workflow', 'step')),
    UNIQUE (queue, workflow, needs, batch_id, role)
) STRICT;
CREATE INDEX lanes_batch ON lanes (batch_id) WHERE batch_id <> 0;

CREATE TABLE tasks (
    id          INTEGER PRIMARY KEY,
    state       TEXT NOT NULL CHECK (state IN
                    ('waiting', 'pending', 'running', 'completed', 'failed', 'cancelled', 'held')),
    lane_id     INTEGER NOT NULL,
    action_id   INTEGER NOT NULL REFERENCES actions (id),
    priority    INTEGER NOT NULL CHECK (priority BETWEEN -1000000 AND 1000000),
    -- Its own id; a child has its parent's, so that started work finishes before new work starts.
    order_key   INTEGER NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    failures    INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    deaths      INTEGER NOT NULL DEFAULT 0 CHECK (deaths >= 0),
    generation  INTEGER NOT NULL DEFAULT 1 CHECK (generation >= 1),
    added_at    REAL NOT NULL,
    not_before  REAL,
    finished_at REAL,
    reason      TEXT CHECK (reason IN ('error', 'timeout', 'stalled', 'crashed', 'memory', 'output', 'gate',
                    'dependency', 'poison', 'interrupted', 'by_hand')),
    error_class TEXT CHECK (error_class IN ('transient', 'permanent', 'resource', 'rate_limited', 'unknown')),
    error       TEXT NOT NULL DEFAULT '',
    fingerprint TEXT NOT NULL DEFAULT '',
    result      BLOB NOT NULL DEFAULT x'',
    identity    INTEGER NOT NULL,
    input       BLOB NOT NULL,
    title       TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    stamp       TEXT NOT NULL DEFAULT '',
    parent_id   INTEGER,
    step        TEXT NOT NULL DEFAULT '',
    -- How many others it still waits for.
    blockers    INTEGER NOT NULL DEFAULT 0 CHECK (blockers >= 0),
    -- not_before of one that waits for others, too; it counts when those are done.
    later       REAL,
    -- 1: a step that is completed without having run, and error says why.
    skipped     INTEGER NOT NULL DEFAULT 0 CHECK (skipped = 0 OR skipped = 1),
    -- Outputs of other steps that a step uses: JSON object by step.
    given       BLOB NOT NULL DEFAULT x'',
    -- One CASE for each table-wide rule, and no IN: SQLite builds a table for a list of more than two
    -- each time a statement runs, which was the half of what a task cost on the hot path.
    CONSTRAINT final_means_finished CHECK (CASE state
        WHEN 'completed' THEN finished_at IS NOT NULL
        WHEN 'failed' THEN finished_at IS NOT NULL
        WHEN 'cancelled' THEN finished_at IS NOT NULL
        ELSE finished_at IS NULL END),
    CONSTRAINT running_means_attempted CHECK (state <> 'running' OR attempt >= 1),
    CONSTRAINT only_waiting_waits CHECK (not_before IS NULL OR state = 'waiting'),
    -- What is to be tried again keeps the reason of its last attempt, for people to see.
    CONSTRAINT the_reason_fits CHECK (CASE
        WHEN reason IS NULL THEN state <> 'held' AND state <> 'failed'
        WHEN reason = 'poison' OR reason = 'interrupted' OR reason = 'by_hand' THEN state = 'held'
        ELSE state <> 'held' AND state <> 'completed' AND state <> 'cancelled' END)
) STRICT;

-- The claim. Flat however many tasks wait, finished or are in lanes that may not run now.
CREATE INDEX tasks_claim ON tasks (lane_id, priority DESC, order_key) WHERE state = 'pending';
CREATE INDEX tasks_due ON tasks (not_before) WHERE state = 'waiting' AND not_before IS NOT NULL;
-- For listings and for people's selections. Pending and completed tasks are not in it: they are
-- the many, and an index over them would cost each task another row.
CREATE INDEX tasks_rare ON tasks (state)
    WHERE state = 'failed' OR state = 'held' OR state = 'cancelled' OR state = 'waiting';
CREATE INDEX tasks_fingerprint ON tasks (fingerprint) WHERE fingerprint <> '';
CREATE INDEX tasks_identity ON tasks (identity) WHERE parent_id IS NULL;
CREATE INDEX tasks_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;

-- Tasks that a person has queued once more or released. Few, so no column of the many.
CREATE TABLE touched (
    task_id INTEGER PRIMARY KEY
) STRICT;

-- Which task waits for which other one, by hand. (Steps wait for each other by their definition.)
CREATE TABLE edges (
    task_id  INTEGER NOT NULL,
    after_id INTEGER NOT NULL,
    PRIMARY KEY (task_id, after_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_after ON edges (after_id, task_id);

-- Definitions of workflows as core.workflow.model packs them; kept as long as a task may have been begun by one.
CREATE TABLE definitions (
    id         INTEGER PRIMARY KEY,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 16),
    name       TEXT NOT NULL,
    definition BLOB NOT NULL
) STRICT;

-- By which definition a task of a workflow is begun from now on, and who has laid that down.
CREATE TABLE workflows (
    name          TEXT PRIMARY KEY,
    definition_id INTEGER NOT NULL,
    source        TEXT NOT NULL,
    defined_at    REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Workflow tasks that have been begun: their steps are the tasks first_id, first_id + 1 ... in the order of
-- the definition's nodes. Counted are steps that are not finished, those of them that can move by themselves, and
-- those that failed, failed without harm or were cancelled by themselves.
CREATE TABLE expansions (
    task_id       INTEGER PRIMARY KEY,
    definition_id INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    first_id      INTEGER NOT NULL,
    steps         INTEGER NOT NULL CHECK (steps >= 1),
    open          INTEGER NOT NULL CHECK (open >= 0),
    moving        INTEGER NOT NULL CHECK (moving >= 0),
    failed        INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    warned        INTEGER NOT NULL DEFAULT 0 CHECK (warned >= 0),
    cancelled     INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    begun_at      REAL NOT NULL,
    -- When its time is over; NULL: never, or it is over and its steps are being ended.
    expires_at    REAL,
    expired       INTEGER NOT NULL DEFAULT 0 CHECK (expired = 0 OR expired = 1),
    CONSTRAINT what_moves_is_open CHECK (moving <= open)
) STRICT;
CREATE INDEX expansions_expiring ON expansions (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX expansions_open ON expansions (task_id) WHERE open > 0;

-- One row for each attempt that is on record and not settled: what recovery looks at. No foreign
-- keys here and below: a lookup for each row on the hot path; `recount` compares instead.
CREATE TABLE running (
    task_id    INTEGER PRIMARY KEY,
    attempt    INTEGER NOT NULL CHECK (attempt >= 1),
    -- 0: taken by a program outside the engine; see popped.
    fence      INTEGER NOT NULL,
    claimed_at REAL NOT NULL,
    lane_id    INTEGER NOT NULL,
    is_step    INTEGER NOT NULL CHECK (is_step IN (0, 1)),
    generation INTEGER NOT NULL,
    -- 1: nothing before this attempt has left a trace in the task's row, so a success clears nothing away.
    is_clean   INTEGER NOT NULL CHECK (is_clean IN (0, 1))
) STRICT;

-- Running tasks that a program outside the engine has taken: whose they are ("pid:start:boot"). A
-- table of its own, so that the attempts of engines, which are nearly all, pay nothing for it.
CREATE TABLE popped (
    task_id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    owner   TEXT NOT NULL
) STRICT;

-- Attempts that have ended; written once, when they are settled. When a task began is read from here.
CREATE TABLE attempts (
    task_id           INTEGER NOT NULL,
    number            INTEGER NOT NULL CHECK (number >= 1),
    generation        INTEGER NOT NULL,
    outcome           TEXT NOT NULL CHECK (outcome IN
                          ('completed', 'failed', 'cancelled', 'interrupted', 'lost', 'recalled', 'postponed')),
    -- Whether the task was finished by it. At most one in each generation.
    final             INTEGER NOT NULL CHECK (final IN (0, 1)),
    started_at        REAL,
    finished_at       REAL NOT NULL,
    seconds           REAL NOT NULL,
    reason            TEXT,
    error_class       TEXT,
    error             TEXT NOT NULL,
    detail            TEXT NOT NULL,
    exit_code         INTEGER,
    signal            INTEGER,
    cpu_seconds       REAL,
    peak_memory_bytes INTEGER,
    output_segment    TEXT,
    output_offset     INTEGER,
    output_length     INTEGER,
    output_printed    INTEGER,
    slot              INTEGER,
    -- The machine on which it ran; NULL: that of the engine.
    node              TEXT,
    PRIMARY KEY (task_id, number),
    CONSTRAINT the_recalled_never_began CHECK (outcome <> 'recalled' OR started_at IS NULL)
) STRICT, WITHOUT ROWID;

-- How many tasks are in each state, by lane; state 'removed' counts what was cleaned away.
CREATE TABLE counters (
    lane_id INTEGER NOT NULL,
    is_step INTEGER NOT NULL,
    state   TEXT NOT NULL,
    n       INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (lane_id, is_step, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE queues (
    name         TEXT PRIMARY KEY,
    slots        INTEGER CHECK (slots >= 0),
    rate         REAL CHECK (rate > 0),
    paused       INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    paused_until REAL
) STRICT, WITHOUT ROWID;

-- Workflows, and actions of plain tasks, of which so many tasks in a row have failed alike that the others wait.
CREATE TABLE storms (
    -- Empty for plain tasks.
    workflow    TEXT NOT NULL,
    -- 0 for a workflow.
    action_id   INTEGER NOT NULL,
    step        TEXT NOT NULL,
    queue       TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    error_class TEXT,
    error       TEXT NOT NULL,
    failures    INTEGER NOT NULL CHECK (failures >= 1),
    first_at    REAL NOT NULL,
    began_at    REAL NOT NULL,
    probes      INTEGER NOT NULL CHECK (probes >= 0),
    probe_at    REAL NOT NULL,
    PRIMARY KEY (workflow, action_id)
) STRICT, WITHOUT ROWID;

-- What is laid down to run by the clock. `definition`: core.schedule_events.packed. `next_at` is the first instant that
-- is not decided, NULL when there is none; it moves in the transaction that adds the task. `planned_at`: when it was found.
CREATE TABLE schedules (
    name       TEXT PRIMARY KEY,
    source     TEXT NOT NULL,
    definition BLOB NOT NULL,
    began_at   REAL NOT NULL,
    next_at    REAL,
    planned_at REAL NOT NULL,
    last_at    REAL,
    last_id    INTEGER,
    missed     INTEGER NOT NULL DEFAULT 0 CHECK (missed >= 0)
) STRICT, WITHOUT ROWID;
-- Which tasks were added by which schedule; those that are done go with the next one.
CREATE TABLE schedule_runs (
    task_id INTEGER PRIMARY KEY,
    name    TEXT NOT NULL
) STRICT;

CREATE TABLE controls (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    verb     TEXT NOT NULL,
    task_id  INTEGER,
    argument TEXT NOT NULL,
    by       TEXT NOT NULL,
    at       REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX controls_once ON controls (task_id, verb, argument) WHERE task_id IS NOT NULL;

-- Events on their way to the journal: all of one transaction in one row, as JSON lines. The lines of
-- a batch lie in batch_lines until it is published, so that no event speaks of what did not happen.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    count         INTEGER NOT NULL,
    lines         BLOB NOT NULL,
    batch_line_id INTEGER
) STRICT;
CREATE TABLE batch_lines (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    lines    BLOB NOT NULL
) STRICT;
CREATE INDEX batch_lines_batch ON batch_lines (batch_id);
