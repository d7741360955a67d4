"""Accuracy of a classifier of images. They all have one size, so nothing is padded, cut or sorted."""

from __future__ import annotations

from importlib.metadata import version

from headroom.evaluate.classification import Classification


class ImageClassification(Classification):
    """Images of one task, made into pixel values once, as the model's ``ImageCollator`` does for training too."""

    def signature(self) -> str:
        return f"highest logit, single view, transformers {version('transformers')}"
