// The page as a whole: its two tabs, and what both have in common.

import { by } from "./dom.js";
import { startMany } from "./many.js";
import { model } from "./net.js";
import { startOne } from "./one.js";

const tabs = [...document.querySelectorAll('[role="tab"]')];

function select(tab) {
  for (const each of tabs) {
    const on = each === tab;
    each.setAttribute("aria-selected", on);
    each.tabIndex = on ? 0 : -1;
    by(each.getAttribute("aria-controls")).hidden = !on;
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
startOne();
startMany();
// A file dropped beside its zone must not take the page's place.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => event.preventDefault());
}
model().then(
  ({ model: version }) => { by("model").textContent = version; },
  () => { by("model").textContent = "unknown"; },
);
