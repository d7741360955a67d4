"""Text that others wrote is printed, written and read again, and obeyed by nothing."""

import json

import pytest

from headroom.config.plain import plain, shown


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("as it is: é, 注意, שלום, 👩‍💻", "as it is: é, 注意, שלום, 👩‍💻"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m and \x07bell\x9b2J", "[31mred[0m and bell2J"),
        ("over\rwritten\x08\x00", "overwritten"),
        ("a \ud800 b", "a \N{REPLACEMENT CHARACTER} b"),
        ("paid \u202e001$\u202c, \u2066isolated\u2069", "paid 001$, isolated"),
        ("", ""),
    ],
)
def test_what_a_terminal_or_a_page_would_obey_is_left_out(text, left):
    assert plain(text) == left
    assert plain(left) == left
    assert json.loads(json.dumps(left)).encode() == left.encode()


def test_a_value_in_a_message_is_bounded():
    assert shown({"a": [1]}) == "{'a': [1]}"
    assert len(shown("x" * 10_000)) == 80 and shown("x" * 10_000).endswith("...")
    assert "\x1b" not in shown("\x1b[31m")
