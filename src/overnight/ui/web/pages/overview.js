// The first page: one sentence, what happened since, the states, the night in charts, failures by cause, health.
import { el, fill, keyed, text, attribute, soon } from "./dom.js";
import { count, duration, moment, number, percent, rate, size, time } from "./format.js";
import { ask } from "./net.js";
import { chart, filled } from "./chart.js";
import { lanes } from "./lanes.js";
import { actOn, copyable, course, link, stateBar, table, tasksAt, toast } from "./widgets.js";
import { listen } from "./live.js";

const LAST = "overnight.last-visit", AWAY = 15 * 60;
const NODE_SIGNS = { up: "✓", lost: "✕", refused: "✕", closed: "·", joining: "…" };
const SIGNS = { ok: "✓", warn: "!", fail: "✕", unknown: "?" };

// When this browser saw the page last, if it has been away since; else the start of the engine counts.
function lastVisit() {
  const now = Date.now() / 1000;
  const { seen = 0, before = 0 } = JSON.parse(localStorage.getItem(LAST) ?? "{}");
  const left = now - seen > AWAY ? seen : before;
  localStorage.setItem(LAST, JSON.stringify({ seen: now, before: left }));
  return left || null;
}

export function overview(page, { go }) {
  document.title = "overnight";
  let meaning = "visit", gone = false, timers = [], now = "", mean = "", failed = null, told = false;
  const visit = lastVisit();
  if (!visit) meaning = "start";
  const words = el("p", { class: "words" }, "Connecting …"), since = el("span"), left = el("span"), commands = el("span", { class: "try" });
  const toggle = el("button", { class: "small", onclick: () => { meaning = meaning === "visit" ? "start" : "visit"; guarded(fetchSince)(); } });
  const sentence = el("section", { class: "card sentence", "aria-label": "How it goes", "aria-live": "polite" }, words,
    el("div", { class: "row" }, since, toggle, left, commands));
  const bar = stateBar(), counts = el("ul", { class: "counts" });
  const box = (name, canvas, wide = false, legend = null) => {
    const value = el("div", { class: "value" }, "–");
    const head = el("div", { class: "label" }, name, legend ? el("span", { class: "legend" }, legend) : null);
    return { node: el("div", { class: wide ? "card chart wide" : "card chart" }, head, value, canvas), value, canvas };
  };
  const per = (v, l) => `${number(Math.round(v))} ${l.unit}`;
  const work = box("Completed attempts", chart({ label: "Completed attempts over time", show: per }), true);
  const bad = box("Failures", chart({ label: "Failed attempts over time", show: per }));
  const cpu = box("CPU", chart({ label: "Share of all CPUs that was busy", show: (v) => percent(v) }));
  const room = box("Memory · disk free", chart({ label: "Free memory and disk", show: (v) => size(v) }), false, "memory");
  const night = lanes({ label: "Which worker was busy when; the page Timeline has it in full", onpick: (id) => go("/tasks/" + id), onzoom: (a, b) => go(`/timeline?since=${a.toFixed(0)}&until=${b.toFixed(0)}`), tall: 14 });
  const causes = table([{ name: "tasks", class: "num" }, { name: "error", class: "grow" }, { name: "queue" }, { name: "how it goes on" }, { name: "class" }, { name: "what may help" }, { name: "" }], "Failures by cause");
  const none = el("p", { class: "muted" }, "–");
  const running = table([{ name: "task", class: "num" }, { name: "what", class: "grow" }, { name: "for", class: "num", word: "for" }, { name: "says", class: "grow" }], "What runs");
  const nodes = table([{ name: "node" }, { name: "state" }, { name: "slots busy", class: "num" }, { name: "last heard", class: "num" }, { name: "attempts lost", class: "num" }, { name: "why", class: "grow" }], "Nodes");
  const health = el("ul", { class: "list" }, el("li", { class: "muted" }, "–")), scores = el("dl", { class: "facts" }), facts = el("p", { class: "muted small" }, "–");
  running.node.hidden = nodes.node.hidden = true;

  fill(page, el("h1", { hidden: true }, "Overview"), sentence, bar.node, counts,
    el("section", { class: "charts", "aria-label": "Charts" }, work.node, bad.node, cpu.node, room.node),
    el("section", { class: "card" }, el("div", { class: "chart" }, el("div", { class: "label" }, "What happened when", link("/timeline", "Timeline"))), night),
    el("h2", {}, "Failures by cause"), none, causes.node,
    el("h2", { hidden: true }, "Nodes"), nodes.node,
    el("h2", { hidden: true }, "Running now"), running.node,
    el("h2", {}, "Health"), health,
    el("div", { class: "cols" }, el("div", {}, el("h3", {}, "How well it went without anybody"), scores), el("div", {}, el("h3", {}, "Here"), facts)));

  // That nothing has failed is said when both say so, the counts and the causes.
  const sayNone = () => text(none, told && failed === 0 ? "Nothing has failed." : "–");

  function pulse(p) {
    failed = p.counts.failed;
    sayNone();
    text(words, p.sentence.words);
    attribute(sentence, "data-level", p.sentence.level);
    if (commands.dataset.words !== p.sentence.commands.join("\n")) {
      commands.dataset.words = p.sentence.commands.join("\n");
      fill(commands, p.sentence.commands.map(copyable));
    }
    text(left, p.seconds_left === null ? "" : `Done ≈ ${time(p.at + p.seconds_left)}.`);
    bar.show(p.counts, p.total);
    const shown = ["completed", "failed", "running", "interrupted", "held", "pending", "waiting", "cancelled"].filter((s) => p.counts[s] || s === "completed");
    const sum = Object.values(p.counts).reduce((a, b) => a + b, 0);
    keyed(counts, [...shown, "total"], (s) => s, (s) => el("li", { class: { failed: "bad", held: "warn", interrupted: "warn" }[s] ?? "" }, s === "total" ? el("span", {}, el("b"), el("span")) : link(tasksAt({ state: s === "interrupted" ? "running" : s }), [el("b"), el("span")])),
      (node, s) => {
        text(node.querySelector("b"), s === "total" ? `= ${number(p.total)}` : number(p.counts[s]));
        text(node.querySelector("b + span"), s === "total" ? (sum === p.total ? " tasks, all accounted for ✓" : ` tasks, ${number(Math.abs(p.total - sum))} unaccounted for`) : " " + s);
      });
    keyed(running.body, p.running, (r) => `${r.id}.${r.attempt}`,
      (r) => running.row(el("td", { class: "num" }, link("/tasks/" + r.id, r.id)), el("td", { class: "name" }, el("span", { class: "clamp" }, r.name)), el("td", { class: "num nowrap" }), el("td", { class: "full" })),
      (node, r) => {
        text(node.cells[2], r.interrupted ? "interrupted" : r.started_at === null ? "" : duration(Math.round(p.at - r.started_at)));
        const said = [r.node ? `on ${r.node}` : "", r.frozen ? "frozen" : "", r.steps.length ? `[${r.steps.join(", ")}]` : "", r.progress === null ? "" : percent(r.progress), r.message].filter(Boolean).join(" ");
        text(node.cells[3], said);
      });
    running.node.previousElementSibling.hidden = running.node.hidden = !p.running.length;
    keyed(nodes.body, p.nodes, (n) => n.name,
      (n) => nodes.row(el("td", { class: "name" }, el("b", {}, n.name)), el("td", {}, el("span", { class: "tag" })), el("td", { class: "num nowrap" }), el("td", { class: "num nowrap" }), el("td", { class: "num" }), el("td", { class: "full" })),
      (node, n) => {
        const [, state, busy, heard, lost, why] = node.cells;
        text(state.firstChild, `${NODE_SIGNS[n.stands] ?? "!"} ${n.stands}`);
        attribute(state.firstChild, "class", ["up", "closed", "joining"].includes(n.stands) ? "tag" : ["lost", "silent", "refused", "unfit"].includes(n.stands) ? "tag bad" : "tag warn");
        text(busy, `${n.busy} of ${n.slots}`);
        text(heard, n.heard_at === null ? "never" : p.engine.pid === null ? time(n.heard_at) : `${duration(Math.max(0, Math.round(p.at - n.heard_at)))} ago`);
        text(lost, n.lost ? number(n.lost) : "");
        text(why, [n.why, n.over_at === null ? "" : `its lease runs until ${time(n.over_at)}`].filter(Boolean).join("; "));
      });
    nodes.node.previousElementSibling.hidden = nodes.node.hidden = !p.nodes.length;
    now = p.rate_per_second ? `${rate(p.rate_per_second)} now` : p.engine.state === "running" ? "no rate yet" : `engine ${p.engine.state}`;
    text(work.value, [now, mean].filter(Boolean).join(" · "));
  }

  async function fetchSince() {
    const answer = await ask("since", "since", { at: meaning === "visit" ? visit : null });
    if (!answer || gone) return;
    const ago = duration(Date.now() / 1000 - answer.since);
    text(since, `${answer.meaning === "day" ? "In the last day" : `Since ${answer.meaning === "visit" ? "you left" : "the start"} at ${moment(answer.since, false)} (${ago})`}: ${answer.words}.`);
    toggle.hidden = !visit;
    text(toggle, meaning === "visit" ? "since the start" : "since you left");
  }

  async function fetchMore() {
    const o = await ask("overview", "overview");
    if (!o || gone) return;
    told = true;
    sayNone();
    none.hidden = o.causes.length > 0;
    causes.node.hidden = !o.causes.length;
    keyed(causes.body, o.causes, (c) => c.fingerprint,
      (c) => causes.row(el("td", { class: "num" }, el("b")), el("td", { class: "mono name" }, el("span", { class: "clamp" })), el("td"), el("td", { class: "trend" }), el("td", {}, el("span", { class: "tag" })), el("td", { class: "advice full" }),
        el("td", { class: "full" }, el("div", { class: "buttons together" }, link(tasksAt({ state: "failed", cause: c.fingerprint }), "View", { class: "button" }), el("button", {})))),
      (node, c) => {
        const [n, error, queue, last, kind, advice, does] = node.cells;
        text(n.firstChild, number(c.tasks));
        text(error.firstChild, c.error || c.reason);
        text(queue, c.workflow || c.queue);
        text(last, course(c));
        text(kind.firstChild, c.reason === "error" ? c.error_class : c.reason);
        text(advice, c.advice);
        const retry = does.querySelector("button");
        text(retry, "Retry");
        attribute(retry, "title", `overnight retry --cause ${c.fingerprint}`);
        attribute(retry, "aria-label", `Retry ${count(c.tasks, "task")}: ${c.error}`);
        retry.onclick = () => actOn("retry", { cause: c.fingerprint, states: ["failed"] }, count(c.tasks, "task"), guarded(fetchMore));
      });
    const checkpoint = o.checkpoint ? `last checkpoint ${duration(Date.now() / 1000 - o.checkpoint.made_at)} ago, ${size(o.checkpoint.size_bytes)}` : "no checkpoint yet";
    text(facts, `${o.home} on ${o.host} · version ${o.version} · ${checkpoint}`);
    const rows = [["Autonomy", o.autonomy], ["Recovery", o.recovery], ["Efficiency", o.efficiency]];
    const means = { Autonomy: (s) => `${number(s.part)} of ${number(s.whole)} tasks completed without a person`, Recovery: (s) => `${number(s.part)} of ${number(s.whole)} that met an error completed after it`, Efficiency: (s) => `${duration(s.part)} of ${duration(s.whole)} led to a completion` };
    fill(scores, rows.map(([name, s]) => [el("dt", {}, name), el("dd", {}, el("b", {}, percent(s.value)), " ", el("span", { class: "muted small" }, s.whole ? means[name](s) : "nothing to tell yet"))]));
  }

  async function fetchHealth() {
    const h = await ask("health", "health");
    if (!h || gone) return;
    if (h.at === null) { fill(health, el("li", { class: "muted" }, "being examined …")); timers.push(setTimeout(guarded(fetchHealth), 1500)); return; }
    const order = { fail: 0, unknown: 1, warn: 2, ok: 3 };
    // What failed and what is held is said above, and newer.
    const told = h.checks.filter((c) => c.id !== "tasks").sort((a, b) => order[a.status] - order[b.status]);
    fill(health, told.map((c) => el("li", { class: "check " + c.status }, el("i", { "aria-label": c.status }, SIGNS[c.status]), el("span", {}, el("b", {}, c.id), " ", c.summary, c.status !== "ok" && (c.fixes[0] ? [" → ", el("code", {}, c.fixes[0])] : c.advice[0] ? " → " + c.advice[0] : null)))), h.trouble ? el("li", { class: "check warn" }, h.trouble) : null, el("li", {}, link("/health", "all of it")));
  }

  async function fetchCharts() {
    const s = await ask("charts", "history", { gauge: ["cpu", "memory_available", "disk_free"] });
    if (!s || gone) return;
    const first = Math.min(...s.beats.map((b) => b.at), ...(s.series.cpu ?? []).map((p) => p[0]), s.until - 600);
    const span = s.span, since = Math.max(s.since, first), unit = span === 60 ? "a minute" : `in ${duration(span)}`;
    const line = (name) => (s.series[name] ?? []).map((p) => [p[0], p[1]]);
    const done = filled(s.beats, (b) => b.completed, since, s.until, span), failed = filled(s.beats, (b) => b.failed, since, s.until, span);
    // Nobody counted: none is not known.
    if (!s.counted) done.length = failed.length = 0;
    work.canvas.give({ since, until: s.until, span, top: 0, lines: [{ points: done, colour: "running", steps: true, name: "", unit }] });
    bad.canvas.give({ since, until: s.until, span, top: 0, lines: [{ points: failed, colour: "failed", bars: true, name: "", unit }] });
    mean = !s.counted ? "" : `${rate(done.reduce((a, b) => a + b[1], 0) / Math.max(1, s.until - since))} on average`.replace(/^ .*/, "");
    const worst = failed.reduce((a, b) => (b[1] > a[1] ? b : a), [0, 0]);
    text(bad.value, worst[1] ? `peak ${number(worst[1])} ${unit}, ${moment(worst[0], false)}` : s.counted ? "none" : "–");
    cpu.canvas.give({ since, until: s.until, span, top: 1, lines: [{ points: line("cpu"), colour: "running" }] });
    const last = (name) => line(name).at(-1)?.[1] ?? null;
    // What was measured last is not what is so now where nobody measures any more.
    const then = Date.now() / 1000 - (line("cpu").at(-1)?.[0] ?? 0) > 180 ? " at the end" : "";
    text(cpu.value, last("cpu") === null ? "–" : percent(last("cpu")) + then);
    room.canvas.give({ since, until: s.until, span, top: 0, lines: [{ points: line("memory_available"), colour: "running", name: "memory" }] });
    text(room.value, last("memory_available") === null ? "–" : `${size(last("memory_available"))} · ${size(last("disk_free"))}${then}`);
  }

  async function fetchNight() {
    const t = await ask("night", "timeline", { bins: Math.min(600, Math.max(100, Math.floor(night.clientWidth / 3) || 300)) });
    if (t && !gone) night.give({ ...t, incidents: t.incidents.filter((i) => i.name !== "queue_changed" || i.level !== "fine") });
  }

  const guarded = (job) => () => job().catch((error) => { if (error.status === 401) location.reload(); else if (error.status) toast(error.message, "", true); });
  const all = [[fetchMore, 3000], [fetchSince, 5000], [fetchCharts, 10000], [fetchNight, 10000], [fetchHealth, 60000]];
  for (const [job] of all) guarded(job)();
  let seq = -1, seen = -1;
  const stop = listen((p) => { seq = p.at; soon("overview", () => pulse(p)); });
  // What is asked for besides is asked for when something has changed, and not more often than that.
  for (const [job, every] of all) timers.push(setInterval(() => { if (!document.hidden && (every > 10000 || seq !== seen)) guarded(job)(); }, every));
  timers.push(setInterval(() => { seen = seq; }, 10000));
  return () => { gone = true; stop(); timers.forEach((t) => { clearInterval(t); clearTimeout(t); }); };
}
