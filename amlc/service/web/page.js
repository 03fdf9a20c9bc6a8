// The page: its two tabs, and what they share.

import { startCsvTab } from "./csv.js";
import { byId } from "./dom.js";
import { limits } from "./net.js";
import { startProductTab } from "./product.js";

const tabs = [...document.querySelectorAll('[role="tab"]')];

function select(tab) {
  for (const each of tabs) {
    const on = each === tab;
    each.setAttribute("aria-selected", on);
    each.tabIndex = on ? 0 : -1;
    byId(each.getAttribute("aria-controls")).hidden = !on;
  }
  document.body.dataset.tab = tab.getAttribute("aria-controls");
}

// The address keeps the tab, so that it survives a reload and can be linked to.
function choose(tab) {
  select(tab);
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  tab.focus();
}

function startTabs() {
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: -1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(tabs.at(to % tabs.length));
    });
  });
  select(tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? tabs[0]);
}

startTabs();
startProductTab();
startCsvTab();
// Otherwise a browser would open a file that is dropped beside its zone.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => event.preventDefault());
}
limits().then(
  ({ model: version }) => { byId("model").textContent = version; },
  () => { byId("model").textContent = "unknown"; },
);
