"""The server survives long, slow and broken requests, many at once, and its own end."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ser_keras.commands import main as cli
from ser_keras.export.serving.server import http_server
from ser_keras.export.serving.tf_serving import model_config
from ser_keras.export.serving.tf_serving.warm_up import wav
from tests.export.serving.conftest import Reply, Running, running

HEAD = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: here\r\n"


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
    with connected(server) as client:
        client.sendall(HEAD + b"X: " + b"x" * 70_000)
        assert received(client).startswith(b"HTTP/1.1 431")
    alive(server)


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


def test_bytes_that_are_no_http_leave_the_server_alive(server: Running):
    for nonsense in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", bytes(1000)):
        with connected(server) as client:
            client.sendall(nonsense)
            assert b"Traceback" not in received(client)
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
