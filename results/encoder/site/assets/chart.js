"use strict";
// Charts: hover names the nearest point, a row lights its curve, a click keeps it in colour, and another axis can be chosen.
Headroom.chart = (() => {
  const { all, on, choose, save, csv } = Headroom, { beside } = Headroom.names;
  const SHAPES = { o: "dot", s: "square", "^": "up", D: "diamond", v: "down", P: "plus", X: "cross", "<": "left" };
  const LOWEST = -12, MOST = 5, FAR = 4, ROOM = 0.04, STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
  let hidden = new Set();
  const charts = new Map();
  const short = number => +number.toFixed(1);

  // Shares are in per cent, ratios are not: "y" has a ratio across, "xy" in both directions.
  function scale(svg, ratios = "") {
    const [left, top, right, bottom] = svg.dataset.plot.split(" ").map(Number);
    const [from, to, low, high] = svg.dataset.limits.split(" ").map(Number);
    const x = ratios.includes("x") ? 1 : 100, y = ratios.includes("y") ? 1 : 100;
    const log = svg.dataset.log || "";
    return { left, top, right, bottom, from: from * x, to: to * x, low: low * y, high: high * y, byX: log.includes("x"), byY: log.includes("y") };
  }
  const part = (value, from, to, factors) => factors ? Math.log(value / from) / Math.log(to / from) : (value - from) / (to - from);
  const across = (s, x) => short(s.left + part(x, s.from, s.to, s.byX) * (s.right - s.left));
  const upward = (s, y) => short(s.bottom - part(Math.min(Math.max(y, LOWEST, s.low), s.high), s.low, s.high, s.byY) * (s.bottom - s.top));

  // One series as markup: band, intervals, line, marks. The numbers are ours and letters come from a fixed set.
  function drawn(one, axis, s, thin = false) {
    const known = one.x[axis].map((x, i) => x === null ? -1 : i).filter(i => i >= 0);
    if (axis === "speed") known.sort((a, b) => one.x[axis][a] - one.x[axis][b]);
    const at = i => across(s, one.x[axis][i]), path = points => points.length ? "M" + points.map(p => p.join(" ")).join("L") : "";
    const line = values => path(known.map(i => [at(i), upward(s, values(i))]));
    if (thin) return `<path class="line ${one.b ? "dot" : one.d}" d="${line(i => one.b ? one.b[i][1] : one.y[i])}"/>`;
    if (one.b) {
      const edge = place => known.map(i => [at(i), upward(s, one.b[i][place])]);
      return `<path class="band" d="${path([...edge(0), ...edge(2).reverse()])}z"/><path class="line dot" d="${line(i => one.b[i][1])}"/>`;
    }
    const bars = known.map(i => `M${at(i)} ${upward(s, one.l[i])}V${upward(s, one.h[i])}`).join("");
    const mark = i => `<use${one.t[i] === 100 ? ' class="hollow"' : ""} href="#mk-${SHAPES[one.k] || "dot"}" x="${at(i)}" y="${upward(s, one.y[i])}"/>`;
    const own = (one.o || []).filter(o => o[1][axis] !== null)
      .map(o => `<use class="hollow" href="#mk-${SHAPES[one.k] || "dot"}" x="${across(s, o[1][axis])}" y="${upward(s, o[2])}"/>`);
    return `<path class="bars" d="${bars}"/><path class="line ${one.d}" d="${line(i => one.y[i])}"/>` +
      known.filter(i => one.t[i] !== 0).map(mark).join("") + own.join("");
  }
  function ticks(s, axis) {
    if (s.byX) return STEPS.filter(x => x >= s.from && x <= s.to);
    const step = axis === "speed" ? [10, 20, 25, 50, 100, 200].find(n => (s.to - s.from) / n <= 6) || 500 : s.to > 80 ? 20 : s.to > 40 ? 10 : 5;
    const found = [];
    for (let x = Math.ceil(s.from / step) * step; x <= s.to + 1e-6; x += step) found.push(x);
    return found;
  }
  // What an axis of shares or of ratios spans; ratios that span much are drawn by factors.
  function spanned(s, series, axis) {
    const xs = series.flatMap(one => one.x[axis]).filter(x => x !== null), most = Math.max(...xs, 1), least = Math.min(...xs, 1);
    if (axis !== "speed") return { ...s, from: 0, to: most > 80 ? 100 : most, byX: false };
    const byX = most / least > FAR, room = (most / least) ** ROOM;
    return byX ? { ...s, from: least / room, to: most * room, byX } : { ...s, from: least - 0.03, to: Math.max(most, 1.05) + 0.03, byX };
  }
  function redraw(svg, data, axis, best) {
    const view = axis === data.x ? scale(svg) : spanned(scale(svg), Object.values(data.m), axis);
    for (const [key, one] of Object.entries(data.m)) {
      const group = group_of(svg, key);
      if (group) group.innerHTML = drawn(one, axis, view, best.length && !best.includes(key));
    }
    if (axis === data.x) return view;
    const y = +svg.querySelector(".x text").getAttribute("y"), s = axis === "speed" && !view.byX ? { ...view, from: view.from * 100, to: view.to * 100 } : view;
    const said = x => view.byX ? x + "×" : axis === "speed" ? (x / 100).toFixed(2) + "×" : Math.round(x);
    const words = ticks(s, axis).map(x => `<text text-anchor="middle" x="${across(s, x)}" y="${y}">${said(x)}</text>`);
    const label = svg.querySelector(".x .label");
    label.textContent = data.axes[axis];
    svg.querySelector(".x").innerHTML = words.join("") + label.outerHTML;
    return view;
  }
  function ready(from = document) {
    hidden = new Set();
    for (const block of all("script.series", from)) {
      const data = JSON.parse(block.textContent), svg = document.getElementById(block.dataset.chart);
      const chart = { data, first: svg.innerHTML, limits: scale(svg, data.ratios), axis: data.x };
      chart.shown = chart.plain = [data.x, ...outstanding(chart, data.x)].join();
      charts.set(svg, chart);
      if (data.f) offer(svg, data);
    }
    for (const button of all("[data-csv]", from)) {
      const svg = button.closest("figure").querySelector("svg.chart");
      button.hidden = !charts.get(svg)?.data.axes.units;
      button.onclick = () => take(svg);
    }
    show(Headroom.state);
  }
  const group_of = (svg, key) => svg.querySelector(`.s[data-m="${CSS.escape(key)}"]`);
  // A method of the reader's choice is drawn as the best are.
  function offer(svg, data) {
    const figure = svg.closest("figure"), label = document.createElement("label"), select = document.createElement("select");
    figure.querySelector(".pick")?.remove();
    label.className = "pick";
    select.append(new Option("no other", ""), ...Object.entries(data.m).map(([key, one]) => new Option(one.n, key)));
    select.onchange = () => choose({ m: select.value });
    label.append("In colour too ", select);
    figure.querySelector(".take")?.append(label);
  }
  function outstanding({ data }, axis, picked) {
    if (!data.f) return [];
    const able = key => data.m[key]?.x[axis].some(x => x !== null) && !hidden.has(key);
    const best = [...data.f.filter(able).slice(0, MOST), ...data.r.filter(able)];
    return picked in data.m && able(picked) && !best.includes(picked) ? [...best, picked] : best;
  }
  function show(state) {
    for (const [svg, chart] of charts) {
      if (!svg.isConnected) { charts.delete(svg); continue; }
      const { data } = chart, axis = data.axes.units && state.x in data.axes ? state.x : data.x, best = outstanding(chart, axis, state.m);
      const pick = svg.closest("figure").querySelector(".pick select");
      if (pick) pick.value = state.m in data.m ? state.m : "";
      const shown = [axis, ...best].join();
      if (shown !== chart.shown) paint(svg, chart, axis, shown === chart.plain ? null : best);
      chart.shown = shown;
      for (const group of all(".s[data-m]", svg)) group.style.display = hidden.has(group.dataset.m) ? "none" : "";
    }
    for (const row of all(".board tr[data-m]")) row.classList.toggle("picked", row.dataset.m === state.m);
  }
  // As the page was drawn, where ``best`` is null; else with these in colour, on this axis.
  function paint(svg, chart, axis, best) {
    const { data } = chart, curves = data.axes.units;
    chart.axis = axis;
    svg.innerHTML = chart.first;
    const view = chart.limits = curves && best ? redraw(svg, data, axis, best) : scale(svg, data.ratios);
    if (!data.f || !best) return;
    for (const old of all(".lead, .tag, .name", svg)) old.remove();
    for (const group of all(".s[data-m]", svg)) if (group.dataset.m in data.m) group.classList.toggle("rest", !best.includes(group.dataset.m));
    const lines = best.map(key => {
      const one = data.m[key], known = one.x[axis].map((x, i) => [x, one.b ? one.b[i][1] : one.y[i]]).filter(([x]) => x !== null);
      const points = known.map(([x, y]) => [across(view, x), view.bottom - upward(view, y)]);
      if (curves) return points.sort((a, b) => a[0] - b[0]);
      return [points[known.reduce((top, [x, y], i) => x * y > known[top][0] * known[top][1] ? i : top, 0)]];
    });
    beside(svg, view, best.map(key => [key, data.m[key].n, !data.r.includes(key)]), lines);
  }
  function hide(keys) {
    hidden = keys;
    show(Headroom.state);
  }
  function take(svg) {
    const { data } = charts.get(svg), axes = Object.keys(data.axes);
    const rows = Object.entries(data.m).flatMap(([key, one]) => one.t.map((t, i) =>
      [key, t, ...axes.map(axis => one.x[axis][i]), one.y[i], one.l[i], one.h[i]]));
    save(svg.id + ".csv", csv([["method", "asked", ...axes, "quality_kept", "low", "high"], ...rows]));
  }

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  let pointed;
  function hover(event) {
    const svg = event.target.closest?.("svg.chart"), chart = charts.get(svg);
    if (!chart) { tip.hidden = true; return; }
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal, s = chart.limits;
    const x = (event.clientX - box.left) / box.width * view.width, y = (event.clientY - box.top) / box.height * view.height;
    let best = null;
    for (const [key, one] of Object.entries(chart.data.m)) {
      if (hidden.has(key)) continue;
      one.x[chart.axis].forEach((value, i) => {
        if (value === null || one.y[i] === null || one.t[i] === 0) return;
        const far = Math.hypot(across(s, value) - x, upward(s, one.b ? one.b[i][1] : one.y[i]) - y);
        if (far < 18 && (!best || far < best.far)) best = { far, key, one, i };
      });
    }
    tip.hidden = !best;
    pointed = best?.key;
    light(pointed);
    if (!best) return;
    const { one, i } = best;
    tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: one.n }), ...lines(chart, one, i));
    svg.parentElement.append(tip);
    tip.style.left = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth) + "px";
    tip.style.top = event.clientY - box.top + svg.offsetTop + 14 + "px";
  }
  function lines(chart, one, i) {
    const share = one.x[chart.axis][i], both = one.l ? ` (${one.l[i]} to ${one.h[i]})` : "";
    const asked = isNaN(one.t[i]) ? one.t[i] : `asked ${one.t[i]} %`;
    const across = { speed: `${share}× dense`, ideal: `ideal ${share}×` }[chart.axis] || `${share} % gone`;
    const first = chart.data.ratios?.includes("y") ? `${one.y[i]}× measured` : `${one.y[i]} % kept${both}`;
    return [first, document.createElement("br"), `${across}, ${asked}`];
  }
  function light(key) {
    for (const group of all(".chart .s[data-m]")) {
      group.classList.toggle("dim", !!key && group.dataset.m !== key);
      group.classList.toggle("lit", group.dataset.m === key);
    }
    for (const row of all("tr.lit")) row.classList.remove("lit");
    if (key) for (const row of all(`tr[data-m="${CSS.escape(key)}"]`)) row.classList.add("lit");
  }
  document.addEventListener("pointermove", hover);
  document.addEventListener("click", event => {
    const { target } = event, row = target.closest?.(".board tbody tr[data-m]"), chart = charts.get(target.closest?.("svg.chart"));
    if (target.closest?.("a, button, select, label") || !getSelection().isCollapsed) return;
    const key = row ? row.dataset.m : chart?.data.f && (target.closest(".s[data-m]")?.dataset.m || pointed);
    if (key) choose({ m: key === Headroom.state.m ? "" : key });
  });
  document.addEventListener("pointerover", event => {
    if (!event.target.closest?.("svg.chart")) light(event.target.closest?.("[data-m]")?.dataset.m);
  });
  document.addEventListener("focusin", event => light(event.target.closest?.("tr[data-m]")?.dataset.m));
  ready();
  on(show);
  return { ready, hide, drawn, scale, across, upward };
})();
