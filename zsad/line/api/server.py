"""uvicorn in a thread of its own, beside the station."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from zsad.errors import MissingExtraError, OutputError, first_line
from zsad.line.api.limits import Access
from zsad.line.api.recent import Recent
from zsad.line.station import Station

_START_S = 20.0


def need_server() -> None:
    """Refuse to go on without what serves the page.

    Raises:
        MissingExtraError: FastAPI, uvicorn or prometheus-client is not installed.
    """
    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "prometheus_client")):
        raise MissingExtraError("the page", "line")


@contextmanager
def served(station: Station, recent: Recent, access: Access) -> Iterator[str]:
    """Serve page and API of a station inside the block; gives the address.

    Raises:
        OutputError: the port is taken, or certificate and key are none.
    """
    import uvicorn

    from zsad.line.api.app import app_of
    from zsad.line.api.timed import TimedProtocol

    config = uvicorn.Config(
        app_of(station, recent, access), host=access.host, port=access.port, log_config=None, access_log=False,
        ssl_certfile=access.certificate, ssl_keyfile=access.key, limit_concurrency=64, timeout_keep_alive=5,
        timeout_graceful_shutdown=2, server_header=False, http=TimedProtocol, h11_max_incomplete_event_size=32_768,
    )  # fmt: skip
    try:
        config.load()
    except (OSError, ValueError) as error:
        raise OutputError(f"--tls-cert and --tls-key can't be used ({first_line(error)}); give others") from None
    run = _Served(config)
    server = run.server
    end = time.monotonic() + _START_S
    while not server.started and run.thread.is_alive() and time.monotonic() < end:
        time.sleep(0.01)
    scheme, host = "https" if access.certificate else "http", f"[{access.host}]" if ":" in access.host else access.host
    if not server.started:
        raise OutputError(f"{host}:{access.port}: the page can't be served ({run.why}); give another --ui-address")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"{scheme}://{host}:{port}/"
    finally:
        server.should_exit = True
        run.thread.join(5.0)


class _Served:
    """One server in a thread; signals are left to the station.

    Args:
        config: of uvicorn.
    """

    def __init__(self, config: Any) -> None:
        import uvicorn

        self.server = uvicorn.Server(config)
        self.why = "the port may be taken"
        self.thread = threading.Thread(target=self._run, name="zsad-api", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.server.run()
        except SystemExit:  # what uvicorn says where it can't listen
            return
        except Exception as error:
            self.why = first_line(error)
