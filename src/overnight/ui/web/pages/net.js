// Asking the server. Every question of a kind has a number, and an answer that was overtaken is dropped.

const newest = new Map();

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || "no answer");
    this.status = status;
    this.hint = problem.hint || "";
  }
}

// A status of 0: nobody answered.
async function asked(where, how) {
  try {
    return await fetch(where, how);
  } catch {
    throw new Refused(0, { detail: "the dashboard does not answer; whether it did what was asked is not known, and no task is lost", hint: "'overnight dashboard' serves it again" });
  }
}

async function answered(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

export function path(where, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined && one !== "") query.append(name, one);
  }
  const words = query.toString();
  return words ? `${where}?${words}` : where;
}

// Null: another question of this kind was asked meanwhile.
export async function ask(kind, where, parameters = {}) {
  const mine = (newest.get(kind) ?? 0) + 1;
  newest.set(kind, mine);
  const answer = await answered(await asked(path("/api/v1/" + where, parameters), { cache: "no-store" }));
  return newest.get(kind) === mine ? answer : null;
}

// Everything that is on its way is of no interest any more.
export function forget() {
  for (const [kind, number] of newest) if (!kind.startsWith("live")) newest.set(kind, number + 1);
}

export async function act(where, body = {}) {
  return answered(
    await asked("/api/v1/" + where, {
      method: "POST",
      headers: { "content-type": "application/json", "x-overnight": "1" },
      body: JSON.stringify(body),
    }),
  );
}
