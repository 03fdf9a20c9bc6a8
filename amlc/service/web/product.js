// The tab for one product: the form, and the price, which is updated as the form is filled in.

import { byId, make, setMessage } from "./dom.js";
import { drawInterval, drawParts, money, percent } from "./draw.js";
import { RequestError, request } from "./net.js";
import { mapForm } from "./map-form.js";
import { pictureField } from "./picture.js";
import { textForm } from "./text-form.js";

const TYPING_PAUSE = 250; // milliseconds without a keystroke before a request is sent
const SPEECH_PAUSE = 900; // ... and before a screen reader announces the price
const SIMILAR = 6;
const fields = byId("product").dataset.layout === "map" ? mapForm : textForm;

let picture = null;
let shown = null;
let controller = new AbortController();
let [updateTimer, speechTimer, retryTimer] = [0, 0, 0];

export function startProductTab() {
  const form = byId("product");
  const field = byId("picture-drop") && pictureField((file) => {
    picture = file;
    scheduleUpdate(0);
  });
  form.addEventListener("input", () => scheduleUpdate(TYPING_PAUSE));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    scheduleUpdate(0);
  });
  form.addEventListener("reset", () => {
    field?.clear();
    // The browser empties the fields after this event.
    scheduleUpdate(0);
    form.elements[0].focus();
  });
  byId("example")?.addEventListener("click", () => {
    fields.showExample();
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

async function update() {
  // A request that is still running is for fields that have changed since.
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  const values = fields.read();
  if (!values) return setBusy(false);
  if (!picture && fields.isEmpty(values)) return showPrompt();
  setBusy(true);
  try {
    const { path, ...options } = fields.request(values, picture, SIMILAR);
    const response = await request(path, { method: "POST", signal, ...options });
    const answer = await response.json();
    if (!signal.aborted) showAnswer(answer);
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) showError(error);
  }
  if (!signal.aborted) setBusy(false);
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
  byId("similar").classList.toggle("plain", !byId("picture-drop"));
  byId("similar").replaceChildren(...answer.similar.map(similarItem));
  showBrief(`${money(answer.price)}`, `${money(answer.low)} to ${money(answer.high)}`);
  announce(`Price ${money(answer.price)}, between ${money(answer.low)} and ${money(answer.high)}.`);
}

function similarItem(product) {
  const image = product.picture
    ? make("img", { src: product.picture, alt: "", width: 56, height: 56 })
    : make("span", { class: "blank", "aria-hidden": "true" }, "no picture");
  return make("li", {},
    // A catalogue without pictures has none to show.
    ...(byId("picture-drop") ? [image] : []),
    make("span", { class: "name", title: product.title }, product.title || "No title"),
    make("span", { class: "cost" }, money(product.price)),
    make("span", { class: "close" }, `${percent(product.similarity)} similar`),
    ...further(product));
}

// The other fields of a product of a catalogue with columns of its own.
function further({ title, fields: others = {} }) {
  const parts = Object.entries(others).filter(([, value]) => value !== title);
  if (!parts.length) return [];
  return [make("span", { class: "others" }, parts.map(([name, value]) => `${name}: ${value}`).join(" · "))];
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
