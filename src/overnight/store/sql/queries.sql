-- Every fixed statement of the store, each under its name and, where it could look wrong, its why.

-- == producers ==

-- name: add_action
-- Nothing happens when it is known: equal digests mean equal actions.
INSERT INTO actions (digest, identity, definition) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING;

-- name: action_id
SELECT id FROM actions WHERE digest = ?;

-- name: add_lane
INSERT INTO lanes (queue, workflow, needs, batch_id, role) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: lane_id
SELECT id FROM lanes WHERE queue = ? AND workflow = ? AND needs = ? AND batch_id = ? AND role = ?;

-- name: take_task_ids
-- Returns the last of the ids taken. One counter of our own: it also counts what has been removed,
-- so an id is never given twice, and no row of sqlite_sequence is written for each task.
UPDATE meta SET last_task_id = last_task_id + ? RETURNING last_task_id;

-- name: add_task
INSERT INTO tasks (id, state, lane_id, action_id, priority, order_key, added_at, not_before, identity, input, title,
                   description, stamp, blockers, later)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: find_task
-- The identity narrows it down to a row or two; input and action are compared in full. Tasks of
-- unpublished batches do not exist yet, but for the batch that asks (?5).
SELECT ?1, t.id, t.state, t.stamp, a.digest, t.priority, l.queue, l.needs
  FROM tasks AS t
  JOIN actions AS a ON a.id = t.action_id
  JOIN lanes AS l ON l.id = t.lane_id
 WHERE t.identity = ?2 AND t.parent_id IS NULL AND t.input = ?3 AND a.identity = ?4
   AND t.lane_id NOT IN (SELECT id FROM lanes WHERE batch_id <> 0 AND batch_id <> ?5 AND batch_id IN
                            (SELECT id FROM batches WHERE published_at IS NULL))
   AND CASE WHEN ?6 IS NULL THEN l.queue NOT GLOB '_*' ELSE l.queue = ?6 END
 ORDER BY t.id DESC LIMIT 1;

-- name: restamp
UPDATE tasks SET stamp = ?2
 WHERE id = ?1 AND stamp <> ?2 AND (state = 'waiting' OR state = 'pending' OR state = 'failed') RETURNING id;

-- name: to_redefine
-- What a task is does not change (?2), only how it is done.
SELECT t.state, t.lane_id, t.action_id, t.priority
  FROM tasks AS t
  JOIN actions AS a ON a.id = t.action_id
 WHERE t.id = ?1 AND t.parent_id IS NULL AND a.identity = ?2
   AND (t.state = 'waiting' OR t.state = 'pending' OR t.state = 'failed');

-- name: to_edit
-- As above, of what a person edits. What has been begun goes on as it was begun.
SELECT t.state, t.lane_id, t.action_id, t.priority
  FROM tasks AS t
  JOIN actions AS a ON a.id = t.action_id
 WHERE t.id = ?1 AND t.parent_id IS NULL AND a.identity = ?2
   AND (t.state = 'waiting' OR t.state = 'pending' OR t.state = 'held');

-- name: to_redo
SELECT t.state, t.lane_id, t.action_id, t.priority
  FROM tasks AS t
  JOIN actions AS a ON a.id = t.action_id
 WHERE t.id = ?1 AND t.parent_id IS NULL AND a.identity = ?2
   AND (t.state = 'waiting' OR t.state = 'pending' OR t.state = 'held' OR t.state = 'failed');

-- name: to_change
-- All that decides whether a task can be edited, and what it is now.
SELECT t.id, t.state, t.action_id, t.priority, t.not_before, t.blockers, t.later, l.queue, l.workflow, l.needs, l.role,
       t.parent_id IS NOT NULL, EXISTS (SELECT 1 FROM expansions AS e WHERE e.task_id = t.id), t.lane_id, a.definition
  FROM tasks AS t
  JOIN lanes AS l ON l.id = t.lane_id
  JOIN actions AS a ON a.id = t.action_id
 WHERE t.id IN carray(?)
   AND (l.batch_id = 0 OR l.batch_id NOT IN (SELECT id FROM batches WHERE published_at IS NULL))
 ORDER BY t.id;

-- name: reschedule
UPDATE tasks SET state = ?2, not_before = ?3, later = ?4 WHERE id = ?1;

-- name: all_actions
SELECT id, definition FROM actions ORDER BY id;

-- name: of_actions
-- Tasks of these actions, after ?1; and whether they count: people's own, and no steps.
SELECT t.id, t.action_id, t.input, t.parent_id IS NULL AND substr(l.queue, 1, 1) <> '_'
  FROM tasks AS t
  JOIN lanes AS l ON l.id = t.lane_id
 WHERE t.id > ?1 AND t.action_id IN carray(?2)
 ORDER BY t.id LIMIT ?3;

-- name: relocate
-- By its identity (?3) a task is found again; a step has none.
UPDATE tasks SET action_id = ?2, identity = CASE WHEN parent_id IS NULL THEN ?3 ELSE identity END WHERE id = ?1;

-- name: redefine
UPDATE tasks SET lane_id = ?2, action_id = ?3, priority = ?4 WHERE id = ?1;

-- name: open_batch
INSERT INTO batches (owner, opened_at) VALUES (?, ?) RETURNING id;

-- name: batch_is_open
SELECT 1 FROM batches WHERE id = ? AND published_at IS NULL AND abandoned = 0;

-- name: extend_batch
-- Its ids lie between the two, so that abandoning it reads no other task's pages.
UPDATE batches SET first_id = min(coalesce(first_id, ?2), ?2), last_id = ?3 WHERE id = ?1;

-- name: publish_batch
-- The one row that makes all of its lanes, and so all of its tasks, visible.
UPDATE batches SET published_at = ?2 WHERE id = ?1 AND published_at IS NULL;

-- name: batch_size
SELECT coalesce(sum(n), 0) FROM counters WHERE lane_id IN (SELECT id FROM lanes WHERE batch_id = ? AND batch_id <> 0);

-- name: publish_lines
-- One small row for each transaction of the batch; the lines themselves stay where they are.
INSERT INTO outbox (count, lines, batch_line_id)
SELECT count, x'', id FROM batch_lines WHERE batch_id = ? ORDER BY id;

-- name: add_batch_lines
INSERT INTO batch_lines (batch_id, count, lines) VALUES (?, ?, ?);

-- name: abandon_batch
-- Who comes back after a crash finds it half removed: it must not be published like that.
UPDATE batches SET abandoned = 1 WHERE id = ? AND published_at IS NULL RETURNING id;

-- name: abandon_some
-- In pieces: nobody sees the batch, so nobody sees it half gone, and others can write in between.
DELETE FROM tasks WHERE id IN (
    SELECT t.id FROM batches AS b JOIN tasks AS t ON t.id BETWEEN b.first_id AND b.last_id
     WHERE b.id = ?1 AND t.lane_id IN (SELECT id FROM lanes WHERE batch_id = ?1 AND batch_id <> 0) LIMIT ?2)
RETURNING lane_id, state;

-- name: drop_batch_counters
DELETE FROM counters WHERE lane_id IN (SELECT id FROM lanes WHERE batch_id = ? AND batch_id <> 0);

-- name: drop_batch_lanes
DELETE FROM lanes WHERE batch_id = ? AND batch_id <> 0;

-- name: drop_batch_lines
DELETE FROM batch_lines WHERE batch_id = ?;

-- name: drop_batch
DELETE FROM batches WHERE id = ?;

-- name: open_batches
SELECT id, owner, opened_at FROM batches WHERE published_at IS NULL ORDER BY id;

-- == people ==

-- name: add_control
-- Asked twice is asked once.
INSERT INTO controls (verb, task_id, argument, by, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: control_id
SELECT id FROM controls WHERE verb = ? AND task_id IS ? AND argument = ? ORDER BY id DESC LIMIT 1;

-- name: set_queue
INSERT INTO queues (name, slots, rate, paused, paused_until) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (name) DO UPDATE SET slots = ?2, rate = ?3, paused = ?4, paused_until = ?5;

-- name: cancel
UPDATE tasks SET state = 'cancelled', finished_at = :now, not_before = NULL, reason = NULL WHERE id IN carray(:ids);

-- name: hold
UPDATE tasks SET state = 'held', reason = 'by_hand', not_before = NULL WHERE id IN carray(:ids);

-- name: touch
INSERT OR IGNORE INTO touched SELECT value FROM carray(?);

-- name: forget_touched
DELETE FROM touched WHERE task_id IN carray(?);

-- name: release
-- A person has looked at it: the deaths that made it poison are forgiven.
UPDATE tasks SET state = 'pending', deaths = 0, reason = NULL, blockers = 0 WHERE id IN carray(:ids);

-- name: hurry
-- A retry that waits for its time need not wait any longer.
UPDATE tasks SET state = 'pending', not_before = NULL WHERE id IN carray(:ids);

-- name: revive
-- A new generation begins from nothing, but for the attempt number: it is the fence, and only rises.
UPDATE tasks
   SET state = 'pending', generation = generation + 1, failures = 0, deaths = 0, finished_at = NULL, reason = NULL,
       error_class = NULL, error = '', fingerprint = '', result = x'', blockers = 0
 WHERE id IN carray(:ids);

-- name: forget_attempts
DELETE FROM attempts WHERE task_id IN carray(?);

-- name: forget_tasks
DELETE FROM tasks WHERE id IN carray(?);

-- name: empty_batch_lanes
-- Lanes of old batches whose tasks are all gone; the plain lane (?) of the same kind inherits what they count.
SELECT l.id, l.queue, l.workflow, l.needs, l.role
  FROM lanes AS l
 WHERE l.batch_id <> 0 AND l.batch_id NOT IN (SELECT id FROM batches WHERE published_at IS NULL)
   AND NOT EXISTS (SELECT 1 FROM counters AS c WHERE c.lane_id = l.id AND c.state <> 'removed' AND c.n > 0);

-- name: lane_removed
SELECT is_step, n FROM counters WHERE lane_id = ? AND state = 'removed' AND n > 0;

-- name: drop_lane_counters
DELETE FROM counters WHERE lane_id = ?;

-- name: drop_lane
DELETE FROM lanes WHERE id = ?;

-- name: drop_spent_batches
DELETE FROM batches WHERE published_at IS NOT NULL AND id NOT IN (SELECT batch_id FROM lanes WHERE batch_id <> 0);

-- == programs that do the work themselves ==

-- name: due_head_of_lane
-- What `make_due` would make pending; only a look, so nothing is moved.
SELECT id, priority, order_key FROM tasks INDEXED BY tasks_due
 WHERE state = 'waiting' AND not_before IS NOT NULL AND not_before <= ?2 AND lane_id = ?1
 ORDER BY priority DESC, order_key LIMIT 1;

-- name: due_head_of_lane_by_action
SELECT id, priority, order_key FROM tasks INDEXED BY tasks_due
 WHERE state = 'waiting' AND not_before IS NOT NULL AND not_before <= ?2 AND lane_id = ?1 AND action_id IN carray(?3)
 ORDER BY priority DESC, order_key LIMIT 1;

-- name: actions_naming
-- Few, however many tasks there are.
SELECT id, definition FROM actions WHERE instr(definition, ?) > 0;

-- name: actions_naming_among
SELECT id, definition FROM actions WHERE id IN carray(?2) AND instr(definition, ?1) > 0;

-- name: to_pop
SELECT t.id, t.attempt + 1, t.action_id, l.queue, t.input, t.failures, t.deaths, t.lane_id, t.parent_id IS NOT NULL,
       t.generation, t.state, failures = 0 AND deaths = 0 AND reason IS NULL AND error_class IS NULL AND error = ''
                         AND fingerprint = '' AND result = x''
  FROM tasks AS t JOIN lanes AS l ON l.id = t.lane_id
 WHERE t.id = ? AND t.state IN ('pending', 'waiting')
   AND t.parent_id IS NULL
   AND (l.batch_id = 0 OR l.batch_id NOT IN (SELECT id FROM batches WHERE published_at IS NULL));

-- name: pop
UPDATE tasks SET state = 'running', attempt = attempt + 1, not_before = NULL WHERE id = ?;

-- name: record_owner
INSERT INTO popped (task_id, attempt, owner) VALUES (?, ?, ?);

-- name: popped
SELECT p.task_id, p.attempt, t.action_id, l.queue, t.input, p.owner, r.claimed_at, t.failures, t.deaths
  FROM popped AS p JOIN running AS r ON r.task_id = p.task_id JOIN tasks AS t ON t.id = p.task_id
  JOIN lanes AS l ON l.id = t.lane_id
 ORDER BY p.task_id;

-- name: forget_owner
DELETE FROM popped WHERE task_id = ? AND attempt = ? RETURNING task_id;

-- == the engine ==

-- name: take_fence
UPDATE meta SET fence = fence + 1 RETURNING fence;

-- name: fence
SELECT fence FROM meta;

-- name: standing
-- What each turn asks first: whose turn it is, whether anything waits for something else by hand, and when the time
-- of the next workflow task is over.
SELECT (SELECT fence FROM meta), EXISTS (SELECT 1 FROM edges),
       (SELECT min(expires_at) FROM expansions INDEXED BY expansions_expiring WHERE expires_at IS NOT NULL);

-- name: open_attempts_of
-- What is not in the answer, or has another number there, is stale: its task has moved on.
SELECT task_id, attempt, lane_id, is_step, generation, is_clean FROM running WHERE task_id IN carray(?);

-- name: close_attempts
DELETE FROM running WHERE task_id IN carray(?);

-- name: record_attempt
INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: settle
-- Leave RUNNING. The attempt number fences out a worker that was declared lost and then came back.
UPDATE tasks
   SET state = ?3, failures = ?4, deaths = ?5, not_before = ?6, finished_at = ?7, reason = ?8, error_class = ?9,
       error = ?10, fingerprint = ?11, result = ?12
 WHERE id = ?1 AND state = 'running' AND attempt = ?2;

-- name: complete
-- Successes with nothing before them to clear away, all at once: their open attempts were compared
-- by number in this transaction. Few columns, for each one that is set costs its checks.
UPDATE tasks SET state = 'completed', finished_at = ?1 WHERE id IN carray(?2) AND state = 'running';

-- name: complete_with_result
UPDATE tasks SET state = 'completed', finished_at = ?3, result = ?4
 WHERE id = ?1 AND state = 'running' AND attempt = ?2;

-- name: next_due
SELECT not_before, lane_id FROM tasks INDEXED BY tasks_due WHERE state = 'waiting' AND not_before IS NOT NULL
 ORDER BY not_before LIMIT 1;

-- name: next_due_of_people
SELECT min(not_before) FROM tasks INDEXED BY tasks_due WHERE state = 'waiting' AND not_before IS NOT NULL
   AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*');

-- name: make_due
-- Those that have waited longest first; the rest comes with the next turn.
UPDATE tasks SET state = 'pending', not_before = NULL
 WHERE id IN (SELECT id FROM tasks INDEXED BY tasks_due
               WHERE state = 'waiting' AND not_before IS NOT NULL AND not_before <= ?1
               ORDER BY not_before LIMIT ?2)
RETURNING lane_id, parent_id IS NOT NULL;

-- name: move_waits
-- A task that waits with a reason waits after a failure, for a length of time; without one it waits for an instant.
UPDATE tasks SET not_before = not_before + ?1
 WHERE state = 'waiting' AND not_before IS NOT NULL AND reason IS NOT NULL;

-- name: head_of_lane
-- Read from the claim index in its own order, so that the cost is that of the rows taken.
SELECT id, attempt + 1, action_id, lane_id, input, failures, deaths, generation, priority, order_key,
       parent_id IS NOT NULL, failures = 0 AND deaths = 0 AND reason IS NULL AND error_class IS NULL AND error = ''
                              AND fingerprint = '' AND result = x'', parent_id, step, given
  FROM tasks INDEXED BY tasks_claim
 WHERE lane_id = ? AND state = 'pending'
 ORDER BY priority DESC, order_key LIMIT ?;

-- name: head_of_lane_by_action
-- The same of certain actions; the cost is that of the rows before it, too.
SELECT id, attempt + 1, action_id, lane_id, input, failures, deaths, generation, priority, order_key,
       parent_id IS NOT NULL, failures = 0 AND deaths = 0 AND reason IS NULL AND error_class IS NULL AND error = ''
                              AND fingerprint = '' AND result = x'', parent_id, step, given
  FROM tasks INDEXED BY tasks_claim
 WHERE lane_id = ? AND state = 'pending' AND action_id IN carray(?)
 ORDER BY priority DESC, order_key LIMIT ?;

-- name: head_of_lane_without
-- The same without certain actions, of which so many tasks have failed that the others wait.
SELECT id, attempt + 1, action_id, lane_id, input, failures, deaths, generation, priority, order_key,
       parent_id IS NOT NULL, failures = 0 AND deaths = 0 AND reason IS NULL AND error_class IS NULL AND error = ''
                              AND fingerprint = '' AND result = x'', parent_id, step, given
  FROM tasks INDEXED BY tasks_claim
 WHERE lane_id = ? AND state = 'pending' AND action_id NOT IN carray(?)
 ORDER BY priority DESC, order_key LIMIT ?;

-- name: tail_of_lane_by_action
-- The last of certain actions: the one that has least in common with those at the head.
SELECT id, attempt + 1, action_id, lane_id, input, failures, deaths, generation, priority, order_key,
       parent_id IS NOT NULL, failures = 0 AND deaths = 0 AND reason IS NULL AND error_class IS NULL AND error = ''
                              AND fingerprint = '' AND result = x'', parent_id, step, given
  FROM tasks INDEXED BY tasks_claim
 WHERE lane_id = ? AND state = 'pending' AND action_id IN carray(?)
 ORDER BY priority, order_key DESC LIMIT ?;

-- name: claim
UPDATE tasks SET state = 'running', attempt = attempt + 1 WHERE id IN carray(?) AND state = 'pending';

-- name: recalled
SELECT task_id, count(*) FROM attempts WHERE task_id IN carray(?) AND outcome = 'recalled' GROUP BY task_id;

-- name: record_start
INSERT INTO running (task_id, attempt, fence, claimed_at, lane_id, is_step, generation, is_clean)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: drop_control
DELETE FROM controls WHERE id = ?;

-- name: visible_lanes
SELECT id, queue, workflow, needs, role, 0, NULL FROM lanes
 WHERE batch_id = 0 OR batch_id NOT IN (SELECT id FROM batches WHERE published_at IS NULL);

-- name: lively_lanes
-- The lanes that can have something to claim, now or later. Lanes of batches that are done stay out.
SELECT id, queue, workflow, needs, role,
       (SELECT coalesce(sum(n), 0) FROM counters WHERE lane_id = lanes.id AND state = 'running'),
       (SELECT priority FROM tasks INDEXED BY tasks_claim WHERE lane_id = lanes.id AND state = 'pending'
         ORDER BY priority DESC, order_key LIMIT 1)
  FROM lanes
 WHERE (batch_id = 0 OR batch_id NOT IN (SELECT id FROM batches WHERE published_at IS NULL))
   AND EXISTS (SELECT 1 FROM counters AS c
                WHERE c.lane_id = lanes.id AND c.state IN ('pending', 'waiting', 'running') AND c.n > 0)
 ORDER BY id;

-- name: controls
-- What is asked about a popped task must wait: no engine has it, and its owner hears of nothing.
SELECT id, verb, task_id, argument, by, at FROM controls
 WHERE task_id IS NULL OR task_id NOT IN (SELECT task_id FROM popped) ORDER BY id;

-- name: left_open
SELECT r.task_id, r.attempt, t.action_id, r.lane_id, NULL, r.claimed_at, t.failures, t.deaths, r.generation, r.fence,
       t.step
  FROM running AS r JOIN tasks AS t ON t.id = r.task_id
 WHERE r.task_id NOT IN (SELECT task_id FROM popped) ORDER BY r.task_id;

-- name: outbox
SELECT o.id, o.count, coalesce(b.lines, o.lines)
  FROM outbox AS o LEFT JOIN batch_lines AS b ON b.id = o.batch_line_id
 WHERE o.id > ? ORDER BY o.id LIMIT ?;

-- name: drop_drained_lines
DELETE FROM batch_lines WHERE id IN (SELECT batch_line_id FROM outbox WHERE id <= ? AND batch_line_id IS NOT NULL);

-- name: drop_drained
DELETE FROM outbox WHERE id <= ?;

-- name: set_journal_seq
UPDATE meta SET journal_seq = ?;

-- name: journal_seq
SELECT journal_seq FROM meta;

-- name: add_to_outbox
INSERT INTO outbox (count, lines) VALUES (?, ?);

-- name: count_up
-- Relative, like its opposite, so that whoever writes needs to know only what it has done itself.
INSERT INTO counters (lane_id, is_step, state, n) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET n = n + ?4;

-- name: count_down
-- Apart from `count_up`: the check that n is not negative looks at an upsert's row before it is merged.
UPDATE counters SET n = n - ?4 WHERE lane_id = ?1 AND is_step = ?2 AND state = ?3;

-- == storms ==

-- name: storms
SELECT workflow, step, action_id, queue, fingerprint, error_class, error, failures, first_at, began_at, probes, probe_at
  FROM storms ORDER BY workflow, action_id;

-- name: set_storm
INSERT INTO storms (workflow, step, action_id, queue, fingerprint, error_class, error, failures, first_at, began_at,
                    probes, probe_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (workflow, action_id) DO UPDATE
   SET step = ?2, queue = ?4, fingerprint = ?5, error_class = ?6, error = ?7, failures = ?8, first_at = ?9,
       began_at = ?10, probes = ?11, probe_at = ?12;

-- name: drop_storm
DELETE FROM storms WHERE workflow = ? AND action_id = ? RETURNING 1;

-- name: hurry_storms
-- Somebody has had a look: the next probe need not wait.
UPDATE storms SET probe_at = ?1 WHERE probe_at > ?1;

-- name: move_storms
-- As `move_waits`: a probe waits for a length of time.
UPDATE storms SET began_at = began_at + ?1, probe_at = probe_at + ?1;

-- name: digest_of_action
SELECT digest FROM actions WHERE id = ?;

-- name: of_storm
-- What has failed for good in a storm and was not revived too often, and what waits for its time after failing in it.
SELECT id, state FROM tasks INDEXED BY tasks_fingerprint
 WHERE fingerprint = ?1 AND fingerprint <> ''
   AND CASE WHEN ?2 <> '' THEN lane_id IN (SELECT id FROM lanes WHERE workflow = ?2 AND role <> 'plain')
            ELSE action_id = ?3 AND parent_id IS NULL END
   AND ((state = 'failed' AND finished_at >= ?4 AND generation <= ?5 AND parent_id IS NULL)
        OR (state = 'waiting' AND not_before IS NOT NULL AND attempt > 0))
 ORDER BY id;

-- == schedules ==

-- name: schedules
SELECT name, source, definition, began_at, next_at, planned_at, last_at, last_id, missed FROM schedules ORDER BY name;

-- name: next_firing
SELECT min(next_at) FROM schedules;

-- name: open_runs
SELECT r.name, r.task_id FROM schedule_runs AS r JOIN tasks AS t ON t.id = r.task_id
 WHERE t.state IN ('waiting', 'pending', 'running') ORDER BY r.task_id;

-- name: put_schedule
INSERT INTO schedules (name, source, definition, began_at, next_at, planned_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (name) DO UPDATE SET source = ?2, definition = ?3, began_at = ?4, next_at = ?5, planned_at = ?6;

-- name: drop_schedule
DELETE FROM schedules WHERE name = ?;

-- name: drop_schedule_runs
DELETE FROM schedule_runs WHERE name = ?;

-- name: move_schedule
UPDATE schedules SET next_at = ?2, planned_at = ?3, missed = missed + ?4 WHERE name = ?1;

-- name: ran_schedule
UPDATE schedules SET last_at = ?2, last_id = ?3 WHERE name = ?1;

-- name: add_schedule_run
INSERT OR REPLACE INTO schedule_runs (task_id, name) VALUES (?, ?);

-- name: drop_done_runs
DELETE FROM schedule_runs
 WHERE task_id NOT IN (SELECT id FROM tasks WHERE state IN ('waiting', 'pending', 'running') AND
                       id IN (SELECT task_id FROM schedule_runs));

-- == pruning ==

-- name: last_of_page
-- The id of the last of so many tasks after this one.
SELECT max(id) FROM (SELECT id FROM tasks WHERE id > ? ORDER BY id LIMIT ?) AS page;

-- name: actions_of_page
SELECT DISTINCT action_id FROM tasks WHERE id > ? AND id <= ?;

-- name: segments_of_page
SELECT DISTINCT output_segment FROM attempts WHERE task_id > ? AND task_id <= ? AND output_segment IS NOT NULL;

-- name: finished_of_page
-- A step goes with its workflow task.
SELECT t.id, t.lane_id, 0, t.state, t.generation FROM tasks AS t
 WHERE t.id > ?1 AND t.id <= ?2 AND t.finished_at < ?3 AND t.parent_id IS NULL
 ORDER BY t.state;

-- name: spare_actions
-- Never the newest: its number would be given again, to another action.
SELECT id FROM actions
 WHERE id < (SELECT max(id) FROM actions) AND id NOT IN (SELECT action_id FROM storms) ORDER BY id;

-- name: drop_actions
-- What has been added since the tasks were looked at (those after ?2) may refer to one of them.
DELETE FROM actions
 WHERE id IN carray(?1) AND id NOT IN (SELECT action_id FROM tasks WHERE id > ?2)
   AND id < (SELECT max(id) FROM actions);

-- == everybody reads ==

-- name: counts
SELECT c.is_step, c.state, sum(c.n)
  FROM counters AS c JOIN lanes AS l ON l.id = c.lane_id
 WHERE c.n <> 0
   AND (l.batch_id = 0 OR NOT EXISTS (SELECT 1 FROM batches AS b WHERE b.id = l.batch_id AND b.published_at IS NULL))
   AND CASE WHEN ?1 IS NULL THEN l.queue NOT GLOB '_*' ELSE l.queue = ?1 END AND (?2 IS NULL OR l.workflow = ?2)
 GROUP BY c.is_step, c.state
 UNION ALL
SELECT 0, 'popped', count(*) FROM popped AS p JOIN tasks AS t ON t.id = p.task_id JOIN lanes AS l ON l.id = t.lane_id
 WHERE t.parent_id IS NULL AND (?1 IS NULL OR l.queue = ?1) AND (?2 IS NULL OR l.workflow = ?2);

-- name: states
SELECT id, state FROM tasks
 WHERE id IN carray(?) AND lane_id NOT IN (SELECT id FROM lanes WHERE batch_id <> 0 AND batch_id IN
                                              (SELECT id FROM batches WHERE published_at IS NULL));

-- name: lanes_of
SELECT id, lane_id FROM tasks WHERE id IN carray(?);

-- name: longest_running
-- What is open is small, and needs no index by time.
SELECT task_id FROM (
    SELECT task_id, claimed_at AS began FROM running WHERE is_step = 0
    UNION ALL SELECT task_id, begun_at FROM expansions INDEXED BY expansions_open WHERE open > 0
) AS open_ones ORDER BY began, task_id LIMIT 1;

-- name: attempts
SELECT task_id, number, outcome, started_at, finished_at, seconds, reason, error_class, error, exit_code, signal,
       cpu_seconds, peak_memory_bytes, output_segment, output_offset, output_length, output_printed, slot, detail, node
  FROM attempts WHERE task_id = ? ORDER BY number;

-- name: slots_of
SELECT task_id, number, slot FROM attempts WHERE task_id IN carray(?) AND slot IS NOT NULL;

-- name: causes
-- Failed tasks of people by what they failed of; without a fingerprint the reason tells them apart.
SELECT g.fingerprint, g.n, g.first_at, g.last_at, t.id, t.error, t.error_class, t.reason, t.lane_id
  FROM (SELECT fingerprint, count(*) AS n, min(finished_at) AS first_at, max(finished_at) AS last_at, max(id) AS newest
          FROM tasks WHERE state = 'failed' AND parent_id IS NULL
           AND lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')
         GROUP BY fingerprint, CASE fingerprint WHEN '' THEN reason END) AS g
  JOIN tasks AS t ON t.id = g.newest
 ORDER BY g.n DESC, t.id LIMIT ?;

-- name: actions
SELECT id, definition FROM actions WHERE id IN carray(?);

-- name: scored
-- The newest tasks of people, counted by what the scores ask for. Both tables are read from one number on.
SELECT t.state, t.id IN (SELECT task_id FROM touched), t.parent_id IS NOT NULL, coalesce(a.met, 0), count(*),
       total(a.seconds), total(a.useful)
  FROM tasks AS t
  LEFT JOIN (SELECT task_id, sum(seconds) AS seconds,
                    sum(CASE outcome WHEN 'completed' THEN seconds ELSE 0 END) AS useful,
                    max(CASE WHEN outcome = 'failed' OR outcome = 'lost'
                             THEN error_class IS NOT 'permanent' ELSE 0 END) AS met
               FROM attempts WHERE task_id > ?1 GROUP BY task_id) AS a ON a.task_id = t.id
 WHERE t.id > ?1
   AND t.lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*' OR batch_id <> 0 AND batch_id IN
                            (SELECT id FROM batches WHERE published_at IS NULL))
 GROUP BY 1, 2, 3, 4;

-- name: queues
SELECT name, slots, rate, paused, paused_until FROM queues ORDER BY name;

-- name: queue_names
SELECT DISTINCT queue FROM lanes
 WHERE queue NOT GLOB '_*'
   AND (batch_id = 0 OR batch_id NOT IN (SELECT id FROM batches WHERE published_at IS NULL));

-- == copies (asked of a copy, where nobody waits) ==

-- name: facts
SELECT journal_seq + (SELECT coalesce(sum(count), 0) FROM outbox), fence, last_task_id FROM meta;

-- name: given
SELECT fence, last_task_id FROM meta;

-- name: last_completed
SELECT task_id FROM attempts WHERE outcome = 'completed' ORDER BY finished_at DESC LIMIT 1;

-- name: failures_by_cause
SELECT fingerprint, count(*), min(reason), min(error) FROM tasks INDEXED BY tasks_fingerprint
 WHERE fingerprint <> '' AND state = 'failed' GROUP BY fingerprint ORDER BY 2 DESC LIMIT ?;

-- name: last_errors
SELECT task_id, number, finished_at, reason, error FROM attempts
 WHERE error <> '' ORDER BY finished_at DESC LIMIT ?;

-- name: open_step_results
SELECT c.id, c.parent_id, c.step, c.result FROM tasks AS c JOIN tasks AS p ON p.id = c.parent_id
 WHERE c.parent_id IS NOT NULL AND c.result <> x'' AND p.state = 'running' ORDER BY c.id DESC LIMIT ?;

-- name: to_start
-- What `head_of_lane` says of certain tasks, among them some that time alone would have made pending.
SELECT id, attempt + 1, action_id, lane_id, input, failures, deaths, generation, priority, order_key,
       parent_id IS NOT NULL, failures = 0 AND deaths = 0 AND reason IS NULL AND error_class IS NULL AND error = ''
                              AND fingerprint = '' AND result = x'', parent_id, step, given
  FROM tasks WHERE id IN carray(?) AND state = 'pending';

-- name: hurry_due
-- The journal knows that these have started, so their time had come.
UPDATE tasks SET state = 'pending', not_before = NULL
 WHERE id IN carray(?) AND state = 'waiting' AND blockers = 0 RETURNING lane_id, parent_id IS NOT NULL;

-- name: restore_state
UPDATE tasks SET state = ?2, failures = ?3, deaths = ?4, not_before = ?5, finished_at = ?6, reason = ?7,
       error_class = ?8, error = ?9, fingerprint = ?10
 WHERE id = ?1;

-- name: where_is
SELECT state, lane_id, parent_id IS NOT NULL, attempt FROM tasks WHERE id = ?;

-- name: drop_controls_of
DELETE FROM controls WHERE task_id IN carray(?);

-- name: drop_freezes_of
DELETE FROM controls WHERE task_id IN carray(?) AND verb IN ('freeze', 'thaw');

-- name: facts_last_task_id
SELECT last_task_id FROM meta;

-- name: set_last_task_id
UPDATE meta SET last_task_id = ?;

-- name: set_fence
UPDATE meta SET fence = max(fence, ?);

-- name: last_outbox_id
SELECT coalesce(max(id), 0) FROM outbox;

-- name: drop_outbox_after
DELETE FROM outbox WHERE id > ?;

-- name: popped_among
SELECT task_id FROM popped WHERE task_id IN carray(?);

-- name: outbox_counts
SELECT id, count FROM outbox ORDER BY id;

-- name: drop_outbox
DELETE FROM outbox;

-- name: drop_all_lines
DELETE FROM batch_lines;

-- name: known_action
SELECT definition FROM actions WHERE digest = ?;

-- name: go_on_after
UPDATE meta SET journal_seq = ?1, fence = max(fence, ?2), last_task_id = max(last_task_id, ?3);

-- == the books (each row of an answer is something that does not balance: what, expected, found) ==

-- name: recount_counters
SELECT 'tasks ' || w.state || ' in lane ' || w.lane_id || CASE w.is_step WHEN 1 THEN ' (steps)' ELSE '' END,
       CAST(sum(w.counted) AS TEXT), CAST(sum(w.found) AS TEXT)
  FROM (SELECT lane_id, is_step, state, n AS counted, 0 AS found FROM counters WHERE state <> 'removed'
        UNION ALL
        SELECT lane_id, parent_id IS NOT NULL, state, 0, count(*) FROM tasks GROUP BY 1, 2, 3) AS w
 GROUP BY w.lane_id, w.is_step, w.state
HAVING sum(w.counted) <> sum(w.found);

-- name: recount_lanes
SELECT 'lane of task ' || t.id, CAST(t.lane_id AS TEXT), 'no such lane'
  FROM tasks AS t LEFT JOIN lanes AS l ON l.id = t.lane_id WHERE l.id IS NULL;

-- name: recount_actions
SELECT 'action of task ' || t.id, CAST(t.action_id AS TEXT), 'no such action'
  FROM tasks AS t LEFT JOIN actions AS a ON a.id = t.action_id WHERE a.id IS NULL;

-- name: recount_running
-- A workflow task that has been begun runs by its steps.
SELECT 'open attempt of running task ' || t.id, CAST(t.attempt AS TEXT), coalesce(CAST(r.attempt AS TEXT), 'none')
  FROM tasks AS t LEFT JOIN running AS r ON r.task_id = t.id
 WHERE t.state = 'running' AND t.id NOT IN (SELECT task_id FROM expansions WHERE generation = t.generation)
   AND (r.task_id IS NULL OR r.attempt <> t.attempt OR r.generation <> t.generation OR r.lane_id <> t.lane_id);

-- name: recount_open
SELECT 'state of task ' || r.task_id || ' with an open attempt', 'running', coalesce(t.state, 'no such task')
  FROM running AS r LEFT JOIN tasks AS t ON t.id = r.task_id WHERE t.state IS NULL OR t.state <> 'running';

-- name: recount_popped
SELECT 'open attempt of popped task ' || p.task_id, CAST(p.attempt AS TEXT), coalesce(CAST(r.attempt AS TEXT), 'none')
  FROM popped AS p LEFT JOIN running AS r ON r.task_id = p.task_id WHERE r.attempt IS NOT p.attempt;

-- name: recount_attempts
-- Numbers 1..n without a gap: n rows, the largest of them n. (A workflow task runs by its steps.)
SELECT 'ended attempts of task ' || t.id, CAST(t.attempt - (t.state = 'running') AS TEXT),
       count(a.number) || ' up to number ' || coalesce(max(a.number), 0)
  FROM tasks AS t LEFT JOIN attempts AS a ON a.task_id = t.id
 WHERE t.lane_id NOT IN (SELECT id FROM lanes WHERE role = 'workflow')
 GROUP BY t.id
HAVING count(a.number) <> t.attempt - (t.state = 'running') OR coalesce(max(a.number), 0) <> count(a.number);

-- name: recount_orphans
SELECT 'task of attempt ' || a.task_id || '/' || a.number, 'a task', 'no such task'
  FROM attempts AS a LEFT JOIN tasks AS t ON t.id = a.task_id WHERE t.id IS NULL;

-- name: recount_outcomes
-- Tasks with more than one at all are few, and are found in the order in which attempts lie; the rest is asked of them.
SELECT 'final outcomes of task ' || task_id || ' in generation ' || generation, 'at most 1', CAST(count(*) AS TEXT)
  FROM attempts WHERE final = 1 AND task_id IN
           (SELECT task_id FROM attempts WHERE final = 1 GROUP BY task_id HAVING count(*) > 1)
 GROUP BY task_id, generation HAVING count(*) > 1;

-- name: recount_finals
-- A task that completed did so by exactly one attempt (a skipped step had none and says so); one
-- that is not finished has no final attempt in its generation.
SELECT 'final attempt of ' || t.state || ' task ' || t.id,
       CASE t.state WHEN 'completed' THEN 'completed' ELSE 'none, or ' || t.state END, coalesce(a.outcome, 'none')
  FROM tasks AS t LEFT JOIN attempts AS a ON a.task_id = t.id AND a.generation = t.generation AND a.final = 1
 WHERE t.lane_id NOT IN (SELECT id FROM lanes WHERE role = 'workflow') AND CASE t.state
           WHEN 'completed' THEN a.outcome IS NOT 'completed' AND t.parent_id IS NULL
           WHEN 'failed' THEN a.outcome IN ('completed', 'cancelled')
           WHEN 'cancelled' THEN a.outcome IN ('completed', 'failed')
           ELSE a.outcome IS NOT NULL END;

-- name: recount_generations
SELECT 'generation of attempt ' || a.task_id || '/' || a.number, 'at most ' || t.generation,
       CAST(a.generation AS TEXT)
  FROM attempts AS a JOIN tasks AS t ON t.id = a.task_id
 WHERE a.generation > t.generation;

-- name: recount_ids
SELECT 'last task id given', 'at least ' || w.id, CAST(m.last_task_id AS TEXT)
  FROM meta AS m, (SELECT max(id) AS id FROM tasks) AS w WHERE w.id > m.last_task_id;

-- name: recount_given
-- Numbers are given once: there cannot be more tasks, with those that were removed, than numbers.
SELECT 'tasks there are and were, by the numbers given', 'at most ' || m.last_task_id, CAST(w.there + w.removed AS TEXT)
  FROM meta AS m, (SELECT (SELECT count(*) FROM tasks) AS there,
                          (SELECT coalesce(sum(n), 0) FROM counters WHERE state = 'removed') AS removed) AS w
 WHERE w.there + w.removed > m.last_task_id;

-- name: recount_outbox
SELECT 'events of batch row ' || o.id, 'their lines', 'none'
  FROM outbox AS o LEFT JOIN batch_lines AS b ON b.id = o.batch_line_id
 WHERE o.batch_line_id IS NOT NULL AND b.id IS NULL;
