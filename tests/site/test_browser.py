"""In a real browser: every choice is in the hash and comes back from it, nothing leaves the page, nothing complains."""

from __future__ import annotations

import time

import browsers
import pytest

KINDS = {
    "front": "index.html",
    "cell": "cell/mt-constructed/pair.html",
    "method": "method/michel-greedy.html",
    "run": "run/mt-constructed/michel-greedy.html",
    "compare": "compare.html",
    "overall": "overall.html",
    "says": "says.html",
    "agreement": "index.agreement.html",
    "speed": "speed.html",
    "claims": "claims.html",
    "data": "data/index.html",
    "methodology": "methodology.html",
    "contribute": "contribute.html",
    "changes": "changes.html",
    "shapes": "shapes/index.html",
}


@pytest.fixture(scope="module")
def browser():
    with browsers.opened() as found:
        yield found


@pytest.fixture
def go(browser, site):
    """Open a page of the site with a hash; the tab is left first, so that nothing stays."""

    def at(page: str, state: str = ""):
        browser.get("about:blank")
        browsers.complaints(browser)
        browsers.requested(browser)
        browser.get((site / page).as_uri() + (f"#{state}" if state else ""))
        until(browser, "document.readyState === 'complete'")  # the driver may come back before there is a style
        return browser

    return at


def until(browser, script: str, seconds: float = 5.0):
    """Wait for a script to return something true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := browser.execute_script(f"return {script}"):
            return found
        time.sleep(0.02)
    raise AssertionError(f"never true: {script}")


def rows(browser) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('.board tbody tr')].filter(r => !r.hidden).map(r => r.dataset.m)"
    )


def choose(browser, name: str, value: str) -> None:
    browser.execute_script(
        "const s = document.querySelector(`[data-for='${arguments[0]}']`); s.value = arguments[1];"
        "s.dispatchEvent(new Event('change'))",
        name,
        value,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_complains_or_asks_the_outside(go, site, kind):
    found = go(KINDS[kind])
    until(found, "document.documentElement.classList.contains('scripted')")
    assert browsers.complaints(found) == []
    asked = [url for url in browsers.requested(found) if not url.startswith(("data:", "about:"))]
    assert asked and all(url.startswith(site.as_uri()) for url in asked)


def test_an_outside_request_would_be_refused(go):
    found = go("index.html")
    found.execute_script("const i = new Image(); i.src = 'https://example.org/x.png'; document.body.append(i)")
    until(found, "document.images.length")
    assert any("Content Security Policy" in line for line in browsers.complaints(found))


def test_headings_sort_and_say_so(go):
    found = go("index.html")
    heading = found.find_element("css selector", "[data-sort='lost50'] button")
    heading.click()
    cells = "[...document.querySelectorAll('.board tbody tr')].map(row => parseFloat(row.cells[4]?.dataset.v))"
    values = f"{cells}.filter(value => !isNaN(value))"
    assert found.execute_script(f"return {values}") == sorted(found.execute_script(f"return {values}"), reverse=True)
    heading.click()
    assert found.execute_script(f"return {values}") == sorted(found.execute_script(f"return {values}"))
    assert found.execute_script("return document.querySelector('[data-sort=lost50]').ariaSort") == "ascending"
    assert "sort=lost50.up" in found.current_url


def test_the_hash_brings_back_every_selector(go):
    state = "model=lm-pydocs&task=cloze&units=attention&grain=kv_group&track=gradient&x=macs&sort=cost.up&theme=dark"
    found = go("index.html", state)
    until(found, "document.querySelector('#board [data-panel]').dataset.panel === 'lm-pydocs-cloze-as-is-attention'")
    for name, value in [part.split("=") for part in state.split("&") if part[:4] not in ("sort", "them")]:
        assert found.execute_script(f"return document.querySelector('[data-for={name}]').value") == value
    assert rows(found) == ["michel-greedy"]
    assert found.execute_script("return document.querySelector('.chart .label').textContent").startswith("multiply")
    assert found.execute_script("return document.documentElement.dataset.theme") == "dark"


def test_choosing_fetches_a_panel_and_back_returns(go):
    found = go("index.html")
    first = found.execute_script("return document.querySelector('#board [data-panel]').dataset.panel")
    choose(found, "model", "bert-pydocs")
    until(found, "document.querySelector('#board [data-panel]').dataset.panel.startsWith('bert')")
    choose(found, "units", "other")
    until(found, "document.querySelector('#board [data-panel]').dataset.panel.endsWith('other')")
    assert "model=bert-pydocs" in found.current_url and "units=other" in found.current_url
    found.back()
    until(
        found, "document.querySelector('#board [data-panel]').dataset.panel === 'bert-pydocs-package-as-is-attention'"
    )
    found.back()
    until(found, f"document.querySelector('#board [data-panel]').dataset.panel === '{first}'")
    assert browsers.complaints(found) == []


def test_recovered_points_are_ranked_apart(go):
    found = go("index.html", "model=mt-constructed&setting=recovered")
    until(found, "document.querySelector('#board [data-panel]').dataset.panel.includes('recovered')")
    assert found.execute_script("return document.querySelector('[data-for=setting]').value") == "recovered"


def test_tracks_and_grains_filter_rows_and_curves(go):
    found = go("index.html", "track=gradient")
    until(found, "document.getElementById('shown').textContent.startsWith('1 of')")
    assert rows(found) == ["michel-greedy"]
    hidden = "[...document.querySelectorAll('.drawings .s[data-m]')].filter(g => g.style.display === 'none').length"
    assert found.execute_script(f"return {hidden}") > 3


def test_every_axis_redraws_every_curve_inside_the_paper(go):
    found = go("index.html")
    path = "document.querySelector(\"#board svg.chart [data-m='michel-greedy'] .line\").getAttribute('d')"
    seen = [found.execute_script(f"return {path}")]
    for axis in ("units", "parameters", "macs", "speed"):
        choose(found, "x", axis)
        until(found, f"location.hash.includes('x={axis}')")
        seen.append(found.execute_script(f"return {path}"))
        numbers = [float(n) for n in seen[-1].replace("M", " ").replace("L", " ").split()]
        assert all(-60 <= n <= 460 for n in numbers) and len(numbers) >= 6, axis
    choose(found, "x", "")
    assert found.execute_script(f"return {path}") == seen[0] and len(set(seen)) >= 4


def test_hovering_names_the_point(go):
    found = go("index.html")
    found.execute_script(
        "const svg = document.querySelector('#board svg.chart'); svg.scrollIntoView();"
        "const use = svg.querySelector(\"[data-m='michel-greedy'] use\"), box = use.getBoundingClientRect();"
        "const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };"
        "svg.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, ...at }))"
    )
    said = found.execute_script("return document.querySelector('.tip').textContent")
    assert "% kept" in said and "asked" in said


def test_this_view_as_csv_holds_the_rows_that_are_shown(go):
    found = go("index.html", "track=forward")
    until(found, "!document.getElementById('shown').textContent.startsWith('0')")
    found.execute_script(
        "window.saved = null; const make = URL.createObjectURL;"
        "URL.createObjectURL = blob => { blob.text().then(text => window.saved = text); return make(blob) }"
    )
    found.find_element("id", "csv").click()
    lines = until(found, "window.saved").strip().splitlines()
    assert len(lines) == 1 + len(rows(found)) and lines[0].startswith("Rank,Method,Quality kept")


@pytest.mark.parametrize(("kind", "tables"), [("cell", 5), ("speed", 1), ("compare", 1)])
def test_every_table_that_sorts_can_be_taken_away(go, kind, tables):
    found = go(KINDS[kind])
    found.execute_script(
        "window.saved = []; const make = URL.createObjectURL;"
        "URL.createObjectURL = blob => { blob.text().then(text => window.saved.push(text)); return make(blob) };"
        "for (const one of document.querySelectorAll('p.take > button'))"
        "  if (one.textContent === 'This table as CSV') one.click()"
    )
    until(found, f"window.saved.length === {tables}")
    shown = found.execute_script(
        "return [...document.querySelectorAll('.board, .sortable')].map(one => one.tBodies[0].rows.length)"
    )
    saved = [len(text.strip().splitlines()) - 1 for text in found.execute_script("return window.saved")]
    assert sorted(saved) == sorted(shown)


def test_the_slider_shows_what_is_kept_at_each_target(go):
    found = go(KINDS["cell"])
    kept = "[...document.querySelectorAll('.atlas .count small')].map(said => parseInt(said.textContent))"
    half = found.execute_script(f"return {kept}")
    found.execute_script("document.getElementById('at').focus()")
    found.switch_to.active_element.send_keys("\ue014")  # arrow right
    until(found, "location.hash.includes('at=62.5')")
    after = found.execute_script(f"return {kept}")
    assert all(a <= b for a, b in zip(after, half, strict=True)) and sum(after) < sum(half)
    hollow = "getComputedStyle([...document.querySelectorAll('.atlas i')].find(i => i.dataset.r.includes('4'))).opacity"
    assert float(found.execute_script(f"return {hollow}")) < 1
    assert found.execute_script("return document.getElementById('overlap-at').textContent") == "62.5 %"


def test_the_slider_position_is_in_the_hash(go):
    found = go(KINDS["cell"], "at=75")
    assert found.execute_script("return document.querySelector('.slide output').textContent") == "75 %"


def test_compare_draws_both_names_a_verdict_and_counts_the_units(go):
    found = go("compare.html", "a=michel-greedy&b=layer-similarity")
    cards = until(found, "document.querySelectorAll('#compared article').length")
    assert cards == 4  # one model has no record of one of the two
    said = found.execute_script("return document.querySelector('#compared').innerText")
    assert "95 % interval" in said and "differ on" in said
    better = "Michel et al., greedy keeps more: 0.004 of area (95 % interval 0.001 to 0.007, on the same resamples)"
    assert better in said and said.startswith("A: Michel et al., greedy")
    found.find_element("id", "swap").click()
    until(found, "location.hash.includes('a=layer-similarity')")
    turned = found.execute_script("return document.querySelector('#compared').innerText")
    assert better in turned and turned.startswith("A: Layer similarity"), "who is better does not turn with the sides"
    found.back()
    until(found, "document.querySelector('[data-for=a]').value === 'michel-greedy'")


def test_compare_opens_with_the_best_against_random_and_says_so_in_the_address(go):
    found = go("compare.html")
    until(found, "document.querySelectorAll('#compared article').length")
    assert found.current_url.endswith("#a=layer-similarity&b=random-heads")
    assert found.execute_script("return document.querySelector('[data-for=b]').value") == "random-heads"
    found = go("compare.html", "a=random-heads")
    until(found, "location.hash.includes('b=layer-similarity')")


def test_a_command_is_one_click_from_the_clipboard(go):
    found = go(KINDS["run"])
    button = found.find_element("css selector", "[data-copy]")
    button.click()
    until(found, "document.querySelector('[data-copy]').textContent === 'Copied'")


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_scrolls_no_page_sideways(go, browser, kind):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        found = go(KINDS[kind])
        assert found.execute_script("return document.documentElement.scrollWidth") <= 390
        more = "for (const table of document.querySelectorAll('.scroll > table')) table.style.minWidth = '1200px'"
        found.execute_script(more)  # as with many models: what is hidden in a table must not stick out of its frame
        assert found.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("heads", [12, 40])
def test_no_map_of_heads_lies_on_the_next_one(go, browser, width, heads):
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        found = go(KINDS["cell"])
        found.execute_script(f"document.querySelector('.atlas').style.setProperty('--n', {heads})")
        edges = found.execute_script(
            "return [...document.querySelectorAll('.atlas figure')].map(figure =>"
            "[figure, figure.querySelector('.map')].map(one => one.getBoundingClientRect().right))"
        )
        assert edges and all(drawn <= frame + 1 and frame <= width for frame, drawn in edges)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_that_can_be_clicked_can_be_reached_with_the_keyboard_and_shows_it(go):
    found = go("index.html")
    reached = set()
    for _ in range(140):
        found.switch_to.active_element.send_keys("\ue004")  # tab
        what = found.execute_script(
            "const e = document.activeElement, name = e.id || e.dataset.for || e.textContent.slice(0, 20);"
            "return [e.tagName, name, getComputedStyle(e).outlineStyle]"
        )
        assert what[2] != "none", what
        reached.add(what[1])
    assert {"theme", "model", "units", "x", "csv", "Quality kept"} <= reached


def test_without_scripts_the_pages_are_complete(site):
    with browsers.opened(scripts=False) as found:
        found.get((site / "index.html").as_uri())
        shown = found.find_element("css selector", ".board")
        assert shown.is_displayed() and not found.find_element("id", "controls").is_displayed()
        assert len(found.find_elements("css selector", "p.without a")) == 5
        found.get((site / KINDS["cell"]).as_uri())
        radios = found.find_elements("css selector", "fieldset input")
        assert len(radios) == 8 and not found.find_elements("css selector", ".slider:not([hidden])")
        cell = next(i for i in found.find_elements("css selector", ".atlas i") if i.get_dom_attribute("data-r") == "7")
        before = cell.value_of_css_property("opacity")
        radios[7].click()
        assert float(before) == 1 and float(cell.value_of_css_property("opacity")) < 1


@pytest.mark.parametrize(
    ("page", "chart", "words"),
    [
        ("index.html", "[id$='-pareto']", ["% kept", " dense"]),
        ("speed.html", "[id$='-ideal']", [" measured", "ideal"]),
        ("method/layer-similarity.html", "[id^='published-']", ["% kept", "Table"]),
    ],
)
def test_hovering_names_the_points_of_the_other_charts(go, page, chart, words):
    found = go(page)
    found.execute_script(
        "const svg = document.querySelector('svg.chart' + arguments[0]); svg.scrollIntoView();"
        "const box = svg.querySelector('.s use').getBoundingClientRect();"
        "const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };"
        "svg.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, ...at }))",
        chart,
    )
    said = found.execute_script("return document.querySelector('.tip').textContent")
    assert all(word in said for word in words), said


def test_a_first_time_reader_needs_at_most_two_clicks(go):
    """From the front page: heads kept at 75 %, this view as CSV, the command behind a number, better than random?"""
    found = go("index.html")
    found.find_element("link text", "mt-constructed").click()  # one
    found.execute_script("document.getElementById('at').focus()")
    found.switch_to.active_element.send_keys("\ue014", "\ue014")  # two: the slider, dragged to 75 %
    assert found.execute_script("return document.querySelector('.slide output').textContent") == "75 %"
    shown = found.find_element("css selector", "figure[data-m='michel-greedy'] .count").text
    assert shown == "20 of 80 kept"

    found = go("index.html")
    assert found.find_element("id", "csv").is_displayed()  # one click, no way to it

    found.find_element("link text", "run").click()  # one
    assert "headroom quality" in found.find_element("id", "command").text

    found = go("index.html")
    row = found.find_element("css selector", ".board tr[data-m='michel-greedy']")
    assert row.find_elements("css selector", "td")[-2].text.startswith("above")  # no click at all


def test_from_the_front_page_to_a_copied_command_it_is_one_click(go):
    """A decoder, 1 %, 1.2 times the speed: the page opens with it. Another wish is one choice away."""
    found = go("index.html")
    place = found.find_element("id", "wish")
    assert place.is_displayed() and not found.find_element("css selector", ".common").is_displayed()
    place.find_element("css selector", "[data-copy]").click()  # one
    until(found, "document.querySelector('#wish [data-copy]').textContent === 'Copied'")
    found.execute_script(
        "const s = document.querySelector('#budget [name=like]'); s.value = 'translator';"
        "s.dispatchEvent(new Event('change'))"
    )
    until(found, "document.getElementById('wish').textContent.includes('mt-constructed')")
    assert "like=translator" in found.current_url and browsers.complaints(found) == []
    found.back()
    until(found, "document.getElementById('wish').textContent.includes('lm-pydocs')")


def test_printed_pages_show_their_tables_and_no_selectors(go, browser):
    found = go(KINDS["cell"])
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not found.find_element("css selector", "nav").is_displayed()
        assert not found.find_element("css selector", ".slider").is_displayed()
        overflow = "getComputedStyle(document.querySelector('.scroll.tall')).maxHeight"
        assert found.execute_script(f"return {overflow}") == "none"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_nothing_moves_for_those_who_ask_for_that(go, browser):
    still = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", still)
    try:
        found = go("index.html")
        timing = "getComputedStyle(document.querySelector('.chart .s')).transitionProperty"
        assert found.execute_script(f"return {timing}") == "none"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
