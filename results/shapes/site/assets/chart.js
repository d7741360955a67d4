"use strict";
// Charts: hover names the nearest point, a row lights its curve, and the curves can be drawn on another axis.
Headroom.chart = (() => {
  const { all, on, save, csv } = Headroom;
  const SHAPES = { o: "dot", s: "square", "^": "up", D: "diamond", v: "down", P: "plus", X: "cross", "<": "left" };
  const LOWEST = -12;
  const charts = new Map();
  const short = number => +number.toFixed(1);

  // Shares are in per cent, ratios are not: "y" has a ratio across, "xy" in both directions.
  function scale(svg, ratios = "") {
    const [left, top, right, bottom] = svg.dataset.plot.split(" ").map(Number);
    const [from, to, low, high] = svg.dataset.limits.split(" ").map(Number);
    const x = ratios.includes("x") ? 1 : 100, y = ratios.includes("y") ? 1 : 100;
    return { left, top, right, bottom, from: from * x, to: to * x, low: low * y, high: high * y };
  }
  const across = (s, x) => short(s.left + (x - s.from) / (s.to - s.from) * (s.right - s.left));
  const upward = (s, y) => short(s.bottom - (Math.min(Math.max(y, LOWEST, s.low), s.high) - s.low) / (s.high - s.low) * (s.bottom - s.top));

  // One series as markup: band, intervals, line, marks. The numbers are ours and letters come from a fixed set.
  function drawn(one, axis, s) {
    const known = one.x[axis].map((x, i) => x === null ? -1 : i).filter(i => i >= 0);
    if (axis === "speed") known.sort((a, b) => one.x[axis][a] - one.x[axis][b]);
    const at = i => across(s, one.x[axis][i]), path = points => points.length ? "M" + points.map(p => p.join(" ")).join("L") : "";
    const line = values => path(known.map(i => [at(i), upward(s, values(i))]));
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
    const step = axis === "speed" ? [10, 20, 25, 50, 100, 200].find(n => (s.to - s.from) / n <= 6) || 500 : s.to > 80 ? 20 : s.to > 40 ? 10 : 5;
    const found = [];
    for (let x = Math.ceil(s.from / step) * step; x <= s.to + 1e-6; x += step) found.push(x);
    return found;
  }
  function redraw(svg, data, axis) {
    const s = scale(svg), series = Object.values(data.m);
    const xs = series.flatMap(one => one.x[axis]).filter(x => x !== null);
    if (axis === "speed") {
      s.from = Math.min(1, ...xs) * 100 - 3; s.to = Math.max(1.05, ...xs) * 100 + 3;
    } else {
      s.from = 0; s.to = Math.max(...xs, 1) > 80 ? 100 : Math.max(...xs, 1);
    }
    const view = axis === "speed" ? { ...s, from: s.from / 100, to: s.to / 100 } : s;
    for (const [key, one] of Object.entries(data.m)) {
      const group = svg.querySelector(`.s[data-m="${CSS.escape(key)}"]`);
      if (group) group.innerHTML = drawn(one, axis, view);
    }
    const y = +svg.querySelector(".x text").getAttribute("y");
    const words = ticks(s, axis).map(x => `<text text-anchor="middle" x="${across(s, x)}" y="${y}">${axis === "speed" ? (x / 100).toFixed(2) + "×" : Math.round(x)}</text>`);
    const label = svg.querySelector(".x .label");
    label.textContent = data.axes[axis];
    svg.querySelector(".x").innerHTML = words.join("") + label.outerHTML;
    return view;
  }
  function ready(from = document) {
    for (const block of all("script.series", from)) {
      const data = JSON.parse(block.textContent), svg = document.getElementById(block.dataset.chart);
      charts.set(svg, { data, first: svg.innerHTML, limits: scale(svg, data.ratios), axis: data.x });
    }
    for (const button of all("[data-csv]", from)) {
      const svg = button.closest("figure").querySelector("svg.chart");
      button.hidden = !charts.get(svg)?.data.axes.units;
      button.onclick = () => take(svg);
    }
    show(Headroom.state);
  }
  function show(state) {
    for (const [svg, chart] of charts) {
      if (!svg.isConnected) { charts.delete(svg); continue; }
      if (!chart.data.axes.units) continue;
      const axis = state.x in chart.data.axes ? state.x : chart.data.x;
      if (axis === chart.axis) continue;
      chart.axis = axis;
      if (axis === chart.data.x) { svg.innerHTML = chart.first; chart.limits = scale(svg); }
      else chart.limits = redraw(svg, chart.data, axis);
    }
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
  function hover(event) {
    const svg = event.target.closest?.("svg.chart"), chart = charts.get(svg);
    if (!chart) { tip.hidden = true; return; }
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal, s = chart.limits;
    const x = (event.clientX - box.left) / box.width * view.width, y = (event.clientY - box.top) / box.height * view.height;
    let best = null;
    for (const [key, one] of Object.entries(chart.data.m)) {
      if (svg.querySelector(`.s[data-m="${CSS.escape(key)}"]`)?.style.display === "none") continue;
      one.x[chart.axis].forEach((value, i) => {
        if (value === null || one.y[i] === null || one.t[i] === 0) return;
        const far = Math.hypot(across(s, value) - x, upward(s, one.b ? one.b[i][1] : one.y[i]) - y);
        if (far < 18 && (!best || far < best.far)) best = { far, key, one, i };
      });
    }
    tip.hidden = !best;
    light(best?.key);
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
    for (const group of all(".chart .s[data-m]")) group.classList.toggle("dim", !!key && group.dataset.m !== key);
    for (const row of all("tr.lit")) row.classList.remove("lit");
    if (key) for (const row of all(`tr[data-m="${CSS.escape(key)}"]`)) row.classList.add("lit");
  }
  document.addEventListener("pointermove", hover);
  document.addEventListener("pointerover", event => {
    if (!event.target.closest?.("svg.chart")) light(event.target.closest?.("[data-m]")?.dataset.m);
  });
  document.addEventListener("focusin", event => light(event.target.closest?.("tr[data-m]")?.dataset.m));
  ready();
  on(show);
  return { ready, drawn, scale, across, upward };
})();
