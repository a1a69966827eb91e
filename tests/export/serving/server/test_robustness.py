"""The server survives long, slow and broken requests, many at once, and its own end."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import gzip
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras.commands import main as cli
from ser_keras.export.serving.server import http_server, repository
from ser_keras.export.serving.server.allowed_hosts import AllowedHosts
from ser_keras.export.serving.server.loaded_model import LoadedModel
from ser_keras.export.serving.tf_serving import metrics, model_config
from ser_keras.export.serving.tf_serving.warm_up import wav
from tests.export.serving.conftest import Reply, Running, running

HEAD = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\n"


def alive(server: Running) -> None:
    assert server.predict("toy", {"instances": [1.0]}).json == {"predictions": [5.0]}


@contextlib.contextmanager
def connected(server: Running):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        yield client


def received(client: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_a_body_that_is_too_long_is_refused_and_forgotten(server: Running):
    reply = server.predict("toy", b" " * (9 * 2**20))
    assert reply.status == 413
    assert reply.error == "the request's body is longer than 8388608 bytes"
    with connected(server) as client:  # which says that it waits
        client.sendall(HEAD + b"Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n")
        assert received(client).startswith(b"HTTP/1.1 413")
    with connected(server) as client:  # which does not say how long it is
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n"
        client.sendall(chunk * 9 + b"0\r\n\r\n")
        assert received(client).startswith(b"HTTP/1.1 413")
    alive(server)


def test_headers_that_never_end_are_cut_off(server: Running, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_server, "HEADER_SECONDS", 0.5)
    with connected(server) as silent, connected(server) as slow:
        slow.sendall(HEAD)
        began = time.monotonic()
        assert received(slow).startswith(b"HTTP/1.1 408")
        assert received(silent) == b""
        assert time.monotonic() - began < 20
    alive(server)


GOOD = b'{"instances": [1.0]}'
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        HEAD + b"X: " + b"x" * 100_000,
        HEAD + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        CHUNKED + b"14\r\n" + GOOD + b"\r\n0\r\n" + b"X: y\r\n" * 20_000,
        CHUNKED + b"14\r\n" + GOOD + b"\r\n0\r\nX: " + b"y" * 100_000,
        CHUNKED + b"14;x=" + b"y" * 100_000 + b"\r\n" + GOOD + b"\r\n0\r\n\r\n",
        CHUNKED + (b"1;" + b"x" * 100 + b"\r\n \r\n") * 2_000,
    ],
)
def test_what_is_long_and_no_body_is_refused(server: Running, request_: bytes):
    with connected(server) as client:
        client.sendall(request_)
        reply = received(client)
    assert reply.startswith(b"HTTP/1.1 431 Request Header Fields Too Large")
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert "too long" in json.loads(body)["error"]
    alive(server)


def test_trailers_extensions_and_many_chunks_are_no_harm(server: Running):
    chunks = b"".join(b"1;a=b\r\n%c\r\n" % byte for byte in GOOD)
    spaces = b"1\r\n \r\n" * 50_000
    with connected(server) as client:
        client.sendall(CHUNKED + spaces + chunks + b"0\r\nX: y\r\nHost: x\r\n\r\n")
        client.sendall(HEAD + b"Connection: close\r\nContent-Length: 20\r\n\r\n" + GOOD)
        assert received(client).count(b"HTTP/1.1 200 OK") == 2


def test_a_client_that_goes_on_sending_reads_its_refusal(server: Running):
    with connected(server) as client:
        with contextlib.suppress(OSError):
            for _ in range(2_000):
                client.sendall(HEAD + b"X: " + b"x" * 100_000)
                if select.select([client], [], [], 0)[0]:
                    break
        assert received(client).startswith(b"HTTP/1.1 431")


def test_a_body_that_never_ends_times_out(
    toys: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from ser_keras.export.serving.server import application

    monkeypatch.setattr(application, "BODY_SECONDS", 0.5)
    shutil.copytree(toys[2], tmp_path / "toy" / "2")
    with running(tmp_path) as server:
        with connected(server) as client:
            client.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
            reply = received(client)
        assert reply.startswith(b"HTTP/1.1 408")
        assert b"was not sent within 0.5 s" in reply
        alive(server)


@pytest.mark.parametrize(
    ("nonsense", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400), (b"GET\r\n\r\n", 400), (bytes(1000), 400),
        (b"FETCH / HTTP/1.1\r\n\r\n", 501), (HEAD + b"Content-Length: x\r\n\r\n", 400),
        (CHUNKED + b"nonsense\r\n", 400),
    ],
)  # fmt: skip
def test_bytes_that_are_no_http_are_refused_in_json(server: Running, nonsense: bytes, status: int):
    with connected(server) as client:
        client.sendall(nonsense)
        head, _, body = received(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/json" in head
    assert list(json.loads(body)) == ["error"]
    alive(server)


def test_pipelined_requests_are_answered_in_order_up_to_the_one_that_is_no_http(server: Running):
    with connected(server) as client:
        one = b"Content-Length: %d\r\n\r\n%b"
        bodies = [b'{"instances": [%d.0]}' % number for number in range(20)]
        asked = b"".join(HEAD + one % (len(body), body) for body in bodies)
        client.sendall(asked + b"nonsense\r\n\r\n")
        reply = received(client)
    found = [float(text) for text in re.findall(rb'"predictions": \[([\d.]+)\]', reply)]
    assert found == [3.0 * number + 2.0 for number in range(20)]


def test_clients_that_pipeline_and_leave_are_not_worth_a_line(
    server: Running, caplog: pytest.LogCaptureFixture
):
    request_ = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(GOOD), GOOD)
    for count in (1, 2, 10, 50):
        for _ in range(5):
            with connected(server) as client:
                client.sendall(request_ * count)
            with connected(server) as client:
                client.sendall(request_ * count + request_[:-5])
    alive(server)
    time.sleep(0.5)
    assert not caplog.records


def test_requests_that_are_too_much_together_are_told_to_come_again(
    toys: dict[int, Path], tmp_path: Path
):
    shutil.copytree(toys[2], tmp_path / "toy" / "2")
    body = GOOD + b" " * 3 * 2**20
    with running(tmp_path, "--most-memory", "60") as server:  # two of them, and what they become

        def ask(_: int) -> Reply:
            return server.predict("toy", body)

        with connected(server) as slow:
            slow.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1])
            time.sleep(0.5)
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                replies = list(pool.map(ask, range(32)))
            slow.sendall(body[-1:])
            assert slow.recv(1000).startswith(b"HTTP/1.1 200")
        assert {reply.status for reply in replies} <= {200, 429}
        assert 429 in {reply.status for reply in replies}
        for reply in replies:
            if reply.status == 429:
                assert reply.headers["retry-after"] == "1"
                assert "try again later" in reply.error
        assert server.predict("toy", body).status == 200  # everything was given back
        with running(tmp_path, "--most-memory", "8") as other:  # never enough, whoever waits
            assert other.predict("toy", body).status == 413


def test_a_gzip_bomb_is_not_inflated(server: Running):
    bomb = gzip.compress(GOOD + b" " * 2**30)
    assert len(bomb) < 2**21
    reply = server.predict("toy", bomb, **{"Content-Encoding": "gzip"})
    assert reply.status == 413
    assert reply.error == "the request's body is longer than 8388608 bytes"
    alive(server)


@pytest.mark.parametrize(
    ("words", "host", "status"),
    [
        ([], "localhost:8501", 200), ([], "LOCALHOST", 200), ([], "127.0.0.1:1", 200),
        ([], "[::1]:8501", 200), ([], "192.168.1.7", 200), ([], "page.localhost:80", 200),
        ([], socket.gethostname(), 200),
        ([], "rebound.example", 403), ([], "127.0.0.1.rebound.example", 403), ([], "", 403),
        ([], "localhost.rebound.example:8501", 403), ([], "localhost:8501@rebound.example", 403),
        (["models.example"], "models.example:8501", 200), (["a", "b"], "b.", 200),
        (["models.example"], "other.example", 403), (["*"], "rebound.example", 200),
    ],
)  # fmt: skip
def test_a_host_that_is_not_ours_is_refused(words: list[str], host: str, status: int):
    refusal = AllowedHosts(words).check([(b"accept", b"*/*"), (b"host", host.encode())])
    assert (refusal.http_status if refusal else 200) == status


def test_a_page_elsewhere_cannot_reach_the_server_by_its_own_name(server: Running):
    for path in ("/", "/v1/models/toy", "/page/models", metrics.PATH):
        reply = server.ask("GET", path, Host="rebound.example:8501")
        assert reply.status == 403
        assert reply.error.startswith("Host: expected localhost, an address or a name given with ")
    assert server.predict("toy", b" " * 2**20, Host="rebound.example").status == 403
    with connected(server) as client:  # as TF Serving answers it
        client.sendall(b"GET /v1/models/toy HTTP/1.0\r\n\r\n")
        assert received(client).startswith(b"HTTP/1.1 200")
    alive(server)


def test_sound_that_is_too_long_is_refused(server: Running):
    sound = wav(np.zeros(21 * 8000), 8000)
    for contents, status in ((sound, 400), (sound[: 44 + 2 * 8000], 200)):
        reply = server.predict(
            "vrnn", {"instances": [{"b64": base64.b64encode(contents).decode()}]}
        )
        assert reply.status == status, reply.body
        if status == 400:
            assert reply.error == "audio: expected at most 20 s, found 21 s in instance 0"


def test_other_signatures_have_the_limits_of_recordings(
    toys: dict[int, Path], servable: Path, tmp_path: Path
):
    shutil.copytree(servable, tmp_path / "vrnn" / "1")
    shutil.copytree(toys[2], tmp_path / "toy" / "2")
    size = json.loads((servable / "assets" / "description.json").read_text())["observation_size"]
    with running(tmp_path, "--most-seconds", "3") as server:

        def ask(name: str, rows: list[dict[str, object]]) -> Reply:
            return server.predict("vrnn", {"signature_name": name, "instances": rows})

        for seconds, status in ((3, 200), (4, 400)):
            reply = ask("waveform", [{"waveform": [0.0] * seconds * 22050, "samples": 9}])
            assert reply.status == status, reply.body
            # Windows of two seconds, one second apart.
            for name in ("features", "mfcc"):
                reply = ask(name, [{name: [[0.0] * size] * (seconds - 1), "instants": 1}])
                assert reply.status == status, reply.body
                if status == 400:
                    assert reply.error == f"{name}: expected at most 3 s, found 4 s in instance 0"
        reply = ask("features", [{"features": [[0] * size], "instants": 1}] * 2000)
        assert reply.status == 400
        assert reply.error.startswith("features: expected at most 3600 s together, found 2000 ")
        assert reply.error.endswith("instances, each padded to 2.0 s")
        alive(server)


def test_sound_behind_too_many_chunks_is_refused(server: Running):
    sound = wav(np.zeros(8000), 8000)
    contents = sound[:12] + b"junk\0\0\0\0" * 20_000 + sound[12:]
    row = {"b64": base64.b64encode(contents).decode()}
    for reply in (
        server.predict("vrnn", {"instances": [row]}),
        server.ask("POST", "/page/models/vrnn:explain", contents),
    ):
        assert reply.status == 400
        assert reply.error == "audio: expected a data chunk among the first 100 chunks, found none"


def test_many_short_sounds_padded_to_a_long_one_are_refused(server: Running):
    """A megabyte of files that would become gigabytes of padding."""
    rows = [{"b64": base64.b64encode(wav(np.zeros(n), 1000)).decode()} for n in (15_000, 1)]
    reply = server.predict("vrnn", {"instances": rows[:1] + rows[1:] * 300})
    assert reply.status == 400
    assert "301 instances, each padded to 15.0 s" in reply.error
    assert server.predict("vrnn", {"instances": rows}).status == 200
    # However short they are, each of them becomes a window.
    reply = server.predict("vrnn", {"instances": rows[1:] * 4000})
    assert reply.status == 400
    assert "at most 3600 s together, found 4000 instances, each padded to 1.0 s" in reply.error
    # Strings that are no sound are not counted.
    columns = {"int_tensor": [[1]] * 4000, "str_tensor": ["a"] * 4000}
    reply = server.predict("toy", {"signature_name": "echo", "inputs": columns})
    assert reply.status == 200


def test_many_clients_at_once_get_their_own_answers(server: Running, speech: list[Path]):
    """Bad requests among good ones in one batch, and recordings of different lengths."""
    contents = [path.read_bytes() for path in speech[:4]]
    contents += [wav(np.zeros(1000), 8000), contents[0][: 44 + 50_000], b"a picture"]
    bodies = [
        json.dumps({"instances": [{"b64": base64.b64encode(one).decode()}]}) for one in contents
    ]
    alone = [server.predict("vrnn", body) for body in bodies]
    assert [reply.status for reply in alone] == [200] * 6 + [400]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda n: server.predict("vrnn", bodies[n % 7]), range(56)))
    for number, reply in enumerate(together):
        own = alone[number % 7]
        assert reply.status == own.status
        if reply.status == 400:
            assert "audio: expected a WAV file" in reply.error
            continue
        (answer,), (expected,) = reply.json["predictions"], own.json["predictions"]
        assert answer["instants"] == expected["instants"] == len(answer["timeline"])
        np.testing.assert_allclose(answer["timeline"], expected["timeline"], atol=1e-4)


def test_a_new_version_replaces_the_old_one_which_finishes_first(
    toys: dict[int, Path], tmp_path: Path
):
    folder = tmp_path / "toy"
    shutil.copytree(toys[1], folder / "1")
    with running(tmp_path) as server:

        def states() -> dict[str, str]:
            listed = server.ask("GET", "/v1/models/toy").json["model_version_status"]
            return {one["version"]: one["state"] for one in listed}

        assert server.predict("toy", {"instances": [1.0]}).json == {"predictions": [2.5]}
        shutil.copytree(toys[2], folder / ".2")
        (folder / ".2").rename(folder / "2")
        answers = set()
        while states() != {"1": "END", "2": "AVAILABLE"}:
            reply = server.predict("toy", {"instances": [1.0]})
            assert reply.status == 200
            answers.add(reply.json["predictions"][0])
        assert answers <= {2.5, 5.0}
        assert server.predict("toy", {"instances": [1.0]}).json == {"predictions": [5.0]}
        assert server.ask("POST", "/v1/models/toy/versions/1:predict", "{}").status == 404
        # A version that cannot be loaded replaces nothing, and says so.
        (folder / "3").mkdir()
        (folder / "3" / "saved_model.pb").write_bytes(b"nonsense")
        server.wait_for(lambda: states().get("3") == "END")
        alive(server)
        status = server.ask("GET", "/v1/models/toy/versions/3").json["model_version_status"][0]
        assert status["status"]["error_code"] == "UNKNOWN"
        assert str(tmp_path) not in json.dumps(status)
        # It is tried again once it has changed.
        shutil.copytree(toys[1], folder / "3", dirs_exist_ok=True)
        server.wait_for(lambda: states().get("3") == "AVAILABLE")
        assert server.predict("toy", {"instances": [1.0]}).json == {"predictions": [2.5]}
        # Another model appears, and goes.
        shutil.copytree(toys[1], tmp_path / "other" / "7")
        server.wait_for(lambda: server.ask("GET", "/v1/models/other").status == 200)
        shutil.rmtree(tmp_path / "other")
        server.wait_for(lambda: server.predict("other", {"instances": [1.0]}).status == 404)


def test_a_failed_load_is_tried_again_though_its_files_are_unchanged(
    toys: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(repository, "RETRY_SECONDS", 0.2)
    tries: list[Path] = []

    def load(folder: Path, batcher: Any) -> LoadedModel:
        tries.append(folder)
        if folder.name == "2" or len(tries) == 1:
            raise OSError("the disk is slow today")
        return LoadedModel(folder, batcher)

    monkeypatch.setattr(repository, "LoadedModel", load)
    shutil.copytree(toys[1], tmp_path / "toy" / "1")
    with running(tmp_path) as server:
        server.wait_for(lambda: server.predict("toy", {"instances": [1.0]}).status == 200)
        assert len(tries) == 2
        # In the end it is given up.
        shutil.copytree(toys[2], tmp_path / "toy" / "2")
        server.wait_for(lambda: len(tries) == 2 + 1 + repository.LOAD_RETRIES, 60)
        time.sleep(1.0)
        assert len(tries) == 2 + 1 + repository.LOAD_RETRIES
        (status,) = server.ask("GET", "/v1/models/toy/versions/2").json["model_version_status"]
        assert status["state"] == "END"
        assert server.predict("toy", {"instances": [1.0]}).json == {"predictions": [2.5]}


def test_a_folder_that_vanished_is_told_once_and_once_when_it_is_back(
    toys: dict[int, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", "ser_keras.serving")
    shutil.copytree(toys[2], tmp_path / "models" / "toy" / "2")

    def told(text: str) -> int:
        return sum(text in record.getMessage() for record in caplog.records)

    with running(tmp_path / "models") as server:
        (tmp_path / "models").rename(tmp_path / "gone")
        server.wait_for(lambda: told("those loaded stay") > 0)
        time.sleep(1.0)  # ten more looks
        alive(server)
        (tmp_path / "gone").rename(tmp_path / "models")
        server.wait_for(lambda: told("can be looked for again") > 0)
        time.sleep(0.5)
    assert (told("those loaded stay"), told("can be looked for again")) == (1, 1)
    assert not [record for record in caplog.records if record.exc_info]


def test_versions_whose_names_begin_with_zeros_are_served(toys: dict[int, Path], tmp_path: Path):
    shutil.copytree(toys[1], tmp_path / "toy" / "00000122")
    with running(tmp_path) as server:
        assert server.predict("toy", {"instances": [1.0]}).json == {"predictions": [2.5]}
        shutil.copytree(toys[2], tmp_path / "toy" / ".next")
        (tmp_path / "toy" / ".next").rename(tmp_path / "toy" / "00000123")
        path = "/v1/models/toy/versions/123"
        server.wait_for(lambda: server.ask("GET", path).status == 200)
        server.wait_for(lambda: "AVAILABLE" in server.ask("GET", path).body.decode())
        alive(server)


def test_models_config_decides_versions_and_labels(toys: dict[int, Path], tmp_path: Path):
    for number, toy in toys.items():
        shutil.copytree(toy, tmp_path / "toy" / str(number))
    (tmp_path / model_config.FILE).write_text(
        'model_config_list { config { name: "renamed" base_path: "/models/toy" '
        'model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 1 versions: 2 } } "
        'version_labels { key: "stable" value: 1 } version_labels { key: "next" value: 2 } } }'
    )
    with running(tmp_path) as server:
        for label, expected in (("stable", 2.5), ("next", 5.0)):
            path = f"/v1/models/renamed/labels/{label}:predict"
            assert server.ask("POST", path, {"instances": [1.0]}).json["predictions"] == [expected]


def test_sigterm_stops_the_server_after_it_has_answered(servable: Path, speech: list[Path]):
    command = [
        sys.executable,
        "-m",
        "ser_keras",
        "serve",
        str(servable.parent),
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:")  # nobody else is let in unless asked for
        server = Running(int(line.rpartition(":")[2]), servable.parent, lambda: None)
        rows = [{"b64": base64.b64encode(speech[0].read_bytes()).decode()}] * 64
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(server.predict, servable.parent.name, {"instances": rows})
            time.sleep(0.3)
            os.kill(process.pid, signal.SIGTERM)
            assert len(asked.result().json["predictions"]) == 64
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: expected a folder of NAME/VERSION/, found none"),
        ([], ": expected NAME/VERSION/saved_model.pb, as `ser-keras export"),
        (["--port", "70000"], "--port: expected 0 to 65535, found 70000"),
        (["--versions", "some"], "--versions: expected a number from 1, or all, found 'some'"),
        (["--label", "stable"], "--label: expected NAME:LABEL=VERSION, found 'stable'"),
        (["--threads", "0"], "--threads: expected more than 0, found 0"),
    ],
)
def test_the_command_says_what_it_cannot_serve(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = [] if words[:1] == ["nowhere"] else [str(tmp_path)]
    assert cli.main(["serve", *folder, *words]) == 1
    assert message in capsys.readouterr().err
