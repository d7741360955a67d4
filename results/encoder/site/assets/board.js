"use strict";
// The leaderboard's selectors: a panel is fetched as a script when it is chosen, then its rows are filtered.
(() => {
  const { all, json, on, choose } = Headroom;
  const boards = json("#boards") || [], place = document.getElementById("board"), controls = document.getElementById("controls");
  if (!boards.length) return;
  const select = Object.fromEntries(all("[data-for]").map(control => [control.dataset.for, control]));
  const PANEL = ["model", "task", "setting", "units"], loaded = new Map();
  let shown = place.querySelector("[data-panel]").dataset.panel;

  // The panel that fits the choices best: the model first, then its task, setting and units.
  function wanted(state) {
    let rest = boards;
    for (const name of PANEL) {
      const fits = rest.filter(board => board[name] === (state[name] || rest[0][name]));
      rest = fits.length ? fits : rest.filter(board => board[name] === rest[0][name]);
    }
    return rest[0];
  }
  function offer(board) {
    const near = { model: () => true, task: b => b.model === board.model, setting: b => b.model === board.model && b.task === board.task };
    near.units = b => near.setting(b) && b.setting === board.setting;
    for (const name of PANEL) {
      const there = new Set(boards.filter(near[name]).map(b => b[name]));
      for (const option of select[name].options) option.hidden = option.disabled = !there.has(option.value);
      select[name].value = board[name];
    }
  }
  function fetchPanel(name) {
    const script = document.createElement("script");
    script.src = Headroom.up + "boards/" + name + ".js";
    script.onload = () => script.remove();
    document.head.append(script);
  }
  addEventListener("board", event => {
    const [name, html] = event.detail;
    loaded.set(name, html);
    show(Headroom.state);
  });

  function show(state) {
    const board = wanted(state);
    offer(board);
    if (board.n !== shown && !loaded.has(board.n)) { fetchPanel(board.n); return; }
    if (board.n !== shown) {
      shown = board.n;
      place.innerHTML = loaded.get(shown);
      Headroom.table.ready(place);
      Headroom.chart.ready(place);
      Headroom.table.sort(state);
    }
    filter(state, board);
  }
  function filter(state, board) {
    const rows = all(".board tbody tr", place), grains = new Set(rows.map(row => row.dataset.grain)), tracks = new Set(rows.map(row => row.dataset.track));
    const options = { grain: grains, track: tracks };
    for (const name of ["grain", "track"]) {
      for (const option of select[name].options) option.hidden = option.disabled = !!option.value && !options[name].has(option.value);
      select[name].value = options[name].has(state[name]) ? state[name] : "";
    }
    const out = new Set();
    for (const row of rows) {
      row.hidden = ["grain", "track"].some(name => select[name].value && row.dataset[name] !== select[name].value);
      if (row.hidden) out.add(row.dataset.m);
    }
    for (const part of all(".legend [data-m]", place)) part.hidden = out.has(part.dataset.m);
    Headroom.chart.hide(out);
    select.x.value = [...select.x.options].some(option => option.value === state.x) ? state.x || "" : "";
    speeds(board, state.machine);
    document.getElementById("shown").textContent = `${rows.length - out.size} of ${rows.length} rows`;
  }
  // Speeds of another machine take the place of the main one's, at half of the units; the rest is the main one's.
  function speeds(board, machine) {
    if (select.machine.options.length && [...select.machine.options].some(o => o.value === machine)) select.machine.value = machine;
    const chosen = board.speeds?.[select.machine.value];
    for (const row of chosen ? all(".board tbody tr", place) : []) {
      const cell = row.querySelector("td[data-at='50']"), value = chosen[row.dataset.m]?.["0.5"];
      if (cell) { cell.textContent = value ? value.toFixed(2) + "×" : "not timed"; cell.dataset.v = value ?? ""; }
    }
  }
  controls.hidden = false;
  select.machine.closest("label").hidden = select.machine.options.length < 2;
  for (const [name, control] of Object.entries(select)) control.onchange = () => choose({ [name]: control.value });
  document.getElementById("csv").onclick = () => Headroom.table.take(place.querySelector(".board"), shown);
  on(show);
})();
