"""An OpenAI-compatible server that answers by a script: ordered rules, the first that matches answers.

    with ScriptedServer({"rules": [{"when": {"text_contains": ["SCORE"]}, "reply": {"text": "[0.2]"}}]}) as server:
        ... server.url, server.log, server.requests("SCORE")

Rules: ``when`` (see ``rules.py``), ``reply`` (``text``, ``template``, ``lookup``, ``hash_choice``, ``sequence``,
``echo``), ``behaviour`` (see ``behaviours.py``), ``usage``. No rule that matches is a 404 with a readable body, so that
no test passes by luck. ``GET /_log`` and ``POST /_reset`` are for programs that run elsewhere.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.servers.behaviours import act
from tests.servers.rules import Request, Rule, answer_text, rules_of


class ScriptedServer:
    """The server; it runs in threads of this process, or with ``python -m tests.servers.scripted SCRIPT`` alone.

    Args:
        script: ``rules``, ``models``, ``limits`` (``max_concurrent``, ``max_images``, ``key``), ``deterministic``; or
            a path of a JSON or YAML file.
    """

    def __init__(self, script: Mapping[str, Any] | str | Path, port: int = 0) -> None:
        if not isinstance(script, Mapping):
            script = yaml.safe_load(Path(script).read_text(encoding="utf-8"))
        self.script = dict(script)
        self.lock = threading.Lock()
        self.models = self.script.get("models", ["scripted-vlm"])
        self.limits = self.script.get("limits", {})
        self.reset()
        self._http = _Threads(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def reset(self) -> None:
        """Forget the log and what rules have counted."""
        with self.lock:
            self.rules: list[Rule] = rules_of(self.script)
            self.log: list[dict[str, Any]] = []
            self.seen: list[str] = []
            self.running = self.most = 0

    def requests(self, *texts: str) -> list[dict[str, Any]]:
        """Return the logged requests whose text has all of some words."""
        with self.lock:
            return [row for row in self.log if all(text in row["text"] for text in texts)]

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, handler: _Handler, body: dict[str, Any]) -> None:
        """Answer one request by the first rule that matches."""
        request = Request(body)
        begin = time.time()
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            crowded = self.running > self.limits.get("max_concurrent", 1 << 30)
            request.attempt = sum(request.talk.startswith(earlier) for earlier in self.seen)
            rule = None if crowded else next((rule for rule in self.rules if rule.takes(request)), None)
            number = rule.use() if rule else 0
            if rule is None or "status" not in rule.behaviour:
                self.seen.append(request.talk)
            row = {"sha": request.sha, "in": begin, "out": None, "status": None, "rule": rule.name if rule else None,
                   "images": request.image_facts(), "text": request.text, "running": self.running,
                   "attempt": request.attempt, "model": body.get("model"), "key": handler.key(),
                   "body": _plain(body)}  # fmt: skip
            self.log.append(row)
        try:
            if crowded:
                row["status"] = handler.say_error(429, "too many at once", {"Retry-After": "0.05"})
            elif not self._allowed(handler):
                row["status"] = handler.say_error(401, f"Incorrect API key provided: {handler.key()}")
            elif len(request.images) > self.limits.get("max_images", 1 << 30):
                row["status"] = handler.say_error(413, f"too many images: at most {self.limits['max_images']}")
            elif rule is None:
                row["status"] = handler.say_error(404, f"no rule for: {request.text[:300]!r}")
            else:
                text = answer_text(rule, request, number)
                row["status"] = act(handler, rule, request, text)
        except (OSError, ValueError):
            row["status"] = "lost"
        finally:
            with self.lock:
                row["out"] = time.time()
                self.running -= 1

    def _allowed(self, handler: _Handler) -> bool:
        key = self.limits.get("key")
        return key is None or handler.key() == key


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """What a request asks beside its messages."""
    return {name: value for name, value in body.items() if name != "messages"}


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: ScriptedServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Threads

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def key(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def do_GET(self) -> None:
        owner = self.server.owner
        if self.path == "/v1/models":
            if not owner._allowed(self):
                self.say_error(401, "Incorrect API key provided")
                return
            self.say_json({"object": "list", "data": [{"id": name, "object": "model"} for name in owner.models]})
        elif self.path == "/_log":
            with owner.lock:
                self.say_json({"log": owner.log, "most": owner.most})
        else:
            self.say_error(404, f"no such page: {self.path}")

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/_reset":
            self.server.owner.reset()
            self.say_json({})
        elif self.path == "/v1/chat/completions":
            self.server.owner.answer(self, json.loads(data))
        else:
            self.say_error(404, f"no such page: {self.path}")

    def say_json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> int:
        return self.say_bytes(json.dumps(value).encode(), "application/json", status, headers)

    def say_error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> int:
        return self.say_json({"error": {"message": message, "type": "scripted"}}, status, headers)

    def say_bytes(
        self,
        data: bytes,
        kind: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> int:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()
        return status

    def hang_up(self) -> None:
        """Close the connection in the midst of whatever it was."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve a script until the end of standard input; the address is printed first."""
    import sys

    with ScriptedServer(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
