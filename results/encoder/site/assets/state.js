"use strict";
// The hash is the state: every choice is in it, so that a view can be sent as a link and the back button works.
const Headroom = (() => {
  const root = document.documentElement, listeners = [];
  let state = {};
  root.classList.add("scripted");

  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const json = query => JSON.parse(document.querySelector(query)?.textContent || "null");
  const up = root.dataset.up;

  function read() {
    const hash = location.hash.slice(1);
    state = hash.includes("=") ? Object.fromEntries(new URLSearchParams(hash)) : {};
  }
  function tell() {
    paint();
    for (const listener of listeners) listener(state);
  }
  // A click is a step of the history; a drag replaces the one that it began with.
  function choose(changes, dragging = false) {
    for (const [name, value] of Object.entries(changes)) value ? state[name] = value : delete state[name];
    history[dragging ? "replaceState" : "pushState"](null, "", "#" + new URLSearchParams(state));
    tell();
  }
  function on(listener) {
    listeners.push(listener);
    listener(state);
  }

  const button = document.getElementById("theme");
  const kept = () => { try { return localStorage.getItem("headroom-theme"); } catch { return null; } };
  const keep = value => { try { localStorage.setItem("headroom-theme", value); } catch { /* a private window */ } };
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  function paint() {
    const wanted = state.theme || kept();
    if (wanted === "dark" || wanted === "light") root.dataset.theme = wanted;
    else delete root.dataset.theme;
    button.textContent = dark() ? "Light" : "Dark";
  }
  button.hidden = false;
  button.onclick = () => {
    const theme = dark() ? "light" : "dark";
    keep(theme);
    choose({ theme });
  };
  // The other quality is shown with the same choices.
  for (const link of all(".switch a")) link.addEventListener("click", () => { link.hash = location.hash; });
  read();
  paint();
  addEventListener("popstate", () => { read(); tell(); });
  addEventListener("hashchange", () => { read(); tell(); });

  function save(name, text, kind = "text/csv") {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind + ";charset=utf-8" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  const quoted = cell => /[",\n]/.test(cell) ? '"' + cell.replaceAll('"', '""') + '"' : cell;
  const csv = rows => rows.map(row => row.map(cell => quoted(String(cell ?? ""))).join(",")).join("\n") + "\n";

  return { all, json, up, on, choose, save, csv, get state() { return state; } };
})();
