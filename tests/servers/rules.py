"""What a rule of the scripted server matches, and what it says.

``when``: ``model``, ``system_contains``, ``text_contains`` (all), ``text_regex``, ``n_images`` [min, max], ``image``
(of any picture: ``sha``, ``mean_grey`` [low, high], ``size`` [width, height], ``colour``; null: no picture), ``audio``,
``max_uses``, ``nth`` (counted from 1), ``attempt``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import Any

from PIL import Image

_ORDERED = ("sequence", "nth")


class Request:
    """One request for a chat, looked at.

    Args:
        body: as it was sent.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body, self.attempt = body, 0
        self.images: list[bytes] = []
        self.sounds: list[bytes] = []
        texts: list[str] = []
        system: list[str] = []
        for message in body.get("messages", []):
            content = message.get("content") or ""
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for part in parts:
                if part["type"] == "text":
                    (system if message["role"] == "system" else texts).append(part["text"])
                elif part["type"] == "image_url":
                    self.images.append(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
                elif part["type"] == "input_audio":
                    self.sounds.append(base64.b64decode(part["input_audio"]["data"]))
        self.text, self.system = "\n".join(texts), "\n".join(system)
        said = json.dumps(body, sort_keys=True)
        self.sha = hashlib.sha256(said.encode()).hexdigest()
        self.talk = "\0".join(json.dumps(message, sort_keys=True) for message in body.get("messages", []))
        self.groups: dict[str, str] = {}

    @cached_property
    def greys(self) -> list[float]:
        """Mean grey of each picture, 0 to 255."""
        return [_mean(data) for data in self.images]

    def image_facts(self) -> list[dict[str, Any]]:
        return [{"sha": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for data in self.images]


def _mean(data: bytes) -> float:
    grey = Image.open(BytesIO(data)).convert("L").resize((8, 8), Image.Resampling.BOX)
    return sum(grey.tobytes()) / 64


def colour(data: bytes) -> str:
    """The strongest of red, green and blue in a picture, or grey."""
    pixel = Image.open(BytesIO(data)).convert("RGB").resize((1, 1), Image.Resampling.BOX).tobytes()
    order = sorted(zip(pixel, ("red", "green", "blue"), strict=True), reverse=True)
    return order[0][1] if order[0][0] - order[1][0] > 20 else "grey"


@dataclass
class Rule:
    """One rule of a script."""

    name: str
    when: Mapping[str, Any] = field(default_factory=dict)
    reply: Mapping[str, Any] = field(default_factory=dict)
    behaviour: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    uses: int = 0
    met: int = 0

    def use(self) -> int:
        """Count one more use, and return how many there were before; under the server's lock."""
        self.uses += 1
        return self.uses - 1

    def takes(self, request: Request) -> bool:
        """Whether the rule answers a request."""
        if not self._matches(request):
            return False
        self.met += 1
        nth = self.when.get("nth")
        if nth is not None and self.met != nth:
            return False
        return self.uses < self.when.get("max_uses", 1 << 30)

    def _matches(self, request: Request) -> bool:
        when = self.when
        for name, value in when.items():
            if name == "model" and request.body.get("model") != value:
                return False
            if name == "system_contains" and value not in request.system:
                return False
            if name == "text_contains" and not all(text in request.text for text in value):
                return False
            if name == "n_images" and not value[0] <= len(request.images) <= value[1]:
                return False
            if name == "audio" and bool(request.sounds) != value:
                return False
            if name == "attempt" and request.attempt != value:
                return False
            if name == "image" and not _image_matches(request, value):
                return False
        if "text_regex" in when:
            found = re.search(when["text_regex"], request.text)
            if found is None:
                return False
            request.groups = {key: value or "" for key, value in found.groupdict().items()}
        return True


def _image_matches(request: Request, wanted: Mapping[str, Any] | None) -> bool:
    if wanted is None:
        return not request.images
    for data, grey in zip(request.images, request.greys, strict=True):
        good = True
        if "sha" in wanted:
            good &= hashlib.sha256(data).hexdigest() == wanted["sha"]
        if "mean_grey" in wanted:
            good &= wanted["mean_grey"][0] <= grey <= wanted["mean_grey"][1]
        if "size" in wanted:
            good &= Image.open(BytesIO(data)).size == tuple(wanted["size"])
        if "colour" in wanted:
            good &= colour(data) == wanted["colour"]
        if good:
            return True
    return False


def rules_of(script: Mapping[str, Any]) -> list[Rule]:
    """Read the rules of a script; one that says it is deterministic has none that count."""
    rules = [Rule(row.get("name", f"rule {i}"), row.get("when", {}), row.get("reply", {}), row.get("behaviour", {}),
                  row.get("usage", {})) for i, row in enumerate(script.get("rules", []))]  # fmt: skip
    if script.get("deterministic"):
        for rule in rules:
            if any(name in rule.reply or name in rule.when for name in _ORDERED):
                raise ValueError(f"{rule.name}: counts requests, which a deterministic script must not")
    return rules


def answer_text(rule: Rule, request: Request, number: int) -> str:
    """Return what a rule says to a request; ``number`` is how often it was used before."""
    reply = rule.reply
    if "text" in reply:
        return str(reply["text"])
    if "template" in reply:
        known = {"n_images": len(request.images), "hash": request.sha[:8], "number": number, **request.groups}
        known |= {f"grey_{i}": round(grey) for i, grey in enumerate(request.greys)} if request.images else {}
        known |= {"colour": colour(request.images[0])} if request.images else {}
        return re.sub(r"\{(\w+)\}", lambda found: str(known.get(found[1], found[0])), reply["template"])
    if "lookup" in reply:
        table = reply["lookup"]
        return str(table["table"].get(request.groups.get(table["group"], ""), table["default"]))
    if "hash_choice" in reply:
        return str(reply["hash_choice"][int(request.sha[:8], 16) % len(reply["hash_choice"])])
    if "sequence" in reply:
        return str(reply["sequence"][min(number, len(reply["sequence"]) - 1)])
    return request.text if reply.get("echo") else ""
