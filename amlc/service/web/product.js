// The tab for one product: the form, and the price, which is updated as the form is filled in.

import { byId, make, setMessage } from "./dom.js";
import { drawInterval, drawParts, money, percent } from "./draw.js";
import { RequestError, request } from "./net.js";
import { pictureField } from "./picture.js";

const TYPING_PAUSE = 250; // milliseconds without a keystroke before a request is sent
const SPEECH_PAUSE = 900; // ... and before a screen reader announces the price
const SIMILAR = 6;
const MAX_BULLETS = 50; // as in the API
const EXAMPLE = {
  title: "Organic Green Tea, 20 Bags (Pack of 6)",
  bullets: "USDA certified organic\nIndividually wrapped tea bags\nNo artificial flavours",
  description: "A smooth green tea from the first harvest, for hot and for iced tea.",
  value: "120",
  unit: "Count",
};

let picture = null;
let shown = null;
let controller = new AbortController();
let [updateTimer, speechTimer, retryTimer] = [0, 0, 0];

export function startProductTab() {
  const form = byId("product");
  const field = pictureField((file) => {
    picture = file;
    scheduleUpdate(0);
  });
  form.addEventListener("input", () => scheduleUpdate(TYPING_PAUSE));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    scheduleUpdate(0);
  });
  form.addEventListener("reset", () => {
    field.clear();
    // The browser empties the fields after this event.
    scheduleUpdate(0);
    form.elements.title.focus();
  });
  byId("example").addEventListener("click", () => {
    for (const [name, text] of Object.entries(EXAMPLE)) form.elements[name].value = text;
    scheduleUpdate(0);
  });
  new ResizeObserver(() => shown && drawInterval(byId("picture-of-interval"), shown)).observe(byId("result"));
  // The bar at the lower edge appears while the price itself is out of sight.
  new IntersectionObserver(([{ isIntersecting }]) => {
    byId("brief").classList.toggle("away", isIntersecting);
  }).observe(byId("price"));
  // A browser that returns to this page may have kept the content of the fields.
  scheduleUpdate(0);
}

function scheduleUpdate(milliseconds) {
  clearTimeout(updateTimer);
  clearTimeout(retryTimer);
  updateTimer = setTimeout(update, milliseconds);
}

// The fields of the form, or null where the amount is not a number.
function readFields() {
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

async function update() {
  // A request that is still running is for fields that have changed since.
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  const fields = readFields();
  if (!fields) return setBusy(false);
  if (!picture && !fields.title.trim() && !fields.description.trim() && !fields.bullets.length) return showPrompt();
  setBusy(true);
  try {
    const response = await request("/v1/price", { method: "POST", signal, ...body(fields) });
    const answer = await response.json();
    if (!signal.aborted) showAnswer(answer);
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) showError(error);
  }
  if (!signal.aborted) setBusy(false);
}

function body(fields) {
  if (!picture) {
    const json = { ...fields, similar: SIMILAR, contributions: true };
    return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(json) };
  }
  const form = new FormData();
  const { bullets, value, ...texts } = fields;
  for (const [name, text] of Object.entries(texts)) form.append(name, text);
  for (const bullet of bullets) form.append("bullets", bullet);
  if (value !== null) form.append("value", String(value));
  form.append("similar", String(SIMILAR));
  form.append("contributions", "true");
  form.append("image", picture, "picture");
  return { body: form };
}

function setBusy(busy) {
  byId("result").setAttribute("aria-busy", String(busy));
}

function showPrompt() {
  shown = null;
  setBusy(false);
  setMessage(byId("failure"), "");
  byId("answer").hidden = true;
  byId("prompt").hidden = false;
  showBrief("");
  announce("");
}

function showAnswer(answer) {
  shown = answer;
  setMessage(byId("failure"), "");
  byId("prompt").hidden = true;
  byId("answer").hidden = false;
  byId("price").textContent = money(answer.price);
  byId("interval").replaceChildren(
    `${percent(answer.coverage)} of prices like this lie between `,
    make("strong", {}, money(answer.low)), " and ", make("strong", {}, money(answer.high)), ".",
  );
  drawInterval(byId("picture-of-interval"), answer);
  byId("reasons").hidden = !answer.reasons.length;
  byId("reasons").replaceChildren(...answer.reasons.map((reason) => make("li", {}, reason)));
  byId("why").hidden = !answer.contributions.length;
  drawParts(byId("parts"), answer.contributions);
  byId("alike").hidden = !answer.similar.length;
  byId("similar").replaceChildren(...answer.similar.map(similarItem));
  showBrief(`${money(answer.price)}`, `${money(answer.low)} to ${money(answer.high)}`);
  announce(`Price ${money(answer.price)}, between ${money(answer.low)} and ${money(answer.high)}.`);
}

function similarItem(product) {
  const image = product.picture
    ? make("img", { src: product.picture, alt: "", width: 56, height: 56 })
    : make("span", { class: "blank", "aria-hidden": "true" }, "no picture");
  return make("li", {},
    image,
    make("span", { class: "name", title: product.title }, product.title || "No title"),
    make("span", { class: "cost" }, money(product.price)),
    make("span", { class: "close" }, `${percent(product.similarity)} similar`));
}

function showError(error) {
  shown = null;
  byId("answer").hidden = true;
  byId("prompt").hidden = true;
  showBrief("");
  announce("");
  const known = error instanceof RequestError;
  setMessage(byId("failure"), known ? error.message : "The response of the server cannot be read. Reload the page.");
  // A server that is busy or was restarted gets the same request again.
  if (known && error.retryAfter) retryTimer = setTimeout(update, error.retryAfter * 1000);
}

// The bar at the lower edge of a phone's screen.
function showBrief(price, range = "") {
  byId("brief").hidden = !price;
  byId("brief-price").textContent = price;
  byId("brief-range").textContent = range;
}

function announce(message) {
  clearTimeout(speechTimer);
  speechTimer = setTimeout(() => { byId("status").textContent = message; }, message ? SPEECH_PAUSE : 0);
}
