"use strict";
// Tables: headings sort, a table can be taken away as CSV, and what can be copied has a button.
Headroom.table = (() => {
  const { all, on, choose, save, csv } = Headroom;
  const words = cell => cell.innerText.replace(/\s+/g, " ").trim();

  function value(row, place) {
    const cell = row.cells.length > 4 ? row.cells[place] : null;
    if (!cell || cell.colSpan > 1) return [1, NaN, ""];
    const text = words(cell), number = parseFloat(cell.dataset.v ?? text.replace("\u2212", "-"));
    return [text === "\u2013" || !text ? 1 : 0, number, text];
  }
  function compare(a, b, sign) {
    if (a[0] !== b[0]) return a[0] - b[0];
    if (isNaN(a[1]) !== isNaN(b[1])) return isNaN(a[1]) - isNaN(b[1]);
    return sign * (isNaN(a[1]) ? a[2].localeCompare(b[2]) : a[1] - b[1]);
  }
  function sort(state) {
    const [name, way] = (state.sort || "").split("."), sign = way === "up" ? 1 : -1;
    for (const table of all(".board, .sortable")) {
      const heads = all("[data-sort]", table), place = heads.findIndex(head => head.dataset.sort === name);
      heads.forEach((head, i) => i === place ? head.ariaSort = sign > 0 ? "ascending" : "descending" : head.removeAttribute("aria-sort"));
      const body = table.tBodies[0];
      table.order ??= [...body.rows];
      if (place < 0) { if (table.sorted) body.append(...table.order); table.sorted = false; continue; }
      const byText = table.classList.contains("board") && name === "method";
      const keyed = table.order.map(row => [byText ? [0, NaN, words(row.cells[place])] : value(row, place), row]);
      keyed.sort((a, b) => compare(a[0], b[0], sign));
      body.append(...keyed.map(pair => pair[1]));
      table.sorted = true;
    }
  }
  function ready(from = document) {
    for (const head of all("[data-sort]", from)) {
      if (head.querySelector("button")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.onclick = () => choose({ sort: head.dataset.sort + (head.ariaSort === "descending" ? ".up" : ".down") });
    }
    if (!document.getElementById("csv")) for (const table of all(".board, .sortable", from)) offer(table);
    for (const button of all("[data-copy]", from)) {
      button.hidden = false;
      button.onclick = () => copy(button);
    }
  }
  function offer(table) {
    const line = document.createElement("p"), button = document.createElement("button");
    line.className = "take";
    Object.assign(button, { type: "button", className: "plain", textContent: "This table as CSV", onclick: () => take(table, table.dataset.name) });
    line.append(button);
    (table.matches(".board") ? table : table.closest(".scroll")).after(line);
  }
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => button.textContent = "Copy", 1500);
  }
  // What is shown, with full numbers where the page rounds them.
  function take(table, name) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const rows = [...table.tBodies[0].rows].filter(row => !row.hidden);
    const cells = row => [...row.cells].flatMap(cell => [cell.dataset.v ?? words(cell), ...Array(cell.colSpan - 1).fill("")]);
    save(name + ".csv", csv([heads.map(words), ...rows.map(cells)]));
  }
  ready();
  on(sort);
  return { ready, take, sort };
})();
