"""The client with the local server, with TF Serving's messages over gRPC, and with bad servers."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ser_keras.commands import main as cli
from ser_keras.errors import ConfigurationError
from ser_keras.export.client import Client, ServerError
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from tests.export.serving.conftest import Running, running


@pytest.fixture(scope="module")
def server(servable: Path) -> Iterator[Running]:
    with running(servable.parents[1], "--label", f"{servable.parent.name}:stable=1") as server:
        yield server


@pytest.fixture(scope="module")
def direct(servable: Path, speech: list[Path]) -> list[dict[str, Any]]:
    """Each recording, answered by the SavedModel itself."""
    function = tf.saved_model.load(str(servable)).signatures["serving_default"]
    return [
        {
            name: value[0].numpy()
            for name, value in function(audio=tf.constant([path.read_bytes()])).items()
        }
        for path in speech
    ]


def check(answers: list[dict[str, Any]], direct: list[dict[str, Any]]) -> None:
    assert len(answers) == len(direct)
    for answer, expected in zip(answers, direct, strict=True):
        assert answer["emotion"] == expected["emotion"].decode()
        np.testing.assert_allclose(answer["timeline"], expected["timeline"], atol=1e-5)
        assert answer["instants"] == expected["instants"]


@pytest.mark.parametrize("which", [{}, {"version": 1}, {"label": "stable"}])
def test_rest_answers_as_the_model_does(
    server: Running, speech: list[Path], direct: list[dict[str, Any]], which: dict[str, Any]
):
    with Client(server.url, "vrnn", **which) as client:
        assert client.ready()
        check(client.predict([path.read_bytes() for path in speech]), direct)


def test_any_signature_can_be_called(server: Running, model: Any):
    with Client(server.url, "vrnn") as client:
        size = model.features.observation_size
        state = np.zeros((1, 2 * (16 + 12 + 16) + size + 1))
        outputs = client.call("step", {"observation": np.ones((1, size)), "state": state})
        assert sum(outputs["probabilities"][0]) == pytest.approx(1.0, abs=1e-5)


@contextlib.contextmanager
def grpc_server(servable: Path) -> Iterator[int]:
    """TF Serving's PredictionService, implemented with its own package on the SavedModel."""
    reason = "needs tensorflow-serving-api, without its needs"
    services: Any = pytest.importorskip(
        "tensorflow_serving.apis.prediction_service_pb2_grpc", reason=reason
    )
    messages = pytest.importorskip("tensorflow_serving.apis.predict_pb2", reason=reason)
    import grpc

    signatures = tf.saved_model.load(str(servable)).signatures

    class Service(services.PredictionServiceServicer):
        def Predict(self, request: Any, context: Any) -> Any:
            if request.model_spec.name != "vrnn":
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request")
            function = signatures[request.model_spec.signature_name or "serving_default"]
            inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            try:
                outputs = function(**{name: tf.constant(v) for name, v in inputs.items()})
            except tf.errors.InvalidArgumentError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            response = messages.PredictResponse()
            for name, value in outputs.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
            return response

    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(2),
        options=[("grpc.max_receive_message_length", 2**28)],
    )
    services.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def test_grpc_answers_as_the_model_does(
    servable: Path, speech: list[Path], direct: list[dict[str, Any]]
):
    with grpc_server(servable) as port:
        with Client(f"grpc://127.0.0.1:{port}", "vrnn", version=1) as client:
            assert client.ready()
            check(client.predict([path.read_bytes() for path in speech]), direct)
            with pytest.raises(ServerError, match="expected a WAV file") as raised:
                client.predict([b"a picture"])
            assert raised.value.is_of_input
        with (
            Client(f"grpc://127.0.0.1:{port}", "other") as client,
            pytest.raises(ServerError, match=r"Servable not found for request \(NOT_FOUND\)"),
        ):
            client.predict([b""])


def test_errors_carry_the_message_of_the_server(server: Running):
    with Client(server.url, "vrnn") as client:
        with pytest.raises(ServerError, match="audio: expected a WAV file") as raised:
            client.predict([b"a picture"])
        assert raised.value.status == 400
        with pytest.raises(ServerError, match='"no" not found in signature def'):
            client.call("no", {"x": [1]})
    with Client(server.url, "nobody") as client:
        assert not client.ready()
        with pytest.raises(ServerError, match=r"Servable not found .*Latest\(nobody\) \(404\)"):
            client.predict([b""])


class Faulty:
    """A server with prescribed replies."""

    def __init__(self, *replies: Any) -> None:
        self.asked = 0
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                reply = replies[min(faulty.asked, len(replies) - 1)]
                faulty.asked += 1
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if reply == "break":
                    self.connection.shutdown(socket.SHUT_RDWR)
                elif reply == "wait":
                    faulty.released.wait(20)
                else:
                    status, body = reply
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.released = threading.Event()
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Faulty:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


ANSWER = (200, b'{"outputs": {"y": [1.0]}}')


def test_connections_that_break_are_tried_again():
    with Faulty("break", "break", ANSWER) as server:
        with Client(server.url, "m", backoff=0.01) as client:
            assert client.call("s", {"x": [1]}) == {"y": [1.0]}
        assert server.asked == 3


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_errors_of_the_server_are_not_tried_again(status: int):
    with Faulty((status, b'{"error": "its words"}'), ANSWER) as server:
        client = Client(server.url, "m", backoff=0.01)
        with client, pytest.raises(ServerError, match="its words") as raised:
            client.call("s", {"x": [1]})
        assert (server.asked, raised.value.status) == (1, status)


def test_requests_that_take_too_long_are_not_tried_again():
    with Faulty("wait") as server:
        client = Client(server.url, "m", timeout=0.3, backoff=0.01)
        with client, pytest.raises(ServerError, match=r"no answer within 0.3 s"):
            client.call("s", {"x": [1]})
        assert server.asked == 1


def test_answers_that_are_no_json_are_an_error():
    with Faulty((502, b"<html>Bad gateway</html>")) as server:
        client = Client(server.url, "m")
        with client, pytest.raises(ServerError, match=r"expected JSON, found .*Bad gateway"):
            client.call("s", {"x": [1]})


def test_a_server_that_does_not_run_cannot_be_reached():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{taken.getsockname()[1]}"
        for scheme in ("http", "grpc"):
            with Client(f"{scheme}://{url}", "m", backoff=0.01, retries=1, timeout=5) as client:
                with pytest.raises(ServerError, match="cannot be reached"):
                    client.call("s", {"x": [1]})
                if scheme == "http":
                    assert not client.ready()


@pytest.mark.parametrize("url", ["here", "ftp://a:1", "grpc://a", "http://", "http://a:port"])
def test_an_address_of_another_kind_is_refused(url: str):
    with pytest.raises(ConfigurationError, match="expected http://HOST:PORT"):
        Client(url, "m")


def test_predict_with_a_server_goes_on_where_it_was(
    server: Running,
    speech: list[Path],
    direct: list[dict[str, Any]],
    servable: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    samples, rate = soundfile.read(speech[0])
    soundfile.write(tmp_path / "loss.flac", samples, rate, subtype="PCM_24")
    (tmp_path / "picture.wav").write_bytes(b"\x89PNG")
    files = [*map(str, speech), str(tmp_path / "picture.wav"), str(tmp_path / "loss.flac")]
    words = ["predict", "--server", server.url, "--model", "vrnn/versions/1", "--batch-size", "3"]
    labels = ["--labels", str(servable / "assets" / "labels.txt")]
    assert cli.main([*words, *labels, *files]) == 1
    out, err = capfd.readouterr()
    assert cli.main([*words, *files]) == 1
    assert capfd.readouterr() == (out, err)  # the server tells the labels, too
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["file"] for line in lines] == files
    assert set(lines[-2]) == {"file", "error"}
    assert f"1 of {len(files)} files cannot be used" in err
    for line, expected in zip(lines, direct, strict=False):
        assert line["emotion"] == expected["emotion"].decode()
        assert max(line["probabilities"], key=line["probabilities"].get) == line["emotion"]
    assert lines[-1]["emotion"] == lines[0]["emotion"]

    saved = tmp_path / "lines.jsonl"  # half of it is there already, and half a line
    kept = {"file": files[0], "emotion": "kept"}
    saved.write_text(json.dumps(kept) + '\n{"file": "' + files[1])
    assert cli.main([*words, "--out", str(saved), *files]) == 1
    assert cli.main([*words, "--out", str(saved), *files]) == 1  # the picture alone
    written = saved.read_text().splitlines()
    assert json.loads(written[0]) == kept
    assert len(written) == 2 + len(files) - 1 + 1


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("vrnn/labels/nowhere", "Unrecognized servable version label: nowhere"),
        ("vrnn/versions/99", "Servable not found"),
        ("nobody", "Servable not found"),
    ],
)
def test_a_model_that_is_not_there_is_one_error_and_not_one_a_file(
    server: Running,
    servable: Path,
    speech: list[Path],
    named: str,
    message: str,
    capfd: pytest.CaptureFixture[str],
):
    files = [str(path) for path in speech[:3]]
    labels = servable / "assets" / "labels.txt"
    words = ["predict", "--server", server.url, "--model", named, "--labels", str(labels)]
    assert cli.main([*words, *files]) == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count(message) == 1


def test_one_request_answers_the_good_recordings_and_names_the_bad_ones(
    speech: list[Path], direct: list[dict[str, Any]], servable: Path
):
    """Over gRPC from the model itself, as TF Serving answers; the local server refuses instead."""
    good = speech[0].read_bytes()
    with (
        grpc_server(servable) as port,
        Client(f"grpc://127.0.0.1:{port}", "vrnn", version=1) as client,
    ):
        first, second, third = client.predict_each([good, b"a picture", good])
    check([first, third], [direct[0], direct[0]])
    assert second == {"error": "audio: expected a WAV file, found another format"}


def test_a_servers_lines_are_those_of_the_model_here(
    server: Running,
    model: VRNN,
    speech: list[Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    rate = model.features.sample_rate
    samples, _ = soundfile.read(speech[0])
    for name, sound in (
        ("short", samples[rate : rate + rate // 10]),
        ("silence", np.zeros(3 * rate)),
    ):
        soundfile.write(tmp_path / f"{name}.wav", sound, rate)
    files = [*map(str, speech), str(tmp_path / "short.wav"), str(tmp_path / "silence.wav")]
    assert cli.main(["predict", "--server", server.url, "--model", "vrnn", *files]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    for line, expected in zip(
        lines, Recognizer(model).recognize_files(files, attention=False), strict=True
    ):
        assert list(line) == list(expected)
        assert line["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)
        assert line["emotion"] == expected["emotion"]
        for name in ("file", "duration", "padded", "silent"):
            assert line[name] == expected[name]
        for mine, local in zip(line["instants"], expected["instants"], strict=True):
            assert list(mine) == list(local)
            assert (mine["time"], mine["emotion"]) == (local["time"], local["emotion"])
            assert mine["probabilities"] == pytest.approx(local["probabilities"], abs=1e-4)
            assert mine["sampled_fraction"] is None  # a server tells the mean alone
    assert [line["padded"] for line in lines][-2:] == [True, False]
    assert [line["silent"] for line in lines][-2:] == [False, True]


def test_a_model_that_is_not_described_needs_its_labels(
    servable: Path, speech: list[Path], capfd: pytest.CaptureFixture[str]
):
    with Faulty((404, b'{"error": "Not Found"}')) as server:
        words = ["predict", "--server", server.url, "--model", "vrnn", str(speech[0])]
        assert cli.main(words) == 1
    assert "--labels: expected labels.txt in the assets" in capfd.readouterr().err


def test_attention_needs_a_model_of_this_machine(capfd: pytest.CaptureFixture[str]):
    words = ["predict", "--server", "http://127.0.0.1:1", "--attention", "a.wav"]
    assert cli.main(words) == 1
    assert "--attention: expected a model of this machine" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--model", "vrnn/old"],
            "expected NAME, NAME/versions/N or NAME/labels/LABEL, found vrnn/old",
        ),
        (
            ["--model", "vrnn/versions/x"],
            "NAME/versions/N or NAME/labels/LABEL, found vrnn/versions/x",
        ),
        (["--model", "vrnn", "--batch-size", "0"], "--batch-size: expected 1 or more, found 0"),
        (["--model", "vrnn", "--labels", "/nowhere"], "/nowhere: No such file"),
    ],
)
def test_wrong_options_say_why(words: list[str], message: str, capfd: pytest.CaptureFixture[str]):
    assert cli.main(["predict", "--server", "http://127.0.0.1:1", *words, "a.wav"]) == 1
    assert message in capfd.readouterr().err
