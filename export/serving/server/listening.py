"""The HTTP server itself: it says where it listens, and being told to stop is no failure."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator

import uvicorn


class Server(uvicorn.Server):
    """uvicorn, which by itself kills its process with the signal that stopped it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Print the address, which with port 0 nobody else can know."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"http://{host}:{port}", flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in order on Ctrl-C or SIGTERM; the second one does not wait for answers."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
