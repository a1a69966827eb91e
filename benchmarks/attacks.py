"""Attacks on `ser-keras serve`, one by one, and what other clients notice of each.

    python -m benchmarks.attacks --out attacks.json

Every attack has a fresh server. A process of its own asks for `GET /v1/models/NAME` all the while,
and watches the server's memory: reported are the longest wait for that answer, the most memory
above what the idle server had, and how the attackers were answered.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gzip
import http.client
import json
import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.serving import load
from benchmarks.serving.__main__ import Direct, export, read, serving

NAME = "vrnn"
MIB = 2**20
HEAD = f"POST /v1/models/{NAME}:predict HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass
class Server:
    """A server in a process of its own."""

    port: int
    pid: int

    def status(self, field: str) -> int:
        """Return a number of /proc/PID/status."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise ValueError(f"/proc/{self.pid}/status: expected {field}, found none")

    @property
    def memory(self) -> float:
        """Resident memory, in MiB."""
        return self.status("VmRSS") / 1024

    @property
    def descriptors(self) -> int:
        """Open files and sockets."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())


@dataclass
class Outcome:
    """The effect of an attack."""

    attack: str
    longest_wait: float = 0.0  # seconds
    unanswered: int = 0  # of the watcher's own requests
    memory: float = 0.0  # MiB above idle, at most
    seconds: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)
    note: str = ""


def watch(server: Server, pipe: Connection) -> None:
    """Ask for the model's status until told to stop; send back what was seen."""
    longest, memory, failed = 0.0, 0.0, 0
    while not pipe.poll(0.05):
        began = time.perf_counter()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
            with contextlib.closing(connection):
                connection.request("GET", f"/v1/models/{NAME}")
                failed += connection.getresponse().status != 200
        except OSError:
            failed += 1
        longest = max(longest, time.perf_counter() - began)
        if not memory:
            pipe.send("watching")
        memory = max(memory, server.memory)
    pipe.send((longest, memory, failed))


def run(folder: Path, name: str, attack: Callable[[Server], tuple[list[str], str]]) -> Outcome:
    """Start a server, attack it, and report."""
    with serving(folder) as (port, pid):
        server = Server(port, pid)
        ask(server, HEAD + b"Content-Length: 2\r\n\r\n{}")
        time.sleep(1.0)
        idle, (ours, theirs) = server.memory, multiprocessing.Pipe()
        watcher = multiprocessing.Process(target=watch, args=(server, theirs))
        watcher.start()
        ours.recv()
        began = time.perf_counter()
        answers, note = attack(server)
        seconds = time.perf_counter() - began
        time.sleep(0.5)
        ours.send(None)
        longest, memory, failed = ours.recv()
        watcher.join()
    counted = dict(collections.Counter(answers))
    return Outcome(name, longest, failed, memory - idle, seconds, counted, note)


def ask(server: Server, *parts: bytes, seconds: float = 0.0) -> str:
    """Send parts, the last of them again and again for some seconds; return the answer's status."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=600) as client:
        try:
            ends = time.monotonic() + seconds
            for part in parts:
                client.sendall(part)
            while time.monotonic() < ends:
                client.sendall(parts[-1])
        except OSError as error:
            refused = type(error).__name__
        else:
            refused = "no answer"
        with contextlib.suppress(OSError):
            line = client.recv(65536).split(b"\r\n")[0].decode()
            return line.partition(" ")[2] or refused
        return refused


def post(body: bytes, headers: bytes = b"") -> bytes:
    return HEAD + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def filled(beginning: bytes, item: bytes, end: bytes, size: int) -> bytes:
    return beginning + item * ((size - len(beginning) - len(end)) // len(item)) + end


def requests() -> dict[str, bytes]:
    """Return the attacks that are a single request."""
    wave, inputs = b'{"signature_name":"waveform","inputs":{"waveform":[[', b'{"inputs":['
    return {
        "a header block of 100 kB in one burst": HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        "60 MB of numbers": post(filled(wave, b"0.123456789012345,", b"0]]}}", 60 * 10**6)),
        "60 MB of numbers, NaN at the end": post(
            filled(wave, b"0.123456789012345,", b"NaN]]}}", 60 * 10**6)
        ),
        "60 MB of short numbers": post(filled(wave, b"0.5,", b"0]]}}", 60 * 10**6)),
        "48 MB of [[0],[0],...": post(filled(inputs, b"[0],", b"[0]]}", 48 * 10**6)),
        "64 MB of {'b64':''}": post(filled(inputs, b'{"b64":""},', b"0]}", 64 * 10**6)),
        "60 MB of {'b64':'…'}, 120 characters each": post(
            filled(inputs, b'{"b64":"' + b"A" * 120 + b'"},', b'{"b64":""}]}', 60 * 10**6)
        ),
        "one string of 60 MB": post(filled(b'{"inputs":["', b"A", b'"]}', 60 * 10**6)),
        "100,000 nested lists": post(b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "a gzip bomb of 1 GB": post(gzip.compress(bytes(10**9)), b"Content-Encoding: gzip\r\n"),
    }


def many(server: Server) -> tuple[list[str], str]:
    """32 clients that send 59 MiB each, at once."""
    request = post(filled(b'{"inputs":["', b"A", b'"]}', 59 * MIB))
    answers: list[str] = []
    clients = [
        threading.Thread(target=lambda: answers.append(ask(server, request))) for _ in range(32)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return answers, ""


def pipeline_and_leave(server: Server) -> tuple[list[str], str]:
    """100 clients that send 50 requests at once, and hang up."""
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(50 * post(b'{"inputs": []}'))
    return [], ""


def disconnect(server: Server) -> tuple[list[str], str]:
    """1,000 clients that leave in the middle of their body."""

    def leave() -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 1000)

    for _ in range(20):
        leave()
    time.sleep(2.0)
    files, threads = server.descriptors, server.status("Threads")
    for _ in range(1000):
        leave()
    time.sleep(8.0)
    files, threads = server.descriptors - files, server.status("Threads") - threads
    return [], f"{files:+d} file descriptors, {threads:+d} threads"


def minute(server: Server, folder: Path) -> tuple[list[str], str]:
    """A minute of 64 clients with recordings."""
    recordings = read(None, 22050)
    emotions = Direct(folder / NAME / "1").emotions(recordings)
    sent = [load.request(NAME, one) for one in recordings]
    tenth: list[float] = []
    timer = threading.Timer(10.0, lambda: tenth.append(server.memory))
    timer.start()
    found = load.run(server.port, sent, emotions, 64, 60.0)
    last = server.memory
    answers = ["200 OK"] * (len(found.latencies) - found.wrong)
    answers += ["wrong"] * found.wrong + found.errors
    change = 100 * (last / tenth[0] - 1)
    return answers, f"memory {change:+.1f} % from the tenth second to the last"


def attacks(folder: Path) -> dict[str, Callable[[Server], tuple[list[str], str]]]:
    """Return all attacks by name."""
    trailer, chunk = b"X-A: " + b"y" * 1000 + b"\r\n", b"1;a=" + b"b" * 1000 + b"\r\nx\r\n"
    listed: dict[str, Callable[[Server], tuple[list[str], str]]] = {
        "trailers without end": lambda server: (
            [ask(server, CHUNKED + b"2\r\n{}\r\n0\r\n", trailer * 1000, seconds=20)], "",
        ),
        "chunk extensions without end": lambda server: (
            [ask(server, CHUNKED, chunk * 1000, seconds=20)], "",
        ),
        "one chunk extension without end": lambda server: (
            [ask(server, CHUNKED + b"1;a=", b"b" * MIB, seconds=20)], "",
        ),
    }  # fmt: skip
    for name, request in requests().items():
        listed[name] = lambda server, request=request: ([ask(server, request)], "")  # type: ignore[misc]
    elsewhere = b"GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n"
    listed["a page elsewhere, by DNS rebinding"] = lambda server: ([ask(server, elsewhere)], "")
    listed["32 clients with 59 MiB each"] = many
    listed["100 clients that pipeline and leave"] = pipeline_and_leave
    listed["1,000 disconnects"] = disconnect
    listed["a minute of 64 clients"] = lambda server: minute(server, folder)
    return listed


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a table in Markdown."""
    lines = [
        "| attack | longest wait of others | memory above idle | answers | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in outcomes:
        answers = ", ".join(f"{count} × {answer}" for answer, count in one.answers.items()) or "–"
        failed = f", {one.unanswered} unanswered" if one.unanswered else ""
        lines.append(
            f"| {one.attack} | {one.longest_wait:.2f} s{failed} | {one.memory:.0f} MiB | "
            f"{answers} | {one.note} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="NAME/VERSION; a new one of the paper's sizes")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of attacks' names")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / NAME).mkdir()
        model = options.model or export(folder / "made" / "1")
        (folder / NAME / "1").symlink_to(model.resolve())
        outcomes: list[Outcome] = []
        for name, attack in attacks(folder).items():
            if any(text in name for text in options.only):
                outcomes.append(run(folder, name, attack))
                print(table(outcomes[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(outcomes))
    if options.out:
        found: list[dict[str, Any]] = [vars(one) for one in outcomes]
        options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
