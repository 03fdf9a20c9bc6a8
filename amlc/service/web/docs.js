// The documentation of the API, made from openapi.json alone.

import { byId, make, setMessage } from "./dom.js";
import { request } from "./net.js";

function start(api) {
  byId("docs").append(make("p", {}, api.info.description));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) byId("docs").append(article(api, path, method, operation));
  }
}

function article(api, path, method, operation) {
  const title = make("h2", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path));
  const parts = [title, make("p", {}, operation.description)];
  parts.push(make("pre", { tabindex: "0" }, make("code", {}, curl(api, path, method, operation))));
  for (const [mediaType, content] of Object.entries(operation.requestBody?.content ?? {})) {
    alternatives(api, content.schema).forEach((schema, index) => {
      parts.push(...fields(api, `${index ? "Or" : "Body"}: ${mediaType}`, schema, content.example));
    });
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    if (status !== "200") continue;
    for (const [mediaType, content] of Object.entries(response.content ?? {})) {
      parts.push(...fields(api, `Response: ${mediaType}`, resolved(api, content.schema), content.example));
    }
  }
  const errors = Object.entries(operation.responses).filter(([status]) => status !== "200");
  if (errors.length) {
    parts.push(make("h3", {}, "Errors: application/problem+json"));
    parts.push(table(["status", "meaning"], errors.map(([status, { description }]) => [status, prose(description)])));
  }
  return make("article", {}, ...parts);
}

const resolved = (api, schema) =>
  (schema.$ref ? schema.$ref.slice(2).split("/").reduce((node, key) => node[key], api) : schema);

const alternatives = (api, schema) => (schema.oneOf ?? [schema]).map((each) => resolved(api, each));

// Text in which `this` is code.
function prose(text) {
  const parts = text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
  return make("span", {}, ...parts);
}

function fields(api, heading, schema, example) {
  const parts = [make("h3", {}, heading)];
  if (schema.description) parts.push(make("p", {}, prose(schema.description)));
  if (example) parts.push(make("pre", { tabindex: "0" }, make("code", {}, example)));
  if (!schema.properties) return parts;
  const rows = Object.entries(schema.properties).map(([name, property]) =>
    [make("code", {}, name), type(api, property), prose(property.description ?? "")]);
  return [...parts, table(["field", "type", "description"], rows)];
}

function type(api, property) {
  if (property.anyOf) return property.anyOf.map((each) => type(api, each)).filter((name) => name !== "null").join(" or ");
  const schema = resolved(api, property);
  if (schema.enum ?? schema.const) return (schema.enum ?? [schema.const]).join(" or ");
  if (schema.type === "array") return `list of ${type(api, schema.items)}`;
  if (schema.contentMediaType) return "file";
  if (schema.properties) return Object.keys(schema.properties).join(", ");
  const [min, max] = [schema.minimum, schema.maximum ?? schema.maxLength];
  const range = max === undefined ? "" : `, ${min === undefined ? "at most" : `${min} to`} ${max.toLocaleString("en")}`;
  return `${schema.type}${range}${schema.maxLength ? " characters" : ""}`;
}

function curl(api, path, method, operation) {
  const url = `${location.origin}${path}`;
  if (method === "get") return `curl ${url}`;
  if (operation.requestBody.content["text/csv"]) {
    return `curl ${url} -H 'Content-Type: text/csv' --data-binary @products.csv -o prices.csv`;
  }
  const [schema] = alternatives(api, operation.requestBody.content["application/json"].schema);
  if (schema.examples) {
    const example = JSON.stringify(schema.examples[0]).replaceAll("'", "'\\''");
    return `curl '${url}?similar=3' -H 'Content-Type: application/json' \\\n  -d '${example}'`;
  }
  return `curl ${url} -H 'Content-Type: application/json' \\\n  -d '{"title": "Green Tea, 20 Bags (Pack of 6)", "value": 120, "unit": "Count", "similar": 3}'\n\n`
    + `curl ${url} -F 'title=Green Tea, 20 Bags (Pack of 6)' -F image=@tea.jpg -F contributions=true`;
}

function table(head, rows) {
  const cells = (tag, row) => row.map((cell) => make(tag, tag === "th" ? { scope: "col" } : {}, cell));
  return make("div", { class: "scroll", tabindex: "0" }, make("table", {},
    make("thead", {}, make("tr", {}, ...cells("th", head))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells("td", row))))));
}

request("/openapi.json").then((response) => response.json()).then(start, (error) => setMessage(byId("failure"), error.message));
