// The night by workers: drag over a part of it to look closer, click what is in it.
import { el, fill, keyed, text } from "./dom.js";
import { duration, moment } from "./format.js";
import { ask } from "./net.js";
import { lanes } from "./lanes.js";
import { link, toast } from "./widgets.js";
import { listen } from "./live.js";

export function timeline(page, { go, parameters }) {
  document.title = "Timeline · overnight";
  const since = Number(parameters.get("since")) || 0, until = Number(parameters.get("until")) || 0;
  let gone = false, asked = 0, timer = null, data = null;
  const at = (a, b) => go(`/timeline?since=${Math.floor(a)}&until=${Math.ceil(b)}`);
  const board = lanes({ label: "Which worker was busy when; the list below tells the incidents", onpick: (id) => go("/tasks/" + id), onzoom: at, tall: 24 });
  const words = el("span", { class: "muted" }), list = el("tbody"), known = el("p", { class: "muted small" });
  const zoom = (factor) => () => { if (!data) return; const middle = (data.since + data.until) / 2, half = ((data.until - data.since) / 2) * factor; at(middle - half, Math.min(Date.now() / 1000, middle + half)); };
  const shift = (share) => () => { if (!data) return; const by = (data.until - data.since) * share; at(data.since + by, data.until + by); };
  fill(page, el("h1", {}, "Timeline"),
    el("div", { class: "filters" }, el("button", { onclick: shift(-0.5) }, "← earlier"), el("button", { onclick: zoom(0.5) }, "closer"), el("button", { onclick: zoom(2) }, "wider"), el("button", { onclick: shift(0.5) }, "later →"), link("/timeline", "the whole night", { class: "button" }), words),
    el("div", { class: "card" }, board), known,
    el("h2", {}, "What happened"), el("div", { class: "tablebox" }, el("table", { "aria-label": "Incidents" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "when"), el("th", { scope: "col" }, "what"))), list)));
  async function refresh() {
    asked = performance.now();
    const found = await ask("timeline", "timeline", { since: since || "", until: until || "", bins: Math.min(1200, Math.max(100, Math.floor((board.clientWidth || 900) / 2))) });
    if (!found || gone) return;
    data = found;
    board.give(found);
    text(words, `${moment(found.since)} – ${moment(found.until)} (${duration(found.until - found.since)}); drag over a part to look closer`);
    text(known, found.known_since && found.known_since > found.since + 1 && since ? `Attempts before ${moment(found.known_since)} are not kept here.` : "");
    keyed(list, found.incidents.map((i, n) => ({ ...i, n })).toReversed(), (i) => `${i.n} ${i.at} ${i.words}`, (i) => el("tr", {}, el("td", { class: "nowrap" }, moment(i.at)), el("td", { class: i.level === "trouble" ? "bad" : "" }, i.words)), () => {});
  }
  const guarded = () => refresh().catch((error) => error.status && toast(error.message, "", true));
  // A part of the past does not change.
  const stop = until && until < Date.now() / 1000 ? () => {} : listen(() => { clearTimeout(timer); timer = setTimeout(guarded, Math.max(0, 2000 - (performance.now() - asked))); });
  guarded();
  return () => { gone = true; stop(); clearTimeout(timer); };
}
