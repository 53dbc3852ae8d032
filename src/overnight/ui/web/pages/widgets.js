// What several pages are made of: states, buttons that show their command, questions before a deed, notices.
import { el, fill, keyed, text, attribute } from "./dom.js";
import { moment, number, word } from "./format.js";
import { act } from "./net.js";

export const STATES = ["completed", "failed", "running", "interrupted", "held", "pending", "waiting", "cancelled"];
const MARKS = { completed: "✓", failed: "✕", running: "▶", held: "‖", cancelled: "–", interrupted: "!", pending: "○", waiting: "◌", skipped: "»", unreached: "–" };

export const link = (to, words, more = {}) => el("a", { href: to, "data-link": true, ...more }, words);
export const tasksAt = (filters) => "/tasks?" + new URLSearchParams(Object.entries(filters).filter(([, v]) => v)).toString();

export function state(name, more = "") {
  return el("span", { class: "state", "data-state": name }, el("i", { class: "s-" + name, "aria-hidden": "true" }), `${name}${more ? " · " + more : ""}`);
}
export const mark = (name) => MARKS[name] ?? "·";

export function stateBar() {
  const bar = el("div", { class: "bar", role: "img" });
  return {
    node: bar,
    show(counts, total, filters = {}) {
      const shown = STATES.filter((s) => s !== "waiting" && s !== "pending").concat("pending", "waiting");
      keyed(bar, shown.filter((s) => counts[s]), (s) => s,
        (s) => link(tasksAt({ ...filters, state: s === "interrupted" ? "running" : s }), "", { class: "s-" + s, "data-some": "1" }),
        (node, s) => {
          const words = `${number(counts[s])} ${s}`;
          attribute(node, "title", words);
          attribute(node, "aria-label", words);
          node.style.flexGrow = counts[s];
        });
      attribute(bar, "aria-label", shown.filter((s) => counts[s]).map((s) => `${number(counts[s])} ${s}`).join(", ") + ` of ${number(total)}`);
    },
  };
}

export function toast(words, command = "", bad = false) {
  const box = document.getElementById("toasts");
  const node = el("div", { class: bad ? "toast bad" : "toast" }, words, command ? [" ", el("code", {}, command)] : null);
  box.append(node);
  setTimeout(() => node.remove(), bad ? 9000 : 6000);
}

// A question with the command that does the same. Resolves to whether somebody agreed.
export function confirm({ title, words, command, verb, danger = false }) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const end = (answer) => { dialog.close(); resolve(answer); };
    fill(dialog,
      el("h2", { id: "dialog-title" }, title), el("p", {}, words),
      command ? el("p", { class: "small muted" }, "The same in a terminal: ", el("code", {}, command)) : null,
      el("div", { class: "buttons" }, el("button", { onclick: () => end(false) }, "Cancel"),
        el("button", { class: danger ? "danger" : "primary", onclick: () => end(true), autofocus: true }, verb)));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
  });
}

export function command(verb, which) {
  const words = ["overnight", verb, ...(which.ids ?? [])];
  if (which.queue) words.push("--queue", which.queue);
  if (which.workflow) words.push("--workflow", which.workflow);
  for (const one of which.states ?? []) words.push("--state", one);
  if (which.cause) words.push("--cause", which.cause);
  return words.map(word).join(" ");
}

// Does something to tasks after a question that says how many they are.
export async function actOn(verb, which, many, done = () => {}) {
  const words = { retry: "queued once more, with all their retries", cancel: "cancelled; those that run are ended", hold: "held back until you release them", release: "let go on" }[verb];
  const agreed = await confirm({
    title: `${verb[0].toUpperCase()}${verb.slice(1)} ${many}?`, words: `${many} will be ${words}.`,
    command: command(verb, which), verb: `${verb[0].toUpperCase()}${verb.slice(1)} ${many}`, danger: verb === "cancel",
  });
  if (agreed) await perform("tasks/" + verb, which, done);
}

export async function perform(where, body, done = () => {}) {
  try {
    const answer = await act(where, body);
    toast(answer.words, answer.command);
    done();
  } catch (error) {
    toast(`${error.message}${error.hint ? " – " + error.hint : ""}`, "", true);
  }
}

export async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    // Not on a page that came without TLS: the old way.
    const area = el("textarea", { value: words });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast("copied");
}
// How a cause came and goes.
export function course(c) {
  const words = c.is_new ? [`new since ${moment(c.first_at, false)}`] : [];
  if (c.direction === "stopped") words.push(`stopped ${moment(c.last_at, false)}`);
  else if (c.direction && (c.direction !== "steady" || !words.length)) words.push(c.direction);
  return words.join(", ") || `last ${moment(c.last_at, false)}`;
}

export const copyable = (words) => el("button", { class: "small", title: "Copy", onclick: () => copy(words) }, el("code", {}, words));

// On a narrow page each row becomes a block, in which a column's `word` stands before what is in it.
export function table(columns, caption) {
  const body = el("tbody");
  const node = el("div", { class: "tablebox stack" }, el("table", { "aria-label": caption },
    el("thead", {}, el("tr", {}, columns.map((c) => el("th", { class: c.class ?? "", scope: "col" }, c.name)))), body));
  const row = (...cells) => {
    cells.forEach((cell, n) => attribute(cell, "data-word", columns[n].word));
    return el("tr", {}, cells);
  };
  return { node, body, row };
}
export { text };
