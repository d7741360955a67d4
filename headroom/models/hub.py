"""What the Hub refuses, in one sentence with the next step."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.data.loading import AWAY
from headroom.data.words import said

LOG_IN = "log in with `hf auth login`"
ELSEWHERE = f"{AWAY}, or put the model below the folder HEADROOM_DATA and name it as source.folder."


def sentence(name: str, revision: str | None, error: Exception) -> str:
    """Why a model of the Hub could not be had, and what to do about it."""
    from huggingface_hub import errors

    page, model = f"https://huggingface.co/{name}", f"{name} at {revision}"
    for cause in causes(error):
        if isinstance(cause, errors.GatedRepoError):
            return f"{model}: the Hub gives it to those who have asked. Ask for access at {page}, then {LOG_IN}."
        if isinstance(cause, errors.RevisionNotFoundError):
            return f"{model}: the model has no such revision. Take a commit, 40 hex digits, of {page}/commits."
        if isinstance(cause, errors.RepositoryNotFoundError):
            return f"{model}: the Hub has no such model, or a private one. Look at the name, or {LOG_IN}."
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status in (401, 403):
            return f"{model}: the Hub does not give it to you ({status}). Ask for access at {page}, then {LOG_IN}."
    return f"{model} could not be loaded from the Hub: {said(error)} {ELSEWHERE}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from: transformers puts words of its own over those of the Hub."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
