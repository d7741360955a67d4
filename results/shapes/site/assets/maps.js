"use strict";
// The slider over the maps: one attribute shows another step, counts and overlaps follow.
(() => {
  const { all, on, choose } = Headroom;
  const maps = document.querySelector(".maps[data-targets]");
  if (!maps) return;
  const slider = document.getElementById("at"), said = maps.querySelector(".slide output");
  const STEPS = "0123456789abcdefghijklmnopqrstuvwxyz", targets = maps.dataset.targets.split(" ").map(Number);
  const first = STEPS.indexOf(maps.dataset.at), percent = target => +(100 * target).toFixed(1);
  const cells = new Map(all("figure[data-m]", maps).map(figure => [figure.dataset.m, all("i", figure).map(cell => cell.dataset.r)]));
  // A method that never removes an MLP is not credited with keeping them.
  const within = new Map(all("figure[data-m]", maps).map(figure => {
    const marks = all("i", figure), every = marks.some(cell => cell.classList.contains("m") && cell.dataset.r);
    return [figure.dataset.m, marks.map(cell => every || !cell.classList.contains("m"))];
  }));
  maps.querySelector("fieldset").remove();
  maps.querySelector(".slider").hidden = false;

  function show(state) {
    const found = targets.findIndex(target => percent(target) === +state.at), step = found < 0 ? first : found, sign = STEPS[step];
    maps.dataset.at = sign;
    slider.value = step;
    slider.ariaValueText = said.textContent = percent(targets[step]) + " %";
    for (const figure of all("figure[data-m]", maps)) {
      const own = cells.get(figure.dataset.m).filter((_, i) => within.get(figure.dataset.m)[i]);
      figure.querySelector(".count small").textContent = `${own.filter(steps => !steps.includes(sign)).length} of ${own.length} kept`;
    }
    overlap(sign);
    document.getElementById("overlap-at").textContent = said.textContent;
  }
  function overlap(sign) {
    const gone = new Map([...cells].map(([key, own]) => [key, own.map(steps => steps.includes(sign))]));
    const count = list => list.filter(Boolean).length;
    for (const row of all(".overlap tbody tr")) {
      for (const cell of all("td[data-with]", row)) {
        if (cell.dataset.with === row.dataset.m) continue;
        const ever = cells.get(cell.dataset.with), meet = cells.get(row.dataset.m).some((steps, i) => steps && ever[i]);
        const a = gone.get(row.dataset.m), b = gone.get(cell.dataset.with), both = count(a.map((lost, i) => lost && b[i]));
        const small = Math.min(count(a), count(b)), share = small && meet ? both / small : null;
        cell.textContent = share === null ? "\u2013" : share.toFixed(2);
        cell.style.setProperty("--v", share ?? 0);
        cell.title = share === null ? "" : "expected by chance " + (Math.max(count(a), count(b)) / count(a.map((_, i) => within.get(row.dataset.m)[i] || within.get(cell.dataset.with)[i]))).toFixed(2);
      }
    }
  }
  slider.oninput = () => choose({ at: String(percent(targets[+slider.value])) }, true);
  on(show);
})();
