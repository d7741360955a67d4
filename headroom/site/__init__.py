"""Tables to a page. Nothing here imports torch, so the page builds in seconds anywhere."""

from headroom.site.building import build

__all__ = ["build"]
