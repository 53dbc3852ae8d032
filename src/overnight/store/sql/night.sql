-- Statements about a stretch of time, for reports; see reviewing.py. Each goes once through a table or an
-- index: an index by time would cost every task a row, and a report is asked for once a night.

-- name: night_finished
-- Tasks that somebody added, by what they are now; and those of them of which an attempt failed or was lost.
-- Without an index: there is one of tasks that are no steps, and to look up each of its rows takes three times as long.
SELECT state, count(*), sum(attempt > 1 AND EXISTS (SELECT 1 FROM attempts AS a
           WHERE a.task_id = tasks.id AND (a.outcome = 'failed' OR a.outcome = 'lost'))) FROM tasks NOT INDEXED
 WHERE finished_at >= ?1 AND finished_at < ?2 AND parent_id IS NULL
   AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*') GROUP BY state;

-- name: night_failed
-- What failed or is held, by cause: the newest one (max) brings its own words along.
SELECT fingerprint, state, reason, error_class, error, max(id), lane_id, count(*) FROM tasks
 WHERE state = 'failed' AND parent_id IS NULL AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')
 GROUP BY fingerprint, CASE fingerprint WHEN '' THEN reason END;

-- name: night_held
SELECT fingerprint, state, reason, error_class, error, max(id), lane_id, count(*) FROM tasks
 WHERE state = 'held' AND parent_id IS NULL AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')
 GROUP BY fingerprint, reason;

-- name: night_failed_when
-- When they ended, by cause: in which span of the window, -1 before it.
SELECT fingerprint, reason, CASE WHEN finished_at < ?1 THEN -1 ELSE CAST((finished_at - ?1) / ?2 AS INTEGER) END,
       count(*), min(finished_at), max(finished_at)
  FROM tasks WHERE state = 'failed' AND parent_id IS NULL AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')
 GROUP BY fingerprint, CASE fingerprint WHEN '' THEN reason END, 3;

-- name: night_held_when
-- What is held has no end; its last attempt has one, and without an attempt it counts from when it was added.
SELECT t.fingerprint, t.reason, CASE WHEN coalesce(a.finished_at, t.added_at) < ?1 THEN -1
       ELSE CAST((coalesce(a.finished_at, t.added_at) - ?1) / ?2 AS INTEGER) END,
       count(*), min(coalesce(a.finished_at, t.added_at)), max(coalesce(a.finished_at, t.added_at))
  FROM tasks AS t LEFT JOIN attempts AS a ON a.task_id = t.id AND a.number = t.attempt
 WHERE t.state = 'held' AND t.parent_id IS NULL AND t.lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')
 GROUP BY t.fingerprint, t.reason, 3;

-- name: night_own
-- The runner's own tasks. Their attempts are nobody's night, and do not say themselves whose they are.
SELECT id FROM tasks NOT INDEXED WHERE lane_id IN (SELECT id FROM lanes WHERE queue GLOB '_*');

-- name: night_stretches
-- By the span first: that is nearly the order in which they lie there.
SELECT slot, CAST((finished_at - ?1) / ?2 AS INTEGER), outcome, count(*), total(seconds) FROM attempts
 WHERE finished_at >= ?1 AND finished_at < ?3 AND started_at IS NOT NULL
   AND task_id NOT IN carray(?4) GROUP BY 2, 1, 3;

-- name: night_longest
SELECT task_id, number, slot, outcome, reason, started_at, finished_at, seconds FROM attempts
 WHERE finished_at >= ?1 AND finished_at < ?2 AND started_at IS NOT NULL
   AND task_id NOT IN carray(?4) ORDER BY seconds DESC LIMIT ?3;

-- name: running_accounted_for
-- Tasks and steps that run and have an attempt or steps on record; and those that the counters know of.
SELECT (SELECT count(*) FROM tasks WHERE state = 'running' AND id IN (SELECT task_id FROM running
            UNION ALL SELECT task_id FROM expansions INDEXED BY expansions_open WHERE open > 0)),
       (SELECT coalesce(sum(n), 0) FROM counters WHERE state = 'running');
