// The form with the columns of a catalogue of its own.

import { byId } from "./dom.js";

// With either mark; but "1,299" may also be a whole number where the decimal mark is a point.
function isNumber(text) {
  const isThousands = byId("product").dataset.decimal === "." ? /^[+-]?\d{1,3},\d{3}$/ : /^[+-]?\d{1,3}\.\d{3}$/;
  return /^[+-]?(\d+([.,]\d*)?|[.,]\d+)$/.test(text) && !isThousands.test(text);
}

const inputs = () => [...document.querySelectorAll("#product [data-column]")];

// The filled fields by column, as texts; null where a number is none.
function read() {
  const values = {};
  let bad = false;
  for (const input of inputs()) {
    const text = input.value.trim();
    if (input.dataset.kind === "number") {
      const wrong = text !== "" && !isNumber(text);
      input.setAttribute("aria-invalid", wrong);
      byId(`${input.id}-error`).hidden = !wrong;
      bad ||= wrong;
    }
    if (text !== "") values[input.dataset.column] = text;
  }
  return bad ? null : values;
}

function isEmpty(values) {
  return !inputs().some(({ dataset }) => dataset.kind !== "currency" && dataset.column in values);
}

function request(values, picture, similar) {
  const path = `/v1/price?similar=${similar}&contributions=true`;
  if (!picture) return { path, headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...values, ...numbersOf(values) }) };
  const form = new FormData();
  const { decimal, picture: name } = byId("product").dataset;
  // A form has numbers as texts, written as in the files.
  const numbers = Object.entries(numbersOf(values)).map(([column, number]) => [column, String(number).replace(".", decimal)]);
  for (const [column, text] of Object.entries({ ...values, ...Object.fromEntries(numbers) })) form.append(column, text);
  form.append(name, picture, "picture");
  return { path, body: form };
}

function numbersOf(values) {
  const numbers = inputs().filter(({ dataset }) => dataset.kind === "number" && dataset.column in values);
  return Object.fromEntries(numbers.map(({ dataset: { column } }) => [column, Number(values[column].replace(",", "."))]));
}

export const mapForm = { read, isEmpty, request };
