"use strict";
// Two methods side by side: curves, difference, where they cross, and the units on which they differ.
(() => {
  const { all, json, on, choose } = Headroom, { scale, across, upward } = Headroom.chart;
  const methods = json("#methods"), cells = json("#cells"), place = document.getElementById("compared");
  const select = Object.fromEntries(all("[data-for]").map(control => [control.dataset.for, control]));
  const keys = Object.keys(methods), STEPS = "0123456789abcdefghijklmnopqrstuvwxyz";
  if (keys.length < 2) return;
  const opening = json("#opening").length === 2 ? json("#opening") : keys.slice(0, 2);
  const make = (tag, attributes = {}, ...inside) => {
    const found = Object.assign(document.createElement(tag), attributes);
    found.append(...inside);
    return found;
  };
  const signed = value => (value > 0 ? "+" : value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(3);

  function between(one, x) {
    for (let i = 1; i < one.x.length; i++)
      if (x >= one.x[i - 1] && x <= one.x[i] && one.x[i] > one.x[i - 1])
        return one.y[i - 1] + (one.y[i] - one.y[i - 1]) * (x - one.x[i - 1]) / (one.x[i] - one.x[i - 1]);
    return null;
  }
  // Where the straight pieces of two curves meet and change sides.
  function crossings(a, b) {
    const xs = [...new Set([...a.x, ...b.x])].sort((m, n) => m - n), found = [];
    for (let i = 1; i < xs.length; i++) {
      const d = [xs[i - 1], xs[i]].map(x => { const m = between(a, x), n = between(b, x); return m === null || n === null ? null : m - n; });
      if (d[0] === null || d[1] === null || d[0] * d[1] >= 0 || Math.max(...d.map(Math.abs)) < 1) continue;
      const x = xs[i - 1] + (xs[i] - xs[i - 1]) * d[0] / (d[0] - d[1]);
      found.push([x, between(a, x)]);
    }
    return found;
  }
  function series(look, one, s) {
    const points = one.x.map((x, i) => [across(s, x), upward(s, one.y[i])]);
    const bars = one.x.map((x, i) => `M${across(s, x)} ${upward(s, one.l[i])}V${upward(s, one.h[i])}`).join("");
    return `<g class="s c${look.c}"><path class="bars" d="${bars}"/><path class="line ${look.d}" d="M${points.map(p => p.join(" ")).join("L")}"/>` +
      points.slice(1).map(([x, y]) => `<use href="#mk-${look.k}" x="${x}" y="${y}"/>`).join("") + "</g>";
  }
  function difference(cell, a, b, one, other, setting) {
    const pair = (cell.pairs || []).find(p => p[0] === setting && ((p[1] === a && p[2] === b) || (p[1] === b && p[2] === a)));
    if (pair) {
      const turn = pair[1] === a ? 1 : -1, ends = [turn * pair[4], turn * pair[5]].sort((m, n) => m - n);
      return { value: turn * pair[3], low: ends[0], high: ends[1], how: "on the same resamples" };
    }
    if (!one.a || !other.a || one.g !== other.g) return null;
    const value = one.a[0] - other.a[0];
    const low = value - Math.hypot(one.a[0] - one.a[1], other.a[2] - other.a[0]), high = value + Math.hypot(one.a[2] - one.a[0], other.a[0] - other.a[1]);
    return { value, low, high, how: "from independent intervals, wider than paired ones" };
  }
  function verdict(found, names) {
    if (!found) return "Their areas are not on the same axis, so they are not compared.";
    const words = sign => {
      const [value, low, high] = [found.value, ...(sign > 0 ? [found.low, found.high] : [found.high, found.low])].map(x => signed(sign * x));
      return `${value} of area (95 % interval ${low} to ${high}, ${found.how})`;
    };
    if (found.low > 0) return `${names[0]} keeps more: ${words(1).replaceAll("+", "")}.`;
    if (found.high < 0) return `${names[1]} keeps more: ${words(-1).replaceAll("+", "")}.`;
    return `Not told apart: A minus B is ${words(1)}.`;
  }
  const lost = (code, sign) => !!code && (code[0] === "=" ? code.includes(sign) : STEPS.indexOf(code) <= STEPS.indexOf(sign));

  function unitMap(maps, a, b, step) {
    const sign = STEPS[step], widest = Math.max(...maps.s.map(site => site[1]));
    const grid = make("div", { className: "map", ariaHidden: "true" });
    grid.style.setProperty("--a", `var(--c${methods[a].c})`);
    grid.style.setProperty("--b", methods[a].c === methods[b].c ? "var(--ink)" : `var(--c${methods[b].c})`);
    const mlps = maps.s.some(site => site[3] >= 0 && (maps.m[a][site[3]] || maps.m[b][site[3]]));
    grid.style.setProperty("--n", widest + mlps);
    let differ = 0, total = 0;
    const cell = (at, round) => {
      const x = lost(maps.m[a][at], sign), y = lost(maps.m[b][at], sign);
      differ += x !== y;
      total++;
      return make("i", { className: (x && y ? "gone" : x ? "onlyb" : y ? "onlya" : "both") + (round ? " m" : "") });
    };
    for (const [name, width, first, mlp] of [...maps.s].reverse()) {
      grid.append(make("span", { textContent: name }));
      for (let i = 0; i < widest; i++) grid.append(i < width ? cell(first + i, false) : make("u"));
      if (mlps) grid.append(mlp >= 0 ? cell(mlp, true) : make("u"));
    }
    return [grid, differ, total];
  }
  function mapsOf(cell) { return cells.find(other => other.model === cell.model && other.maps)?.maps; }

  function card(cell, a, b, setting, at) {
    const curves = cell.curves[setting] || {}, one = curves[a], other = curves[b];
    if (!one || !other) return null;
    const names = [methods[a].n, methods[b].n], svg = document.querySelector(`#frames [data-cell="${CSS.escape(cell.n)}"] svg`).cloneNode(true);
    const s = scale(svg), crossed = crossings(one, other);
    svg.querySelector(".all").innerHTML = series(methods[b], other, s) + series(methods[a], one, s) +
      crossed.map(([x, y]) => `<circle class="cross" cx="${across(s, x)}" cy="${upward(s, y)}" r="5"/>`).join("");
    svg.id = "both-" + cell.n;
    svg.setAttribute("aria-labelledby", cell.n + "-both");
    const link = make("a", { href: cell.page, textContent: cell.model });
    const article = make("article", {}, make("h2", { id: cell.n + "-both" }, link, make("span", { textContent: cell.task })),
      make("p", { className: "verdict", textContent: verdict(difference(cell, a, b, one, other, setting), names) }), svg);
    article.append(make("p", { className: "aside", textContent: crossed.length
      ? `They cross at ${crossed.map(([x]) => x.toFixed(0) + " %").join(", ")} of the units.` : "They do not cross between measured points." }), table(one, other, names));
    const maps = mapsOf(cell);
    if (maps?.m[a] && maps?.m[b]) {
      const step = Math.max(0, maps.t.findIndex(t => t === at)), [grid, differ, total] = unitMap(maps, a, b, step);
      article.append(make("p", { className: "whichmap", textContent: `At ${maps.t[step]} % they differ on ${differ} of ${total} units.` }), grid);
    }
    return article;
  }
  function table(one, other, names) {
    const body = make("tbody"), head = make("tr", {}, ...["Units gone, %", ...names, "Difference"].map((words, i) => make("th", { scope: "col", textContent: words, className: i ? "n" : "" })));
    one.x.forEach((x, i) => {
      const theirs = between(other, x);
      if (!x || theirs === null) return;
      body.append(make("tr", {}, make("th", { scope: "row", textContent: x }), ...[one.y[i], theirs, one.y[i] - theirs].map(v => make("td", { className: "n", textContent: v.toFixed(1).replace("-", "\u2212") }))));
    });
    const found = make("details", {}, make("summary", { textContent: "Table of this chart" }), make("table", { className: "data" }, make("thead", {}, head), body));
    return found;
  }
  function controls() {
    const targets = [...new Set(cells.flatMap(cell => cell.maps?.t || []))].sort((m, n) => m - n);
    if (!targets.length) return;
    const label = make("label", { textContent: "Units at " }), found = make("select");
    found.dataset.for = "at";
    for (const t of targets) found.append(make("option", { value: t, textContent: t + " %" }));
    label.append(found);
    document.getElementById("controls").insertBefore(label, document.getElementById("swap"));
    select.at = found;
  }
  function show(state) {
    const named = name => keys.includes(state[name]), other = (key, taken) => key === taken ? opening.find(one => one !== taken) : key;
    const a = named("a") ? state.a : other(opening[0], named("b") && state.b), b = named("b") ? state.b : other(opening[1], a);
    if (a !== state.a || b !== state.b) { choose({ a, b }, true); return; }
    const setting = state.setting === "recovered" ? "recovered" : "as is", at = +state.at || 50;
    Object.assign(select.a, { value: a }); Object.assign(select.b, { value: b }); select.setting.value = setting;
    if (select.at) select.at.value = at;
    const found = cells.map(cell => card(cell, a, b, setting, at)).filter(Boolean);
    const key = (name, words) => { const box = make("i"); box.style.cssText = name; return make("span", {}, box, words); };
    const second = methods[a].c === methods[b].c ? "var(--ink)" : `var(--c${methods[b].c})`;
    const sign = (side, look) => {
      const item = make("li");
      item.innerHTML = `<svg class="k s c${look.c}" viewBox="0 0 26 12" aria-hidden="true"><path class="line ${look.d}" d="M0 6h26"/><use href="#mk-${look.k}" x="13" y="6"/></svg>`;
      item.append(`${side}: ${look.n}`);
      return item;
    };
    const lines = make("ul", { className: "legend" }, sign("A", methods[a]), sign("B", methods[b]));
    const legend = make("p", { className: "whichmap" }, make("span", { textContent: "Units:" }), key(`border-color:var(--c${methods[a].c});box-shadow:inset 0 0 0 2px var(--c${methods[a].c})`, `only ${methods[a].n} keeps it`),
      key(`border-color:${second};box-shadow:inset 0 0 0 2px ${second}`, `only ${methods[b].n} keeps it`),
      key("background:var(--line);border-color:var(--line)", "both keep it"), key("border-color:var(--line)", "neither does"));
    place.replaceChildren(...(found.length ? [lines, legend, make("div", { className: "pairs" }, ...found)] : [make("p", { textContent: "No model has curves of both in this setting." })]));
  }
  document.getElementById("controls").hidden = false;
  select.setting.closest("label").hidden = !cells.some(cell => cell.curves.recovered);
  controls();
  for (const [name, control] of Object.entries(select)) control.onchange = () => choose({ [name]: control.value });
  document.getElementById("swap").onclick = () => choose({ a: select.b.value, b: select.a.value });
  on(show);
})();
