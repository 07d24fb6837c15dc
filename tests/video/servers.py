"""A camera on this machine: an HTTP server that streams the bytes of a clip at its own pace, and can be killed."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path


class StreamServer:
    """Sends a file's bytes to whoever connects, over and over where ``loop``; ``kill`` cuts every connection."""

    def __init__(
        self, path: Path, seconds: float, *, port: int = 0, kind: str = "video/mp2t", hold: bool = False
    ) -> None:
        self._data, self._seconds, self._kind, self._hold = path.read_bytes(), seconds, kind, hold
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen()
        self.port = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        self._alive = True
        self.served = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/live"

    def kill(self) -> None:
        self._alive = False
        for each in [self._socket, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while self._alive:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            self.served += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.recv(4096)
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {self._kind}\r\nConnection: close\r\n\r\n".encode())
            parts = 50
            size = -(-len(self._data) // parts)
            for part in range(parts):
                connection.sendall(self._data[part * size : (part + 1) * size])
                time.sleep(self._seconds / parts)
            while self._hold and self._alive:  # alive, and silent
                time.sleep(0.02)
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        except OSError:
            pass
