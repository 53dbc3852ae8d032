// Numbers, times and sizes as people read them.

const whole = new Intl.NumberFormat("en-US");
export const number = (n) => whole.format(n);
export const count = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const s = Math.max(0, seconds);
  if (s === 0) return "0 s";
  if (s < 0.1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  const [large, small, unit, part] = s < 3600 ? [60, 1, "min", "s"] : s < 86400 ? [3600, 60, "h", "min"] : [86400, 3600, "d", "h"];
  const rest = Math.floor((s % large) / small);
  return `${Math.floor(s / large)} ${unit}${rest ? ` ${rest} ${part}` : ""}`;
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let n = bytes, unit = 0;
  while (n >= 1000 && unit < 4) { n /= 1000; unit++; }
  return `${unit && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

const two = (n) => String(n).padStart(2, "0");
export function time(at, seconds = false) {
  const d = new Date(at * 1000);
  return `${two(d.getHours())}:${two(d.getMinutes())}${seconds ? ":" + two(d.getSeconds()) : ""}`;
}
export function moment(at, seconds = true) {
  if (at === null || at === undefined) return "";
  const d = new Date(at * 1000), now = new Date();
  const clock = time(at, seconds);
  // A night goes over midnight: a time of day is clear for most of a day.
  if (Math.abs(now - d) < 20 * 3600e3) return clock;
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock}`;
}
export function rate(perSecond) {
  if (!perSecond) return "";
  return perSecond >= 1 ? `${perSecond.toFixed(1)}/s` : `${(perSecond * 60).toFixed(1)}/min`;
}
export const percent = (share) => (share === null || share === undefined ? "–" : `${(share * 100).toFixed(share >= 0.995 && share < 1 ? 2 : 1)} %`);
// A word as a shell reads it.
export const word = (w) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(w) ? w : `'${String(w).replaceAll("'", `'"'"'`)}'`);
