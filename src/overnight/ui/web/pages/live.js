// The stream of pictures. Closed while nobody sees the page, because a browser opens six connections to a host
// and no more; opened again with a fresh picture. Where it does not open, the page asks every two seconds.
import { ask } from "./net.js";

const OPEN_WITHIN = 3000, ASK_EVERY = 2000;
let source = null, polling = null, patience = null, pulse = null, heard = 0;
const listeners = new Set();

export const current = () => pulse;
export const heardAt = () => heard;
export function listen(listener) {
  listeners.add(listener);
  if (pulse) listener(pulse);
  return () => listeners.delete(listener);
}

function take(picture) {
  heard = performance.now();
  pulse = picture;
  for (const listener of [...listeners]) listener(picture);
}

async function poll() {
  try {
    const picture = await ask("live", "pulse");
    if (picture) take(picture);
  } catch { /* the age says it */ }
}

function fallBack() {
  if (polling === null) {
    poll();
    polling = setInterval(poll, ASK_EVERY);
  }
}

function stopPolling() {
  clearInterval(polling);
  polling = null;
}

function open() {
  close();
  source = new EventSource("/api/v1/stream");
  patience = setTimeout(fallBack, OPEN_WITHIN);
  source.addEventListener("pulse", (event) => {
    clearTimeout(patience);
    stopPolling();
    take(JSON.parse(event.data));
  });
  source.addEventListener("error", () => {
    // A refusal ends the stream for good, and only then; else the browser tries again by itself.
    if (source && source.readyState === EventSource.CLOSED) {
      fallBack();
      clearTimeout(patience);
      patience = setTimeout(open, 5000);
    }
  });
}

function close() {
  clearTimeout(patience);
  stopPolling();
  source?.close();
  source = null;
}

export function begin() {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => { if (!source && !document.hidden) open(); });
  if (!document.hidden) open();
}
