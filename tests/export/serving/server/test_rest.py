"""The local server answers as TF Serving's documentation (g3doc/api_rest.md) and tests say."""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ser_keras.errors import AudioWarning
from ser_keras.export.serving.tf_serving import json_tensors
from tests.export.serving.conftest import Running

TOY = "/v1/models/toy"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/foo"), ("POST", "/v1/foo"), ("POST", "/v1/models"),
        ("GET", "/v1/models/foo:predict"), ("GET", "/v1/models/foo/version/50:predict"),
        ("POST", "/v1/models/foo/version/50:regress"), ("PUT", TOY), ("DELETE", TOY),
        ("POST", "/v1/models/foo/versions/HELLO:regress"), ("POST", "/v1/models/foo/metadata"),
        ("POST", "/v1/models/foo/label/some_label:regress"), ("POST", TOY + ":PREDICT"),
        ("POST", "/v1/models/foo/versions/50/labels/some_label:regress"), ("GET", "/v1/"),
        ("POST", "/v1/models/foo/versions/some_label:regress"), ("POST", TOY + ":explain"),
        ("POST", TOY + ":predict?verbose=1"), ("GET", "/v1/models?x"), ("PATCH", TOY),
        ("GET", TOY + "/metadata?x=y"),
    ],
)  # fmt: skip
def test_malformed_requests_are_refused(server: Running, method: str, path: str):
    reply = server.ask(method, path, "" if method == "POST" else None)
    assert (reply.status, reply.error) == (400, f"Malformed request: {method} {path}")
    assert reply.headers["content-type"] == "application/json"


def test_status_of_all_versions_of_one_and_of_a_label(server: Running):
    def version(number: str) -> dict[str, Any]:
        return {
            "version": number,
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }

    assert server.ask("GET", TOY).json == {"model_version_status": [version("2"), version("1")]}
    assert server.ask("GET", TOY + "/versions/1").json == {"model_version_status": [version("1")]}
    for label in ("stable", "none"):  # nobody is asked for a label
        assert server.ask("GET", f"{TOY}/labels/{label}").json == {
            "model_version_status": [version("2"), version("1")]
        }
    for path, message in (
        (TOY + "/versions/99", "Could not find version 99 of model toy"),
        ("/v1/models/foo", "Could not find any versions of model foo"),
        ("/v1/models/foo/labels/a", "Could not find any versions of model foo"),
        # A query is a part of the name.
        (TOY + "?verbose=1", "Could not find any versions of model toy?verbose=1"),
    ):
        reply = server.ask("GET", path)
        assert (reply.status, reply.error) == (404, message)
    reply = server.ask("GET", "/v1/models")
    assert (reply.status, reply.error) == (400, "Missing model name in request.")
    reply = server.ask("GET", f"{TOY}/versions/{2**64}")
    assert (reply.status, reply.error) == (
        400, f"Failed to convert version: {2**64} to numeric."
    )  # fmt: skip


def test_metadata_is_the_signatures_as_protocol_buffers_print(server: Running):
    answer = server.ask("GET", TOY + "/versions/1/metadata").json
    assert answer["model_spec"] == {"name": "toy", "signature_name": "", "version": "1"}
    echo = answer["metadata"]["signature_def"]["signature_def"]["echo"]
    assert echo["method_name"] == "tensorflow/serving/predict"
    ints = echo["inputs"]["int_tensor"]
    assert ints["dtype"] == "DT_INT32"
    assert ints["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "-1", "name": ""}],
        "unknown_rank": False,
    }
    assert server.ask("GET", "/v1/models/foo/metadata").status == 404


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"instances": [1.0, 2.0, 5.0]}, {"predictions": [5.0, 8.0, 17.0]}),
        ({"instances": [[1, 2], [3, 4]]}, {"predictions": [[5.0, 8.0], [11.0, 14.0]]}),
        ({"inputs": [1.0, 2.0]}, {"outputs": [5.0, 8.0]}),
        ({"inputs": {"x": [1.0]}, "signature_name": "serving_default"}, {"outputs": [5.0]}),
        ({"instances": [{"x": 1.0}, {"x": 2.0}]}, {"predictions": [5.0, 8.0]}),
        ({"inputs": 2.0}, {"outputs": 8.0}),
        ({"inputs": [1.0, 2.0], "signature_name": "total"}, {"outputs": 3.0}),
    ],
)
def test_rows_are_answered_as_predictions_and_columns_as_outputs(
    server: Running, body: Any, answer: Any
):
    reply = server.predict("toy", body)
    assert (reply.status, reply.json) == (200, answer)


def test_a_version_or_a_label_chooses_the_model(server: Running):
    for where, expected in (
        ("", 5.0), ("/versions/1", 2.5), ("/labels/stable", 2.5), ("/versions/2", 5.0),
    ):  # fmt: skip
        reply = server.ask("POST", f"{TOY}{where}:predict", {"instances": [1.0]})
        assert reply.json == {"predictions": [expected]}


def test_strings_and_bytes_come_back_as_they_were_sent(server: Running):
    hello = {"b64": base64.b64encode(b"\xff\x00hello").decode()}
    rows = [
        {"int_tensor": [1, 2], "str_tensor": "grüße"}, {"int_tensor": [3, 4], "str_tensor": hello}
    ]  # fmt: skip
    reply = server.predict("toy", {"signature_name": "echo", "instances": rows})
    first, second = reply.json["predictions"]
    assert first == {
        "ints": [1, 2],
        "text": "grüße",
        "text_bytes": {"b64": base64.b64encode("grüße".encode()).decode()},
    }
    assert second["text_bytes"] == hello
    columns = {"int_tensor": [[1], [2], [3]], "str_tensor": ["a", "b"]}
    reply = server.predict("toy", {"signature_name": "echo", "inputs": columns})
    assert reply.json["outputs"]["ints"] == [[1], [2], [3]]  # first dimensions may differ
    assert reply.json["outputs"]["text"] == ["a", "b"]
    reply = server.predict("toy", {"signature_name": "total", "instances": [1.0, 2.0]})
    assert (reply.status, reply.error) == (400, "Tensor name: sum has no shape information ")


def test_floats_that_lose_precision_are_accepted(server: Running):
    body = '{"instances": [16777217, 0.1, 18446744073709551615, 1e39, -1.7976931348623157e308]}'
    reply = server.predict("toy", body)
    assert b"[50331648.0, 2.3, 5.53402322e+19, Infinity, -Infinity]" in reply.body
    examples = {"signature_name": "regress_x", "examples": [{"x": 1e39}]}
    assert server.ask("POST", f"{TOY}:regress", examples).json == {"results": [math.inf]}


def test_gzipped_bodies_are_inflated(server: Running):
    body = gzip.compress(b'{"instances": [1.0]}')
    for encoding in ("gzip", "x-gzip", "my_gzip"):  # whatever holds the word, as in TF Serving
        reply = server.predict("toy", body, **{"Content-Encoding": encoding})
        assert reply.json == {"predictions": [5.0]}
    for broken in (body[:-1], body + b"x", body + body, body[:-8] + bytes(8), b"{}", b"\x1f\x8b"):
        reply = server.predict("toy", broken, **{"Content-Encoding": "gzip"})
        assert reply.status == 400
        assert reply.error.startswith("JSON Parse error: The document is empty")
    reply = server.predict("toy", body, **{"Content-Encoding": "deflate"})
    assert (reply.status, reply.error[:16]) == (400, "JSON Parse error")


def test_methods_that_no_path_has(server: Running):
    for method, path, status in (
        ("TRACE", TOY, 501), ("TRACE", "/", 501), ("PROPFIND", TOY, 501), ("HEAD", TOY, 400),
        ("OPTIONS", TOY, 400), ("OPTIONS", "/statuspage", 404),
    ):  # fmt: skip
        reply = server.ask(method, path)
        assert reply.status == status
        assert method == "HEAD" or reply.error
    reply = server.ask("OPTIONS", TOY + ":predict", Origin="https://page.example")
    assert (reply.status, reply.body) == (200, b"")
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_a_document_ends_at_nul_and_nothing_else_may_follow_it(server: Running):
    assert server.predict("toy", b'{"instances": [1.0]} \n\0nonsense').status == 200
    reply = server.predict("toy", b'{"instances": [1.0]} nonsense')
    assert reply.status == 400
    assert "must not be followed by other values. at offset: 21" in reply.error


def test_no_rows_in_column_format_are_answered_with_none(server: Running):
    assert server.predict("toy", {"inputs": []}).json == {"outputs": []}
    reply = server.predict("vrnn", {"inputs": []})
    assert reply.status in (200, 400), reply.body


def test_long_requests_are_answered_as_short_ones(server: Running):
    values = [number / 8 for number in range(50_000)]
    for body, key in (({"instances": values}, "predictions"), ({"inputs": values}, "outputs")):
        answer = server.predict("toy", body).json[key]
        np.testing.assert_allclose(answer, 3.0 * np.array(values) + 2.0, rtol=1e-6)
    reply = server.predict("toy", {"instances": [*values, "x"]})
    assert (reply.status, "not of expected type: float" in reply.error) == (400, True)
    reply = server.predict("toy", b'{"instances": [' + b"[]," * 2**19 + b"0]}")
    assert reply.status == 413
    assert reply.error == "the request's body has more than 524288 lists and objects"


def test_floats_always_have_a_point_and_need_not_be_numbers(server: Running):
    body = '{"signature_name": "inverse", "instances": [1, NaN, Infinity, -Infinity, 0.0, 3]}'
    reply = server.predict("toy", body)
    assert b"[1.0, NaN, 0.0, -0.0, Infinity, 0.333333343]" in reply.body
    assert math.isnan(reply.json["predictions"][1])


def test_the_content_type_is_ignored_and_padding_may_be_left_out(server: Running):
    body = {"signature_name": "echo", "inputs": {"int_tensor": [[1]], "str_tensor": {"b64": "QQ"}}}
    body["inputs"]["str_tensor"] = [{"b64": "QQ"}]  # type: ignore[index]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "image/png"):
        reply = server.predict("toy", body, **{"Content-Type": kind})
        assert reply.json["outputs"]["text"] == ["A"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("instances = [1, 2]", "JSON Parse error: Invalid value. at offset: 0"),
        ('{"instances": [1, 2]', "JSON Parse error: Missing a comma or } after an object member."),
        ("[1, 2]", "Is not object"),
        ("[" * 100_000, "JSON Parse error"),
        ({"instances": ["x", "y"]}, "not of expected type: float"),
        ({"signature_name": 100}, "'signature_name' key must be a string value."),
        ({"signature_name": "no"}, 'Serving signature name: "no" not found in signature def'),
        ({"signature_name": "no", "instances": [1]}, "not found in signature def"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [1], "inputs": [1]}, "Not formatted correctly"),
        ({"instances": 1}, "Excepting 'instances' to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [[1, 2], [3, 4], [5, 6, 7]]}, "Expecting tensor size: 2 but got: 3"),
        ({"instances": [[1, 2], [3, 4], [[5, 6]]]}, "Expecting shape [2] but got: [1,2]"),
        ({"instances": [1, [1]]}, "Expecting shape [] but got: [1]"),
        ({"instances": [{"z": 1}]}, "JSON object: does not have named input: z"),
        ({"instances": [{"x": 1}, 2]}, "Expecting object but got list at item 1 of input list"),
        ({"instances": [2, {"x": 1}]}, "Expecting value/list but got object at item 1"),
        ({"inputs": {"z": 1}}, "Missing named input: x in 'inputs' object."),
        ({"inputs": [[1, 2], [3]]}, "Encountered list at unexpected size: 1 at level: 1"),
        ({"signature_name": "echo", "instances": [1]}, "instances is a plain list"),
        ({"signature_name": "echo", "inputs": [1]}, "inputs is a plain value/list"),
        (
            {"signature_name": "echo", "instances": [{"int_tensor": [1]}]},
            "keys must be equal to: int_tensor,str_tensor",
        ),
        (
            {"signature_name": "echo", "inputs": {"int_tensor": [[1.0]], "str_tensor": ["a"]}},
            "JSON Value: 1.0 Type: Number is not of expected type: int32",
        ),
        (
            {"signature_name": "echo", "inputs": {"int_tensor": [[1]], "str_tensor": {"b64": "&"}}},
            "Unable to base64 decode",
        ),
        (
            {
                "signature_name": "echo",
                "inputs": {"int_tensor": [[1]], "str_tensor": [{"b64": "QQ==", "more": 1}]},
            },
            "not formatted correctly for base64 data",
        ),
        (
            {"signature_name": "echo", "inputs": {"int_tensor": [1], "str_tensor": ["a"]}},
            "input int_tensor: expected shape [?,?], found [1]",
        ),
    ],
)
def test_wrong_requests_are_refused_in_tf_servings_words(server: Running, body: Any, message: str):
    reply = server.predict("toy", body)
    assert reply.status == 400
    assert message in reply.error


def test_lists_that_are_nested_too_deeply_are_refused(server: Running):
    def nested(levels: int) -> str:
        return "[" * levels + "1" + "]" * levels

    for form, asks in (("inputs", nested), ("instances", lambda levels: nested(levels + 1))):
        deepest = server.predict("toy", f'{{"{form}": {asks(json_tensors.MOST_LEVELS)}}}')
        assert deepest.status == 200, deepest.body
        for levels in (json_tensors.MOST_LEVELS + 1, 65, 1000):
            reply = server.predict("toy", f'{{"{form}": {asks(levels)}}}')
            assert reply.status == 400
            expected = f"lists nested deeper than {json_tensors.MOST_LEVELS} levels"
            assert expected in reply.error
    # Where nobody looks they may be deeper than any recursion of Python's.
    for levels in (100, 1_000, 5_000):
        body = f'{{"instances": [1.0], "ignored": {nested(levels)}}}'
        assert server.predict("toy", body).json == {"predictions": [5.0]}
    later = f'{{"instances": [[1], {nested(1000)}]}}'
    assert server.predict("toy", later).status == 400


def test_models_and_versions_that_are_not_there_are_not_found(server: Running):
    body = {"instances": [1.0]}
    for path, status, message in (
        ("/v1/models/foo:predict", 404, "Servable not found for request: Latest(foo)"),
        (TOY + "/versions/50:predict", 404, "Servable not found for request: Specific(toy, 50)"),
        (TOY + "/labels/none:predict", 400, "Unrecognized servable version label: none"),
        ("/v1/models/..%2F..%2Fetc:predict", 404, "Latest(../../etc)"),
        ("/v1/models/%2e%2e:predict", 404, "Latest(..)"),
    ):
        reply = server.ask("POST", path, body)
        assert reply.status == status
        assert message in reply.error
    assert server.ask("POST", "/v1/models/foo:predict", "no JSON").status == 400


def test_classify_and_regress_say_what_the_signature_is(server: Running):
    for method, name in (("classify", "classification"), ("regress", "regression")):
        reply = server.ask("POST", f"{TOY}:{method}", {"examples": [{"x": 1.0}]})
        assert (reply.status, reply.error) == (
            400,
            f"Expected {name} signature method_name to be tensorflow/serving/{method}. "
            "Was: tensorflow/serving/predict",
        )
        for body, message in (
            ({}, "key 'examples' is expected"),
            ({"examples": {}}, "to be an list/array"),
            ({"examples": [[{"names": ["foo"]}]]}, "Example must be JSON object"),
            ({"context": [1], "examples": [{}]}, "Example must be JSON object"),
            ({"examples": [{"names": [10, None]}]}, "names has element with unexpected JSON type"),
            ({"examples": [{"names": [10, 10.0]}]}, "feature: names expecting type: int64"),
            ({"examples": [{"names": [20, 18446744073709551603]}]}, "Only int64 is supported"),
        ):
            reply = server.ask("POST", f"{TOY}:{method}", body)
            assert reply.status == 400
            assert message in reply.error


def test_classify_and_regress(server: Running):
    examples = [{"x": 80.0}, {"x": [20.0]}]
    for method, results in (
        ("regress", [42.0, 12.0]),
        ("classify", [[["", 42.0]], [["", 12.0]]]),
    ):
        body = {"signature_name": f"{method}_x", "examples": examples}
        reply = server.ask("POST", f"{TOY}/labels/stable:{method}", body)
        assert (reply.status, reply.json) == (200, {"results": results})
    shared = {"signature_name": "regress_x", "context": {"x": 80.0}, "examples": [{"y": "a"}]}
    assert server.ask("POST", f"{TOY}/versions/1:regress", shared).json == {"results": [42.0]}
    reply = server.ask("POST", f"{TOY}:regress", {"signature_name": "regress_x", "examples": [{}]})
    assert reply.status == 400  # the model wants an x


def wav(samples: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def test_silence_and_a_recorder_that_crashed_over_rest(server: Running):
    noise = wav(np.random.default_rng(0).normal(0, 0.1, 60_000), 22_050)
    silence = wav(np.zeros(60_000), 22_050)

    def ask(*contents: bytes) -> list[dict[str, Any]]:
        rows = [{"b64": base64.b64encode(one).decode()} for one in contents]
        return server.predict("vrnn", {"instances": rows}).json["predictions"]

    whole, silent = ask(noise, silence)
    assert (whole["silent"], silent["silent"]) == (False, True)
    for length in (bytes(4), b"\xff" * 4):
        crashed = noise[:4] + length + noise[8:40] + length + noise[44:]
        with pytest.warns(AudioWarning, match="audio: the header does not say how long"):
            (answer,) = ask(crashed)
        assert answer["instants"] == whole["instants"]
        np.testing.assert_allclose(answer["probabilities"], whole["probabilities"], atol=1e-5)


def test_wav_files_are_answered_as_the_saved_model_answers_them(
    server: Running, servable: Path, speech: list[Path]
):
    contents = [path.read_bytes() for path in speech[:3]]
    rows = [{"b64": base64.b64encode(one).decode()} for one in contents]
    answers = server.predict("vrnn", {"instances": rows}).json["predictions"]
    expected = tf.saved_model.load(str(servable)).signatures["serving_default"](
        audio=tf.constant(contents)
    )
    for row, answer in enumerate(answers):
        assert answer["emotion"] == expected["emotion"][row].numpy().decode()
        np.testing.assert_allclose(
            answer["probabilities"], expected["probabilities"][row], atol=1e-5
        )
        assert answer["instants"] == expected["instants"][row]


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        (
            "serving_default",
            [{"b64": base64.b64encode(b"\x89PNG\r\n").decode()}],
            "audio: expected a WAV file",
        ),
        ("serving_default", ["words"], "audio: expected a WAV file"),
        (
            "waveform",
            {"waveform": [[0.0, math.nan]], "samples": [2]},
            "waveform: expected finite numbers, found NaN or infinity",
        ),
        (
            "waveform",
            {"waveform": [[0.0]], "samples": [5]},
            "samples: expected 1 to 1, the length",
        ),
        ("step", {"observation": [[0.0]], "state": [[0.0]]}, "expected shape [?,40], found [1,1]"),
    ],
)
def test_sound_that_cannot_be_used_is_refused_with_the_reason(
    server: Running, signature: str, inputs: Any, message: str
):
    body = json.dumps({"signature_name": signature, "inputs": inputs})
    reply = server.predict("vrnn", body)
    assert reply.status == 400
    assert message in reply.error
    assert "Traceback" not in reply.error
    assert "/" not in reply.error.replace("expected 1 to", "")


def test_metrics_have_the_names_that_dashboards_know(server: Running):
    server.predict("toy", {"instances": [1.0]})
    reply = server.ask("GET", "/monitoring/prometheus/metrics")
    assert reply.headers["content-type"] == "text/plain"
    text = reply.body.decode()
    assert ':tensorflow:serving:request_count{model_name="toy",status="OK"} ' in text
    for kind in ("bucket", "sum", "count"):
        assert f":tensorflow:serving:request_latency_{kind}{{model_name=" in text
    assert 'le="+Inf"' in text
    assert server.ask("GET", "/monitoring/prometheus/metrics?x").status == 400


def test_other_paths_are_not_found(server: Running):
    for path in ("/etc/passwd", "/page/../command.py", "/page/%2e%2e/command.py", "/statuspage"):
        assert server.ask("GET", path).status == 404
