"use strict";
// Names beside the lines of a chart, as labels.py places them: a name for each, none over another.
Headroom.names = (() => {
  const STEP = 15, LONGEST = 34, GAP = 6, TAG = 11, WORDS = 17;
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
  const short = number => +number.toFixed(1);

  // Places in the order of the wanted ones, a step apart or more, the squares of the moves least: an isotonic regression.
  function apart(wanted, step, low, high) {
    const count = wanted.length, least = Math.min(step, (high - low) / Math.max(count - 1, 1)), found = [];
    const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b] || a - b);
    const free = order.map((place, below) => wanted[place] - least * below);
    order.forEach((place, below) => {
      let level = -Infinity;
      for (let a = 0; a <= below; a++) {
        let lowest = Infinity;
        for (let b = below; b < count; b++) lowest = Math.min(lowest, mean(free.slice(a, b + 1)));
        level = Math.max(level, lowest);
      }
      found[place] = Math.min(Math.max(level, low), high - least * (count - 1)) + least * below;
    });
    return found;
  }
  function height(line, x) {
    const next = line.findIndex(point => point[0] >= x);
    if (next <= 0) return line[next < 0 ? line.length - 1 : 0][1];
    const [a, b] = [line[next - 1], line[next]];
    return a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0] || 1);
  }
  // A point on every line, all where they differ most; a line of one point has its name there.
  function anchors(lines) {
    const xs = [...new Set(lines.flatMap(line => line.map(point => point[0])))].sort((a, b) => a - b);
    const spread = x => { const ys = lines.map(line => height(line, x)), middle = mean(ys); return mean(ys.map(y => (y - middle) ** 2)); };
    const inner = xs.length > 2 ? xs.slice(1, -1) : xs, best = inner.reduce((top, x) => spread(x) > spread(top) + 1e-9 ? x : top, inner[0]);
    return lines.map(line => { const x = Math.min(Math.max(best, line[0][0]), line[line.length - 1][0]); return [x, height(line, x)]; });
  }
  // ``named``: [key, name, whether it has a mark]; ``lines``: points [x, height above the axis] of each.
  function beside(svg, s, named, lines) {
    if (!named.length) return;
    const from = anchors(lines), heights = apart(from.map(point => point[1]), STEP, 4, s.bottom - s.top - 2);
    named.forEach(([key, name, marked], i) => {
      const group = svg.querySelector(`.s[data-m="${CSS.escape(key)}"]`), y = short(s.bottom - heights[i]), mark = group?.querySelector("use")?.getAttribute("href");
      if (!group) return;
      const text = document.createElementNS(svg.namespaceURI, "text");
      text.setAttribute("class", "name");
      text.setAttribute("x", short(s.right + WORDS));
      text.setAttribute("y", short(y + 3.2));
      text.textContent = name.length > LONGEST ? name.slice(0, LONGEST - 1).trimEnd() + "\u2026" : name;
      group.insertAdjacentHTML("beforeend", `<path class="lead" d="M${short(from[i][0])} ${short(s.bottom - from[i][1])}L${short(s.right + GAP)} ${y}"/>` +
        (marked && mark ? `<use class="tag" href="${mark}" x="${short(s.right + TAG)}" y="${y}"/>` : ""));
      group.append(text);
    });
  }
  return { apart, anchors, beside };
})();
