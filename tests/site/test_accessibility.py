"""axe-core finds nothing on any kind of page, in light and dark. Skips where axe-core or a browser is missing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import browsers
import pytest
from test_browser import KINDS


def axe_source() -> str:
    """axe-core from npm: the folder of AXE_CORE, the project's node_modules, or npm's global ones."""
    roots = [os.environ.get("AXE_CORE", ""), str(Path(__file__).parents[2] / "node_modules")]
    try:
        done = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=False, timeout=20)
        roots.append(done.stdout.strip())
    except (OSError, subprocess.TimeoutExpired):
        pass
    for root in filter(None, roots):
        for path in (Path(root) / "axe-core" / "axe.min.js", Path(root) / "axe.min.js"):
            if path.is_file():
                return path.read_text(encoding="utf-8")
    pytest.skip("axe-core is not here: npm install --no-save axe-core, or set AXE_CORE to its folder")


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_source()


@pytest.fixture(scope="module", params=["light", "dark"])
def tab(request):
    with browsers.opened(dark=request.param == "dark") as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_axe_has_nothing_to_say(axe, tab, site, kind):
    tab.get((site / KINDS[kind]).as_uri())
    # Through the debugger, since the page's own policy lets no other script in.
    tab.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    tab.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    found = tab.execute_async_script("const done = arguments[0]; axe.run().then(r => done(r.violations))")
    said = [
        f"{v['id']}: {v['help']} ({len(v['nodes'])}x, {v['nodes'][0]['target']} {v['nodes'][0]['html'][:120]})"
        for v in found
    ]
    assert not said, "\n".join(said)
