"""What is wrong with an endpoint that did not answer, and what to do, in one line."""

from __future__ import annotations

from zsad.language.endpoint import PassingError, RefusedError


def remedy_of(where: str, error: PassingError | RefusedError) -> str:
    """Return the line for a call that was never answered.

    Args:
        where: the endpoint's address.
        error: why not.
    """
    if isinstance(error, PassingError):
        if not error.connected:
            return f"{where}: no endpoint there ({error}); start one, or give another --endpoint"
        if error.late:
            remedy = "raise --timeout, or ask fewer at once with --concurrency; what was answered is kept"
            return f"{where}: {error}, several times; {remedy}"
        return f"{where}: no answer after several tries ({error}); run again later: what was answered is kept"
    remedy = {
        "images": "this model takes no images; choose one that does with --llm NAME",
        "context": "context overflow: longer than this model reads; serve it with a longer context",
        "size": "more images or bytes than this server takes; raise its limit",
        "audio": "this model takes no sound; choose one that does with --llm NAME",
    }.get(error.kind, "the server does not take this request; choose another model with --llm NAME")
    return f"{where}: {remedy} ({error})"
