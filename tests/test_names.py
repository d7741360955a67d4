"""What pytest needs of names: two test files, or two modules that tests import, of one name are one to it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path


def test_no_two_files_of_tests_have_one_name():
    """Else the second is not collected, and with it the whole suite."""
    places = defaultdict(list)
    for path in Path(__file__).parent.rglob("*.py"):
        places[path.name].append(str(path.relative_to(Path(__file__).parent)))
    twins = {name: found for name, found in places.items() if len(found) > 1 and name != "conftest.py"}
    assert not twins
