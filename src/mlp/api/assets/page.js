// Draws the OpenAPI document of this server: every path with its parameters, its body, and a way to send it.
"use strict";

const make = (name, text, attributes = {}) => {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

let schemas = {};

const resolve = (schema) => {
  if (!schema) return {};
  if (schema.$ref) return resolve(schemas[schema.$ref.split("/").pop()]);
  if (schema.anyOf) return resolve(schema.anyOf.find((choice) => choice.type !== "null"));
  if (schema.oneOf) return resolve(schema.oneOf[0]);
  return schema;
};

const exampleOf = (given, depth = 0) => {
  const schema = resolve(given);
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (depth > 6) return null;
  if (type === "object") {
    const wanted = schema.required || Object.keys(schema.properties || {});
    return Object.fromEntries(wanted.map((key) => [key, exampleOf((schema.properties || {})[key], depth + 1)]));
  }
  if (type === "array") return [exampleOf(schema.items, depth + 1)];
  if (type === "integer" || type === "number") return schema.minimum ?? 0;
  if (type === "boolean") return false;
  if (type === "string") return schema.format === "date-time" ? "2026-01-01T00:00:00Z" : "text";
  return null;
};

const send = async (method, path, form, result) => {
  let target = path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.place === "path") target = target.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.set(input.name, input.value);
  }
  const area = form.querySelector("textarea");
  const options = { method: method.toUpperCase(), headers: {} };
  if (area) {
    options.body = area.value;
    options.headers["content-type"] = "application/json";
  }
  result.textContent = "…";
  const started = performance.now();
  try {
    const answer = await fetch(target + (query.size ? `?${query}` : ""), options);
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    result.className = answer.ok ? "status-good" : "status-bad";
    result.textContent = `${answer.status} in ${(performance.now() - started).toFixed(1)} ms\n\n${shown}`;
  } catch (error) {
    result.className = "status-bad";
    result.textContent = String(error);
  }
};

const field = (parameter) => {
  const label = make("label", `${parameter.name}${parameter.required ? "" : " (optional)"}`);
  const input = make("input", null, { name: parameter.name });
  input.dataset.place = parameter.in;
  label.append(input);
  return label;
};

const drawn = (path, method, operation) => {
  const details = make("details");
  const summary = make("summary");
  summary.append(make("span", method.toUpperCase(), { class: "method" }), make("code", path));
  summary.append(make("span", operation.summary || "", { class: "words" }));
  const body = make("div", null, { class: "body" });
  if (operation.description) body.append(make("p", operation.description));
  const form = make("form");
  for (const parameter of operation.parameters || []) {
    if (parameter.in === "path" || parameter.in === "query") form.append(field(parameter));
  }
  const content = operation.requestBody?.content?.["application/json"];
  if (content) {
    const label = make("label", "body");
    label.append(make("textarea", JSON.stringify(exampleOf(content.schema), null, 2), { spellcheck: "false" }));
    form.append(label);
  }
  const result = make("pre", "", { "aria-live": "polite" });
  form.append(make("button", "Send", { type: "submit" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(method, path, form, result);
  });
  body.append(form, result);
  details.append(summary, body);
  return details;
};

const draw = async () => {
  const openapi = await (await fetch("openapi.json")).json();
  schemas = openapi.components?.schemas || {};
  const groups = new Map();
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(drawn(path, method, operation));
    }
  }
  const main = document.getElementById("paths");
  main.replaceChildren();
  for (const [tag, operations] of groups) main.append(make("h2", tag), ...operations);
};

draw().catch((error) => {
  document.getElementById("paths").textContent = `The document could not be drawn: ${error}`;
});
