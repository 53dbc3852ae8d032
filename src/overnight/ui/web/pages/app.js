// The frame: which page an address means, what every page shows, and the keys.
import { el, fill, text, attribute } from "./dom.js";
import { duration, number } from "./format.js";
import { forget } from "./net.js";
import { begin, current, heardAt, listen } from "./live.js";
import { confirm, link, perform } from "./widgets.js";
import { overview } from "./overview.js";

const PAGES = [
  ["/", "Overview", "o"], ["/tasks", "Tasks", "t"], ["/workflows", "Workflows", "w"], ["/timeline", "Timeline", "l"],
  ["/errors", "Errors", "e"], ["/health", "Health", "h"], ["/checkpoints", "Checkpoints", "c"], ["/log", "Log", "j"], ["/api", "API", "a"],
];
// Loaded when somebody goes there.
const ROUTES = [
  [/^\/$/, async () => overview],
  [/^\/tasks$/, async () => (await import("./tasks.js")).tasks],
  [/^\/tasks\/(\d+)$/, async () => (await import("./task.js")).task],
  [/^\/errors$/, async () => (await import("./errors.js")).errors],
  [/^\/timeline$/, async () => (await import("./timeline.js")).timeline],
  [/^\/workflows$/, async () => (await import("./workflows.js")).workflows],
  [/^\/workflows\/(.+)$/, async () => (await import("./workflows.js")).workflow],
  [/^\/health$/, async () => (await import("./records.js")).health],
  [/^\/checkpoints$/, async () => (await import("./records.js")).checkpoints],
  [/^\/log$/, async () => (await import("./records.js")).log],
  [/^\/api$/, async () => (await import("./api.js")).api],
];

const main = document.getElementById("main"), nav = document.getElementById("nav");
let leave = () => {}, visit = 0;

export function go(to, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", to);
  show(!replace);
}

async function show(moved = true) {
  const mine = ++visit, at = location.pathname;
  leave();
  leave = () => {};
  forget();
  for (const a of nav.children) attribute(a, "aria-current", (a.pathname === "/" ? at === "/" : at.startsWith(a.pathname)) ? "page" : null);
  const found = ROUTES.map(([form, load]) => [at.match(form), load]).find(([match]) => match);
  if (!found) return void fill(main, el("p", { class: "empty" }, "There is no such page. ", link("/", "The overview"), " says how it goes."));
  const [match, load] = found;
  const page = await load();
  if (mine !== visit) return;
  fill(main);
  if (moved) { scrollTo(0, 0); main.focus({ preventScroll: true }); }
  leave = page(main, { go, parameters: new URLSearchParams(location.search), words: match.slice(1).map(decodeURIComponent) }) ?? (() => {});
}

function frame() {
  fill(nav, PAGES.map(([to, name]) => link(to, name === "Errors" ? [name, el("span", { class: "n" })] : name)));
  const failed = nav.querySelector(".n");
  // What they would do is not known before the first picture.
  const pause = el("button", { disabled: true }, "Pause"), stop = el("button", { title: "overnight stop", disabled: true }, "Stop"), save = el("button", { title: "overnight checkpoint save" }, "Checkpoint");
  fill(document.getElementById("actions"), pause, stop, save);
  let isPaused = false;
  pause.onclick = async () => {
    if (isPaused) return perform("unpause");
    const running = current()?.counts.running ?? 0;
    if (await confirm({ title: "Pause everything?", words: `Nothing more starts. ${number(running)} running ${running === 1 ? "task" : "tasks"} may finish.`, command: "overnight pause", verb: "Pause" })) perform("pause");
  };
  stop.onclick = async () => {
    const running = current()?.counts.running ?? 0;
    if (await confirm({ title: "Stop the engine?", words: `Nothing more starts, ${number(running)} running ${running === 1 ? "task" : "tasks"} may finish, and the engine ends. Nothing is lost; 'overnight start' goes on.`, command: "overnight stop", verb: "Stop", danger: true })) perform("stop");
  };
  save.onclick = async () => {
    save.disabled = true;
    await perform("checkpoint");
    save.disabled = false;
  };
  listen((p) => {
    isPaused = (p.engine.state === "paused" && p.engine.why.startsWith("a person")) || p.storms.length > 0;
    pause.disabled = false;
    text(pause, isPaused ? "Unpause" : "Pause");
    attribute(pause, "title", isPaused ? "overnight unpause" : "overnight pause");
    stop.disabled = p.engine.state === "stopped";
    text(failed, p.counts.failed ? number(p.counts.failed) : "");
    const icon = p.sentence.level === "trouble" ? "✕ " : p.counts.failed ? `(${number(p.counts.failed)}) ` : "";
    document.title = icon + document.title.replace(/^(✕ |\([\d,]+\) )/, "");
  });
}

function age() {
  const box = document.getElementById("live"), words = document.getElementById("age");
  const short = innerWidth < 900;
  const seconds = heardAt() ? (performance.now() - heardAt()) / 1000 : null;
  const state = seconds === null ? "new" : seconds > 15 ? "dead" : seconds > 3 ? "old" : "live";
  attribute(box, "data-age", state);
  const engine = current()?.engine.state ?? "";
  attribute(box, "data-engine", engine);
  text(words, seconds === null ? "connecting" : state === "live" ? short ? `${seconds.toFixed(1)} s ago` : `engine ${engine} · live, ${seconds.toFixed(1)} s ago` : state === "old" ? `no word for ${Math.round(seconds)} s` : `${short ? "silent" : "not connected"} for ${duration(seconds)}`);
}

function keys() {
  const dialog = document.getElementById("dialog");
  const help = () => {
    fill(dialog, el("h2", { id: "dialog-title" }, "Keys"),
      el("dl", { class: "facts" }, [["/", "search tasks"], ["f", "what has failed"], ["p", "pause or go on"], ...PAGES.map(([, name, key]) => ["g " + key, name]), ["?", "these keys"], ["Esc", "close, or leave a field"]].map(([key, words]) => [el("dt", {}, key.split(" ").map((k) => [el("kbd", {}, k), " "])), el("dd", {}, words)])),
      el("div", { class: "buttons" }, el("button", { onclick: () => dialog.close(), autofocus: true }, "Close")));
    dialog.showModal();
  };
  let led = 0;
  addEventListener("keydown", (event) => {
    const key = event.key, field = event.target.closest?.("input, select, textarea");
    if (field && key === "Escape") field.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || (field && field.type !== "checkbox")) return;
    if (led && performance.now() - led < 1500) {
      led = 0;
      const page = PAGES.find(([, , letter]) => letter === key);
      if (page) { event.preventDefault(); go(page[0]); }
    } else if (key === "g") led = performance.now();
    else if (key === "?") help();
    else if (key === "f") go("/tasks?state=failed");
    else if (key === "p") document.querySelector("#actions button").click();
    else if (key === "/") {
      event.preventDefault();
      const search = document.querySelector("main input[type=search]");
      if (search) search.focus();
      else { go("/tasks"); setTimeout(() => document.querySelector("main input[type=search]")?.focus(), 150); }
    }
  });
}

document.addEventListener("click", (event) => {
  const a = event.target.closest?.("a[data-link]");
  if (!a || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(a.getAttribute("href"));
});
addEventListener("popstate", () => show());
frame();
keys();
setInterval(age, 250);
begin();
show(false);
