// Health, checkpoints, and the journal.
import { el, fill, keyed, text } from "./dom.js";
import { count, duration, moment, number, size } from "./format.js";
import { ask } from "./net.js";
import { confirm, copyable, link, perform, table, toast } from "./widgets.js";
import { listen } from "./live.js";
import { strip } from "./strip.js";

const SIGNS = { ok: "✓", warn: "!", fail: "✕", unknown: "?" };
const guard = (job) => () => job().catch((error) => error.status && toast(error.message, "", true));

export function health(page) {
  document.title = "Health · overnight";
  let gone = false, timer = null;
  const words = el("p", { class: "muted" }), list = table([{ name: "" }, { name: "check" }, { name: "what is so", class: "grow" }, { name: "the last 100 answers" }, { name: "what mends it", class: "grow" }], "Checks");
  const kept = el("p", { class: "muted small", hidden: true }, "Asked when somebody looks. ", copyable("overnight health start"), " has an engine ask again and again, and what is answered is drawn here.");
  const engine = el("dl", { class: "facts" });
  fill(page, el("h1", {}, "Health"), el("div", { class: "filters" }, el("button", { title: "overnight status --detailed", onclick: () => guard(() => refresh(true))() }, "Examine now"), words), list.node, kept, el("h2", {}, "The engine"), engine);
  async function refresh(afresh = false) {
    clearTimeout(timer);
    const [h, past] = await Promise.all([ask("health", "health", { afresh: afresh || "" }), ask("strips", "strips")]);
    if (!h || !past || gone) return;
    const strips = new Map(past.strips.map((s) => [s.check, s]));
    kept.hidden = strips.size > 0;
    text(words, h.at === null ? "being examined …" : `${h.overall}, ${duration(Date.now() / 1000 - h.at)} ago ${h.trouble}`);
    keyed(list.body, h.checks.map((c, n) => ({ ...c, n })), (c) => c.n, () => list.row(el("td"), el("td"), el("td", { class: "full" }), el("td", { class: "full past" }), el("td", { class: "full" })), (node, c) => {
      fill(node.cells[0], el("span", { class: "check " + c.status }, el("i", { "aria-label": c.status }, SIGNS[c.status])));
      text(node.cells[1], c.id);
      text(node.cells[2], c.summary);
      // One strip for a check, with the first of what it has found.
      const mine = h.checks.findIndex((o) => o.id === c.id) === c.n ? strips.get(c.id) : null;
      if (!mine) fill(node.cells[3]);
      else {
        if (!node.cells[3].firstChild) node.cells[3].append(strip());
        node.cells[3].firstChild.give(mine);
      }
      fill(node.cells[4], c.status === "ok" ? "" : [c.fixes.map((f) => [copyable(f), " "]), c.advice.join("; ")]);
    });
    timer = setTimeout(guard(refresh), h.at === null || afresh ? 1500 : 30000);
  }
  const stop = listen((p) => {
    const e = p.engine, w = e.supervisor;
    const row = (name, value) => (value ? [el("dt", {}, name), el("dd", {}, value)] : null);
    const key = JSON.stringify([e, Math.floor(p.at / 2)]);
    if (engine.dataset.key === key) return;
    engine.dataset.key = key;
    fill(engine, row("state", e.state + (e.why ? `: ${e.why}` : "")), row("process", e.pid), row("for", e.uptime_seconds ? duration(e.uptime_seconds) : ""), row("last heard of", e.last_heartbeat ? duration(p.at - e.last_heartbeat) + " ago" : ""), row("slots", e.slots === null ? "" : `${e.slots}, ${e.active ?? 0} busy`), row("gates", e.gates.join(", ")), row("contains", e.containment), row("supervisor", w ? `process ${w.pid}${w.gave_up ? ", which gave up" : w.alive ? "" : ", which is gone"}, ${count(w.restarts, "restart")}${w.last_crash ? `; an engine ${w.last_crash}` : ""}` : "none"));
  });
  guard(refresh)();
  return () => { gone = true; stop(); clearTimeout(timer); };
}

async function verify(name, button) {
  button.disabled = true;
  await perform(`checkpoints/${name}/verify`);
  button.disabled = false;
}

// In two steps: what it would undo, and then its name, typed.
async function goBack(name) {
  let plan;
  try {
    plan = await ask("plan", "checkpoints/" + name);
  } catch (error) {
    return toast(error.message, "", true);
  }
  if (!plan) return;
  const more = el("pre", { class: "mono card plan", tabindex: 0, "aria-label": "What it would undo" }, plan.lines.join("\n"));
  if (await confirm({ title: "Go back to this checkpoint?", words: "The engine ends first, and a dashboard that is served beside it with it. The present store is set aside, and never deleted. 'overnight start' goes on.", command: plan.restore, verb: "Go back", danger: true, typed: name, more })) perform(`checkpoints/${name}/restore`, { confirm: name });
}

export function checkpoints(page) {
  document.title = "Checkpoints · overnight";
  let gone = false, asked = 0, timer = null;
  const list = table([{ name: "checkpoint" }, { name: "made" }, { name: "age", class: "num", word: "age" }, { name: "size", class: "num" }, { name: "took", class: "num", word: "took" }, { name: "why" }, { name: "events since", class: "num", word: "events since" }, { name: "" }], "Checkpoints");
  const none = el("p", { class: "empty", hidden: true }, "There is no checkpoint yet.");
  const save = el("button", { title: "overnight checkpoint save", onclick: async () => { save.disabled = true; await perform("checkpoint", {}, guard(refresh)); save.disabled = false; } }, "Save one now");
  fill(page, el("h1", {}, "Checkpoints"), el("p", { class: "muted" }, "Verified copies of the store, made beside the work. Going back to one ends the engine and runs again what finished after it; what that is, is shown first."), el("div", { class: "filters" }, save, copyable("overnight checkpoint verify")), none, list.node);
  async function refresh() {
    asked = performance.now();
    const found = await ask("checkpoints", "checkpoints");
    if (!found || gone) return;
    none.hidden = found.checkpoints.length > 0;
    keyed(list.body, found.checkpoints, (c) => c.name, (c) => list.row(el("td", { class: "mono nowrap" }, c.name), el("td", { class: "nowrap" }), el("td", { class: "num nowrap" }), el("td", { class: "num nowrap" }), el("td", { class: "num nowrap" }), el("td"), el("td", { class: "num" }), el("td", { class: "full" }, c.trouble ? "" : el("div", { class: "buttons together" }, el("button", { class: "small", title: `overnight checkpoint verify ${c.name}`, onclick: (event) => verify(c.name, event.target) }, "Verify"), el("button", { class: "small danger", title: `overnight checkpoint restore ${c.name}`, onclick: () => goBack(c.name) }, "Go back …")))), (node, c) => {
      const [, made, old, room, took, why, since] = node.cells;
      text(made, moment(c.made_at));
      text(old, c.made_at ? duration(Math.round(Date.now() / 1000 - c.made_at)) : "");
      text(room, size(c.size_bytes));
      text(took, duration(c.seconds));
      text(why, c.trouble || c.reason);
      text(since, number(Math.max(0, found.last_event - c.position)));
    });
  }
  const stop = listen(() => { clearTimeout(timer); timer = setTimeout(guard(refresh), Math.max(0, 3000 - (performance.now() - asked))); });
  guard(refresh)();
  return () => { gone = true; stop(); clearTimeout(timer); };
}

const KINDS = { "": [], "failures": ["file_failed", "file_timeout", "file_held", "step_failed", "step_timeout"], "people": ["control_asked", "queue_changed", "file_revived", "file_cancelled", "file_held", "file_released", "file_removed", "file_edited", "node_closed", "node_opened"], "the engine": ["processor_started", "processor_stopped", "gate_closed", "gate_opened", "slots_changed", "clock_jumped", "storm_began", "storm_probed", "storm_ended", "store_rescued"], "checkpoints": ["checkpoint_saved", "checkpoint_failed", "checkpoint_restored", "checkpoint_restore_failed"], "nodes": ["node_joined", "node_silent", "node_lost", "node_refused", "node_closed", "node_opened", "node_drained"] };

// What the columns beside it say already, and what only programs compare.
const DULL = new Set(["fence", "state", "started_at", "action"]);
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;
function short(v) {
  if (typeof v === "number" && !Number.isInteger(v)) return v.toFixed(3);
  if (typeof v === "string" && instant.test(v)) return moment(Date.parse(v) / 1000);
  return typeof v === "object" ? JSON.stringify(v) : v;
}

export function log(page, { go, parameters }) {
  document.title = "Log · overnight";
  let gone = false, asked = 0, timer = null;
  const kind = parameters.get("kind") ?? "", before = parameters.get("before") ?? "", task = parameters.get("task") ?? "";
  const to = (more) => go("/log?" + new URLSearchParams(Object.entries({ kind, task, ...more }).filter(([, v]) => v)).toString());
  const pick = el("select", { "aria-label": "Kind", onchange: () => to({ kind: pick.value }) }, Object.keys(KINDS).map((k) => el("option", { value: k }, k || "everything")));
  pick.value = kind;
  const one = el("input", { type: "search", placeholder: "of task", value: task, inputmode: "numeric", "aria-label": "Of task", onchange: () => to({ task: one.value.replace(/\D/g, "") }) });
  const list = table([{ name: "event", class: "num" }, { name: "when" }, { name: "what" }, { name: "task", class: "num", word: "task" }, { name: "more", class: "grow" }], "Events");
  const none = el("p", { class: "empty", hidden: true }, "No event of this kind."), next = el("div", { class: "buttons" });
  fill(page, el("h1", {}, "Log"), el("div", { class: "filters" }, pick, one), none, list.node, next);
  async function refresh() {
    asked = performance.now();
    const found = await ask("events", "events", { name: KINDS[kind] ?? [], before, task, limit: 100 });
    if (!found || gone) return;
    none.hidden = found.events.length > 0;
    keyed(list.body, found.events, (e) => e.seq, (e) => {
      const { id, ...rest } = e.fields;
      return list.row(el("td", { class: "num" }, e.seq), el("td", { class: "nowrap" }, moment(Date.parse(e.at) / 1000)), el("td", { class: "nowrap" }, e.event.replaceAll("_", " ")), el("td", { class: "num" }, typeof id === "number" ? link("/tasks/" + id, id) : ""), el("td", { class: "error mono" }, el("span", { class: "clamp" }, Object.entries(rest).filter(([k]) => !DULL.has(k)).map(([k, v]) => `${k}=${short(v)}`).join("  "))));
    }, () => {});
    fill(next, before ? el("button", { onclick: () => to({}) }, "← newest") : null, found.next ? el("button", { onclick: () => to({ before: found.next }) }, "older →") : null);
  }
  const stop = before ? () => {} : listen(() => { clearTimeout(timer); timer = setTimeout(guard(refresh), Math.max(0, 1000 - (performance.now() - asked))); });
  guard(refresh)();
  return () => { gone = true; stop(); clearTimeout(timer); };
}
