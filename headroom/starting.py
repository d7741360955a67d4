"""Import the large libraries of a stage with the garbage collector at rest.

They make a million objects that stay for good. At its usual pace the collector walks them again and again: 1.6 of the
3.9 seconds before a stage's first line, and a third of a second after its last, for about ninety stages in a run.
"""

import atexit
import gc


def import_libraries() -> None:
    """Import torch, datasets and the common part of transformers' models, once the environment is set."""
    gc.disable()
    try:
        import datasets  # noqa: F401
        import torch  # noqa: F401
        import transformers.modeling_utils  # noqa: F401
    finally:
        gc.freeze()  # what is there now is never walked again
        gc.enable()
    atexit.register(gc.freeze)  # nor is anything else when the process ends
