"""How the scripted server answers, or fails to.

``delay`` s; ``delay_by_hash`` [low, high] s; ``status`` with ``retry_after`` and ``message``; ``reset``; ``hang`` s;
``malformed``: ``json``, ``empty``, ``html``, ``no_choices``, ``choices_empty``, ``content_null``, ``content_parts``,
``utf8``; ``truncated``: bytes that are sent of the answer; ``truncated_stream``: the same of a stream;
``slow_stream`` s; ``length``: characters that are kept; ``refusal``: true, ``field`` or ``filter``; ``chatty``;
``wrong_number``: how.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.servers.rules import Request, Rule
    from tests.servers.scripted import _Handler

APOLOGY = "I'm sorry, but I can't help with that."
_NUMBERS = {
    "comma": "[0,7]", "percent": "[70%]", "words": "[seven tenths]", "several": "[0.1, 0.7]", "range": "[7]",
    "wide": "[\uff10.\uff17]",
}  # fmt: skip
MALFORMED = {
    "json": b'{"choices": [{"message": {"content": "he', "empty": b"", "html": b"<html><body>502</body></html>",
    "no_choices": b'{"object": "chat.completion"}', "choices_empty": b'{"choices": []}',
    "utf8": b'{"choices": [{"message": {"content": "caf\xc3"}}]}',
}  # fmt: skip


def act(handler: _Handler, rule: Rule, request: Request, text: str) -> int | str:
    """Answer with a text in the way that a rule says; return the status for the log."""
    how = rule.behaviour
    if "delay" in how:
        time.sleep(how["delay"])
    if "delay_by_hash" in how:
        low, high = how["delay_by_hash"]
        time.sleep(low + (high - low) * int(request.sha[:8], 16) / 0xFFFFFFFF)
    if "status" in how:
        after = {"Retry-After": str(how["retry_after"])} if "retry_after" in how else {}
        return handler.say_error(how["status"], how.get("message", f"scripted {how['status']}"), after)
    if how.get("reset"):
        handler.hang_up()
        return "reset"
    if "hang" in how:
        time.sleep(how["hang"])
        handler.hang_up()
        return "hang"
    if how.get("malformed") in MALFORMED:
        kind = "text/html" if how["malformed"] == "html" else "application/json"
        return handler.say_bytes(MALFORMED[how["malformed"]], kind)
    body = _completion(rule, request, _worded(how, text))
    if request.body.get("stream"):
        return _stream(handler, how, body)
    if "truncated" in how:
        data = json.dumps(body).encode()
        handler.say_bytes(data[: how["truncated"]], "application/json", length=len(data))
        handler.hang_up()
        return "truncated"
    return handler.say_json(body)


def _worded(how: Any, text: str) -> str:
    if how.get("refusal") is True or how.get("refusal") == "filter":
        return APOLOGY
    if "wrong_number" in how:
        return _NUMBERS[how["wrong_number"]]
    if how.get("chatty"):
        return f"Certainly! Here is what you asked for:\n```\n{text}\n```"
    return text[: how["length"]] if "length" in how else text


def _completion(rule: Rule, request: Request, text: str) -> dict[str, Any]:
    how = rule.behaviour
    finish = "length" if "length" in how else "content_filter" if how.get("refusal") == "filter" else "stop"
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if how.get("refusal") == "field":
        message |= {"content": None, "refusal": APOLOGY}
    if how.get("malformed") == "content_null":
        message["content"] = None
    if how.get("malformed") == "content_parts":
        message["content"] = [{"type": "text", "text": text[:3]}, {"type": "text", "text": text[3:]}]
    asked = len(request.text.split()) + 85 * len(request.images)
    usage = dict(rule.usage) or {"prompt_tokens": asked, "completion_tokens": len(text.split())}
    name = f"chat-{request.sha[:8]}"
    return {"id": name, "object": "chat.completion", "created": 0, "model": request.body.get("model"),
            "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}  # fmt: skip


def _stream(handler: _Handler, how: Any, body: dict[str, Any]) -> int | str:
    """Send the answer as events; ``truncated_stream`` stops after some bytes, without ``[DONE]``."""
    text = body["choices"][0]["message"]["content"] or ""
    pieces = [text[i : i + 8] for i in range(0, len(text), 8)]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": body["choices"][0]["finish_reason"]}]})
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    handler.end_headers()
    whole = data.encode()
    if "truncated_stream" in how:
        handler.wfile.write(whole[: how["truncated_stream"]])
        handler.hang_up()
        return "truncated"
    for i in range(0, len(whole), 64):
        handler.wfile.write(whole[i : i + 64])
        time.sleep(how.get("slow_stream", 0))
    handler.close_connection = True
    return 200
