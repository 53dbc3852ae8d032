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

// A question with the command that does the same. Resolves to whether somebody agreed. `typed`: what must be typed first.
export function confirm({ title, words, command, verb, danger = false, typed = "", more = null }) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const end = (answer) => { dialog.close(); resolve(answer); };
    const agree = el("button", { class: danger ? "danger" : "primary", disabled: Boolean(typed), onclick: () => end(true), autofocus: !typed }, verb);
    const field = typed && el("input", { "aria-label": `Type ${typed}`, autocomplete: "off", spellcheck: "false", autofocus: true, oninput: () => { agree.disabled = field.value.trim() !== typed; }, onkeydown: (event) => { if (event.key === "Enter" && !agree.disabled) end(true); } });
    fill(dialog,
      el("h2", { id: "dialog-title" }, title), el("p", {}, words), more,
      typed ? el("p", {}, "To go on, type ", el("code", {}, typed), " ", field) : null,
      command ? el("p", { class: "small muted" }, "The same in a terminal: ", el("code", {}, command)) : null,
      el("div", { class: "buttons" }, el("button", { onclick: () => end(false) }, "Cancel"),
        agree));
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

// Another priority, time limit or number of retries for tasks that are still to run.
export async function editTasks(which, many, now, done = () => {}) {
  const field = (label, value, more) => el("input", { type: "number", "aria-label": label, value: value ?? "", ...more });
  const priority = field("Priority", now.priority, { step: 1 }), timeout = field("Seconds of an attempt, 0 for no limit", now.timeout, { min: 0 }), retries = field("Retries", now.retries, { min: 0, step: 1 });
  const rows = [["priority", priority, "higher goes first"], ["time limit", timeout, "seconds of an attempt, 0 for none"], ["retries", retries, "attempts after one that failed"]];
  const more = el("dl", { class: "facts" }, rows.map(([name, input, hint]) => [el("dt", {}, name), el("dd", {}, input, " ", el("span", { class: "muted small" }, hint))]));
  if (!await confirm({ title: `Change ${many}?`, words: "What is left as it is stays as it is.", command: command("edit", which) + " --priority N --timeout T --retries N", verb: "Change", more })) return;
  const changed = Object.entries({ priority, timeout, retries }).filter(([name, input]) => input.value !== "" && Number(input.value) !== now[name]).map(([name, input]) => [name, Number(input.value)]);
  if (changed.length) await perform("edit", { ...which, ...Object.fromEntries(changed) }, done);
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
