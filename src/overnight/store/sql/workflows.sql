-- The fixed statements about workflows, and about tasks that wait for others.

-- == definitions ==

-- name: add_definition
INSERT INTO definitions (digest, name, definition) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING;

-- name: definition_id
SELECT id FROM definitions WHERE digest = ?;

-- name: definition
SELECT definition, digest FROM definitions WHERE id = ?;

-- name: set_workflow
INSERT INTO workflows (name, definition_id, source, defined_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET definition_id = ?2, source = ?3, defined_at = ?4;

-- name: workflows_of
SELECT name, definition_id FROM workflows WHERE source = ?;

-- name: workflow_definition
SELECT definition_id FROM workflows WHERE name = ?;

-- name: drop_workflow
DELETE FROM workflows WHERE name = ?;

-- name: workflow_names
SELECT name FROM workflows;

-- name: workflows
SELECT w.name, w.source, w.defined_at, d.digest, d.definition
  FROM workflows AS w JOIN definitions AS d ON d.id = w.definition_id ORDER BY w.name;

-- name: step_seconds
-- How long the steps of the newest tasks of a workflow took: all attempts of one that is completed, together.
SELECT step, count(*), avg(seconds) FROM
       (SELECT t.step AS step, sum(a.seconds) AS seconds
          FROM (SELECT e.first_id, e.steps FROM expansions AS e JOIN definitions AS d ON d.id = e.definition_id
                 WHERE d.name = ?1 ORDER BY e.task_id DESC LIMIT ?2) AS f
          JOIN tasks AS t ON t.id BETWEEN f.first_id AND f.first_id + f.steps - 1
          JOIN attempts AS a ON a.task_id = t.id AND a.generation = t.generation
         WHERE t.state = 'completed' GROUP BY t.id) AS took
 GROUP BY step;

-- == beginning a task of a workflow ==

-- name: add_step
INSERT INTO tasks (id, state, lane_id, action_id, priority, order_key, added_at, identity, input, title, parent_id,
                   step, blockers)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?);

-- name: add_done_step
-- What has been done by an earlier definition and is the same in this one is not done again.
INSERT INTO tasks (id, state, lane_id, action_id, priority, order_key, added_at, identity, input, title, parent_id,
                   step, finished_at, result, skipped, error)
SELECT ?1, 'completed', ?2, ?3, t.priority, t.order_key, ?4, 0, t.input, ?5, t.parent_id, t.step, ?4, t.result,
       t.skipped, t.error
  FROM tasks AS t WHERE t.id = ?6;

-- name: expansions_of
SELECT task_id, definition_id FROM expansions WHERE task_id IN carray(?);

-- name: set_expansion
INSERT INTO expansions (task_id, definition_id, generation, first_id, steps, open, moving, begun_at, expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (task_id) DO UPDATE SET definition_id = ?2, generation = ?3, first_id = ?4, steps = ?5, open = ?6,
    moving = ?7, failed = 0, warned = 0, cancelled = 0, begun_at = ?8, expires_at = ?9, expired = 0;

-- name: begin_again
UPDATE expansions SET generation = ?2, begun_at = ?3, expires_at = ?4, expired = 0 WHERE task_id = ?1;

-- name: actions_left
SELECT count(*) FROM actions WHERE id IN carray(?);

-- == what follows from what has ended ==

-- name: steps_named
SELECT id, parent_id, step FROM tasks WHERE id IN carray(?) AND parent_id IS NOT NULL;

-- name: families
SELECT e.task_id, e.definition_id, e.first_id, e.steps, e.open, e.moving, e.failed, e.warned, e.cancelled, e.expired,
       e.begun_at, t.input, t.lane_id, t.state, t.attempt, t.generation
  FROM expansions AS e JOIN tasks AS t ON t.id = e.task_id WHERE e.task_id IN carray(?);

-- name: count_family
UPDATE expansions SET open = ?2, moving = ?3, failed = ?4, warned = ?5, cancelled = ?6 WHERE task_id = ?1;

-- name: children
SELECT id, state, blockers, not_before, reason, lane_id, generation, step FROM tasks
 WHERE parent_id = ?1 AND id BETWEEN ?2 AND ?3 ORDER BY id;

-- name: any_edges
SELECT EXISTS (SELECT 1 FROM edges);

-- name: waiting_for
-- Ordered, so that what follows is the same every time.
SELECT task_id, after_id FROM edges WHERE after_id IN carray(?) ORDER BY task_id, after_id;

-- name: blocked
SELECT id, blockers, state, lane_id, parent_id, later, step FROM tasks WHERE id IN carray(?) AND blockers > 0;

-- name: unblock
UPDATE tasks SET blockers = ?2 WHERE id = ?1;

-- name: fail_blocked
UPDATE tasks SET state = 'failed', reason = 'dependency', finished_at = ?2, error = ?3
 WHERE id = ?1 AND state = 'waiting' AND blockers > 0
RETURNING id, lane_id, parent_id, step;

-- name: results_of
SELECT id, state, skipped, result FROM tasks WHERE id IN carray(?);

-- name: free
UPDATE tasks SET state = 'pending', later = NULL, blockers = 0 WHERE id IN carray(?);

-- name: free_later
UPDATE tasks SET not_before = later, later = NULL, blockers = 0 WHERE id IN carray(?);

-- name: free_with
UPDATE tasks SET state = 'pending', given = ?2, blockers = 0 WHERE id = ?1;

-- name: pass_by
-- A step that is skipped, or a join, which has no work of its own.
UPDATE tasks SET state = 'completed', finished_at = ?2, skipped = ?3, error = ?4, blockers = 0 WHERE id = ?1;

-- name: fail_ready
-- What it asks of the steps before it is not there, and no retry will bring it.
UPDATE tasks SET state = 'failed', reason = 'error', error_class = 'permanent', finished_at = ?2, error = ?3, blockers = 0
 WHERE id = ?1;

-- name: failed_steps
SELECT id, step, reason, error_class, error, fingerprint FROM tasks
 WHERE parent_id = ?1 AND id BETWEEN ?2 AND ?3 AND state = 'failed' AND reason <> 'dependency'
 ORDER BY finished_at, id;

-- name: held_step
SELECT step, reason FROM tasks WHERE parent_id = ?1 AND id BETWEEN ?2 AND ?3 AND state = 'held' ORDER BY id LIMIT 1;

-- name: close_task
UPDATE tasks SET state = ?2, finished_at = ?3, reason = ?4, error_class = ?5, error = ?6, fingerprint = ?7 WHERE id = ?1;

-- name: stop_clock
UPDATE expansions SET expires_at = NULL WHERE task_id = ?;

-- name: next_expiry
SELECT min(expires_at) FROM expansions INDEXED BY expansions_expiring WHERE expires_at IS NOT NULL;

-- name: expire
UPDATE expansions SET expires_at = NULL, expired = 1
 WHERE task_id IN (SELECT task_id FROM expansions INDEXED BY expansions_expiring
                    WHERE expires_at IS NOT NULL AND expires_at <= ?1 LIMIT ?2)
RETURNING task_id;

-- == people ==

-- name: has_expansion
SELECT task_id FROM expansions WHERE task_id IN carray(?);

-- name: step_waits
-- Released, or sent back since something before it runs once more. It is free when its task is claimed and nothing blocks it.
UPDATE tasks SET state = 'waiting', reason = NULL, deaths = 0, blockers = ?2, not_before = NULL, given = x''
 WHERE id = ?1;

-- name: revive_step
UPDATE tasks
   SET state = 'waiting', generation = generation + 1, failures = 0, deaths = 0, finished_at = NULL, reason = NULL,
       error_class = NULL, error = '', fingerprint = '', result = x'', skipped = 0, given = x'', blockers = ?2
 WHERE id = ?1;

-- name: to_be_claimed
-- A task whose steps may go on, once it is claimed.
UPDATE tasks SET state = 'pending', reason = NULL, error = '' WHERE id = ?;

-- name: unmet
-- For each task the number of those that it waits for and that are not completed.
SELECT e.task_id, sum(t.state IS NOT 'completed') FROM edges AS e LEFT JOIN tasks AS t ON t.id = e.after_id
 WHERE e.task_id IN carray(?) GROUP BY e.task_id;

-- name: block
UPDATE tasks SET state = 'waiting', blockers = ?2 WHERE id = ?1;

-- name: fallen_with
-- Tasks that failed only because of one of these.
SELECT DISTINCT t.id, t.lane_id, t.generation FROM edges AS e JOIN tasks AS t ON t.id = e.task_id
 WHERE e.after_id IN carray(?) AND t.state = 'failed' AND t.reason = 'dependency' ORDER BY t.id;

-- name: steps_of
SELECT id, lane_id, state FROM tasks WHERE parent_id IN carray(?) AND parent_id IS NOT NULL;

-- name: gone_before
-- What has failed or was cancelled, and these wait for it.
SELECT DISTINCT a.id, a.state FROM edges AS e JOIN tasks AS a ON a.id = e.after_id
 WHERE e.task_id IN carray(?) AND a.state IN ('failed', 'cancelled') ORDER BY a.id;

-- name: forget_expansions
DELETE FROM expansions WHERE task_id IN carray(?);

-- name: forget_edges
DELETE FROM edges WHERE task_id IN carray(?);

-- name: forget_edges_after
DELETE FROM edges WHERE after_id IN carray(?);

-- name: family
SELECT e.task_id, d.digest, d.definition, e.first_id, e.open, e.moving, e.failed, e.warned, e.cancelled, e.begun_at
  FROM expansions AS e JOIN definitions AS d ON d.id = e.definition_id WHERE e.task_id = ?;

-- name: edges_of
SELECT task_id, after_id FROM edges WHERE task_id IN carray(?) ORDER BY task_id, after_id;

-- name: states_for
-- As people see them, and for a batch that is not published what it has added itself.
SELECT id, state FROM tasks
 WHERE id IN carray(?1) AND lane_id NOT IN (SELECT id FROM lanes WHERE batch_id <> 0 AND batch_id <> ?2 AND batch_id IN
                                               (SELECT id FROM batches WHERE published_at IS NULL));

-- name: drop_batch_edges
DELETE FROM edges WHERE task_id BETWEEN (SELECT first_id FROM batches WHERE id = ?1)
                                    AND (SELECT last_id FROM batches WHERE id = ?1)
   AND task_id NOT IN (SELECT id FROM tasks);

-- name: add_edge
INSERT INTO edges (task_id, after_id) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- == the books ==

-- name: recount_families
SELECT 'open and moving steps of task ' || f.task_id, f.open || ' and ' || f.moving, f.found_open || ' and ' || f.found
  FROM (SELECT e.task_id, e.open, e.moving, e.steps, count(c.id) AS steps_found,
               coalesce(sum(c.state NOT IN ('completed', 'failed', 'cancelled')), 0) AS found_open,
               coalesce(sum(c.state IN ('pending', 'running') OR (c.state = 'waiting' AND c.blockers = 0)), 0) AS found
          FROM expansions AS e
          LEFT JOIN tasks AS c ON c.parent_id = e.task_id AND c.id BETWEEN e.first_id AND e.first_id + e.steps - 1
         GROUP BY e.task_id) AS f
 WHERE f.steps_found <> f.steps OR f.found_open <> f.open OR f.found <> f.moving;

-- name: recount_parents
-- A task whose steps can move is running, or waits to be claimed; one that is finished has no open steps.
SELECT 'state of task ' || e.task_id || ' with ' || e.open || ' open steps, ' || e.moving || ' moving',
       CASE WHEN e.open = 0 THEN 'finished' WHEN e.moving = 0 THEN 'held' ELSE 'running or pending' END,
       coalesce(t.state, 'no such task')
  FROM expansions AS e LEFT JOIN tasks AS t ON t.id = e.task_id
 WHERE CASE t.state
           WHEN 'running' THEN e.moving = 0
           WHEN 'held' THEN 0
           WHEN 'pending' THEN 0
           WHEN 'waiting' THEN 0
           ELSE t.state IS NULL OR e.open > 0 END;

-- name: recount_steps
SELECT 'task of step ' || c.id || ' (' || c.state || ')', CASE WHEN t.id IS NULL THEN 'a task' ELSE 'running' END,
       coalesce(t.state, 'no such task')
  FROM tasks AS c LEFT JOIN tasks AS t ON t.id = c.parent_id
 WHERE c.parent_id IS NOT NULL AND (t.id IS NULL OR (c.state IN ('pending', 'running') AND t.state <> 'running'));

-- name: recount_blockers
SELECT 'what task ' || t.id || ' waits for', CAST(t.blockers AS TEXT), CAST(coalesce(u.n, 0) AS TEXT)
  FROM tasks AS t
  LEFT JOIN (SELECT e.task_id, sum(a.state IS NOT 'completed') AS n
               FROM edges AS e LEFT JOIN tasks AS a ON a.id = e.after_id GROUP BY e.task_id) AS u ON u.task_id = t.id
 WHERE t.parent_id IS NULL AND t.state = 'waiting' AND t.blockers <> coalesce(u.n, 0);

-- name: recount_edges
SELECT 'task ' || e.task_id || ', which waits for task ' || e.after_id, 'two tasks',
       CASE WHEN t.id IS NULL THEN 'no task ' || e.task_id ELSE 'no task ' || e.after_id END
  FROM edges AS e LEFT JOIN tasks AS t ON t.id = e.task_id LEFT JOIN tasks AS a ON a.id = e.after_id
 WHERE t.id IS NULL OR a.id IS NULL;
