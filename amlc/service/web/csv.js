// The tab for a CSV: the file is sent, priced row by row, and offered as a file to save.

import { byId, dropZone, make, setMessage } from "./dom.js";
import { RequestError, limits, megabytes, request } from "./net.js";

const PREVIEW_ROWS = 8;
const PREVIEW_BYTES = 200_000;
const MAX_TITLE = 80; // characters

let controller = new AbortController();

export function startCsvTab() {
  dropZone(byId("table-drop"), byId("table"), (file) => price(file));
  byId("stop").addEventListener("click", () => controller.abort());
}

async function price(file) {
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  showStart(file);
  try {
    await checkSize(file);
    const pictures = byId("table-pictures")?.checked ?? false;
    const response = await request(`/v1/prices?spreadsheet=true&pictures=${pictures}`, {
      method: "POST", signal, headers: { "Content-Type": "text/csv" }, body: file,
    });
    showResult(file, await receive(response, signal));
  } catch (error) {
    // If the signal is no longer the current one, another file has taken this one's place.
    if (signal === controller.signal) showError(error);
  }
}

function showStart(file) {
  setMessage(byId("table-failure"), "");
  byId("done").hidden = true;
  byId("work").hidden = false;
  byId("progress").removeAttribute("value");
  byId("progress-text").textContent = `Sending “${file.name}”, ${megabytes(file.size)} …`;
  byId("table-status").textContent = `Pricing ${file.name}.`;
}

async function checkSize(file) {
  if (!file.size) throw new RequestError(`“${file.name}” is empty.`);
  const { csv_bytes: max } = await limits();
  if (file.size > max) {
    throw new RequestError(`“${file.name}” is too large (${megabytes(file.size)}); the limit is ${megabytes(max)}.`);
  }
}

// Receives the response part by part, counting its rows.
async function receive(response, signal) {
  const total = Number(response.headers.get("X-Rows"));
  const counter = new RowCounter();
  const parts = [];
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      const rows = Math.max(0, counter.add(value) - 1);
      byId("progress").value = total ? rows / total : 0;
      byId("progress-text").textContent = `${count(rows)} of ${count(total)} rows priced`;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new RequestError("The connection broke before all rows were priced. Try again.");
  }
  const rows = counter.rows - 1;
  if (rows !== total) throw new RequestError(`The response ended after ${count(rows)} of ${count(total)} rows. Try again.`);
  return { rows, file: new Blob(parts, { type: "text/csv" }) };
}

// Counts line ends outside of quotes.
class RowCounter {
  rows = 0;
  #quoted = false;

  add(bytes) {
    for (const byte of bytes) {
      if (byte === 0x22) this.#quoted = !this.#quoted;
      else if (byte === 0x0a && !this.#quoted) this.rows += 1;
    }
    return this.rows;
  }
}

async function showResult(file, answer) {
  byId("work").hidden = true;
  byId("done").hidden = false;
  const message = `${count(answer.rows)} ${answer.rows === 1 ? "row" : "rows"} of “${file.name}” priced.`;
  byId("done-text").textContent = message;
  byId("table-status").textContent = message;
  const save = byId("save");
  URL.revokeObjectURL(save.href);
  save.href = URL.createObjectURL(answer.file);
  save.download = `prices of ${file.name.replace(/\.csv$/i, "")}.csv`;
  const priced = parse(await answer.file.slice(0, PREVIEW_BYTES).text(), PREVIEW_ROWS + 1);
  showPreview(withTitles(priced, parse(await file.slice(0, PREVIEW_BYTES).text(), PREVIEW_ROWS + 1)));
}

// Of the columns, the preview shows id and title beside what was added.
function withTitles(priced, sent) {
  const { id, title } = byId("many").dataset;
  const [head] = priced;
  const added = [-4, -3, -2, -1].map((place) => head.length + place);
  const ids = head.indexOf(id);
  const [from, titles] = head.includes(title) ? [priced, head.indexOf(title)] : [sent, sent[0]?.indexOf(title) ?? -1];
  return priced.map((row, number) => {
    const first = ids < 0 ? [] : [row[ids]];
    const named = titles < 0 ? [] : [number ? titleOf(from[number]?.[titles] ?? "") : "title"];
    return [...first, ...named, ...added.map((place) => row[place])];
  });
}

// The title of a catalogue text, or a title itself.
function titleOf(text) {
  const [line = ""] = text.split("\n").map((each) => each.replace(/^\s*Item Name:\s*/i, "").trim()).filter(Boolean);
  return line.length > MAX_TITLE ? `${line.slice(0, MAX_TITLE)}…` : line;
}

function showPreview([head, ...rows]) {
  byId("table-head").replaceChildren(make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name))));
  byId("table-body").replaceChildren(
    ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell)))),
  );
}

// The first rows of a CSV (RFC 4180), at most `max`.
export function parse(text, max) {
  const rows = [];
  let row = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    if (end === "\n") rows.push(row);
    if (end === "" || rows.length === max) break;
    row = [];
  }
  return rows;
}

function showError(error) {
  byId("work").hidden = true;
  const message = error.name === "AbortError" ? "Stopped. Nothing was kept." : error.message;
  setMessage(byId("table-failure"), message);
  byId("table-status").textContent = "";
}

function count(number) {
  return number.toLocaleString("en");
}
