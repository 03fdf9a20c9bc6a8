// A whole CSV: sent, priced row by row, and given back as a file.

import { by, dropZone, make, say } from "./dom.js";
import { Trouble, ask, megabytes, model } from "./net.js";

const PREVIEW = 8;

let working = new AbortController();

export function startMany() {
  dropZone(by("table-drop"), by("table"), (file) => price(file));
  by("stop").addEventListener("click", () => working.abort());
}

async function price(file) {
  working.abort();
  working = new AbortController();
  const { signal } = working;
  begin(file);
  try {
    await check(file);
    const response = await ask("/v1/prices", {
      method: "POST", signal, headers: { "Content-Type": "text/csv" }, body: file,
    });
    finish(file, await collect(response, signal));
  } catch (error) {
    // Another file took this one's place where the signal is no longer the current one.
    if (signal === working.signal) fail(error);
  }
}

function begin(file) {
  say(by("table-failure"), "");
  by("done").hidden = true;
  by("work").hidden = false;
  by("progress").removeAttribute("value");
  progress(`Sending “${file.name}”, ${megabytes(file.size)} …`);
  by("table-status").textContent = `Pricing ${file.name}.`;
}

async function check(file) {
  if (!file.size) throw new Trouble(`“${file.name}” is empty.`);
  const { csv_bytes: most } = await model();
  if (file.size > most) {
    throw new Trouble(`“${file.name}” is too large: it has ${megabytes(file.size)}, at most ${megabytes(most)} are taken.`);
  }
}

// Takes the answer as it comes, counting its rows.
async function collect(response, signal) {
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
      by("progress").value = total ? rows / total : 0;
      progress(`${count(rows)} of ${count(total)} rows priced`);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Trouble("The connection broke before all rows were priced. Try again.");
  }
  const rows = counter.rows - 1;
  if (rows !== total) throw new Trouble(`The answer ended after ${count(rows)} of ${count(total)} rows. Try again.`);
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

async function finish(file, answer) {
  by("work").hidden = true;
  by("done").hidden = false;
  const words = `${count(answer.rows)} ${answer.rows === 1 ? "row" : "rows"} of “${file.name}” priced.`;
  by("done-text").textContent = words;
  by("table-status").textContent = words;
  const save = by("save");
  URL.revokeObjectURL(save.href);
  save.href = URL.createObjectURL(answer.file);
  save.download = `prices of ${file.name.replace(/\.csv$/i, "")}.csv`;
  const start = await answer.file.slice(0, 20_000).text();
  preview(parse(start, PREVIEW + 1));
}

function preview([head, ...rows]) {
  by("table-head").replaceChildren(make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name))));
  by("table-body").replaceChildren(
    ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell)))),
  );
}

// The first rows of a CSV (RFC 4180).
export function parse(text, most) {
  const rows = [];
  let row = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    if (end === "\n") rows.push(row);
    if (end === "" || rows.length === most) break;
    row = [];
  }
  return rows;
}

function fail(error) {
  by("work").hidden = true;
  const words = error.name === "AbortError" ? "Stopped. Nothing was kept." : error.message;
  say(by("table-failure"), words);
  by("table-status").textContent = "";
}

function progress(words) {
  by("progress-text").textContent = words;
}

function count(number) {
  return number.toLocaleString("en");
}
