// Who worked when: a lane for each worker, incidents below, labels that never cover each other.
import { board, colour, hint } from "./chart.js";
import { moment, number, time } from "./format.js";

const LANE = 18, GAP = 4, LEFT = 58, LABELS = 3, LABEL = 15;
const FACE = "12px system-ui, 'DejaVu Sans', sans-serif";

export function lanes({ label, onpick = () => {}, onzoom = null, tall = LANE }) {
  let data = null, chosen = null;
  const rows = () => Math.max(1, data ? data.lanes.length : 1);
  const foot = () => (data ? Math.min(LABELS, data.incidents.length) * LABEL + (data.incidents.length ? 6 : 0) : 0) + 16;
  const canvas = board(() => rows() * (tall + GAP) + foot(), draw, label);
  const place = (at, width) => LEFT + ((at - data.since) / (data.until - data.since || 1)) * (width - LEFT);
  const when = (x, width) => data.since + ((x - LEFT) / (width - LEFT)) * (data.until - data.since);

  function draw(c, width) {
    if (!data) return;
    const inks = Object.fromEntries(["completed", "failed", "running", "line", "ink", "soft", "held", "card"].map((n) => [n, colour(n)]));
    const wide = (width - LEFT) / data.bins, bottom = rows() * (tall + GAP);
    c.font = FACE;
    c.textBaseline = "middle";
    data.lanes.forEach((lane, row) => {
      const top = row * (tall + GAP);
      c.fillStyle = inks.soft;
      c.fillText(lane.slot === null ? "other" : `worker ${lane.slot + 1}`, 0, top + tall / 2, LEFT - 4);
      c.fillStyle = inks.line;
      c.globalAlpha = 0.45;
      c.fillRect(LEFT, top, width - LEFT, tall);
      c.globalAlpha = 1;
      for (const [bin, busy, , failed, , , troubled, cut, running] of lane.blocks) {
        const x = LEFT + bin * wide, w = Math.max(1, wide - (wide > 3 ? 0.6 : 0));
        c.fillStyle = cut > 0.5 ? inks.held : running > 0.5 ? inks.running : inks.completed;
        c.globalAlpha = 0.3 + 0.7 * Math.min(1, busy);
        c.fillRect(x, top, w, tall);
        c.globalAlpha = 1;
        if (failed || troubled) {
          // Never less than two pixels wide, and a third high: a failure is what is looked for.
          c.fillStyle = inks.failed;
          const high = tall * Math.max(0.35, troubled);
          c.fillRect(x, top + tall - high, Math.max(failed ? 2 : 1, w), high);
        }
      }
    });
    if (!data.lanes.length) { c.fillStyle = inks.soft; c.fillText("nothing has run in this time", LEFT, tall / 2); }
    axis(c, width, bottom, inks);
    marks(c, width, bottom + 14, inks);
    if (chosen) {
      c.fillStyle = inks.ink;
      c.globalAlpha = 0.15;
      c.fillRect(Math.min(...chosen), 0, Math.abs(chosen[1] - chosen[0]), bottom);
      c.globalAlpha = 1;
    }
  }

  function axis(c, width, bottom, inks) {
    const span = data.until - data.since, most = Math.max(2, Math.floor((width - LEFT) / 90));
    const step = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400].find((s) => span / s <= most) ?? 86400;
    c.fillStyle = inks.soft;
    const shift = new Date(data.since * 1000).getTimezoneOffset() * 60;
    for (let at = Math.ceil((data.since - shift) / step) * step + shift; at < data.until; at += step) {
      const x = place(at, width), words = step >= 86400 ? moment(at, false).slice(5, 10) : time(at, step < 60);
      if (x > width - 34) continue;
      c.fillRect(x, bottom - GAP, 1, 4);
      c.fillText(words, x + 3, bottom + 6);
    }
  }

  // Each label goes to the first of three lines in which it has room; what has none keeps its mark.
  function marks(c, width, top, inks) {
    const ends = Array(LABELS).fill(0), fine = data.until - data.since < 1800;
    const shown = data.incidents.map((one) => [one, place(one.at, width)]).filter(([, x]) => x >= LEFT - 1 && x <= width);
    const ink = (one) => { c.fillStyle = one.level === "trouble" ? inks.failed : one.level === "attention" ? inks.held : inks.soft; };
    for (const [one, x] of shown) { ink(one); c.fillRect(x, 0, one.level === "fine" ? 1 : 2, top); }
    const placed = [];
    for (const [one, x] of shown) {
      const words = `${time(one.at, fine)} ${one.label}`, short = words.length > 46 ? words.slice(0, 45) + "…" : words;
      const wide = c.measureText(short).width;
      const left = Math.max(LEFT, Math.min(x + 4, width - wide));
      const line = ends.findIndex((end) => end + 8 <= left);
      if (line < 0) continue;
      ends[line] = left + wide;
      placed.push([one, x, left, line, short, wide]);
    }
    // All stems before all words: a stem goes behind the words that lie in its way.
    for (const [one, x, left, line] of placed) { ink(one); c.fillRect(x, top, one.level === "fine" ? 1 : 2, line * LABEL + (left < x ? 1 : 14)); }
    for (const [one, , left, line, short, wide] of placed) {
      c.fillStyle = inks.card;
      c.fillRect(left - 1, top + line * LABEL + 2, wide + 3, LABEL - 1);
      ink(one);
      c.fillText(short, left, top + line * LABEL + 9);
    }
  }

  const under = (event) => {
    if (!data) return null;
    const row = Math.floor(event.offsetY / (tall + GAP)), lane = data.lanes[row];
    const bin = Math.floor(((event.offsetX - LEFT) / (canvas.clientWidth - LEFT)) * data.bins);
    return lane?.blocks.find((b) => b[0] === bin) ?? null;
  };
  const near = (event) => data?.incidents.find((i) => Math.abs(place(i.at, canvas.clientWidth) - event.offsetX) < 5);
  canvas.addEventListener("pointermove", (event) => {
    if (!data) return;
    if (chosen) { chosen[1] = Math.max(LEFT, event.offsetX); canvas.redraw(); }
    const mark = near(event), block = under(event);
    canvas.style.cursor = block ? "pointer" : "crosshair";
    if (mark) return hint(`${moment(mark.at)}  ${mark.words}`, event.clientX, event.clientY);
    const at = when(event.offsetX, canvas.clientWidth);
    const what = block ? `${number(block[2])} completed, ${number(block[3])} failed${block[4] ? `, ${number(block[4])} cut off` : ""}, ${Math.round(block[1] * 100)} % busy${block[8] > 0 ? `, task ${block[5]} runs` : ""}` : "idle";
    hint(event.offsetX < LEFT ? "" : `${moment(at)}  ${what}`, event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => hint(""));
  canvas.addEventListener("pointerdown", (event) => {
    if (!onzoom || event.offsetX < LEFT) return;
    chosen = [event.offsetX, event.offsetX];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", (event) => {
    const brushed = chosen;
    chosen = null;
    if (brushed && Math.abs(brushed[1] - brushed[0]) > 6) return onzoom(...brushed.map((x) => when(x, canvas.clientWidth)).sort((a, b) => a - b));
    canvas.redraw();
    const block = under(event);
    if (block?.[5]) onpick(block[5]);
  });
  canvas.give = (more) => { data = more; canvas.redraw(); };
  return canvas;
}
