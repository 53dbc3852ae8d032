// How a check has been: a column for each answer, the newest at the right. The higher the worse, so that colour is not alone.
import { board, colour, hint } from "./chart.js";
import { moment, number, percent, size, duration } from "./format.js";

const HIGH = { ok: 0.35, warn: 0.65, fail: 1, unknown: 0.35 }, INKS = { ok: "completed", warn: "warn", fail: "failed", unknown: "cancelled" };
const MOST = 100;

const figure = (value, unit) => (value === null ? "" : " · " + (unit === "seconds" ? duration(value) : unit === "bytes" ? size(value) : unit === "ratio" ? percent(value) : number(value)));

function words(one) {
  const many = Object.keys(HIGH).map((s) => [one.answers.filter((a) => a[1] === s).length, s]).filter(([n]) => n);
  return `${one.check}: ${many.map(([n, s]) => `${n} ${s}`).join(", ")}, since ${moment(one.answers[0][0], false)}${one.course && one.course !== "steady" ? "; its figure is " + one.course : ""}`;
}

export function strip() {
  let one = null;
  const canvas = board(20, (c, width, tall) => {
    if (!one) return;
    const wide = width / MOST, first = MOST - one.answers.length;
    one.answers.forEach(([, status], n) => {
      c.fillStyle = colour(INKS[status]);
      c.globalAlpha = status === "unknown" ? 0.45 : 1;
      const high = Math.round(tall * HIGH[status]);
      c.fillRect((first + n) * wide, tall - high, Math.max(1, wide - 0.5), high);
    });
    c.globalAlpha = 1;
  }, "How it has been");
  canvas.addEventListener("pointermove", (event) => {
    const answer = one?.answers[Math.floor((event.offsetX / canvas.clientWidth) * MOST) - MOST + one.answers.length];
    hint(answer ? `${moment(answer[0])}  ${answer[1]}${figure(answer[2], one.unit)}` : "", event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => hint(""));
  canvas.give = (more) => { one = more; canvas.setAttribute("aria-label", words(one)); canvas.redraw(); };
  return canvas;
}
