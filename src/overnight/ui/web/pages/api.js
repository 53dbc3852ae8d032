// The HTTP API as its own document describes it.
import { el, fill } from "./dom.js";
import { copyable } from "./widgets.js";

const named = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map(named).join(" or ");
  if (schema.type === "array") return `list of ${named(schema.items) || "anything"}`;
  return schema.const ?? schema.enum?.join(" | ") ?? schema.type ?? "anything";
};

// What stands between backticks is code.
const coded = (words) => words.split(/`+/).map((part, n) => (n % 2 ? el("code", {}, part) : part));

export function api(page) {
  document.title = "API · overnight";
  let gone = false;
  fill(page, el("h1", {}, "HTTP API"));
  fetch("/openapi.json").then((r) => r.json()).catch(() => null).then((doc) => {
    if (gone || !doc) return;
    const intro = el("div", {}, el("p", {}, "Programs send the token that lies in the file 'token' of the home. What changes something is a POST of JSON with the header 'X-Overnight: 1'. Errors are problem details (RFC 9457). Instants are POSIX seconds, durations are seconds."),
      copyable(`curl -H "Authorization: Bearer $(cat .overnight/token)" ${location.origin}/api/v1/pulse`), " ", el("a", { href: "/openapi.json" }, "openapi.json"));
    const ways = Object.entries(doc.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, way]) => {
      const wanted = (way.parameters ?? []).map((p) => el("tr", {}, el("td", { class: "mono" }, p.name), el("td", {}, p.in), el("td", {}, named(p.schema)), el("td", {}, p.required ? "must be given" : "")));
      const body = named(way.requestBody?.content?.["application/json"]?.schema), gives = named(way.responses?.["200"]?.content?.["application/json"]?.schema);
      return el("details", { class: "card" }, el("summary", {}, el("b", {}, method.toUpperCase()), " ", el("code", {}, path), " ", el("span", { class: "muted" }, coded(way.description ?? ""))),
        wanted.length ? el("table", { "aria-label": "Parameters" }, el("tbody", {}, wanted)) : null, body ? el("p", {}, "takes ", el("a", { href: "#schema-" + body }, body)) : null, gives ? el("p", {}, "answers ", el("a", { href: "#schema-" + gives }, gives)) : null);
    }));
    const shapes = Object.entries(doc.components.schemas).map(([name, schema]) => el("details", { class: "card", id: "schema-" + name }, el("summary", {}, el("b", {}, name), " ", el("span", { class: "muted" }, coded((schema.description ?? "").split("\n")[0]))),
      el("table", { "aria-label": name }, el("tbody", {}, Object.entries(schema.properties ?? {}).map(([field, of]) => el("tr", {}, el("td", { class: "mono" }, field), el("td", {}, named(of))))))));
    fill(page, el("h1", {}, "HTTP API"), intro, el("h2", {}, "Ways to ask"), ways, el("h2", {}, "Shapes"), shapes);
  });
  return () => { gone = true; };
}
