"""What the Hub refuses, in one sentence with the next step."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.data.words import said

LOG_IN = "log in with `hf auth login`"
FETCH = "run `headroom fetch --params ...` of its profile where there is one, and set HF_HOME to where it was put"
ELSEWHERE = {
    "model": f"Without a network, {FETCH}; or put the model below HEADROOM_DATA and name it as source.folder.",
    "dataset": f"Without a network, {FETCH}; or name files below HEADROOM_DATA as data.folder.",
}
PLACES = {"model": "", "dataset": "datasets/"}  # of the Hub's pages


def sentence(name: str, revision: str | None, error: Exception, kind: str = "model") -> str:
    """Why a model or a data set of the Hub could not be had, and what to do about it."""
    from huggingface_hub import errors

    what = "data set" if kind == "dataset" else kind
    page, model = f"https://huggingface.co/{PLACES[kind]}{name}", f"{name} at {revision}"
    for cause in causes(error):
        if isinstance(cause, errors.GatedRepoError):
            return f"{model}: the Hub gives it to those who have asked. Ask for access at {page}, then {LOG_IN}."
        if isinstance(cause, errors.RevisionNotFoundError):
            return f"{model}: the {what} has no such revision. Take a branch, or a commit of {page}/commits."
        if isinstance(cause, errors.RepositoryNotFoundError):
            return f"{model}: the Hub has no such {what}, or a private one. Look at the name, or {LOG_IN}."
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status in (401, 403):
            return f"{model}: the Hub does not give it to you ({status}). Ask for access at {page}, then {LOG_IN}."
    return f"{model} could not be had from the Hub: {said(error)} {ELSEWHERE[kind]}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from: transformers puts words of its own over those of the Hub."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
