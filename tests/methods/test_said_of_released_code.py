"""What the released code does differently stands in the method's file, and so on its page."""

import pytest

from headroom.config.project import root
from headroom.site.prose import docstring, paragraphs

NAMED = {  # what each file has to name, in words of its own
    "activation_heads": ["mean of the size of each channel", "aggregation: released"],
    "finercut": ["KL(m || p)", "13 of 32", "7 of 32", "<code>-x 0</code>"],
    "flap_head": ["variance", "in place"],
    "greedy_loss_blocks": ["never tries the first and the last", "<code>first: 1, last: 1</code>"],
    "gromov_window": ["n + 1 blocks", "final norm"],
    "layer_similarity": ["whole block", "no better than scoring once", "Gemma", "final norm"],
    "michel_greedy": ["running total", "rycolab", "TextPruner", "number of examples"],
    "nose_posthoc": ["final output layer", "base 2", "doubled"],
    "taylor_weight": ["h mod K", "less than one group", "leaves layers whole"],
    "voting_to_stay": ["equally near", "tie"],
    "wanda_head": ["int(share x heads)"],
}


@pytest.mark.parametrize("stem", NAMED)
def test_the_page_of_a_method_says_what_the_released_code_does_differently(stem):
    page = str(paragraphs(docstring(f"methods/{stem}.py").partition("\n\n")[2]))
    assert "<p>What the released code does differently: " in page
    for words in NAMED[stem]:
        assert words in page, words


def test_every_method_that_says_so_is_in_the_list():
    saying = {file.stem for file in (root() / "methods").glob("*.py") if "released code does diff" in file.read_text()}
    assert saying == set(NAMED)


def test_no_file_says_what_was_found_untrue():
    finercut, michel = docstring("methods/finercut.py"), docstring("methods/michel_greedy.py")
    assert "over the vocabulary only rescales;" not in finercut
    assert "per batch (HF" not in michel
