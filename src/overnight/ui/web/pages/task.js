// One task: its life, why it is where it is, its attempts, what it printed, its steps.
import { el, fill, text, soon } from "./dom.js";
import { count, duration, moment, number, size } from "./format.js";
import { ask } from "./net.js";
import { actOn, copyable, editTasks, link, state, table, tasksAt, toast } from "./widgets.js";
import { listen } from "./live.js";

const FINAL = new Set(["completed", "failed", "cancelled"]);
const MOST = 1000;

export function task(page, { words: [id], parameters, go }) {
  document.title = `Task ${id} · overnight`;
  let gone = false, view = null, follow = true, attempt = parameters.get("attempt"), end = 0, logTimer = null, shown = null, busy = false;
  const head = el("div"), life = el("p", { class: "life", "aria-label": "Its life" }), why = el("p"), deeds = el("div", { class: "buttons" }), facts = el("dl", { class: "facts" });
  const attempts = table([{ name: "attempt", class: "num" }, { name: "ended as" }, { name: "began" }, { name: "took", class: "num" }, { name: "exit", word: "exit" }, { name: "cpu", class: "num", word: "cpu" }, { name: "memory", class: "num", word: "memory" }, { name: "printed", class: "num", word: "printed" }, { name: "worker", class: "num", word: "worker" }, { name: "error", class: "grow" }], "Attempts");
  const steps = table([{ name: "task", class: "num" }, { name: "step" }, { name: "state" }, { name: "attempts", class: "num", word: "attempts" }, { name: "took", class: "num", word: "took" }, { name: "error", class: "grow" }], "Steps");
  const graph = el("p"), stepsPart = el("section", { hidden: true }, el("h2", {}, "Steps"), graph, steps.node), attemptsPart = el("section", { hidden: true }, el("h2", {}, "Attempts"), attempts.node);
  const log = el("div", { class: "log", role: "log", tabindex: "0", "aria-label": "What it printed" }), note = el("span", { class: "muted small" });
  const followBox = el("input", { type: "checkbox", checked: true, onchange: () => { follow = followBox.checked; if (follow) log.scrollTop = log.scrollHeight; } });
  const find = el("input", { type: "search", placeholder: "search the output", "aria-label": "Search the output", onchange: () => readLog(true), maxlength: 200 });
  const logPart = el("section", {}, el("h2", {}, "Output"), el("div", { class: "filters" }, find, el("label", {}, followBox, " follow"), el("button", { class: "small", onclick: save }, "Download"), note), log);
  fill(page, head, life, why, deeds, el("div", { class: "cols" }, el("section", {}, el("h2", {}, "What it is"), facts), el("section", { class: "detail" })), attemptsPart, stepsPart, logPart);
  const detail = page.querySelector(".detail");
  log.addEventListener("scroll", () => { const near = log.scrollHeight - log.scrollTop - log.clientHeight < 30; if (near !== follow && !find.value) { follow = near; followBox.checked = near; } });

  async function refresh() {
    if (busy) return;
    busy = true;
    try {
      const answer = await ask("task", "tasks/" + id);
      if (answer && !gone) { view = answer; soon("task", draw); }
    } catch (error) {
      if (error.status === 404) { fill(page, el("p", { class: "empty" }, error.message, " ", link("/tasks", "All tasks"))); gone = true; } else if (error.status) toast(error.message, "", true);
    }
    busy = false;
  }

  function draw() {
    const { task: t, doing } = view;
    const signature = JSON.stringify([view, t.state === "running" ? Math.floor(Date.now() / 1000) : 0]);
    if (signature === shown || gone) return;
    shown = signature;
    fill(head, el("h1", {}, `Task ${t.id} `, state(t.skipped ? "skipped" : t.state, t.reason ?? "")), el("p", { class: "mono" }, t.name));
    const arrow = () => el("span", { class: "arrow", "aria-hidden": "true" }, "→");
    const pieces = [el("span", {}, `added ${moment(t.added_at)}`)];
    for (const a of view.attempts.slice(-8)) pieces.push(arrow(), el("span", {}, `attempt ${a.number}: ${a.outcome}${a.seconds ? ` after ${duration(a.seconds)}` : ""}`));
    if (t.state === "running") pieces.push(arrow(), el("b", {}, `running${t.started_at ? ` for ${duration(Math.round(Date.now() / 1000 - t.started_at))}` : ""}`));
    else pieces.push(arrow(), el("b", {}, t.finished_at ? `${t.state} ${moment(t.finished_at)}` : t.not_before ? `${t.state} until ${moment(t.not_before)}` : t.state));
    fill(life, pieces);
    fill(why, view.why ? `It ${view.why} ` : "", view.commands.map((c) => [copyable(c), " "]));
    const one = `task ${t.id}`, which = { ids: [t.id] };
    const can = [FINAL.has(t.state) || t.state === "waiting" ? "retry" : null, FINAL.has(t.state) ? null : "cancel", ["pending", "waiting", "running"].includes(t.state) ? "hold" : null, t.state === "held" ? "release" : null].filter(Boolean);
    // A button that is made anew each second cannot keep the focus, and a slow click on it is lost.
    const offered = JSON.stringify([can, t.priority, t.parent_id, t.fingerprint, doing]);
    if (deeds.dataset.key !== offered) {
      deeds.dataset.key = offered;
      fill(deeds, can.map((verb) => el("button", { class: verb === "cancel" ? "danger" : "", title: `overnight ${verb} ${t.id}`, onclick: () => actOn(verb, which, one, refresh) }, verb[0].toUpperCase() + verb.slice(1))), ["pending", "waiting", "held"].includes(t.state) && !t.parent_id ? el("button", { title: `overnight edit ${t.id}`, onclick: () => editTasks(which, one, { priority: t.priority, timeout: doing?.timeout ?? 0, retries: doing?.retries ?? 0 }, refresh) }, "Edit") : null, t.fingerprint ? link(tasksAt({ state: "failed", cause: t.fingerprint }), "all of this cause", { class: "button" }) : null, t.parent_id ? link("/tasks/" + t.parent_id, `part of task ${t.parent_id}`, { class: "button" }) : null);
    }
    const row = (name, value) => (value === "" || value === null || value === undefined ? null : [el("dt", {}, name), el("dd", {}, value)]);
    fill(facts, row("input", el("span", { class: "mono" }, view.input)), row("description", view.description), doing ? [row("command", doing.command.length ? el("span", { class: "mono" }, doing.command.join(" ")) : ""), row(doing.kind === "workflow" ? "workflow" : "function", doing.call), row("directory", el("span", { class: "mono" }, doing.directory)), row("limits", [doing.timeout === null ? "no time limit" : duration(doing.timeout) + " an attempt", doing.memory_bytes ? size(doing.memory_bytes) : "", count(doing.retries, "retry", "retries")].filter(Boolean).join(", "))] : null,
      row("queue", `${t.queue}, priority ${t.priority}`), row("counted", `${count(view.failures, "failure")}, ${count(view.deaths, "worker death")}, generation ${view.generation}`), row("waits for", view.after.length ? view.after.map((n) => [link("/tasks/" + n, n), " "]) : ""), row("needs", Object.entries(view.needs).map(([n, v]) => `${n} ${v}`).join(", ")), row("result", view.result ? el("pre", { class: "mono" }, view.result) : ""));
    const last = view.attempts.at(-1);
    fill(detail, t.error || last?.detail ? [el("h2", {}, "Error"), el("p", {}, el("b", {}, t.error || last.error), " ", t.error_class ? el("span", { class: "tag" }, t.error_class) : null), last?.detail ? el("pre", { class: "mono card" }, last.detail) : null] : null);
    fill(attempts.body, view.attempts.toReversed().map((a) => attempts.row(el("td", { class: "num" }, el("button", { class: "small", "aria-label": `Show what attempt ${a.number} printed`, onclick: () => choose(a.number) }, a.number)), el("td", {}, state(a.outcome === "completed" ? "completed" : a.outcome === "failed" ? "failed" : "interrupted"), a.outcome === "completed" || a.outcome === "failed" ? "" : ` (${a.outcome})`), el("td", { class: "nowrap" }, moment(a.started_at)), el("td", { class: "num" }, duration(a.seconds)), el("td", {}, a.signal !== null ? `signal ${a.signal}` : a.exit_code ?? ""), el("td", { class: "num" }, a.cpu_seconds === null ? "" : duration(a.cpu_seconds)), el("td", { class: "num" }, a.peak_memory_bytes ? size(a.peak_memory_bytes) : ""), el("td", { class: "num" }, size(a.printed_bytes)), el("td", { class: "num" }, [a.slot === null ? "" : a.slot + 1, a.node && `on ${a.node}`].filter(Boolean).join(" ")), el("td", { class: "error" }, a.error ? el("span", { class: "clamp" }, a.error) : null))));
    attemptsPart.hidden = !view.attempts.length;
    stepsPart.hidden = !(doing?.kind === "workflow");
    logPart.hidden = doing?.kind === "workflow";
    steps.node.hidden = !view.steps.length;
    fill(graph, view.steps.length ? link("/workflows/task:" + id, "Show the graph") : ["It has not begun. ", link("/workflows/" + encodeURIComponent(t.workflow), "The graph of its workflow")]);
    fill(steps.body, view.steps.map((s) => steps.row(el("td", { class: "num" }, link("/tasks/" + s.id, s.id)), el("td", {}, s.step), el("td", {}, state(s.skipped ? "skipped" : s.state, s.reason ?? "")), el("td", { class: "num" }, s.attempt || ""), el("td", { class: "num" }, s.started_at && s.finished_at ? duration(s.finished_at - s.started_at) : ""), el("td", { class: "error" }, s.error))));
    if (view.steps_total > view.steps.length) steps.body.append(el("tr", {}, el("td", { colspan: 6, class: "muted" }, `… and ${number(view.steps_total - view.steps.length)} more`)));
  }

  function choose(number) {
    attempt = number;
    history.replaceState(null, "", `/tasks/${id}?attempt=${number}`);
    readLog(true);
  }

  async function readLog(afresh = false) {
    clearTimeout(logTimer);
    if (afresh) { end = 0; fill(log); }
    let again = 1500;
    try {
      const answer = await ask("log", `tasks/${id}/log`, { attempt, after: end, search: find.value.trim() });
      if (!answer || gone) return;
      const fresh = document.createDocumentFragment();
      for (const line of answer.lines) fresh.append(el("div", {}, line));
      if (answer.lines.length) log.append(fresh);
      while (log.childElementCount > MOST) log.firstChild.remove();
      if (follow && answer.lines.length) log.scrollTop = log.scrollHeight;
      end = answer.end;
      if (!answer.attempt) { text(note, "no attempt has begun yet"); if (!view || !FINAL.has(view.task.state)) logTimer = setTimeout(readLog, 1500); return; }
      text(note, `attempt ${answer.attempt}, ${size(answer.end)}${answer.missing ? `, ${size(answer.missing)} in the middle not kept` : ""}${answer.start > 0 && log.childElementCount && answer.lines.length === answer.end ? " (its last part)" : ""}${answer.ended ? "" : " · live"}${answer.end === 0 && answer.ended ? " · it printed nothing" : ""}`);
      again = answer.ended ? 0 : answer.lines.length ? 300 : 600;
    } catch (error) {
      text(note, error.message);
      if (error.status === 404) again = view && !FINAL.has(view.task.state) ? 1500 : 0;
    }
    // A newer attempt than the one that has ended may begin: the page sees it with the next picture.
    if (again && !gone) logTimer = setTimeout(() => (document.hidden ? (logTimer = setTimeout(readLog, 1000)) : readLog()), again);
  }

  function save() {
    const a = el("a", { download: `task-${id}.log` });
    a.href = URL.createObjectURL(new Blob([[...log.children].map((d) => d.textContent).join("\n") + "\n"], { type: "text/plain" }));
    a.click();
    URL.revokeObjectURL(a.href);
  }

  let seen = null;
  const stop = listen(() => {
    refresh().then(() => {
      const now = view ? `${view.task.state}.${view.task.attempt}` : null;
      if (now !== seen) { const first = seen === null; seen = now; if (!first && !parameters.get("attempt")) { attempt = null; readLog(true); } }
    });
  });
  refresh().then(() => readLog(true));
  return () => { gone = true; stop(); clearTimeout(logTimer); };
}
