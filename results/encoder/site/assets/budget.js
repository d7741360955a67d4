"use strict";
// The budget: three choices, and the smaller models that answer them. The page holds the cards of the first choice; those
// of all others come as one script when the first of them is chosen.
(() => {
  const { all, on, choose } = Headroom;
  const form = document.getElementById("budget"), place = document.getElementById("wish");
  if (!form) return;
  const select = Object.fromEntries(all("select", form).map(control => [control.name, control]));
  let known = null, shown = place.dataset.key;

  function show(state) {
    for (const control of Object.values(select)) {
      const options = [...control.options], wanted = options.find(option => option.value === state[control.name]);
      control.value = (wanted || options.find(option => option.defaultSelected) || options[0]).value;
    }
    const key = `${select.loss.value} ${select.want.value} ${select.like.value}`;
    if (key === shown) return;
    if (!known) { ask(); return; }
    shown = key;
    place.innerHTML = (known.asked[key] || []).map(number => known.cards[number]).join("") || `<p>${known.none}</p>`;
    Headroom.table.ready(place);
  }
  function ask() {
    const script = document.createElement("script");
    script.src = Headroom.up + form.dataset.cards;
    script.onload = () => script.remove();
    document.head.append(script);
  }
  addEventListener("budget", event => {
    known = event.detail;
    show(Headroom.state);
  });
  form.hidden = place.hidden = false;
  for (const control of Object.values(select)) control.onchange = () => choose({ [control.name]: control.value });
  on(show);
})();
