"""The files for TF Serving, read by its own messages and by Docker's and KServe's schemas.

TF Serving itself is no Python package: nothing here has started it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import descriptor_pb2, text_format

from ser_keras import export
from ser_keras.errors import ConfigurationError
from ser_keras.export.serving.tf_serving import model_config, protocol, warm_up
from tests.export.serving import schemas


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "vrnn" / "1").mkdir(parents=True)
    export.serving_bundle(folder / "vrnn")
    return folder


def original(module: str, message: str) -> Any:
    """A message of tensorflow-serving-api."""
    imported = pytest.importorskip(
        f"tensorflow_serving.{module}", reason="needs tensorflow-serving-api, without its needs"
    )
    return getattr(imported, message)


def compare(mine: Any, other: Any) -> None:
    """Every field of a message of ours is one of the original's."""
    fields = {field.name: field for field in other.fields}
    for field in mine.fields:
        their = fields[field.name]
        assert (field.number, field.type) == (their.number, their.type), field.full_name
        assert field.is_repeated == their.is_repeated
        if field.message_type is not None:
            assert field.message_type.full_name == their.message_type.full_name
            if not field.message_type.full_name.startswith("tensorflow.Tensor"):
                compare(field.message_type, their.message_type)


def test_models_config_is_a_model_server_config(folder: Path):
    config = original("config.model_server_config_pb2", "ModelServerConfig")()
    text_format.Parse((folder / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (
        "vrnn", "/models/vrnn", "tensorflow",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "module", "theirs"),
    [
        (protocol.ModelServerConfig, "config.model_server_config_pb2", "ModelServerConfig"),
        (protocol.PredictionLog, "apis.prediction_log_pb2", "PredictionLog"),
        (protocol.PredictRequest, "apis.predict_pb2", "PredictRequest"),
        (protocol.PredictResponse, "apis.predict_pb2", "PredictResponse"),
    ],
)
def test_our_messages_have_the_originals_fields(ours: Any, module: str, theirs: str):
    compare(ours.DESCRIPTOR, original(module, theirs).DESCRIPTOR)


# Where TF Serving defines what it reads of the two files.
BATCHING = ("servables/tensorflow/session_bundle_config", "BatchingParameters")
MONITORING = ("config/monitoring_config", "MonitoringConfig")


def test_batching_parameters_are_consistent(folder: Path):
    parameters = schemas.message(*BATCHING)()
    text_format.Parse((folder / "batching_parameters.txt").read_text(), parameters)
    assert parameters.max_batch_size.value == 32
    assert parameters.batch_timeout_micros.value == 2000
    assert parameters.max_enqueued_batches.value == 100
    assert parameters.pad_variable_length_inputs
    # With these, TF Serving fills a batch up with its first row, and ends where there is none.
    assert not parameters.allowed_batch_sizes


def test_a_line_of_an_earlier_export_that_can_end_the_server_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "vrnn").mkdir()
    file = tmp_path / "batching_parameters.txt"
    file.write_text("max_batch_size { value: 4 }\nallowed_batch_sizes: [1, 4]\n")
    export.serving_bundle(tmp_path / "vrnn")
    assert f"{file}: expected no allowed_batch_sizes" in capsys.readouterr().err
    assert "allowed_batch_sizes" in file.read_text(), "people edit these files"


def test_monitoring_config_enables_prometheus(folder: Path):
    config = schemas.message(*MONITORING)()
    text_format.Parse((folder / "monitoring.config").read_text(), config)
    assert config.prometheus_config.enable
    assert config.prometheus_config.path == "/monitoring/prometheus/metrics"


def test_compose_file_mounts_what_its_command_names(folder: Path):
    service = yaml.safe_load((folder / "compose.yaml").read_text())["services"]["tf-serving"]
    assert service["image"].startswith("tensorflow/serving:")
    assert service["volumes"] == ["./:/models:ro"]
    named = [word.partition("=")[2] for word in service["command"] if "_file=" in word]
    assert len(named) == 3
    for path in named:
        assert (folder / path.removeprefix("/models/")).is_file()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_compose_file_follows_the_compose_specification(folder: Path):
    compose = yaml.safe_load((folder / "compose.yaml").read_text())
    schemas.check_compose(compose)
    compose["services"]["tf-serving"]["restarts"] = "always"
    with pytest.raises(jsonschema.ValidationError, match="restarts"):
        schemas.check_compose(compose)


def test_kserve_manifest_has_the_fields_of_an_inference_service(folder: Path):
    manifest = yaml.safe_load((folder / "kserve-vrnn.yaml").read_text())
    schemas.check_kserve("V1beta1InferenceService", manifest)
    assert manifest["apiVersion"] == "serving.kserve.io/v1beta1"
    assert manifest["kind"] == "InferenceService"
    assert manifest["metadata"]["name"] == "vrnn"
    predictor = manifest["spec"]["predictor"]
    assert predictor["model"]["modelFormat"] == {"name": "tensorflow"}
    assert predictor["model"]["storageUri"] == "pvc://models"
    arguments = dict(word.split("=") for word in predictor["model"]["args"])
    assert arguments["--model_base_path"] == "/mnt/models/vrnn"
    for argument, path in arguments.items():
        if argument.endswith("_file"):
            assert (folder / path.removeprefix("/mnt/models/")).is_file()
    # A runtime that reads what this exports, and the port that KServe's REST runtime listens on.
    assert predictor["model"]["runtimeVersion"] == "2.19.1"
    monitoring = (folder / "monitoring.config").read_text()
    assert manifest["metadata"]["annotations"]["prometheus.kserve.io/path"] in monitoring
    assert 1 <= predictor["minReplicas"] < predictor["maxReplicas"]
    assert predictor["scaleMetric"] in ("concurrency", "rps", "cpu", "memory")


def test_files_that_are_there_are_kept(folder: Path, tmp_path: Path):
    (tmp_path / "compose.yaml").write_text("mine")
    (tmp_path / "models.config").write_text(
        'model_config_list { config { name: "other" base_path: "/elsewhere/other" } }'
    )
    (tmp_path / "vrnn").mkdir()
    written = {path.name for path in export.serving_bundle(tmp_path / "vrnn")}
    assert "compose.yaml" not in written
    assert (tmp_path / "compose.yaml").read_text() == "mine"
    config = text_format.Parse(
        (tmp_path / "models.config").read_text(), protocol.ModelServerConfig()
    )
    models = {one.name: one.base_path for one in config.model_config_list.config}
    assert models == {"other": "/elsewhere/other", "vrnn": "/models/vrnn"}
    assert export.serving_bundle(tmp_path / "vrnn") == []  # again: nothing left to do
    (tmp_path / "models.config").write_text("nonsense {")
    with pytest.raises(ConfigurationError, match="expected a ModelServerConfig"):
        export.serving_bundle(tmp_path / "vrnn")
    with pytest.raises(ConfigurationError, match="expected a ModelServerConfig"):
        model_config.find_models(tmp_path)


# Fields of TF Serving's that we know nothing of, and what people write between them.
OF_A_USER = """\
# Ours; ask before } you touch it. model_config_list {
model_config_list: {  # of two teams
  config {
    name: 'other # {'
    base_path: "/elsewhere/}other"
    logging_config { sampling_config { sampling_rate: 0.1 } }
  }  # and no more
}
# The end"""


def models_read_by_cpp(text: str) -> dict[str, str]:
    """Models by name, of a `models.config` read by the C++ parser, which TF Serving reads it by."""
    descriptor = original("config.model_server_config_pb2", "ModelServerConfig").DESCRIPTOR
    files = descriptor_pb2.FileDescriptorSet()
    add_files(descriptor.file, files)
    (models,) = tf.io.decode_proto(
        [text.encode()],
        descriptor.full_name,
        ["model_config_list"],
        [tf.string],
        descriptor_source=b"bytes://" + files.SerializeToString(),
        message_format="text",
    ).values
    found = protocol.ModelServerConfig().model_config_list
    found.ParseFromString(models.numpy().item())
    return {one.name: one.base_path for one in found.config}


def add_files(file: Any, files: Any) -> None:
    """Add a file of messages after all that it refers to."""
    if file.name not in [one.name for one in files.file]:
        for other in file.dependencies:
            add_files(other, files)
        file.CopyToProto(files.file.add())


@pytest.mark.parametrize(
    ("before", "others"),
    [
        (OF_A_USER, {"other # {": "/elsewhere/}other"}),
        ('model_config_list < config { name: "a" base_path: "/a" } >', {"a": "/a"}),
        ("model_config_list {}", {}),
        ("# none yet", {}),
        ("", {}),
    ],
)
def test_a_model_is_added_to_a_models_config_that_is_there(
    before: str, others: dict[str, str], tmp_path: Path
):
    config = tmp_path / "models.config"
    config.write_text(before)
    (tmp_path / "vrnn").mkdir()
    assert config in export.serving_bundle(tmp_path / "vrnn")
    after = config.read_text()
    assert models_read_by_cpp(after) == {**others, "vrnn": "/models/vrnn"}
    added = iter(after)
    assert all(sign in added for sign in before), "all that stood there does, in its order"
    assert all(line in after.splitlines() for line in before.splitlines() if "#" in line)
    assert export.serving_bundle(tmp_path / "vrnn") == []
    assert set(model_config.find_models(tmp_path)) == {*others, "vrnn"}


def labels_and_versions(folder: Path) -> tuple[dict[str, int], list[int]]:
    found = model_config.find_models(folder)["vrnn"]
    return dict(found.labels), list(found.versions)


@pytest.mark.parametrize(
    "before",
    [
        None,
        OF_A_USER,
        'model_config_list { config { name: "vrnn" base_path: "/models/vrnn" } }',
        'model_config_list < config < name: "vrnn" base_path: "/models/vrnn" # ours >\n > >',
        """model_config_list { config {
            name: 'vrnn' base_path: "/models/vrnn"
            version_labels { key: "stable" value: 1 } version_labels: < value: 2 key: 'old' >
        } }""",
    ],
)
def test_a_label_moves_to_a_new_version_and_both_are_served(before: str | None, tmp_path: Path):
    for version in ("1", "2"):
        (tmp_path / "vrnn" / version).mkdir(parents=True)
        (tmp_path / "vrnn" / version / "saved_model.pb").touch()
    config = tmp_path / "models.config"
    if before is not None:
        config.write_text(before)
    export.serving_bundle(tmp_path / "vrnn", {"stable": 1})
    labels, versions = labels_and_versions(tmp_path)
    assert labels["stable"] == 1
    assert versions == [1, 2]
    assert export.serving_bundle(tmp_path / "vrnn", {"stable": 1}) == []
    export.serving_bundle(tmp_path / "vrnn", {"stable": 2, "next": 2})
    labels, versions = labels_and_versions(tmp_path)
    assert {name: labels[name] for name in ("stable", "next")} == {"stable": 2, "next": 2}
    assert versions == [1, 2]
    assert config.read_text().count("stable") == 1
    assert models_read_by_cpp(config.read_text())["vrnn"] == "/models/vrnn"
    comments = [line for line in (before or "").splitlines() if "#" in line]
    assert all(line.rstrip(" >") in config.read_text() for line in comments)


def test_a_label_that_no_path_has_a_place_for_is_refused(tmp_path: Path):
    (tmp_path / "vrnn").mkdir()
    with pytest.raises(ConfigurationError, match="label: expected no slash and no colon"):
        export.serving_bundle(tmp_path / "vrnn", {"a/b": 1})
    assert not (tmp_path / "models.config").exists()


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("specific { versions: 1 }", [1, 3]),
        ("specific { versions: 3 versions: 2 }", [2, 3]),
        ("latest { num_versions: 2 }", [2, 3]),
        ("all {}", [1, 2, 3]),
    ],
)
def test_a_label_keeps_to_the_policy_that_is_there(policy: str, served: list[int], tmp_path: Path):
    for version in ("1", "2", "3"):
        (tmp_path / "vrnn" / version).mkdir(parents=True)
        (tmp_path / "vrnn" / version / "saved_model.pb").touch()
    (tmp_path / "models.config").write_text(
        'model_config_list { config { name: "vrnn" base_path: "/models/vrnn" '
        f"model_version_policy {{ {policy} }} }} }}"
    )
    export.serving_bundle(tmp_path / "vrnn", {"stable": 3})
    assert labels_and_versions(tmp_path) == ({"stable": 3}, served)


@pytest.mark.parametrize(("here", "given"), [("vrnn", "."), ("vrnn/1", ".."), ("", "vrnn")])
def test_the_bundle_lies_beside_the_model_wherever_it_is_written_from(
    here: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "vrnn" / "1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    for file in export.serving_bundle(Path(given)):
        assert file.parent == tmp_path
    assert (tmp_path / "kserve-vrnn.yaml").exists()
    config = (tmp_path / "models.config").read_text()
    assert models_read_by_cpp(config) == {"vrnn": "/models/vrnn"}


def test_warm_up_requests_are_answered_by_the_model(servable: Path):
    """Read by TF Serving's own messages, which are all it knows of them."""
    log = original("apis.prediction_log_pb2", "PredictionLog")
    path = servable / "assets.extra" / "tf_serving_warmup_requests"
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    assert 0 < len(records) <= warm_up.MOST_REQUESTS
    assert path.stat().st_size < 3_000_000
    signatures = tf.saved_model.load(str(servable)).signatures
    asked = set()
    for record in records:
        request = log.FromString(record).predict_log.request
        assert request.model_spec.name == servable.parent.name
        asked.add(request.model_spec.signature_name)
        inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
        function = signatures[request.model_spec.signature_name]
        answer = function(**{name: tf.constant(value) for name, value in inputs.items()})
        assert np.isfinite(answer["probabilities"]).all()
    assert asked == set(signatures)


def test_versions_are_folders_of_numbers_that_hold_a_model(tmp_path: Path):
    for name in ("1", "10", "2", ".3.partial", "x", "4"):
        (tmp_path / name).mkdir()
        if name != "4":  # nothing in it yet
            (tmp_path / name / "saved_model.pb").touch()
    assert list(model_config.version_folders(tmp_path)) == [1, 2, 10]


def test_of_several_names_of_one_version_the_shortest_counts(tmp_path: Path):
    for name in ("007", "7", "0007", "00000123"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    folders = model_config.version_folders(tmp_path)
    assert folders == {7: tmp_path / "7", 123: tmp_path / "00000123"}
    assert list(folders) == [7, 123]
