"""What checks and figures are called, in ``checks.csv``, in the terminal and on the pages. Imports nothing."""

CHECK = "check_"  # what begins so passes or fails; the others are figures
FIRST = {  # by what of a dead head is zero: one that only looks dead from inside is harder to find
    "all": "dead units among the first removed",
    "out": "dead units among the first removed, output zero",
    "value": "dead units among the first removed, values zero",
}
FIRST_VITAL = "units gone with the first vital one"
DISTANCE = "distance to the oracle"


def at(share: float) -> str:
    """The distance of the one plan with this share gone."""
    return f"{DISTANCE} at {share:g}"


def in_words(check: str) -> str:
    """The name of a check as people read it."""
    return check.removeprefix(CHECK).replace("_", " ")
