// Tasks: states with counts at the side, filters that live in the address, pages by key, deeds on all that match.
import { el, fill, keyed, text, attribute, soon } from "./dom.js";
import { count, duration, moment, number } from "./format.js";
import { ask, path } from "./net.js";
import { actOn, command, editTasks, link, state, STATES, table, tasksAt, toast } from "./widgets.js";
import { listen } from "./live.js";

const PAGE = 50;

export function tasks(page, { go, parameters }) {
  document.title = "Tasks · overnight";
  const filters = Object.fromEntries(["state", "queue", "workflow", "cause", "search", "before"].map((n) => [n, parameters.get(n) ?? ""]));
  const chosen = new Set();
  let gone = false, rows = [], matching = null, timer = null, busy = false, wanted = false, rest = 0, refused = false;
  const move = (changes) => go(tasksAt({ ...filters, before: "", ...changes }));
  const side = el("nav", { class: "side", "aria-label": "States" });
  const search = el("input", { type: "search", placeholder: "search title and input, or an id  ( / )", value: filters.search, "aria-label": "Search tasks", maxlength: 200 });
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => find(false), 250); });
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") find(true); });
  function find(jump) {
    const words = search.value.trim();
    if (jump && /^\d+$/.test(words)) return go("/tasks/" + words);
    filters.search = words;
    filters.before = "";
    if (refused) text(none, "No task matches.");
    refused = false;
    history.replaceState(null, "", tasksAt(filters));
    refresh();
  }
  const queue = el("select", { "aria-label": "Queue", onchange: () => move({ queue: queue.value }) });
  const flow = el("select", { "aria-label": "Workflow", onchange: () => move({ workflow: flow.value }) });
  const cause = filters.cause ? el("span", { class: "tag" }, `cause ${filters.cause} `, link(tasksAt({ ...filters, cause: "", before: "" }), "✕", { "aria-label": "Without this cause" })) : null;
  const deeds = el("div", { class: "buttons" }), total = el("span", { class: "muted small" });
  const everything = el("input", { type: "checkbox", "aria-label": "Select all on this page", onchange: () => { for (const r of rows) everything.checked ? chosen.add(r.id) : chosen.delete(r.id); draw(); } });
  const list = table([{ name: everything }, { name: "id", class: "num" }, { name: "state" }, { name: "what", class: "grow" }, { name: "queue" }, { name: "attempt", class: "num", word: "attempt" }, { name: "when" }, { name: "took", class: "num", word: "took" }, { name: "error", class: "grow" }], "Tasks");
  const next = el("div", { class: "buttons" });
  const none = el("p", { class: "empty", hidden: true }, "No task matches.");
  fill(page, el("h1", {}, "Tasks"), el("div", { class: "split" }, side, el("div", {},
    el("div", { class: "filters" }, search, queue, flow, cause, total), deeds, list.node, none, next)));

  const choices = (select, names, now, all) => {
    const want = [all, ...names];
    if (select.dataset.names !== want.join("\n")) {
      select.dataset.names = want.join("\n");
      fill(select, el("option", { value: "" }, all), names.map((n) => el("option", { value: n }, n)));
    }
    select.value = now;
  };

  function pulse(p) {
    const shown = [["", "all", p.total], ...STATES.filter((s) => s !== "interrupted").map((s) => [s, s, p.counts[s] + (s === "running" ? p.counts.interrupted : 0)])];
    keyed(side, shown, ([s]) => s || "all", ([s, name]) => link(tasksAt({ ...filters, state: s, before: "" }), [s ? state(s) : name, el("span", { class: "num" })]),
      (node, [s, , n]) => { text(node.lastChild, number(n)); attribute(node, "aria-current", s === filters.state ? "true" : null); });
    if (performance.now() >= rest) refresh();
  }

  // Never two questions at a time; what changes meanwhile is asked for afterwards.
  async function refresh() {
    if (refused) return;
    if (busy) { wanted = true; return; }
    busy = true;
    const began = performance.now();
    try { await fetchRows(); } catch (error) { if (error.status === 422 || error.status === 400) refuse(error); else if (error.status) toast(error.message, "", true); }
    // What takes long to find is not looked for at every change.
    const took = performance.now() - began;
    rest = performance.now() + (took > 300 ? 20 * took : 0);
    await new Promise((resolve) => setTimeout(resolve, 150));
    busy = false;
    if (wanted && !gone) { wanted = false; refresh(); }

  }

  // What makes no sense makes no more of it when it is asked again.
  function refuse(error) {
    refused = true;
    none.hidden = false;
    list.node.hidden = true;
    fill(none, error.message, ". ", link("/tasks", "All tasks"));
  }

  // A search comes in parts, so that nobody else waits for it; what is found so far is shown meanwhile.
  async function searched(wanted) {
    const whole = await ask("tasks", "tasks", wanted);
    while (whole && !gone && whole.next !== null && whole.tasks.length < PAGE) {
      if (whole.tasks.length) { rows = whole.tasks; soon("tasks", draw); }
      text(total, `searched ${number(whole.newest - whole.searched_to + 1)} of ${number(whole.newest)} so far …`);
      const more = await ask("tasks", "tasks", { ...wanted, before: whole.next, limit: PAGE - whole.tasks.length, count: "" });
      if (!more) return null;
      whole.tasks.push(...more.tasks);
      Object.assign(whole, { next: more.next, searched_to: more.searched_to });
      if (whole.next === null && !wanted.before) whole.matching = whole.tasks.length;
    }
    return whole;
  }

  async function fetchRows() {
    const narrowed = filters.queue || filters.workflow || filters.cause || filters.search;
    const answer = await searched({ ...filters, limit: PAGE, count: narrowed ? true : "" });
    if (!answer || gone) return;
    rows = answer.tasks;
    matching = answer.matching;
    const newer = filters.before ? el("button", { onclick: () => history.length > 1 ? history.back() : move({}) }, "← newer") : null;
    fill(next, newer, answer.next ? el("button", { onclick: () => move({ before: answer.next }) }, "older →") : null);
    text(total, matching === null ? "" : `${number(matching)}${matching >= answer.counted_to ? " or more" : ""} match`);
    soon("tasks", draw);
  }

  function draw() {
    if (gone) return;
    none.hidden = rows.length > 0;
    list.node.hidden = !rows.length;
    keyed(list.body, rows, (r) => r.id, make, patch);
    everything.checked = rows.length > 0 && rows.every((r) => chosen.has(r.id));
    const ids = [...chosen], which = { ids: ids.length ? ids : undefined };
    const many = count(ids.length, "task");
    const selected = ids.length ? [el("b", {}, `${many} selected`), ...["retry", "cancel", "hold", "release"].map((verb) => deed(verb, which, many)), el("button", { class: "small", title: command("edit", which), onclick: () => editTasks(which, many, {}, () => { chosen.clear(); refresh(); }) }, "Edit")] : [];
    const known = current();
    const all = known && !filters.search && rows.length ? [filters.state === "failed" ? deed("retry", known, all_words()) : null, ["pending", "waiting"].includes(filters.state) ? deed("hold", known, all_words()) : null, filters.state === "held" ? deed("release", known, all_words()) : null, ["pending", "waiting", "held", "failed"].includes(filters.state) ? deed("cancel", known, all_words()) : null] : [];
    const signature = JSON.stringify([ids, matching, filters]);
    if (deeds.dataset.for !== signature) { deeds.dataset.for = signature; fill(deeds, selected, !ids.length && all.filter(Boolean).length ? [el("span", { class: "muted small" }, `all ${all_words()} that match:`), all] : null, rows.length ? [download("csv"), download("jsonl")] : null); }
  }

  const all_words = () => (matching === null ? `${filters.state} tasks` : count(matching, "task"));
  function current() {
    if (!filters.state) return null;
    return { states: [filters.state], queue: filters.queue || undefined, workflow: filters.workflow || undefined, cause: filters.cause || undefined };
  }
  const deed = (verb, which, many) => el("button", { class: verb === "cancel" ? "danger small" : "small", title: command(verb, which), onclick: () => actOn(verb, which, many, () => { chosen.clear(); refresh(); }) }, `${verb[0].toUpperCase()}${verb.slice(1)}`);

  // What matches, up to 10,000 rows, made here: the page asks for them a page at a time.
  const download = (kind) => el("button", { class: "small", title: `What matches, as ${kind.toUpperCase()}`, onclick: async () => {
    const found = [];
    let before = "";
    do {
      const answer = await (await fetch(path("/api/v1/tasks", { ...filters, before, limit: 200 }))).json();
      found.push(...answer.tasks);
      before = answer.next;
    } while (before && found.length < 10000);
    const names = Object.keys(found[0] ?? {});
    // A cell that begins like a formula is one to a spreadsheet.
    const cell = (v) => { const w = v === null ? "" : String(v); return `"${(/^[=+\-@\t]/.test(w) && typeof v === "string" ? "'" + w : w).replaceAll('"', '""')}"`; };
    const words = kind === "csv" ? [names.join(","), ...found.map((r) => names.map((n) => cell(r[n])).join(","))].join("\n") : found.map((r) => JSON.stringify(r)).join("\n");
    const a = el("a", { download: "tasks." + kind });
    a.href = URL.createObjectURL(new Blob([words + "\n"]));
    a.click();
    URL.revokeObjectURL(a.href);
  } }, kind.toUpperCase());

  function make(r) {
    const box = el("input", { type: "checkbox", "aria-label": `Select task ${r.id}`, onchange: (event) => { event.target.checked ? chosen.add(r.id) : chosen.delete(r.id); draw(); } });
    return list.row(el("td", {}, box), el("td", { class: "num" }, link("/tasks/" + r.id, r.id)), el("td"), el("td", { class: "name" }, link("/tasks/" + r.id, el("span", { class: "clamp" }))), el("td", { class: "hide-narrow" }), el("td", { class: "num" }), el("td", { class: "nowrap small" }), el("td", { class: "num nowrap" }), el("td", { class: "error" }));
  }

  function patch(node, r) {
    const [box, , s, name, queueCell, attempt, when, took, error] = node.cells;
    box.firstChild.checked = chosen.has(r.id);
    attribute(node, "aria-selected", chosen.has(r.id));
    const words = r.skipped ? "skipped" : r.state + (r.reason && r.reason !== "error" ? " · " + r.reason : "");
    if (s.dataset.state !== words) { s.dataset.state = words; fill(s, state(r.skipped ? "skipped" : r.state, r.reason && r.reason !== "error" ? r.reason : "")); }
    text(name.querySelector(".clamp"), r.name || "(nothing)");
    text(queueCell, r.workflow ? `${r.queue} / ${r.workflow}` : r.queue);
    text(attempt, r.attempt || "");
    text(when, moment(r.finished_at ?? r.started_at ?? r.added_at));
    text(took, r.started_at && r.finished_at ? duration(r.finished_at - r.started_at) : r.state === "running" && r.started_at ? duration(Math.round(Date.now() / 1000 - r.started_at)) : "");
    if (error.textContent !== r.error) fill(error, r.error ? el("span", { class: "clamp" }, r.error) : null);
  }

  ask("filters", "overview").then((o) => {
    if (!o || gone) return;
    choices(queue, o.queues.map((q) => q.name), filters.queue, "all queues");
  }).catch(() => {});
  ask("flows", "workflows").then((w) => { if (w && !gone) choices(flow, w.workflows.map((f) => f.name), filters.workflow, "all workflows"); }).catch(() => {});
  choices(queue, filters.queue ? [filters.queue] : [], filters.queue, "all queues");
  choices(flow, filters.workflow ? [filters.workflow] : [], filters.workflow, "all workflows");
  const stop = listen(pulse);
  refresh();
  return () => { gone = true; stop(); clearTimeout(timer); };
}
