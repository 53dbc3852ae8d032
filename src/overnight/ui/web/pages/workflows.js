// Workflows, and their graphs: drawn on canvas, with a list beside it that says the same.
import { el, fill, keyed, text, attribute } from "./dom.js";
import { count, moment, number } from "./format.js";
import { ask } from "./net.js";
import { board, colour, hint } from "./chart.js";
import { actOn, link, perform, state, stateBar, tasksAt, toast, mark } from "./widgets.js";
import { listen } from "./live.js";

const WIDE = 132, HIGH = 30, PAD = 40;
// A graph with more nodes is a texture and no map: it opens by its phases.
const MANY = 300, EVERYTHING = "", PHASES = "*";
const WORST = ["failed", "held", "running", "pending", "waiting", "unreached", "cancelled", "completed", "skipped"];

// What of a graph is shown: all of it, one phase, or a node for each phase.
function part(whole, mode) {
  if (mode === EVERYTHING) return whole;
  return mode === PHASES ? byPhase(whole) : onePhase(whole, mode);
}

function onePhase(whole, name) {
  const kept = whole.nodes.map((n, i) => [n, i]).filter(([n]) => n.phase === name), places = new Map(kept.map(([, i], at) => [i, at]));
  const [left, top] = [Math.min(...kept.map(([n]) => n.x)), Math.min(...kept.map(([n]) => n.y))];
  const nodes = kept.map(([n]) => ({ ...n, x: n.x - left, y: n.y - top }));
  const edges = whole.edges.filter((e) => places.has(e.before) && places.has(e.after)).map((e) => ({ before: places.get(e.before), after: places.get(e.after), points: e.points.map(([x, y]) => [x - left, y - top]) }));
  return { ...whole, nodes, edges, width: Math.max(0, ...nodes.map((n) => n.x)), height: Math.max(0, ...nodes.map((n) => n.y)) };
}

function byPhase(whole) {
  const groups = new Map();
  for (const n of whole.nodes) if (n.phase) groups.set(n.phase, [...(groups.get(n.phase) ?? []), n]);
  const nodes = [...groups].map(([name, steps], at) => {
    const counts = WORST.map((s) => [s, steps.filter((n) => n.state === s).length]).filter(([, n]) => n);
    return { name: `${name} (${number(steps.length)})`, kind: "phase", phase: name, x: at * (WIDE + 60), y: 0, what: [count(steps.length, "step"), ...counts.map(([s, n]) => `${number(n)} ${s}`)].join(", "), condition: "", state: counts[0]?.[0] ?? "", task_id: null };
  });
  return { ...whole, nodes, edges: nodes.slice(1).map((_, at) => ({ before: at, after: at + 1, points: [] })), width: Math.max(0, (nodes.length - 1) * (WIDE + 60)), height: 0 };
}

export function workflows(page) {
  document.title = "Workflows · overnight";
  let gone = false, asked = 0, timer = null;
  const list = el("div"), none = el("p", { class: "empty", hidden: true }, "No workflow is defined; see docs/workflows.md.");
  fill(page, el("h1", {}, "Workflows"), none, list);
  const make = (f) => {
    const bar = stateBar();
    const node = el("section", { class: "card", "aria-label": f.name }, el("h3", {}, link("/workflows/" + encodeURIComponent(f.name), f.name), " ", el("span", { class: "tag" })), el("p", { class: "muted small" }), bar.node, el("p", { class: "small" }), el("div", { class: "buttons" }, link(tasksAt({ workflow: f.name }), "Tasks", { class: "button" }), link("/workflows/" + encodeURIComponent(f.name), "Graph", { class: "button" }), el("button", {})));
    node.bar = bar;
    return node;
  };
  async function refresh() {
    asked = performance.now();
    const found = await ask("workflows", "workflows");
    if (!found || gone) return;
    none.hidden = found.workflows.length > 0;
    keyed(list, found.workflows, (f) => f.name, make, (node, f) => {
      const total = Object.values(f.counts).reduce((a, b) => a + b, 0);
      text(node.querySelector(".tag"), f.paused ? "paused" : count(f.steps, "step"));
      text(node.querySelector(".muted"), [f.title, f.phases.join(" → "), `from ${f.source}, ${moment(f.defined_at)}`].filter(Boolean).join(" · "));
      node.bar.show(f.counts, total, { workflow: f.name });
      text(node.querySelectorAll("p")[1], total ? Object.entries(f.counts).filter(([, n]) => n).map(([s, n]) => `${number(n)} ${s}`).join(", ") : "no task yet");
      const button = node.querySelector("button");
      text(button, f.paused ? "Unpause" : "Pause");
      attribute(button, "title", `overnight ${f.paused ? "unpause" : "pause"} --workflow ${f.name}`);
      button.onclick = () => perform(f.paused ? "unpause" : "pause", { workflow: f.name }, guarded);
    });
  }
  const guarded = () => refresh().catch((error) => error.status && toast(error.message, "", true));
  const stop = listen(() => { clearTimeout(timer); timer = setTimeout(guarded, Math.max(0, 1000 - (performance.now() - asked))); });
  guarded();
  return () => { gone = true; stop(); clearTimeout(timer); };
}

// The graph of a workflow by its name, or of a task as "task:17".
export function workflow(page, { words: [name], parameters }) {
  const taskId = name.startsWith("task:") ? name.slice(5) : null;
  document.title = `${taskId ? "Task " + taskId : name} · overnight`;
  let gone = false, whole = null, graph = null, mode = parameters.get("phase"), failures = [], view = { x: 0, y: 0, scale: 1 }, chosen = -1, tracks = true, asked = 0, timer = null, found = new Set(), fitted = false;
  const title = el("h1", {}, taskId ? ["Graph of ", link("/tasks/" + taskId, "task " + taskId)] : name), words = el("p", { class: "muted small" });
  const canvas = board(() => canvas?.parentElement?.clientHeight ?? 0, draw, "The graph; the list beside it has the same steps");
  canvas.dataset.fills = "1";
  const map = board(() => (graph ? Math.min(110, Math.max(24, (180 * (graph.height + HIGH + 2 * PAD)) / (graph.width + WIDE + 2 * PAD))) : 0), drawMap, "The whole graph");
  map.className = "map";
  const nodes = el("div", { class: "nodes", role: "list", "aria-label": "Steps" });
  const about = el("div", { class: "card small" }, "Choose a step.");
  const find = el("input", { type: "search", placeholder: "find a step", "aria-label": "Find a step", oninput: () => { const w = find.value.toLowerCase(); found = new Set(w && graph ? graph.nodes.flatMap((n, i) => (n.name.toLowerCase().includes(w) ? [i] : [])) : []); if (found.size) centre([...found][0]); canvas.redraw(); } });
  const phases = el("select", { hidden: true, "aria-label": "Part of the graph", onchange: () => show(phases.value) });
  const failed = el("button", { class: "danger", hidden: true, onclick: () => { const i = failures[(failures.indexOf(chosen) + 1) % failures.length]; pick(i); centre(i); } });
  const again = el("button", { hidden: true, title: `overnight retry ${taskId}`, onclick: () => actOn("retry", { ids: [Number(taskId)] }, `task ${taskId}`, guarded) }, "Retry what failed");
  const track = el("input", { type: "checkbox", checked: true, onchange: () => { tracks = track.checked; } });
  fill(page, title, words, el("div", { class: "filters" }, find, el("button", { onclick: () => zoom(1.3) }, "closer"), el("button", { onclick: () => zoom(1 / 1.3) }, "wider"), el("button", { onclick: fit }, "all of it"), phases, failed, again, taskId ? el("label", {}, track, " follow what runs") : null),
    el("div", { class: "graph" }, el("div", { class: "graphbox", tabindex: "0", "aria-label": "Graph: arrows move, + and - zoom", onkeydown: keys }, canvas, map), el("div", {}, about, nodes)));

  function show(wanted) {
    mode = phases.value = wanted;
    history.replaceState(null, "", location.pathname + (wanted ? "?phase=" + encodeURIComponent(wanted) : ""));
    graph = part(whole, mode);
    list();
    pick(-1);
    fit();
  }
  const at = (n) => [(n.x + PAD + WIDE / 2) * view.scale + view.x, (n.y + PAD) * view.scale + view.y];
  function fit() {
    if (!graph || !canvas.clientWidth) return;
    const wide = graph.width + WIDE + 2 * PAD, high = graph.height + HIGH + 2 * PAD;
    view.scale = Math.min(1.4, canvas.clientWidth / wide, canvas.clientHeight / high);
    view.x = (canvas.clientWidth - wide * view.scale) / 2;
    view.y = (canvas.clientHeight - high * view.scale) / 2 + (HIGH / 2) * view.scale;
    refreshView();
  }
  function centre(i) {
    if (view.scale < 0.5) view.scale = 0.9;
    const [x, y] = at(graph.nodes[i]);
    view.x += canvas.clientWidth / 2 - x;
    view.y += canvas.clientHeight / 2 - y;
    refreshView();
  }
  function zoom(by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const scale = Math.max(0.02, Math.min(4, view.scale * by)), real = scale / view.scale;
    view = { scale, x: x - (x - view.x) * real, y: y - (y - view.y) * real };
    refreshView();
  }
  let frame = null;
  const refreshView = () => { frame ??= requestAnimationFrame(() => { frame = null; canvas.redraw(); map.redraw(); }); };
  function keys(event) {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (step) { view.x += step[0]; view.y += step[1]; refreshView(); }
    else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else return;
    event.preventDefault();
  }

  const inkOf = (n, inks) => (n.state ? inks[n.state] ?? inks.cancelled : n.kind === "gate" ? inks.held : inks.running);
  function draw(c, width, tall) {
    if (!graph) return;
    const names = ["completed", "failed", "running", "pending", "waiting", "held", "cancelled", "ink", "soft", "line", "paper", "card", "accent"];
    const inks = Object.fromEntries(names.map((n) => [n, colour(n)]));
    const small = view.scale < 0.35, w = WIDE * view.scale, h = HIGH * view.scale;
    // Edges in one path for each look: thousands of strokes would cost the frame.
    const looks = [[inks.soft, small ? 0.35 : 0.55, 1], [inks.failed, 0.9, 1.6], [inks.accent, 1, 2]];
    const look = (e) => (chosen >= 0 && (e.before === chosen || e.after === chosen) ? 2 : graph.nodes[e.after].state === "unreached" && ["failed", "unreached"].includes(graph.nodes[e.before].state) ? 1 : 0);
    for (const [kind, [ink, alpha, thick]] of looks.entries()) {
      c.beginPath();
      for (const e of graph.edges) {
        if (look(e) !== kind) continue;
        const a = graph.nodes[e.before], b = graph.nodes[e.after];
        let [x, y] = at(a);
        x += a.kind === "join" ? 4 * view.scale : w / 2;
        c.moveTo(x, y);
        const stops = [...e.points.map(([px, py]) => at({ x: px, y: py })), [at(b)[0] - (b.kind === "join" ? 4 * view.scale : w / 2), at(b)[1]]];
        for (const [nx, ny] of stops) {
          const bend = (nx - x) / 2;
          if (small) c.lineTo(nx, ny); else c.bezierCurveTo(x + bend, y, nx - bend, ny, nx, ny);
          [x, y] = [nx, ny];
        }
      }
      c.strokeStyle = ink;
      c.globalAlpha = alpha;
      c.lineWidth = thick;
      c.stroke();
      c.globalAlpha = 1;
    }
    c.textBaseline = "middle";
    c.font = `${Math.max(8, 12.5 * view.scale)}px system-ui, 'DejaVu Sans', sans-serif`;
    graph.nodes.forEach((n, i) => {
      const [x, y] = at(n);
      if (x < -w || y < -h || x > width + w || y > tall + h) return;
      if (n.kind === "join") { c.fillStyle = inks.soft; c.beginPath(); c.arc(x, y, Math.max(1.5, 4 * view.scale), 0, 7); c.fill(); return; }
      const ink = inkOf(n, inks), left = x - w / 2, top = y - h / 2;
      c.globalAlpha = n.state === "skipped" ? 0.5 : 1;
      if (small) { c.fillStyle = ink; c.fillRect(left, top, Math.max(2, w), Math.max(2, h)); }
      else {
        c.fillStyle = inks.paper;
        c.strokeStyle = i === chosen || found.has(i) ? inks.accent : ink;
        c.lineWidth = i === chosen || found.has(i) ? 3 : 1.5;
        c.beginPath();
        if (n.kind === "gate") { c.moveTo(left, y); c.lineTo(left + h / 2, top); c.lineTo(left + w - h / 2, top); c.lineTo(left + w, y); c.lineTo(left + w - h / 2, top + h); c.lineTo(left + h / 2, top + h); c.closePath(); }
        else c.roundRect(left, top, w, h, 5 * view.scale);
        c.fill();
        c.stroke();
        c.fillStyle = ink;
        c.save();
        c.clip();
        c.fillRect(left + (n.kind === "gate" ? h / 2 : 0), top, 5 * view.scale, h);
        c.restore();
        c.fillStyle = inks.ink;
        const words = (n.state ? mark(n.state) + " " : "") + n.name, most = Math.floor((w - 18 * view.scale) / (6.6 * view.scale));
        c.fillText(words.length > most ? words.slice(0, most - 1) + "…" : words, left + (n.kind === "gate" ? h / 2 + 9 * view.scale : 11 * view.scale), y, w - 14 * view.scale);
      }
      c.globalAlpha = 1;
    });
  }
  function drawMap(c, width, tall) {
    if (!graph) return;
    const wide = graph.width + WIDE + 2 * PAD, high = graph.height + HIGH + 2 * PAD, s = Math.min(width / wide, tall / high);
    const inks = Object.fromEntries(["completed", "failed", "running", "pending", "waiting", "held", "cancelled", "accent"].map((n) => [n, colour(n)]));
    for (const n of graph.nodes) { c.fillStyle = inkOf(n, inks); c.fillRect((n.x + PAD) * s, (n.y + PAD) * s, Math.max(1, WIDE * s), Math.max(1, HIGH * s * 0.8)); }
    c.strokeStyle = inks.accent;
    c.strokeRect((-view.x / view.scale) * s, (-view.y / view.scale) * s, (canvas.clientWidth / view.scale) * s, (canvas.clientHeight / view.scale) * s);
  }

  const under = (event) => graph?.nodes.findIndex((n) => { const [x, y] = at(n); return Math.abs(event.offsetX - x) < (WIDE / 2) * view.scale && Math.abs(event.offsetY - y) < Math.max(5, (HIGH / 2) * view.scale); }) ?? -1;
  let drag = null, moved = false;
  canvas.addEventListener("pointerdown", (event) => { drag = [event.clientX - view.x, event.clientY - view.y]; moved = false; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (drag) { const [x, y] = [event.clientX - drag[0], event.clientY - drag[1]]; if (Math.hypot(x - view.x, y - view.y) > 2) moved = true; view.x = x; view.y = y; if (moved) { tracks = false; track.checked = false; } refreshView(); return; }
    const i = under(event), n = graph?.nodes[i];
    hint(n ? `${n.name}${n.state ? " · " + n.state : ""}\n${n.what}` : "", event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerup", (event) => { drag = null; if (!moved) pick(under(event)); });
  canvas.addEventListener("pointerleave", () => hint(""));
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY); }, { passive: false });
  map.addEventListener("pointerdown", (event) => {
    const wide = graph.width + WIDE + 2 * PAD, high = graph.height + HIGH + 2 * PAD, s = Math.min(map.clientWidth / wide, map.clientHeight / high);
    view.x = canvas.clientWidth / 2 - (event.offsetX / s) * view.scale;
    view.y = canvas.clientHeight / 2 - (event.offsetY / s) * view.scale;
    refreshView();
  });

  function pick(i) {
    chosen = i;
    const n = graph.nodes[i];
    if (n?.kind === "phase") return show(n.phase);
    const of = (pick, other) => graph.edges.filter((e) => e[pick] === i).map((e) => graph.nodes[e[other]].name).join(", ");
    fill(about, n ? [el("b", {}, n.name), " ", n.state ? state(n.state) : el("span", { class: "tag" }, n.kind), el("p", { class: "mono" }, n.what), n.condition ? el("p", {}, `if ${n.condition}`) : null, n.phase ? el("p", {}, `phase ${n.phase}`) : null, of("after", "before") ? el("p", {}, "after " + of("after", "before")) : null, of("before", "after") ? el("p", {}, "before " + of("before", "after")) : null, n.task_id ? link("/tasks/" + n.task_id, `task ${n.task_id}`, { class: "button" }) : null] : "Choose a step.");
    for (const b of nodes.children) attribute(b.firstChild, "aria-current", b.dataset.key === `${mode} ${i}` ? "true" : null);
    refreshView();
  }

  async function refresh() {
    asked = performance.now();
    const answer = await ask("graph", taskId ? `tasks/${taskId}/graph` : `workflows/${encodeURIComponent(name)}/graph`);
    if (!answer || gone) return;
    const before = graph;
    whole = answer;
    const named = [...new Set(whole.nodes.map((n) => n.phase).filter(Boolean))];
    mode ??= whole.nodes.length > MANY && named.length ? PHASES : EVERYTHING;
    if (mode !== EVERYTHING && mode !== PHASES && !named.includes(mode)) mode = EVERYTHING;
    graph = part(whole, mode);
    if (!phases.options.length && named.length) {
      phases.hidden = false;
      fill(phases, el("option", { value: EVERYTHING }, "all steps"), el("option", { value: PHASES }, "by phase"), named.map((p) => el("option", { value: p }, "phase " + p)));
      phases.value = mode;
    }
    const steps = whole.nodes.filter((n) => n.kind !== "join").length;
    text(words, `${count(steps, "step")}, ${count(whole.edges.length, "edge")} · definition ${whole.digest.slice(0, 12)}`);
    if (!fitted) { fitted = true; canvas.parentElement.style.height = `${Math.max(220, Math.min(560, graph.height + HIGH + 4 * PAD))}px`; requestAnimationFrame(fit); }
    list();
    if (tracks && taskId && before && before.nodes.length === graph.nodes.length) {
      const now = graph.nodes.findIndex((n, i) => n.state === "running" && before.nodes[i].state !== "running");
      if (now >= 0 && graph.nodes.length > 12) centre(now);
    }
    refreshView();
  }

  function list() {
    failures = graph.nodes.flatMap((n, i) => (n.state === "failed" ? [i] : []));
    failed.hidden = !failures.length;
    again.hidden = !failures.length || !taskId || whole.nodes.some((n) => n.state === "running");
    text(failed, `${number(failures.length)} failed: show`);
    const listed = graph.nodes.map((n, i) => ({ ...n, i })).filter((n) => n.kind !== "join");
    keyed(nodes, listed.slice(0, 500), (n) => `${mode} ${n.i}`, (n) => el("div", { role: "listitem" }, el("button", { onclick: () => { pick(n.i); centre(n.i); } }, el("span"), el("span", {}, n.name))), (node, n) => {
      const box = node.firstChild.firstChild;
      if (box.dataset.state !== n.state) { box.dataset.state = n.state; fill(box, n.state ? state(n.state) : ""); }
    });
  }
  const guarded = () => refresh().catch((error) => { if (error.status === 404) fill(page, title, el("p", { class: "empty" }, error.message)); else if (error.status) toast(error.message, "", true); });
  guarded();
  const stop = taskId ? listen(() => { clearTimeout(timer); timer = setTimeout(guarded, Math.max(0, 500 - (performance.now() - asked))); }) : () => {};
  return () => { gone = true; stop(); clearTimeout(timer); };
}
