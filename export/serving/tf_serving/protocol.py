"""TF Serving's protocol buffers, as far as they are read or written here.

TF Serving's own Python package needs the one version of TensorFlow that it was made with. These
messages are described in `protocol.textproto` and lie in a pool of their own, so that both can be
imported together; tests hold them to the originals.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow.core.framework import (
    resource_handle_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)  # fmt: skip


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    # Each file after those that it refers to.
    for module in (wrappers_pb2, types_pb2, tensor_shape_pb2, resource_handle_pb2, tensor_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    text = Path(__file__).with_suffix(".textproto").read_text("utf-8")
    file = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
    pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(
        _POOL.FindMessageTypeByName(f"tensorflow.serving.{name}")
    )


PredictRequest = _message("PredictRequest")
PredictResponse = _message("PredictResponse")
PredictionLog = _message("PredictionLog")
ModelServerConfig = _message("ModelServerConfig")
