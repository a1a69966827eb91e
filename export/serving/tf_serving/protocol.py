"""TF Serving's protocol buffers, as far as they are read or written here.

TF Serving's own Python package needs the one version of TensorFlow that it was made with. These
messages are described in `protocol.textproto` and lie in a pool of their own, so that both can be
imported together; tests hold them to the originals.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow.core.framework import resource_handle_pb2, tensor_pb2, tensor_shape_pb2, types_pb2

_pool = descriptor_pool.DescriptorPool()
# Each file after those that it refers to.
for _module in (wrappers_pb2, types_pb2, tensor_shape_pb2, resource_handle_pb2, tensor_pb2):
    _pool.AddSerializedFile(_module.DESCRIPTOR.serialized_pb)
_text = Path(__file__).with_suffix(".textproto").read_text("utf-8")
_file = text_format.Parse(_text, descriptor_pb2.FileDescriptorProto())
_pool.AddSerializedFile(_file.SerializeToString())
_messages = message_factory.GetMessageClassesForFiles([_file.name], _pool)

PredictRequest = _messages["tensorflow.serving.PredictRequest"]
PredictResponse = _messages["tensorflow.serving.PredictResponse"]
PredictionLog = _messages["tensorflow.serving.PredictionLog"]
ModelServerConfig = _messages["tensorflow.serving.ModelServerConfig"]
