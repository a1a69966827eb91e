"""Clients of a server, all in one thread, that only send requests made beforehand."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop


@dataclass
class Load:
    """The clients' measurements."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    wrong: int = 0

    @property
    def throughput(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds


def request(model: str, recording: bytes) -> bytes:
    """Make a :predict request for one recording, with its headers."""
    body = json.dumps({"instances": [{"b64": base64.b64encode(recording).decode()}]}).encode()
    head = f"POST /v1/models/{model}:predict HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def run(
    port: int, requests: Sequence[bytes], emotions: Sequence[str], clients: int, seconds: float
) -> Load:
    """Call `run_clients` on an event loop that leaves most of the machine to the server."""
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(run_clients(port, requests, emotions, clients, seconds))
    finally:
        loop.close()


async def run_clients(
    port: int, requests: Sequence[bytes], emotions: Sequence[str], clients: int, seconds: float
) -> Load:
    """Send requests as fast as answers come, each client one at a time.

    Args:
        port: of the server, on loopback.
        requests: sent in turn.
        emotions: what each must be answered with.
        clients: connections.
        seconds: after which no client sends a further request; all answers are waited for.
    """
    load = Load()
    began = time.perf_counter()

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        turn = number
        while turn == number or time.perf_counter() - began < seconds:
            index = turn % len(requests)
            turn += clients
            sent = time.perf_counter()
            writer.write(requests[index])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if b" 200 " not in head[:16]:
                load.errors.append(body.decode())
                continue
            load.latencies.append(time.perf_counter() - sent)
            load.wrong += f'"{emotions[index]}"'.encode() not in body
        writer.close()

    gathered = await asyncio.gather(
        *(client(number) for number in range(clients)), return_exceptions=True
    )
    load.errors += [repr(error) for error in gathered if error is not None]
    load.seconds = time.perf_counter() - began
    return load
