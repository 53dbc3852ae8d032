-- Statements that PostgreSQL wants in other words altogether; where a word or two differ, see dialect.py.

-- name: touch
INSERT INTO touched SELECT unnest(?::bigint[]) ON CONFLICT DO NOTHING;

-- name: add_schedule_run
INSERT INTO schedule_runs (task_id, name) VALUES (?, ?) ON CONFLICT (task_id) DO UPDATE SET name = excluded.name;

-- name: night_failed
-- The newest one brings its own words along: SQLite takes the other columns from the row of max(id) by itself.
SELECT fingerprint, min(state), (array_agg(reason ORDER BY id DESC))[1], (array_agg(error_class ORDER BY id DESC))[1],
       (array_agg(error ORDER BY id DESC))[1], max(id), (array_agg(lane_id ORDER BY id DESC))[1], count(*)
  FROM tasks
 WHERE state = 'failed' AND parent_id IS NULL AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')
 GROUP BY fingerprint, CASE fingerprint WHEN '' THEN reason END;

-- name: night_held
SELECT fingerprint, min(state), (array_agg(reason ORDER BY id DESC))[1], (array_agg(error_class ORDER BY id DESC))[1],
       (array_agg(error ORDER BY id DESC))[1], max(id), (array_agg(lane_id ORDER BY id DESC))[1], count(*)
  FROM tasks
 WHERE state = 'held' AND parent_id IS NULL AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')
 GROUP BY fingerprint, reason;

-- name: night_failed_when
SELECT fingerprint, min(reason), CASE WHEN finished_at < ?1 THEN -1 ELSE trunc((finished_at - ?1) / ?2)::bigint END,
       count(*), min(finished_at), max(finished_at)
  FROM tasks WHERE state = 'failed' AND parent_id IS NULL AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')
 GROUP BY fingerprint, CASE fingerprint WHEN '' THEN reason END, 3;
