"""TF Serving's protocol buffers, as far as they are read or written here.

TF Serving's own Python package needs the one version of TensorFlow that it was made with. These
messages have its names and field numbers (tensorflow_serving/{apis,config,util,servables}), in a
pool of their own, so that both can be imported together; tests hold them to the originals.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from tensorflow.core.framework import (
    resource_handle_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)

PACKAGE = "tensorflow.serving"
_INT64, _STRING = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
_TENSOR = ".tensorflow.TensorProto"
_POLICY = "FileSystemStoragePathSourceConfig.ServableVersionPolicy"

# Name: fields (name, number, type). A type is a scalar, a message, "repeated TYPE", "map TYPE" from
# strings, or "oneof GROUP TYPE".
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "ModelSpec": (
        ("name", 1, "string"),
        ("version", 2, f"oneof version_choice {_INT64}"),
        ("version_label", 4, "oneof version_choice string"),
        ("signature_name", 3, "string"),
    ),
    "PredictRequest": (
        ("model_spec", 1, "ModelSpec"),
        ("inputs", 2, f"map {_TENSOR}"),
        ("output_filter", 3, "repeated string"),
    ),
    "PredictResponse": (("outputs", 1, f"map {_TENSOR}"), ("model_spec", 2, "ModelSpec")),
    "PredictLog": (("request", 1, "PredictRequest"), ("response", 2, "PredictResponse")),
    "PredictionLog": (("predict_log", 6, "oneof log_type PredictLog"),),
    "ModelServerConfig": (("model_config_list", 1, "oneof config ModelConfigList"),),
    "ModelConfigList": (("config", 1, "repeated ModelConfig"),),
    "ModelConfig": (
        ("name", 1, "string"),
        ("base_path", 2, "string"),
        ("model_platform", 4, "string"),
        ("model_version_policy", 7, _POLICY),
        ("version_labels", 8, "map int64"),
    ),
    "FileSystemStoragePathSourceConfig": (),
    _POLICY: (
        ("latest", 100, f"oneof policy_choice {_POLICY}.Latest"),
        ("all", 101, f"oneof policy_choice {_POLICY}.All"),
        ("specific", 102, f"oneof policy_choice {_POLICY}.Specific"),
    ),
    f"{_POLICY}.Latest": (("num_versions", 1, "uint32"),),
    f"{_POLICY}.All": (),
    f"{_POLICY}.Specific": (("versions", 1, "repeated int64"),),
    "BatchingParameters": (
        ("max_batch_size", 1, _INT64),
        ("batch_timeout_micros", 2, _INT64),
        ("max_enqueued_batches", 3, _INT64),
        ("num_batch_threads", 4, _INT64),
        ("thread_pool_name", 5, _STRING),
        ("allowed_batch_sizes", 6, "repeated int64"),
        ("pad_variable_length_inputs", 7, "bool"),
    ),
    "MonitoringConfig": (("prometheus_config", 1, "PrometheusConfig"),),
    "PrometheusConfig": (("enable", 1, "bool"), ("path", 2, "string")),
}
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "int64": _Field.TYPE_INT64,
    "uint32": _Field.TYPE_UINT32,
}


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    needed = (
        wrappers_pb2, types_pb2, tensor_shape_pb2, resource_handle_pb2, tensor_pb2,
    )  # fmt: skip
    file = descriptor_pb2.FileDescriptorProto(
        name="ser_keras/tf_serving.proto", package=PACKAGE, syntax="proto3"
    )
    for module in needed:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        file.dependency.append(module.DESCRIPTOR.name)
    made: dict[str, descriptor_pb2.DescriptorProto] = {}
    for name, fields in _MESSAGES.items():
        outer, _, inner = name.rpartition(".")
        message = made[outer].nested_type.add() if outer else file.message_type.add()
        message.name = inner
        made[name] = message
        for field in fields:
            _add_field(message, name, *field)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add_field(message: Any, owner: str, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    form, _, rest = kind.partition(" ")
    if form == "map":
        # A map is a repeated message of keys and values.
        entry = message.nested_type.add(
            name="".join(part.capitalize() for part in name.split("_")) + "Entry"
        )
        entry.options.map_entry = True
        _add_field(entry, "", "key", 1, "string")
        _add_field(entry, "", "value", 2, rest)
        field.label = _Field.LABEL_REPEATED
        kind = f"{owner}.{entry.name}"
    elif form == "repeated":
        field.label, kind = _Field.LABEL_REPEATED, rest
    elif form == "oneof":
        group, _, kind = rest.partition(" ")
        names = [oneof.name for oneof in message.oneof_decl]
        if group not in names:
            message.oneof_decl.add(name=group)
            names.append(group)
        field.oneof_index = names.index(group)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = kind if kind.startswith(".") else f".{PACKAGE}.{kind}"


_POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


PredictRequest = _message("PredictRequest")
PredictResponse = _message("PredictResponse")
PredictionLog = _message("PredictionLog")
ModelServerConfig = _message("ModelServerConfig")
BatchingParameters = _message("BatchingParameters")
MonitoringConfig = _message("MonitoringConfig")
