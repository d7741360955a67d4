"use strict";
// Filters, sorting, theme and highlighting. Every choice is in the URL's hash, so a view can be sent as a link.
const all = (query, from = document) => [...from.querySelectorAll(query)];
const page = document.documentElement, filters = ["model", "track", "units"], controls = all("[data-for]");
let state = {};

const value = (row, place) => {
  const cell = row.cells.length > 4 ? row.cells[place] : null;
  return cell ? parseFloat(cell.dataset.v ?? cell.textContent.replace("−", "-")) : NaN;
};
function sort() {
  const [name, way] = (state.sort || "area.down").split("."), sign = way === "up" ? 1 : -1;
  for (const table of all(".board")) {
    const heads = all("[data-sort]", table), place = heads.findIndex(head => head.dataset.sort === name);
    if (place < 0) continue;
    heads.forEach((head, i) => head.ariaSort = i !== place ? "none" : sign > 0 ? "ascending" : "descending");
    for (const body of table.tBodies) {
      const rows = all("tr[data-m]", body);
      const key = row => name === "method" ? row.cells[1].textContent.trim() : value(row, place);
      rows.sort((a, b) => {
        const x = key(a), y = key(b);
        if (name === "method") return sign * x.localeCompare(y);
        return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
      });
      body.append(...rows);
    }
  }
}
function show() {
  state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  for (const control of controls) {
    const name = control.dataset.for, known = [...control.options].some(option => option.value === state[name]);
    if (!known) delete state[name];
    control.value = state[name] || "";
  }
  for (const part of all("main [data-model], main [data-track], main [data-units]"))
    part.hidden = filters.some(name => state[name] && part.dataset[name] && part.dataset[name] !== state[name]);
  const tracks = Object.fromEntries(all(".board tr[data-m]").map(row => [row.dataset.m, row.dataset.track]));
  for (const group of all(".chart g[data-m]"))
    group.style.display = state.track && tracks[group.dataset.m] !== state.track ? "none" : "";
  page.dataset.theme = state.theme === "dark" || state.theme === "light" ? state.theme : "";
  theme.textContent = dark() ? "Light" : "Dark";
  sort();
  const rows = all(".board tr[data-m]");
  shown.textContent = rows.filter(row => !row.closest("[hidden]")).length + " of " + rows.length + " rows";
}
function choose(name, choice) {
  choice ? state[name] = choice : delete state[name];
  history.replaceState(null, "", "#" + new URLSearchParams(state));
  show();
}
const dark = () => (page.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const theme = document.getElementById("theme"), shown = document.getElementById("shown");
theme.hidden = document.getElementById("controls").hidden = false;
theme.onclick = () => choose("theme", dark() ? "light" : "dark");
controls.forEach(control => control.onchange = () => choose(control.dataset.for, control.value));
for (const head of all("[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.onclick = () => choose("sort", head.dataset.sort + (head.ariaSort === "descending" ? ".up" : ".down"));
}
document.addEventListener("pointerover", event => {
  const method = event.target.closest("[data-m]")?.dataset.m;
  all(".chart g[data-m]").forEach(group => group.classList.toggle("dim", !!method && group.dataset.m !== method));
});
addEventListener("hashchange", show);
show();
