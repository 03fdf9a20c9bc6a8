// The form with the fields of a catalogue text.

import { byId } from "./dom.js";

const MAX_BULLETS = 50; // as in the API
const EXAMPLE = {
  title: "Organic Green Tea, 20 Bags (Pack of 6)",
  bullets: "USDA certified organic\nIndividually wrapped tea bags\nNo artificial flavours",
  description: "A smooth green tea from the first harvest, for hot and for iced tea.",
  value: "120",
  unit: "Count",
};

// The fields of the form, or null where the amount is not a number.
function read() {
  const { title, bullets, description, value, unit } = byId("product").elements;
  const lines = bullets.value.split("\n").map((line) => line.trim()).filter(Boolean);
  byId("bullets-error").hidden = lines.length <= MAX_BULLETS;
  byId("bullets-error").textContent =
    `The price is based on the first ${MAX_BULLETS} of ${lines.length} bullet points.`;
  const amount = value.value.trim().replace(",", ".");
  const bad = amount !== "" && !(/^\d*\.?\d+$|^\d+\.$/.test(amount) && Number(amount) <= 1e12);
  value.setAttribute("aria-invalid", bad);
  byId("value-error").hidden = !bad;
  if (bad) return null;
  return {
    title: title.value,
    bullets: lines.slice(0, MAX_BULLETS),
    description: description.value,
    value: amount === "" ? null : Number(amount),
    unit: unit.value,
  };
}

function isEmpty({ title, bullets, description }) {
  return !title.trim() && !description.trim() && !bullets.length;
}

function showExample() {
  for (const [name, text] of Object.entries(EXAMPLE)) byId("product").elements[name].value = text;
}

function request(values, picture, similar) {
  const path = "/v1/price";
  if (!picture) {
    const json = { ...values, similar, contributions: true };
    return { path, headers: { "Content-Type": "application/json" }, body: JSON.stringify(json) };
  }
  const form = new FormData();
  const { bullets, value, ...texts } = values;
  for (const [name, text] of Object.entries(texts)) form.append(name, text);
  for (const bullet of bullets) form.append("bullets", bullet);
  if (value !== null) form.append("value", String(value));
  form.append("similar", String(similar));
  form.append("contributions", "true");
  form.append("image", picture, "picture");
  return { path, body: form };
}

export const textForm = { read, isEmpty, showExample, request };
