// Failures by cause: how many, since when, how they went on, and what may help.
import { el, fill, keyed, text } from "./dom.js";
import { count, moment, number } from "./format.js";
import { ask } from "./net.js";
import { chart, filled } from "./chart.js";
import { actOn, copyable, course, link, tasksAt, toast } from "./widgets.js";
import { current, listen } from "./live.js";

export function errors(page) {
  document.title = "Errors · overnight";
  let gone = false, asked = 0, timer = null;
  const total_of = () => current()?.counts.failed ?? null;
  const list = el("div"), none = el("p", { class: "empty", hidden: true }, "Nothing has failed.");
  const total = el("p", { class: "muted" });
  fill(page, el("h1", {}, "Failures by cause"), total, none, list);

  const make = (c) => {
    const trend = chart({ label: "Failed attempts of this cause over time", height: 40, show: (v) => count(Math.round(v), "failure") });
    const node = el("section", { class: "card", "aria-label": c.error }, el("div", { class: "cols" },
      el("div", {}, el("h3", {}), el("p", { class: "mono clamp" }), el("p", { class: "advice" }), el("p", { class: "muted small" })),
      el("div", {}, trend, el("div", { class: "buttons" }, link(tasksAt({ state: "failed", cause: c.fingerprint }), "View", { class: "button" }), el("button", { class: "retry" }, "Retry"), link("/tasks/" + c.newest_id, "the newest", { class: "button" })), el("div", { class: "buttons" }, c.commands.map(copyable)))));
    node.trend = trend;
    return node;
  };
  async function refresh() {
    asked = performance.now();
    const found = await ask("causes", "causes");
    if (!found || gone) return;
    none.hidden = found.causes.length > 0 || total_of() !== 0;
    const sum = found.causes.reduce((a, c) => a + c.tasks, 0);
    text(total, found.causes.length ? `${count(sum, "task")} of ${count(found.causes.length, "cause")}, the most frequent first` : "");
    const trends = new Map(found.trends.map((t) => [t.fingerprint, t]));
    keyed(list, found.causes, (c) => c.fingerprint, make, (node, c) => {
      text(node.querySelector("h3"), `${number(c.tasks)} · ${c.reason === "error" ? c.error_class || "error" : c.reason} · ${course(c)}`);
      text(node.querySelector(".mono"), c.error || c.reason);
      text(node.querySelector(".muted"), `${c.workflow ? "workflow " + c.workflow + ", " : ""}queue ${c.queue} · first ${moment(c.first_at)}, last ${moment(c.last_at)} · cause ${c.fingerprint || "unknown"}`);
      text(node.querySelector(".advice"), c.advice);
      node.querySelector(".retry").onclick = () => actOn("retry", { cause: c.fingerprint, states: ["failed"] }, count(c.tasks, "task"), guarded);
      const trend = trends.get(c.fingerprint);
      if (trend) node.trend.give({ since: found.since - trend.span, until: found.until, span: trend.span, top: 0, lines: [{ points: filled(trend.points.map(([at, n]) => ({ at, n })), (b) => b.n, found.since - trend.span, found.until, trend.span), colour: "failed", bars: true }] });
    });
  }
  const guarded = () => refresh().catch((error) => error.status && toast(error.message, "", true));
  const stop = listen(() => {
    clearTimeout(timer);
    timer = setTimeout(guarded, Math.max(0, 1000 - (performance.now() - asked)));
  });
  guarded();
  return () => { gone = true; stop(); clearTimeout(timer); };
}
