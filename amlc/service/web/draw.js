// Charts: the price in its interval, with similar products, on a logarithmic axis; and the parts.

import { make, svg } from "./dom.js";

const HEIGHT = 74;
const MARGIN = 14;

export const money = (price) =>
  price.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: price < 0.1 ? 4 : 2 });

// Round numbers of the form 1, 2 or 5 times a power of ten, within the two ends.
export function ticks(low, high) {
  const values = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const step of [1, 2, 5]) {
      const tick = Number((step * 10 ** power).toPrecision(6));
      if (tick >= low && tick <= high) values.push(tick);
    }
  }
  return values;
}

// The ends of the axis. Similar products beyond them are drawn at the edge, so that they do not squeeze the interval.
export function ends({ low, high }) {
  const room = Math.max(high / low, 1.5);
  return [low / room ** 0.6, high * room ** 0.6];
}

export function drawInterval(figure, answer) {
  const width = Math.max(figure.clientWidth, 200);
  const [min, max] = ends(answer);
  const scale = (width - 2 * MARGIN) / Math.log(max / min);
  const x = (price) => MARGIN + Math.log(Math.min(Math.max(price, min), max) / min) * scale;
  const label = `Price ${money(answer.price)}, interval from ${money(answer.low)} to ${money(answer.high)}.`;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": label });
  chart.append(...axis(x, min, max, width));
  const [left, right] = [x(answer.low), x(answer.high)];
  chart.append(svg("rect", { class: "range", x: left, y: 12, width: right - left, height: 20, rx: 6 }));
  for (const product of answer.similar) {
    const at = x(product.price);
    chart.append(svg("line", { class: "neighbour", x1: at, x2: at, y1: 36, y2: 46 }));
  }
  chart.append(svg("circle", { class: "point", cx: x(answer.price), cy: 22, r: 8 }));
  figure.replaceChildren(chart, key(answer));
}

function axis(x, min, max, width) {
  const lines = [svg("line", { class: "axis", x1: 0, x2: width, y1: 51, y2: 51 })];
  let free = 0;
  for (const tick of ticks(min, max)) {
    const text = tick.toLocaleString("en", { maximumFractionDigits: 6 });
    const half = text.length * 3.6 + 5;
    if (x(tick) - half < free || x(tick) + half > width) continue;
    free = x(tick) + half;
    lines.push(svg("line", { class: "axis", x1: x(tick), x2: x(tick), y1: 8, y2: 55 }));
    lines.push(svg("text", { x: x(tick), y: 70, "text-anchor": "middle" }, text));
  }
  return lines;
}

function key(answer) {
  const parts = [make("span", {}, make("i"), `${percent(answer.coverage)} interval`)];
  if (answer.similar.length) parts.push(make("span", {}, make("i", { class: "tick" }), "similar products"));
  return make("figcaption", { class: "key", "aria-hidden": "true" }, ...parts);
}

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

// The parts of a product as bars to the left or right of the middle, in proportion to the log factor.
export function drawParts(list, contributions) {
  const max = Math.max(Math.log(1.1), ...contributions.map(({ factor }) => Math.abs(Math.log(factor))));
  list.replaceChildren(...contributions.map(({ part, factor }) => {
    const fill = make("i");
    fill.style.width = `${(Math.abs(Math.log(factor)) / max) * 50}%`;
    const bar = make("span", { class: "bar", "aria-hidden": "true" }, fill);
    const share = make("span", { class: "share" }, signed(factor));
    return make("li", { class: factor < 1 ? "lower" : "higher" }, make("b", {}, part), bar, share);
  }));
}

// "+4 %", "−13 %", or "×2.6" where a percentage would be hard to read.
export function signed(factor) {
  if (factor >= 2) return `×${factor.toFixed(1)}`;
  const change = Math.round((factor - 1) * 100);
  return change === 0 ? "±0 %" : `${change > 0 ? "+" : "−"}${Math.abs(change)} %`;
}
