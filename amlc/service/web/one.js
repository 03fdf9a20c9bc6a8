// One product: the form, and the answer that follows it as it is filled in.

import { by, make, say } from "./dom.js";
import { drawInterval, drawParts, money, percent } from "./draw.js";
import { Trouble, ask } from "./net.js";
import { pictureField } from "./picture.js";

const PAUSE = 250; // milliseconds without a keystroke before the server is asked
const HUSH = 900; // ... and before a screen reader is told
const SIMILAR = 6;
const EXAMPLE = {
  title: "Organic Green Tea, 20 Bags (Pack of 6)",
  bullets: "USDA certified organic\nIndividually wrapped tea bags\nNo artificial flavours",
  description: "A smooth green tea from the first harvest, for hot and for iced tea.",
  value: "120",
  unit: "Count",
};

let picture = null;
let shown = null;
let asking = new AbortController();
let [pause, hush, again] = [0, 0, 0];

export function startOne() {
  const form = by("product");
  const field = pictureField((file) => {
    picture = file;
    soon(0);
  });
  form.addEventListener("input", () => soon(PAUSE));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    soon(0);
  });
  form.addEventListener("reset", () => {
    field.clear();
    // The fields are empty only after this event.
    soon(0);
    form.elements.title.focus();
  });
  by("example").addEventListener("click", () => {
    for (const [name, text] of Object.entries(EXAMPLE)) form.elements[name].value = text;
    soon(0);
  });
  new ResizeObserver(() => shown && drawInterval(by("picture-of-interval"), shown)).observe(by("result"));
  // The bar at the lower edge is for when the answer itself is out of sight.
  new IntersectionObserver(([{ isIntersecting }]) => {
    by("brief").classList.toggle("away", isIntersecting);
  }).observe(by("price"));
  // A browser that came back to this page may have kept what was typed.
  soon(0);
}

function soon(milliseconds) {
  clearTimeout(pause);
  clearTimeout(again);
  pause = setTimeout(update, milliseconds);
}

// What the form says, or null where the amount is no number.
function product() {
  const { title, bullets, description, value, unit } = by("product").elements;
  const amount = value.value.trim().replace(",", ".");
  const bad = amount !== "" && !(/^\d*\.?\d+$|^\d+\.$/.test(amount) && Number(amount) <= 1e12);
  value.setAttribute("aria-invalid", bad);
  by("value-fault").hidden = !bad;
  if (bad) return null;
  return {
    title: title.value,
    bullets: bullets.value.split("\n").map((line) => line.trim()).filter(Boolean).slice(0, 50),
    description: description.value,
    value: amount === "" ? null : Number(amount),
    unit: unit.value,
  };
}

async function update() {
  // Whatever is under way answers a question that is no longer asked.
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const asked = product();
  if (!asked) return idle();
  if (!picture && !asked.title.trim() && !asked.description.trim() && !asked.bullets.length) return nothing();
  by("result").setAttribute("aria-busy", "true");
  try {
    const response = await ask("/v1/price", { method: "POST", signal, ...body(asked) });
    const answer = await response.json();
    if (!signal.aborted) show(answer);
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) failed(error);
  }
  if (!signal.aborted) idle();
}

function body(asked) {
  if (!picture) {
    const sent = { ...asked, similar: SIMILAR, contributions: true };
    return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent) };
  }
  const form = new FormData();
  const { bullets, value, ...texts } = asked;
  for (const [name, text] of Object.entries(texts)) form.append(name, text);
  for (const bullet of bullets) form.append("bullets", bullet);
  if (value !== null) form.append("value", String(value));
  form.append("similar", String(SIMILAR));
  form.append("contributions", "true");
  form.append("image", picture, "picture");
  return { body: form };
}

function idle() {
  by("result").setAttribute("aria-busy", "false");
}

function nothing() {
  shown = null;
  idle();
  say(by("failure"), "");
  by("answer").hidden = true;
  by("prompt").hidden = false;
  brief("");
  tell("");
}

function show(answer) {
  shown = answer;
  say(by("failure"), "");
  by("prompt").hidden = true;
  by("answer").hidden = false;
  by("price").textContent = money(answer.price);
  by("interval").replaceChildren(
    `${percent(answer.coverage)} of prices like this lie between `,
    make("strong", {}, money(answer.low)), " and ", make("strong", {}, money(answer.high)), ".",
  );
  drawInterval(by("picture-of-interval"), answer);
  by("reasons").hidden = !answer.reasons.length;
  by("reasons").replaceChildren(...answer.reasons.map((reason) => make("li", {}, reason)));
  by("why").hidden = !answer.contributions.length;
  drawParts(by("parts"), answer.contributions);
  by("alike").hidden = !answer.similar.length;
  by("similar").replaceChildren(...answer.similar.map(similar));
  brief(`${money(answer.price)}`, `${money(answer.low)} to ${money(answer.high)}`);
  tell(`Price ${money(answer.price)}, between ${money(answer.low)} and ${money(answer.high)}.`);
}

function similar(product) {
  const seen = product.picture
    ? make("img", { src: product.picture, alt: "", width: 56, height: 56 })
    : make("span", { class: "blank", "aria-hidden": "true" }, "no picture");
  return make("li", {},
    seen,
    make("span", { class: "name", title: product.title }, product.title || "(no title)"),
    make("span", { class: "cost" }, money(product.price)),
    make("span", { class: "close" }, `${percent(product.similarity)} alike`));
}

function failed(error) {
  shown = null;
  by("answer").hidden = true;
  by("prompt").hidden = true;
  brief("");
  tell("");
  const known = error instanceof Trouble;
  say(by("failure"), known ? error.message : "The answer cannot be read. Reload the page.");
  // A busy server, or one that was restarted, is asked again by itself.
  if (known && error.retryAfter) again = setTimeout(update, error.retryAfter * 1000);
}

// The bar at the lower edge of a phone, where the answer itself is out of sight.
function brief(price, range = "") {
  by("brief").hidden = !price;
  by("brief-price").textContent = price;
  by("brief-range").textContent = range;
}

function tell(message) {
  clearTimeout(hush);
  hush = setTimeout(() => { by("status").textContent = message; }, message ? HUSH : 0);
}
