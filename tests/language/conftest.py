"""What tests of language models share: a scripted server, a cache of their own, and no key of the person's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.servers.scripted import ScriptedServer


@pytest.fixture(autouse=True)
def _own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_HOME", str(tmp_path / "home"))
    for name in ("ZSAD_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted servers; each ends with the test."""
    with ExitStack() as stack:

        def start(*rules: dict[str, Any], **more: Any) -> ScriptedServer:
            return stack.enter_context(ScriptedServer({"rules": list(rules), **more}))

        yield start
