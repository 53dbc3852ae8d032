// Charts on canvas: sharp on any screen, in the colours of the page, with a word under the pointer.
import { el } from "./dom.js";
import { moment } from "./format.js";

let tip = null;
export function hint(words, x = 0, y = 0) {
  if (!tip) document.body.append((tip = el("div", { class: "tip", "aria-hidden": "true" })));
  tip.textContent = words;
  if (!words) return;
  const wide = tip.offsetWidth;
  tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - wide - 8)) + "px";
  tip.style.top = Math.max(4, y - 30) + "px";
}

export const colour = (name) => {
  const probe = (colour.probe ??= document.body.appendChild(el("span", { hidden: true })));
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
};

// A canvas that is drawn again when its place or the colours change. draw(context, width, height).
export function board(height, draw, label) {
  const canvas = el("canvas", { role: "img", "aria-label": label });
  const redraw = () => {
    const width = canvas.clientWidth;
    const tall = typeof height === "function" ? height() : height;
    if (!width || !tall) return;
    const sharp = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * sharp) || canvas.height !== Math.round(tall * sharp)) {
      canvas.width = Math.round(width * sharp);
      canvas.height = Math.round(tall * sharp);
      if (typeof height !== "function" || !canvas.dataset.fills) canvas.style.height = tall + "px";
    }
    const context = canvas.getContext("2d");
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.clearRect(0, 0, width, tall);
    draw(context, width, tall);
  };
  new ResizeObserver(redraw).observe(canvas);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  canvas.redraw = redraw;
  return canvas;
}

// lines: [{points: [[at, value]], colour, name, bars, steps}]; scale 0 .. top. One chart, one unit. What is counted in
// spans is drawn as wide as they are: as bars, or as the outline of them where they are next to each other.
export function chart({ label, height = 64, show = (v) => v.toFixed(1) }) {
  let data = { lines: [], since: 0, until: 1, top: 1, span: 0 };
  const canvas = board(height, (c, width, tall) => {
    const { lines, since, until, span } = data;
    const top = data.top || Math.max(1e-9, ...lines.flatMap((l) => l.points.map((p) => p[1]))) * 1.05;
    const x = (at) => ((at - since) / (until - since || 1)) * width, y = (v) => tall - 1 - (Math.min(v, top) / top) * (tall - 4);
    c.strokeStyle = colour("line");
    c.beginPath();
    c.moveTo(0, tall - 0.5);
    c.lineTo(width, tall - 0.5);
    c.stroke();
    for (const line of lines) {
      const ink = colour(line.colour);
      if (line.bars) {
        c.fillStyle = ink;
        for (const [at, v] of line.points) if (v) c.fillRect(x(at), y(v), Math.max(1.5, x(at + span) - x(at) - 0.5), tall - y(v));
        continue;
      }
      c.strokeStyle = ink;
      c.lineWidth = 1.4;
      c.beginPath();
      let before = null;
      const runs = [];
      const points = line.steps ? line.points.flatMap(([at, v]) => [[Math.max(since, at), v], [Math.min(until, at + span), v]]) : line.points;
      for (const [at, v] of points) {
        // A gap in what was measured is a gap in the line.
        if (before === null || at - before > span * 3) { c.moveTo(x(at), y(v)); runs.push([[at, v]]); } else { c.lineTo(x(at), y(v)); runs.at(-1).push([at, v]); }
        before = at;
      }
      c.stroke();
      c.globalAlpha = 0.15;
      c.fillStyle = ink;
      for (const run of runs) {
        c.beginPath();
        c.moveTo(x(run[0][0]), tall);
        for (const [at, v] of run) c.lineTo(x(at), y(v));
        c.lineTo(x(run.at(-1)[0]), tall);
        c.fill();
        if (run.length === 1) { c.globalAlpha = 1; c.fillRect(x(run[0][0]) - 1, y(run[0][1]) - 1, 2.5, 2.5); c.globalAlpha = 0.15; }
      }
      c.globalAlpha = 1;
    }
  }, label);
  canvas.addEventListener("pointermove", (event) => {
    const { lines, since, until } = data;
    const at = since + ((until - since) * event.offsetX) / canvas.clientWidth;
    const words = lines.map((l) => {
      const near = l.points.reduce((best, p) => (best === null || Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best), null);
      return near ? `${moment(near[0], false)}  ${l.name ? l.name + " " : ""}${show(near[1], l)}` : "";
    });
    hint(words.filter(Boolean).join("\n"), event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => hint(""));
  canvas.give = (more) => { data = { ...data, ...more }; canvas.redraw(); };
  return canvas;
}

// With zeros where nothing was counted: what ended in no minute ended in none.
export function filled(beats, field, since, until, span) {
  const found = new Map(beats.map((b) => [b.at, b]));
  const points = [];
  for (let at = Math.floor(since / span) * span; at < until && points.length < 2000; at += span) points.push([at, found.get(at) ? field(found.get(at)) : 0]);
  return points;
}
