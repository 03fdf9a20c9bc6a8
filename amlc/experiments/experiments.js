"use strict";
// Texts are only ever set as textContent or as attributes: nothing from outside becomes markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const runs = new Map(data.runs.map((run) => [run.key, run]));
  const body = document.querySelector("#runs tbody");
  const rows = [...body.rows];

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const shape = (name, attributes = {}, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  const show = (id) => { document.getElementById(id).hidden = false; };
  const short = (value) => typeof value === "number" ? String(Number(value.toPrecision(4))) : value.slice(0, 14);
  const scale = (low, high, from, to) => (value) =>
    high === low ? (from + to) / 2 : from + ((value - low) / (high - low)) * (to - from);

  // Follow a run through the table and the drawings.
  const mark = (key) => {
    for (const each of document.querySelectorAll("[data-key]")) {
      each.classList.toggle("marked", each.dataset.key === key);
    }
  };
  document.addEventListener("pointerover", (event) => {
    mark(event.target.closest?.("[data-key]")?.dataset.key);
  });

  // Sorting: runs without a value come last, whichever way.
  const sort = (heading) => {
    const name = heading.dataset.sort;
    const up = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => runs.get(row.dataset.key)[name];
    rows.sort((one, two) => {
      const [a, b] = [value(one), value(two)];
      if (a === null || b === null) return (a === null) - (b === null);
      return (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1);
    });
    body.append(...rows);
  };
  for (const heading of document.querySelectorAll("[data-sort]")) {
    const button = element("button", { type: "button" }, heading.textContent);
    button.addEventListener("click", () => sort(heading));
    heading.replaceChildren(button);
    if (heading.dataset.sort === "smape") heading.setAttribute("aria-sort", "ascending");
  }

  const filter = document.getElementById("filter");
  filter.closest("p").hidden = false;
  const choose = () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    document.getElementById("count").textContent = `${shown} of ${rows.length}`;
  };
  filter.addEventListener("input", choose);
  choose();

  // Drawings fill the page's width, so that they fit a phone.
  const room = document.querySelector("main section").clientWidth;

  // Parallel coordinates: numbers on a linear axis, other values at even steps.
  const axis = (name, values, top, bottom) => {
    const numeric = values.every((value) => typeof value === "number");
    const different = [...new Set(values)].sort((a, b) => (numeric ? a - b : String(a) < String(b) ? -1 : 1));
    const place = numeric
      ? scale(different[0], different.at(-1), bottom, top)
      : (value) => scale(0, different.length - 1, bottom, top)(different.indexOf(value));
    const ticks = numeric ? [different[0], different.at(-1)] : different.slice(0, 12);
    return { name, place, ticks: different.length > 1 ? ticks : different };
  };
  const columns = data.parameters
    .map((name, index) => [name, data.runs.map((run) => run.values[index])])
    .filter(([, values]) => new Set(values).size > 1)
    .slice(0, 10);
  if (columns.length && data.runs.length > 2) {
    const [top, bottom, left] = [34, 250, 70];
    const step = Math.max(100, Math.min(220, (room - 2 * left) / columns.length));
    // Characters of a heading that does not touch the next one.
    const length = Math.floor(step / 7);
    const axes = columns.map(([name, values]) => axis(name, values, top, bottom));
    // The best score at the top.
    axes.push(axis("SMAPE", data.runs.map((run) => run.smape), bottom, top));
    const svg = shape("svg", {
      width: left * 2 + step * (axes.length - 1), height: bottom + 24, role: "img",
      "aria-label": `Parallel coordinates of ${data.runs.length} runs; the table has the same numbers`,
    });
    const best = data.runs.slice(0, Math.max(1, Math.round(data.runs.length / 10)));
    for (const run of [...data.runs].reverse()) {
      const values = [...columns.map(([, all]) => all[data.runs.indexOf(run)]), run.smape];
      const points = values.map((value, index) => `${left + index * step},${axes[index].place(value).toFixed(1)}`);
      const line = shape("polyline", {
        points: points.join(" "), "data-key": run.key, class: best.includes(run) ? "run top" : "run",
      });
      line.append(shape("title", {}, `${run.name}: ${run.smape.toFixed(2)}; ${run.changed.join(", ")}`));
      svg.append(line);
    }
    axes.forEach((each, index) => {
      const x = left + index * step;
      svg.append(shape("line", { x1: x, x2: x, y1: top, y2: bottom, class: "axis" }));
      const heading = each.name.length > length ? `…${each.name.slice(1 - length)}` : each.name;
      const label = shape("text", { x, y: 14, "text-anchor": "middle" }, heading);
      label.append(shape("title", {}, each.name));
      svg.append(label);
      for (const tick of each.ticks) {
        svg.append(shape("text", { x: x + 4, y: each.place(tick) + 4 }, short(tick)));
      }
    });
    document.getElementById("parallel").append(svg);
    show("parallel-section");
  }

  // Score against seconds, on a logarithmic axis, with the front of runs that none beats in both.
  const timed = data.runs.filter((run) => run.seconds > 0);
  if (timed.length > 1) {
    const [width, height, left, bottom] = [Math.min(720, room), 300, 56, 262];
    const seconds = timed.map((run) => Math.log(run.seconds));
    const scores = timed.map((run) => run.smape);
    const x = scale(Math.min(...seconds), Math.max(...seconds), left + 14, width - 90);
    const y = scale(Math.min(...scores), Math.max(...scores), bottom - 14, 16);
    const svg = shape("svg", {
      width, height, role: "img",
      "aria-label": `SMAPE against seconds of ${timed.length} runs; the table has the same numbers`,
    });
    svg.append(shape("line", { x1: left, x2: width, y1: bottom, y2: bottom, class: "axis" }));
    svg.append(shape("line", { x1: left, x2: left, y1: 8, y2: bottom, class: "axis" }));
    for (const value of [Math.min(...scores), Math.max(...scores)]) {
      svg.append(shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2)));
    }
    for (const value of [Math.min(...seconds), Math.max(...seconds)]) {
      svg.append(shape("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, `${Math.round(Math.exp(value))} s`));
    }
    let lowest = Infinity;
    const front = [...timed].sort((a, b) => a.seconds - b.seconds || a.smape - b.smape)
      .filter((run) => run.smape < lowest && ((lowest = run.smape), true));
    svg.append(shape("polyline", {
      class: "front", points: front.map((run) => `${x(Math.log(run.seconds))},${y(run.smape)}`).join(" "),
    }));
    for (const run of timed) {
      const dot = shape("circle", { cx: x(Math.log(run.seconds)), cy: y(run.smape), r: 5, "data-key": run.key });
      dot.append(shape("title", {}, `${run.name}: ${run.smape.toFixed(2)}, ${run.seconds} s`));
      svg.append(dot);
      if (front.includes(run)) {
        svg.append(shape("text", { x: x(Math.log(run.seconds)) + 8, y: y(run.smape) - 6 }, run.name.slice(0, 16)));
      }
    }
    document.getElementById("scatter").append(svg);
    show("scatter-section");
  }

  // Two runs side by side.
  const table = (caption, header, lines) => element("div", { class: "wide", tabindex: 0, role: "group", "aria-label": caption },
    element("table", {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...header.map((name, index) => element("th", { scope: "col", class: index ? "number" : "" }, name)))),
      element("tbody", {}, ...lines.map(([first, ...cells]) => element("tr", {},
        element("th", { scope: "row" }, first), ...cells.map((cell) => element("td", { class: "number" }, cell)))))));
  const smape = (actual, predicted) => (200 * Math.abs(predicted - actual)) / (predicted + actual);
  const signed = (value) => `${value > 0 ? "+" : ""}${value.toFixed(2)}`;
  const selects = ["first", "second"].map((id) => document.getElementById(id));
  const compare = () => {
    const [a, b] = selects.map((select) => runs.get(select.value));
    const scores = [["blend", a.smape, b.smape]];
    for (const name of [...new Set([...Object.keys(a.models), ...Object.keys(b.models)])].sort()) {
      scores.push([name, a.models[name], b.models[name]]);
    }
    const cell = (value) => (value === undefined ? "–" : value.toFixed(2));
    const parts = [table("SMAPE in %, lower is better", ["model", "A", "B", "B − A"], scores.map(([name, one, two]) =>
      [name, cell(one), cell(two), one === undefined || two === undefined ? "" : signed(two - one)]))];
    const differing = data.parameters.map((name, index) => [name, a.values[index], b.values[index]])
      .filter(([, one, two]) => one !== two).map((line) => line.map(String));
    parts.unshift(differing.length
      ? table("Parameters that differ", ["parameter", "A", "B"], differing)
      : element("p", { class: "muted" }, "No parameter that the page lists differs."));
    const predicted = data.products && [a, b].map((run) => data.products.predicted[run.key]);
    if (predicted && predicted.every(Boolean)) {
      const errors = data.products.prices.map((price, index) => predicted.map((all) => smape(price, all[index])));
      const line = (index) => [data.products.titles[index], ...[data.products.prices[index], predicted[0][index], predicted[1][index]].map((price) => price.toFixed(2)), signed(errors[index][1] - errors[index][0])];
      const order = errors.map((_, index) => index);
      const worst = [...order].sort((i, j) => Math.max(...errors[j]) - Math.max(...errors[i])).slice(0, 12);
      const moved = [...order].sort((i, j) => Math.abs(errors[j][1] - errors[j][0]) - Math.abs(errors[i][1] - errors[i][0])).slice(0, 8);
      const header = ["product", "actual", "A", "B", "B − A"];
      parts.push(table("Worst products: prices, and the difference in SMAPE", header, worst.map(line)));
      parts.push(table("Of the worst products of all runs, those on which the two differ most", header, moved.map(line)));
    }
    document.getElementById("comparison").replaceChildren(...parts);
  };
  if (data.runs.length > 1) {
    for (const select of selects) {
      for (const run of data.runs) {
        select.append(element("option", { value: run.key }, `${run.name} – ${run.smape.toFixed(2)}`));
      }
      select.addEventListener("change", compare);
    }
    selects[1].value = data.runs[0].key;
    selects[0].value = (data.runs.find((run) => run.reference) ?? data.runs[1]).key;
    if (selects[0].value === selects[1].value) selects[0].value = data.runs[1].key;
    compare();
    show("compare-section");
  }
})();
