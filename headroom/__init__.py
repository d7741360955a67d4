"""How much of a transformer's attention can go, which part, by which method, and what that buys in real speed.

For notebooks: ``headroom.prune(model, method="michel-greedy", target=0.5, data=...)``, see ``docs/python.md``. Nothing
heavy is imported before it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headroom.pruning.live import prune

__all__ = ["prune"]


def __getattr__(name: str) -> Any:
    """``headroom.prune`` where it is first looked at: it imports torch."""
    if name in __all__:
        from headroom.pruning import live

        return getattr(live, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
