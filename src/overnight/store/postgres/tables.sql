-- What PostgreSQL has beside the tables of every store.

-- Rises with every write; who wants to know whether others have written compares it with its own.
ALTER TABLE meta ADD COLUMN changes bigint NOT NULL DEFAULT 0, ADD COLUMN schema_version bigint NOT NULL DEFAULT 0;

-- A row changes some three times in its life, and a change of state is in an index: room for it on the same page, and
-- a vacuum that comes before a fifth of a large table is dead. The small tables are written in every turn.
ALTER TABLE tasks SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE meta SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE counters SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE running SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Lines are written once and read once: compressing them costs more than it saves.
ALTER TABLE outbox ALTER COLUMN lines SET STORAGE EXTERNAL;
ALTER TABLE batch_lines ALTER COLUMN lines SET STORAGE EXTERNAL;

-- Which of several engines may run. Its time is the server's; nobody compares clocks.
CREATE TABLE lease (
    one       bigint PRIMARY KEY CHECK (one = 1),
    -- Rises whenever another one takes it.
    token     bigint NOT NULL DEFAULT 0,
    holder    text NOT NULL DEFAULT '',
    -- The home of its engine: whoever holds that has seen the engine before it dead.
    home      text NOT NULL DEFAULT '',
    until     timestamptz NOT NULL DEFAULT '-infinity',
    -- When somebody who stands by has last asked for it.
    wanted_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO lease (one) VALUES (1);
